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
            let began = std::time::Instant::now();
            let report = run_case(rt, &case, n, |call| {
                let (grid, split) = call.cut_axis().unwrap();
                let parts = match split {
                    Split::Axis(axis) => cut(grid, usize::from(axis), share, &[(1, 1.0)]),
                    Split::Whole(_) => cut(grid, 0, 0.0, &[(1, 1.0)]),
                };
                call.assignments(parts)
            });
            eprintln!("{} at {n}: {:?} {:?}", case.name, began.elapsed(), report.windows);
            reports.push((case.name, n, report));
        }
    }
    reports
}

/// The cases that fit no small window: each work-group reads all of an array.
fn must_recover(name: &str, n: usize) -> bool {
    matches!(name, "n-body" | "gather" | "scatter") && n > 1000
}

fn check(reports: &[(&'static str, usize, Report)]) {
    let windowed = reports.iter().filter(|(.., r)| !r.windows.is_empty()).count();
    assert!(windowed > 20, "only {windowed} of {} ran in windows", reports.len());
    let unexpected: Vec<String> = (reports.iter())
        .filter(|(name, n, r)| !r.recoveries.is_empty() && !must_recover(name, *n))
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
