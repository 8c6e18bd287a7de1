//! Items counted by an array: on the device that has the count nothing is copied for it, elsewhere it is read.

#[path = "arrays/devices.rs"]
mod devices;
#[path = "arrays/kernels.rs"]
mod kernels;
#[cfg(feature = "gpu")]
mod support;

use devices::{runtime, runtimes, software};
use evener::{prelude::*, report::Bytes};
use kernels::{COUNT, FILL};

const GPU: Placement = Placement::Gpu(Some(0));
const PLACEMENTS: [Placement; 4] = [Placement::Cpu, GPU, Placement::Split(0.5), Placement::Auto];
const N: usize = 4096;

/// Each invocation notes how many work-groups there are.
const GRID: &str = "
    @group(0) @binding(0) var<storage, read_write> out: array<u32>;
    @compute @workgroup_size(1)
    fn grid(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
        out[id.x] = groups.x * groups.y * groups.z;
    }";

/// A count as a kernel leaves it.
const SET: &str = "
    @group(0) @binding(0) var<uniform> value: u32;
    @group(0) @binding(1) var<storage, read_write> counts: array<u32>;
    @compute @workgroup_size(1) fn assign(@builtin(global_invocation_id) id: vec3u) { counts[100] = value; }";

fn ramp() -> Vec<f32> {
    (0..N).map(|i| (i * 7 % 100) as f32).collect()
}

/// Counts whose element 100 a device computed, so that the host lacks it.
fn counted_on(rt: &Runtime, on: Placement, value: u32) -> Array<u32> {
    let mut counts = rt.array(&[7u32; 200]).unwrap();
    rt.kernel(SET).unwrap().call().set("value", value).arg("counts", &mut counts).items(1).on(on).run().unwrap();
    counts
}

#[test]
fn what_a_device_counted_sizes_the_next_call_wherever_that_runs() {
    for rt in runtimes(1) {
        let (count, fill) = (rt.kernel(COUNT).unwrap(), rt.kernel(FILL).unwrap());
        for (above, on) in [10.0, 50.0, 1000.0].into_iter().flat_map(|above| PLACEMENTS.map(|on| (above, on))) {
            let (x, mut counts) = (rt.array(&ramp()).unwrap(), rt.zeros::<u32>(2).unwrap());
            count.call().set("above", above).arg("x", &x).arg("counts", &mut counts).items(N).on(GPU).run().unwrap();
            let n = ramp().iter().filter(|x| **x > above).count();
            let mut out = rt.array(&vec![-1.0f32; N]).unwrap();
            let report = fill.call().arg("out", &mut out).items_from(&counts, 1).on(on).run().unwrap();
            assert_eq!(report.placement.is_empty(), n == 0, "{report}");
            assert_eq!(report.groups[0] as usize, n.div_ceil(64), "{}", report.explain());
            let groups = n.div_ceil(64) * 64;
            let want: Vec<f32> = (0..N).map(|i| if i < groups { i as f32 } else { -1.0 }).collect();
            assert_eq!(out.to_vec().unwrap(), want);
        }
    }
}

#[test]
fn the_gpu_that_has_the_count_sizes_the_call_itself() {
    let Some(rt) = software(1) else { return };
    const LEN: u32 = 70_000;
    let grid = rt.kernel(GRID).unwrap();
    // Past 65,535 work-groups the dispatch is folded; past the array's end the writes are dropped.
    for value in [0u32, 1, 5, 2000, 65_535, 65_536, 70_001, 131_071] {
        let counts = counted_on(&rt, GPU, value);
        let mut out = rt.zeros::<u32>(LEN as usize).unwrap();
        // All of it is on the device beforehand, so that nothing moves for the call.
        grid.call().arg("out", &mut out).items(LEN).on(GPU).run().unwrap();
        let report = grid.call().arg("out", &mut out).items_from(&counts, 100).on(GPU).strict(true).run().unwrap();
        assert_eq!(report.bytes, Bytes { up: 0, down: 0 }, "{}", report.explain());
        assert!(report.reason.contains("gpu:0 found") || report.reason.contains("itself"), "{}", report.reason);
        assert_eq!(report.groups[0], value);
        let out = out.to_vec().unwrap();
        let end = out.len().min(value as usize);
        assert!(out[..end].iter().all(|&groups| groups == value));
        assert!(out[end..].iter().all(|&groups| groups == LEN));
    }
}

#[test]
fn a_kernel_may_write_the_array_that_counts_its_items() {
    const TAKE: &str = "
        @group(0) @binding(0) var<storage, read_write> taken: array<u32>;
        @group(0) @binding(1) var<storage, read> left: array<u32>;
        @compute @workgroup_size(64) fn take(@builtin(global_invocation_id) id: vec3u) {
            if id.x < left[100] { taken[id.x] = 1u; }
        }";
    for rt in runtimes(1) {
        let take = rt.kernel(TAKE).unwrap();
        for on in PLACEMENTS {
            let (counts, mut taken) = (counted_on(&rt, GPU, 70), rt.zeros::<u32>(200).unwrap());
            let call = take.call().arg("taken", &mut taken).arg("left", &counts).items_from(&counts, 100);
            assert_eq!(call.on(on).run().unwrap().groups, [2, 1, 1]);
            assert_eq!(taken.to_vec().unwrap().iter().sum::<u32>(), 70);
            assert_eq!(counts.view(99..=100).unwrap().read().unwrap()[..], [7, 70], "the others are still there");
        }
    }
}

#[test]
fn what_the_call_leaves_alone_stays_as_it_was() {
    for rt in runtimes(1) {
        let fill = rt.kernel(FILL).unwrap();
        let counts = counted_on(&rt, GPU, 64);
        // Only on the host until the call: what the kernel does not reach must come up with the rest.
        let mut out = rt.array(&ramp()).unwrap();
        fill.call().arg("out", &mut out).items_from(&counts, 100).on(GPU).run().unwrap();
        let want: Vec<f32> = (0..N).map(|i| if i < 64 { i as f32 } else { ramp()[i] }).collect();
        assert_eq!(out.to_vec().unwrap(), want);
    }
}

#[test]
fn host_slices_take_the_count_too() {
    for rt in runtimes(1) {
        for on in PLACEMENTS {
            let (counts, mut out) = (counted_on(&rt, GPU, 100), vec![-1.0f32; 1000]);
            let report = rt.kernel(FILL).unwrap().call().arg("out", &mut out).items_from(&counts, 100).on(on).run();
            assert_eq!(report.unwrap().groups[0], 2);
            assert!(out[..128].iter().zip(0..).all(|(x, i)| *x == i as f32) && out[128..].iter().all(|x| *x == -1.0));
        }
    }
}

#[test]
fn a_count_that_is_not_there_is_an_error_that_says_so() {
    let (rt, _) = runtime(1);
    let (other, _) = runtime(1);
    let fill = rt.kernel(FILL).unwrap();
    let (counts, foreign) = (rt.zeros::<u32>(2).unwrap(), other.zeros::<u32>(2).unwrap());
    let mut out = rt.zeros::<f32>(N).unwrap();
    for index in [2, usize::MAX] {
        let error = fill.call().arg("out", &mut out).items_from(&counts, index).run().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ArgumentSize, "{error}");
    }
    let error = fill.call().arg("out", &mut out).items_from(&foreign, 0).run().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ArgumentType, "{error}");
}

#[test]
fn a_count_lost_with_its_device_is_an_error_and_the_call_wrote_nothing() {
    for (placement, kind) in [(Placement::Auto, ErrorKind::DeviceLost), (GPU, ErrorKind::NoSuchDevice)] {
        let (rt, gpus) = runtime(1);
        let counts = counted_on(&rt, GPU, 64);
        gpus[0].lose_now();
        let mut out = rt.zeros::<f32>(N).unwrap();
        let fill = rt.kernel(FILL).unwrap();
        let error = fill.call().arg("out", &mut out).items_from(&counts, 100).on(placement).run().unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
        assert!(out.to_vec().unwrap().iter().all(|x| *x == 0.0));
    }
}

#[test]
fn steps_of_a_counted_size_change_places_even_where_nothing_is_counted() {
    for rt in runtimes(1) {
        let kernel = rt.kernel(kernels::STENCIL).unwrap();
        for (on, count, steps) in PLACEMENTS.into_iter().flat_map(|on| [(on, 0, 3), (on, 2048, 3), (on, 2048, 4)]) {
            let counts = counted_on(&rt, GPU, count);
            let (mut u, mut v) = (rt.array(&ramp()).unwrap(), rt.array(&vec![-1.0f32; N]).unwrap());
            let call = kernel.call().arg("src", &mut u).arg("dst", &mut v).items_from(&counts, 100).on(on);
            let report = call.iterate(steps, ("src", "dst")).unwrap();
            assert_eq!(report.placement.is_empty(), count == 0, "{report}");
            let mut want = [ramp(), vec![-1.0f32; N]];
            for _ in 0..steps {
                let next = kernels::stencil(&want[0]);
                want[1][..count as usize].copy_from_slice(&next[..count as usize]);
                want.swap(0, 1);
            }
            assert_eq!([u.to_vec().unwrap(), v.to_vec().unwrap()], want, "{on}, {count} items, {steps} steps");
        }
    }
}
