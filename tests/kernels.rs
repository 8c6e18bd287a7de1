//! The one case table on every path: cpu, gpu, clamping gpu, split, auto, and random placements.

#[cfg(feature = "gpu")]
mod support;
mod table;

use evener::{
    backend::fake::{FakeGpu, Script},
    prelude::*,
    schedule::{
        chunks::Worker,
        plan::{Assignment, cut},
    },
};
use evener_lanes::{Grid, GroupRange, analysis::Split};
use std::sync::Arc;
use table::{
    cases::{beyond_one_dispatch, cases},
    profile_path, run_case, software_runtime,
};

/// 1, around a work-group, and a large odd number.
const SIZES: [usize; 7] = [1, 63, 64, 65, 255, 257, 100_003];

fn on_all_sizes(rt: &Runtime, placement: Placement) {
    for n in SIZES {
        for case in cases(n) {
            run_case(rt, &case, n, |call| call.on(placement));
        }
    }
}

fn cpu_runtime() -> Runtime {
    Runtime::builder().gpu(false).profile(profile_path()).build().unwrap()
}

#[test]
fn every_kernel_is_right_on_the_cpu() {
    on_all_sizes(&cpu_runtime(), Placement::Cpu);
}

#[test]
fn every_kernel_is_right_on_the_gpu() {
    if let Some(rt) = software_runtime(None) {
        on_all_sizes(&rt, Placement::Gpu(Some(0)));
    }
}

#[cfg(feature = "gpu")]
#[test]
fn every_kernel_is_right_where_the_driver_clamps_indices() {
    if let Some(rt) = software_runtime(Some(support::clamped)) {
        on_all_sizes(&rt, Placement::Gpu(Some(0)));
    }
}

#[test]
fn every_kernel_is_right_when_split() {
    if let Some(rt) = software_runtime(None) {
        for share in [0.37, 0.5] {
            on_all_sizes(&rt, Placement::Split(share));
        }
    }
}

#[test]
fn every_kernel_is_right_where_the_model_chooses() {
    if let Some(rt) = software_runtime(None) {
        on_all_sizes(&rt, Placement::Auto);
    }
}

/// Small chunks on both, late ones once more on the CPU: what is said of the devices is not true.
#[test]
fn every_kernel_is_right_in_chunks_beside_the_gpu() {
    let Some(rt) = software_runtime(None) else { return };
    let worker = |device: usize| Worker {
        chunk_ns: 10.0,
        launch_ns: 0.0,
        filling_ns: 0.0,
        first_ns: 0.0,
        link_ns: 1.0,
        slice_ns: 1e3,
        spread: 1.5,
        uneven: 1.5,
        in_place: device == 0,
    };
    for n in [257, 20_003] {
        for case in cases(n) {
            run_case(&rt, &case, n, |call| call.workers(vec![(0, worker(0)), (1, worker(1))]));
        }
    }
}

#[test]
fn more_work_groups_than_an_axis_takes() {
    let Some(rt) = software_runtime(None) else { return };
    for case in beyond_one_dispatch() {
        for placement in [Placement::Cpu, Placement::Gpu(Some(0)), Placement::Split(0.37)] {
            run_case(&rt, &case, case.items[0] as usize, |call| call.on(placement));
        }
    }
}

#[test]
fn the_table_says_what_splits_and_the_analysis_agrees() {
    let rt = Runtime::builder().gpu(false).profile(None).backend(Arc::new(FakeGpu::new(0, []))).build().unwrap();
    for case in cases(10_000) {
        let report = run_case(&rt, &case, 10_000, |call| call.on(Placement::Split(0.5)));
        assert_eq!(report.chunks.len() == 2, case.splits, "{}: {}", case.name, report.reason);
    }
}

/// A small deterministic generator: the seed is in the failure message.
struct Random(u64);

impl Random {
    fn below(&mut self, n: u32) -> u32 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) % u64::from(n.max(1))) as u32
    }
}

/// Cuts the grid at random places and hands the parts to random devices.
fn adversarial(random: &mut Random, grid: Grid, split: &Split, devices: u32) -> Vec<Assignment> {
    let Split::Axis(axis) = split else {
        return vec![Assignment { device: random.below(devices) as usize, range: GroupRange::all(grid) }];
    };
    let axis = usize::from(*axis);
    let mut cuts: Vec<u32> = (0..random.below(6)).map(|_| random.below(grid.groups[axis] + 1)).collect();
    cuts.extend([0, grid.groups[axis]]);
    cuts.sort_unstable();
    cuts.dedup();
    cuts.windows(2)
        .map(|w| {
            let mut range = GroupRange::all(grid);
            (range.start[axis], range.end[axis]) = (w[0], w[1]);
            Assignment { device: random.below(devices) as usize, range }
        })
        .collect()
}

#[test]
fn any_placement_gives_right_results() {
    let fakes = (0..2).map(|k| Arc::new(FakeGpu::new(k, [])));
    let rt = fakes.fold(Runtime::builder().gpu(false).profile(None), |b, f| b.backend(f)).build().unwrap();
    for seed in 0..12u64 {
        let mut random = Random(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) + 1);
        for n in [1 + random.below(300) as usize, 5000 + random.below(5000) as usize] {
            for case in cases(n) {
                run_case(&rt, &case, n, |call| {
                    let (grid, split) = call.cut_axis().unwrap();
                    call.assignments(adversarial(&mut random, grid, &split, 3))
                });
            }
        }
    }
}

#[test]
fn a_lost_device_ends_as_a_right_result_elsewhere() {
    for script in [Script::LostAtStart, Script::LostInRun, Script::OutOfMemory] {
        for placement in [Placement::Gpu(Some(0)), Placement::Split(0.5)] {
            let device = Arc::new(FakeGpu::new(0, [script]));
            let rt = Runtime::builder().gpu(false).profile(None).backend(device).build().unwrap();
            let n = 5000;
            for case in cases(n).into_iter().filter(|c| c.splits) {
                let report = run_case(&rt, &case, n, |call| {
                    // Explicit parts leave the script to this call, not to a calibration.
                    let (grid, split) = call.cut_axis().unwrap();
                    let Split::Axis(axis) = split else { panic!("{} splits", case.name) };
                    let share = if placement == Placement::Split(0.5) { 0.5 } else { 0.0 };
                    call.assignments(cut(grid, usize::from(axis), share, &[(1, 1.0)]))
                });
                if report.recoveries.is_empty() {
                    continue; // the script was used up by an earlier case
                }
                assert_eq!(report.placement.get("cpu"), Some(&1.0), "{}", report.explain());
            }
        }
    }
}

#[test]
fn a_lost_device_is_an_error_when_strict() {
    let device = Arc::new(FakeGpu::new(0, [Script::LostInRun]));
    let rt = Runtime::builder().gpu(false).profile(None).strict(true).backend(device).build().unwrap();
    let kernel = rt.kernel(evener_shaders::SAXPY).unwrap();
    let (x, mut y) = (vec![1f32; 1000], vec![2f32; 1000]);
    let call = kernel.call().set("a", 2.0f32).arg("x", &x).arg("y", &mut y).items(1000);
    let parts = cut(Grid { groups: [4, 1, 1] }, 0, 0.0, &[(1, 1.0)]);
    let error = call.assignments(parts).run().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::DeviceLost);
    assert_eq!(y, vec![2f32; 1000], "nothing was written");
}
