//! Arrays larger than a device: the case table forced through small windows, exact limits, reasons of refusal, memory
//! that is not there.

#[cfg(feature = "gpu")]
mod support;
mod table;

use evener::{
    backend::{
        Room,
        fake::{FakeGpu, Script},
    },
    prelude::*,
    schedule::plan::cut,
};
use evener_lanes::analysis::Split;
use std::sync::Arc;
use table::{cases::cases, run_case};

/// What the cases are forced into: bindings of 4 KiB and 16 KiB in all.
const SMALL: Room = Room { binding_bytes: 4 << 10, memory_bytes: 16 << 10 };
/// Around a work-group, around a window, and many windows.
const SIZES: [usize; 4] = [65, 1023, 1025, 20_003];

fn fake(room: Room, script: impl IntoIterator<Item = Script>) -> (Runtime, Arc<FakeGpu>) {
    let device = Arc::new(FakeGpu::new(0, script).with_room(room));
    let rt = Runtime::builder().gpu(false).profile(None).placement(Placement::Cpu).backend(device.clone());
    (rt.build().unwrap(), device)
}

/// Every case on the device behind the CPU with the CPU's share of the split axis, where it can be cut.
fn all_cases(rt: &Runtime, share: f64) -> Vec<(&'static str, usize, Report)> {
    let mut reports = Vec::new();
    for n in SIZES {
        for case in cases(n) {
            let report = run_case(rt, &case, n, |call| {
                let (grid, split) = call.cut_axis().unwrap();
                let parts = match split {
                    Split::Axis(axis) => cut(grid, usize::from(axis), share, &[(1, 1.0)]),
                    Split::Whole(_) => cut(grid, 0, 0.0, &[(1, 1.0)]),
                };
                call.assignments(parts)
            });
            reports.push((case.name, n, report));
        }
    }
    reports
}

/// The cases that fit no small window: each work-group may touch all of an array, or parts of too many.
fn must_recover(name: &str) -> bool {
    matches!(name, "n-body" | "gather" | "scatter" | "shallow water")
}

fn check(reports: &[(&'static str, usize, Report)]) {
    let windowed = reports.iter().filter(|(.., r)| !r.windows.is_empty()).count();
    assert!(windowed > 20, "only {windowed} of {} ran in windows", reports.len());
    let unexpected: Vec<String> = (reports.iter())
        .filter(|(name, _, r)| !r.recoveries.is_empty() && !must_recover(name))
        .map(|(name, n, r)| format!("{name} at {n}: {}", r.explain()))
        .collect();
    assert!(unexpected.is_empty(), "{}", unexpected.join("\n"));
}

#[test]
fn every_kernel_is_right_in_small_windows_of_a_scripted_device() {
    let (rt, _) = fake(SMALL, []);
    for share in [0.0, 0.37] {
        check(&all_cases(&rt, share));
    }
}

#[cfg(feature = "gpu")]
#[test]
fn every_kernel_is_right_in_small_windows_of_the_gpu() {
    for writer in [None, Some(support::clamped as table::SpirvWriter)] {
        let builder = Runtime::builder().software_gpu(true).profile(table::profile_path()).spirv_writer(writer);
        let builder = builder.device_memory(SMALL.memory_bytes).binding_limit(SMALL.binding_bytes);
        let Some(rt) = table::with_software_gpu(builder) else { return };
        for share in [0.0, 0.37] {
            check(&all_cases(&rt, share));
        }
    }
}

/// `y = 2 x + y` on n elements, `y` in place.
const SAXPY: &str = "
    @group(0) @binding(0) var<storage, read> x: array<u32>;
    @group(0) @binding(1) var<storage, read_write> y: array<u32>;
    @compute @workgroup_size(64)
    fn main(@builtin(global_invocation_id) id: vec3u) { y[id.x] = 2u * x[id.x] + y[id.x]; }";

fn run(rt: &Runtime, wgsl: &str, n: usize, placement: Placement) -> (Vec<u32>, evener::Result<Report>) {
    let kernel = rt.kernel(wgsl).unwrap();
    let (x, mut y) = ((0..n as u32).collect::<Vec<_>>(), vec![7u32; n]);
    let report = kernel.call().arg("x", &x).arg("y", &mut y).items(n as u64).on(placement).run();
    (y, report)
}

fn assert_saxpy(y: &[u32]) {
    assert!(y.iter().enumerate().all(|(i, &v)| v == 2 * i as u32 + 7));
}

#[test]
fn a_binding_of_exactly_the_limit_is_bound_whole_and_one_more_element_is_not() {
    let (rt, device) = fake(Room { binding_bytes: 4096, memory_bytes: u64::MAX }, []);
    let (y, report) = run(&rt, SAXPY, 1024, Placement::Gpu(None));
    assert_saxpy(&y);
    let report = report.unwrap();
    assert!(report.windows.is_empty() && report.refused.is_empty(), "{}", report.explain());
    let before = device.chunks();
    let (y, report) = run(&rt, SAXPY, 1025, Placement::Gpu(None));
    assert_saxpy(&y);
    let report = report.unwrap();
    assert!(report.windows[0].contains("`x` has 4.0 KiB, the device binds at most 4.0 KiB"), "{}", report.explain());
    assert!(device.chunks() > before + 1);
    assert_eq!((report.bytes.up, report.bytes.down), (2 * 4 * 1025, 4 * 1025), "each byte once");
}

#[test]
fn memory_of_exactly_the_arrays_is_enough_and_one_byte_less_is_not() {
    for (memory_bytes, windows) in [(8192, 0), (8191, 1)] {
        let (rt, _) = fake(Room { binding_bytes: u64::MAX, memory_bytes }, []);
        let (y, report) = run(&rt, SAXPY, 1024, Placement::Gpu(None));
        assert_saxpy(&y);
        assert_eq!(report.unwrap().windows.len(), windows, "{memory_bytes}");
    }
}

#[test]
fn a_histogram_stays_on_the_device_and_moves_once() {
    let (rt, device) = fake(SMALL, []);
    let source = "
        @group(0) @binding(0) var<storage, read> x: array<u32>;
        @group(0) @binding(1) var<storage, read_write> y: array<atomic<u32>>;
        @compute @workgroup_size(64)
        fn main(@builtin(global_invocation_id) id: vec3u) {
            if id.x < arrayLength(&x) { atomicAdd(&y[x[id.x] % 16u], 1u); }
        }";
    let kernel = rt.kernel(source).unwrap();
    let (x, mut y) = ((0..16_000u32).collect::<Vec<_>>(), vec![5u32; 16]);
    let call = || kernel.call().items(16_000).on(Placement::Gpu(None));
    let report = call().arg("x", &x).arg("y", &mut y).run().unwrap();
    assert_eq!(y, [1005; 16]);
    assert!(device.chunks() > 8);
    assert_eq!((report.bytes.up, report.bytes.down), (64_000 + 64, 64));
}

#[test]
fn what_fits_no_window_stays_on_the_cpu_and_says_why() {
    let (rt, _) = fake(SMALL, []);
    let source = "
        @group(0) @binding(0) var<storage, read> x: array<u32>;
        @group(0) @binding(1) var<storage, read_write> y: array<u32>;
        @compute @workgroup_size(64)
        fn main(@builtin(global_invocation_id) id: vec3u) { y[id.x] = x[x[id.x] % arrayLength(&x)]; }";
    let (y, report) = run(&rt, source, 4096, Placement::Auto);
    assert!(y.iter().enumerate().all(|(i, &v)| v == i as u32));
    let report = report.unwrap();
    assert_eq!(report.chose, "cpu");
    let text = report.explain();
    assert!(text.contains("one work-group may touch 16.0 KiB of `x`, the device binds at most 4.0 KiB"), "{text}");
    let (_, report) = run(&rt, source, 4096, Placement::Gpu(None));
    let error = report.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NoSuchDevice);
    assert!(error.to_string().contains("may touch 16.0 KiB of `x`"), "{error}");
    let fixed = "
        @group(0) @binding(0) var<storage, read> x: array<u32, 4096>;
        @group(0) @binding(1) var<storage, read_write> y: array<u32>;
        @compute @workgroup_size(64) fn main(@builtin(global_invocation_id) id: vec3u) { y[id.x] = x[id.x]; }";
    let (_, report) = run(&rt, fixed, 4096, Placement::Gpu(None));
    assert!(report.unwrap_err().to_string().contains("`x` has 16.0 KiB and cannot be cut"));
}

#[test]
fn memory_that_is_not_there_halves_the_chunks() {
    let script = [Script::Run, Script::Run, Script::OutOfMemory, Script::Run, Script::OutOfMemory];
    let (rt, device) = fake(SMALL, []);
    let clean = {
        run(&rt, SAXPY, 20_000, Placement::Gpu(None)).1.unwrap();
        device.chunks()
    };
    let (rt, device) = fake(SMALL, script);
    let kernel = rt.kernel(SAXPY).unwrap();
    let (x, mut y) = ((0..20_000u32).collect::<Vec<_>>(), vec![7u32; 20_000]);
    // Given parts leave the script to this call, not to a calibration.
    let parts = cut(evener_lanes::Grid { groups: [313, 1, 1] }, 0, 0.25, &[(1, 1.0)]);
    let report = kernel.call().arg("x", &x).arg("y", &mut y).items(20_000).assignments(parts).run().unwrap();
    assert_saxpy(&y);
    assert!(
        report.recoveries.is_empty() && report.windows[0].contains("too little memory 2 times"),
        "{}",
        report.explain()
    );
    assert!(report.placement["gpu:0"] > 0.7 && device.chunks() > clean, "{}", report.explain());
}

#[test]
fn a_loss_in_the_stream_costs_what_was_not_back() {
    for at in [0, 1, 7] {
        let script = std::iter::repeat_n(Script::Run, at).chain([Script::LostInRun]);
        for share in [0.0, 0.25] {
            let (rt, _) = fake(SMALL, script.clone());
            let kernel = rt.kernel(SAXPY).unwrap();
            let (x, mut y) = ((0..20_000u32).collect::<Vec<_>>(), vec![7u32; 20_000]);
            let parts = cut(evener_lanes::Grid { groups: [313, 1, 1] }, 0, share, &[(1, 1.0)]);
            let call = kernel.call().arg("x", &x).arg("y", &mut y).items(20_000);
            let report = call.assignments(parts).run().unwrap();
            assert_saxpy(&y);
            assert!(!report.recoveries.is_empty(), "{}", report.explain());
            assert!(at == 0 || report.placement["gpu:0"] > 0.0, "{}", report.explain());
        }
    }
}
