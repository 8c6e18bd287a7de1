//! Rewritten modules on the software device: chunks, folded grids, logical lengths, with the driver's bounds and with
//! naga's clamping ones.
#![cfg(feature = "gpu")]
#![allow(clippy::single_range_in_vec_init, reason = "transfers are lists of ranges")]

mod support;

use evener::{
    backend::{
        Argument, Backend, Transfer,
        gpu::{GpuDevice, Job},
    },
    kernel::rewrite::{GpuModule, rewrite_module},
};
use evener_lanes::{Grid, GroupRange, analysis::Strided, ir::Binding};
use naga::valid::{Capabilities, ValidationFlags, Validator};
use support::*;

fn rewritten(wgsl: &str, bindings: &[Binding]) -> GpuModule {
    let module = naga::front::wgsl::parse_str(wgsl).unwrap_or_else(|e| panic!("{}", e.emit_to_string(wgsl)));
    let info = Validator::new(ValidationFlags::all(), Capabilities::all()).validate(&module).expect("valid");
    rewrite_module(&module, &info, "main", bindings).expect("rewrites")
}

/// Runs a range of a kernel whose only binding is `y`.
#[allow(clippy::too_many_arguments, reason = "a test helper")]
fn run(
    gpu: &GpuDevice,
    kernel: u64,
    module: &GpuModule,
    bindings: &[Binding],
    y: &mut [u8],
    grid: u32,
    part: std::ops::Range<u32>,
    transfers: &[Transfer],
) {
    let lengths = [y.len() as u64];
    let arguments: [Argument; 1] = [argument(y)];
    let range = GroupRange { start: [part.start, 0, 0], end: [part.end, 1, 1] };
    let limit = gpu.info().limits.groups_per_axis;
    let dispatch = module.dispatch(Grid { groups: [grid, 1, 1] }, &range, &lengths, limit).expect("fits");
    let job = Job {
        kernel,
        shader: module.into(),
        bindings,
        dispatch,
        arguments: &arguments,
        transfers,
        carry: None,
        repeat: None,
        counted: None,
        alone: false,
    };
    gpu.start_job(&job).expect("starts").finish().expect("runs");
}

/// No guard of its own: the last work-group runs past the end.
const UNGUARDED: &str = "
    @group(0) @binding(0) var<storage, read_write> y: array<u32>;
    @compute @workgroup_size(64)
    fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) n: vec3u) {
        y[id.x] = y[id.x] + id.x + 1000000u * n.x + arrayLength(&y);
    }";

fn check_unguarded(gpu: &GpuDevice) {
    let bindings = [storage("y", 0, 0, READ_WRITE)];
    let module = rewritten(UNGUARDED, &bindings);
    for n in [1u32, 63, 64, 65, 1003] {
        let groups = n.div_ceil(64);
        let mut y = bytes(&vec![5; n as usize]);
        let transfers = [whole(y.len(), true)];
        run(gpu, 20, &module, &bindings, &mut y, groups, 0..groups, &transfers);
        let expected: Vec<u32> = (0..n).map(|i| 5 + i + 1_000_000 * groups + n).collect();
        assert!(y == bytes(&expected), "{n} elements");
    }
}

#[test]
fn an_unguarded_kernel_leaves_the_last_element_right_on_both_policies() {
    let (Some(plain), Some(clamping)) = (software_gpu(), clamping_gpu()) else { return };
    check_unguarded(&plain);
    check_unguarded(&clamping);
}

#[test]
fn chunks_see_the_whole_grid_and_write_their_own_part() {
    let Some(gpu) = software_gpu() else { return };
    let bindings = [storage("y", 0, 0, READ_WRITE)];
    let module = rewritten(UNGUARDED, &bindings);
    let (n, groups) = (1003u32, 16u32);
    let mut y = bytes(&vec![5; n as usize]);
    for part in [0..6, 6..7, 7..16] {
        let own = u64::from(part.start) * 256..(u64::from(part.end) * 256).min(4 * u64::from(n));
        let down = Strided { start: own.start, run: own.end - own.start, levels: vec![] };
        run(&gpu, 21, &module, &bindings, &mut y, groups, part, &[transfer(&[own], &[down])]);
    }
    let expected: Vec<u32> = (0..n).map(|i| 5 + i + 1_000_000 * groups + n).collect();
    assert!(y == bytes(&expected));
}

#[test]
fn more_groups_than_an_axis_holds_are_folded() {
    let (Some(plain), Some(clamping)) = (software_gpu(), clamping_gpu()) else { return };
    let wgsl = "
        @group(0) @binding(0) var<storage, read_write> y: array<u32>;
        @compute @workgroup_size(1)
        fn main(@builtin(workgroup_id) id: vec3u) { y[id.x] = id.x; }";
    let bindings = [storage("y", 0, 0, WRITE)];
    let module = rewritten(wgsl, &bindings);
    let n = 65_535 + 70;
    for gpu in [plain, clamping] {
        let mut y = bytes(&vec![7; n]);
        let transfers = [whole(y.len(), true)];
        run(&gpu, 22, &module, &bindings, &mut y, n as u32, 0..n as u32, &transfers);
        assert!(y == bytes(&(0..n as u32).collect::<Vec<_>>()));
    }
}
