//! The table of what splits, run: on the CPU, on a GPU, on two, split at given shares and at random boundaries. The
//! results are those of the plain Rust reference in every case.

mod split_table;
#[cfg(feature = "gpu")]
mod support;

use evener::{
    backend::fake::FakeGpu,
    call::{Call, args::HostArg},
    prelude::*,
    schedule::{
        chunks::Worker,
        plan::{Assignment, cut},
    },
};
use evener_lanes::{Grid, GroupRange, analysis::Split};
use split_table::{Case, Expect, cases};
use std::sync::Arc;

const SHARES: [f64; 4] = [0.1, 0.37, 0.5, 0.9];

/// Runs a case in the parts that `place` gives and compares every buffer.
fn run_case(rt: &Runtime, case: &Case, what: &str, place: impl FnOnce(Grid, &Split) -> Vec<Assignment>) {
    set_up_and_run(rt, case, what, |call, grid, split| call.assignments(place(grid, split)));
}

/// Runs a case as `set_up` says and compares every buffer.
fn set_up_and_run(
    rt: &Runtime,
    case: &Case,
    what: &str,
    set_up: impl for<'a> FnOnce(Call<'a>, Grid, &Split) -> Call<'a>,
) {
    let wgsl = case.wgsl();
    let kernel = rt.kernel(&wgsl).unwrap_or_else(|e| panic!("{}: {e}\n{wgsl}", case.name));
    let mut data: Vec<Vec<u32>> = case.buffers.iter().map(|b| b.before.clone()).collect();
    let mut call = kernel.call().groups(case.groups);
    let members: Vec<String> = case.uniforms.iter().map(|(name, _)| format!("p.{name}")).collect();
    for (member, (_, value)) in members.iter().zip(&case.uniforms) {
        call = call.set(member, *value);
    }
    for (buffer, words) in case.buffers.iter().zip(&mut data) {
        let (kind, shape) = if buffer.ty.contains("u64") {
            (ScalarKind::U64, [words.len() / 2])
        } else {
            (ScalarKind::U32, [words.len()])
        };
        let arg = match buffer.after {
            Some(_) => HostArg::from_bytes_mut(kind, &shape, bytemuck::cast_slice_mut(words)),
            None => HostArg::from_bytes(kind, &shape, bytemuck::cast_slice(words)),
        };
        call = call.arg(buffer.name, arg);
    }
    let (grid, split) = call.cut_axis().unwrap_or_else(|e| panic!("{}: {e}", case.name));
    let report = set_up(call, grid, &split).run();
    let report = report.unwrap_or_else(|e| panic!("{} {what}: {e}\n{wgsl}", case.name));
    for (buffer, words) in case.buffers.iter().zip(&data) {
        let expected = buffer.after.as_ref().unwrap_or(&buffer.before);
        let wrong = (0..words.len()).find(|i| words[*i] != expected[*i]);
        if let Some(i) = wrong {
            let (got, want, chunks) = (words[i], expected[i], &report.chunks);
            panic!("{} {what}: `{}`[{i}] is {got} for {want}\n{chunks:?}\n{wgsl}", case.name, buffer.name);
        }
    }
}

/// The whole grid on one device.
fn whole(grid: Grid, device: usize) -> Vec<Assignment> {
    vec![Assignment { device, range: GroupRange::all(grid) }]
}

/// The CPU's share and the weights of the others, or the whole on the last of them where the call does not split.
fn shared(grid: Grid, split: &Split, cpu: f64, gpus: &[(usize, f64)]) -> Vec<Assignment> {
    match split {
        Split::Axis(axis) => cut(grid, usize::from(*axis), cpu, gpus),
        Split::Whole(_) => whole(grid, gpus.last().map_or(0, |g| g.0)),
    }
}

/// A small deterministic generator: the seed is in the failure message.
struct Random(u64);

impl Random {
    fn below(&mut self, n: u32) -> u32 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) % u64::from(n.max(1))) as u32
    }

    /// Parts between random boundaries on random devices.
    fn parts(&mut self, grid: Grid, split: &Split, devices: u32) -> Vec<Assignment> {
        let Split::Axis(axis) = split else { return whole(grid, self.below(devices) as usize) };
        let axis = usize::from(*axis);
        let mut cuts: Vec<u32> = (0..1 + self.below(6)).map(|_| self.below(grid.groups[axis] + 1)).collect();
        cuts.extend([0, grid.groups[axis]]);
        cuts.sort_unstable();
        cuts.dedup();
        let part = |w: &[u32]| {
            let mut range = GroupRange::all(grid);
            (range.start[axis], range.end[axis]) = (w[0], w[1]);
            range
        };
        cuts.windows(2).map(|w| Assignment { device: self.below(devices) as usize, range: part(w) }).collect()
    }
}

impl Random {
    /// Devices of any speed and doubt, the CPU the first: what chunks are sized by.
    fn workers(&mut self, devices: u32) -> Vec<(usize, Worker)> {
        let mut ns = |most: u32| f64::from(self.below(most));
        let mut worker = |device: u32| Worker {
            chunk_ns: ns(3),
            launch_ns: ns(3),
            filling_ns: ns(3),
            first_ns: ns(1000),
            link_ns: ns(3),
            slice_ns: 1.0 + ns(300),
            spread: ns(200) / 100.0,
            uneven: ns(100) / 100.0,
            in_place: device == 0,
        };
        (0..devices).map(|d| (d as usize, worker(d))).collect()
    }
}

/// Every placement of every case; the devices are the CPU and two others.
fn run_all(rt: &Runtime, seeds: u64) {
    for case in cases() {
        for device in 0..3 {
            run_case(rt, &case, &format!("on {device}"), |grid, _| whole(grid, device));
        }
        run_case(rt, &case, "on two", |grid, split| shared(grid, split, 0.0, &[(1, 0.43), (2, 0.57)]));
        for share in SHARES {
            run_case(rt, &case, &format!("split {share}"), |grid, split| shared(grid, split, share, &[(1, 1.0)]));
            let both = [(1, 0.5), (2, 0.5)];
            run_case(rt, &case, &format!("split {share} with two"), |grid, split| shared(grid, split, share, &both));
        }
        for seed in 0..seeds {
            let mut random = Random(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) + 1);
            run_case(rt, &case, &format!("seed {seed}"), |grid, split| random.parts(grid, split, 3));
            let workers = random.workers(3);
            set_up_and_run(rt, &case, &format!("in chunks, seed {seed}"), |call, _, _| call.workers(workers));
        }
    }
}

#[test]
fn the_analysis_of_a_call_is_that_of_the_table() {
    let rt = Runtime::builder().gpu(false).profile(None).build().unwrap();
    for case in cases() {
        run_case(&rt, &case, "on the cpu", |grid, split| {
            match (case.expect, split) {
                (Expect::Axis(a), Split::Axis(b)) => assert_eq!(a, *b, "{}", case.name),
                (Expect::Whole(part), Split::Whole(why)) => assert!(why.contains(part), "{}: {why}", case.name),
                (expect, got) => panic!("{}: {got:?} for {expect:?}", case.name),
            }
            whole(grid, 0)
        });
    }
}

/// Devices whose memory is poison where nothing was uploaded.
#[test]
fn every_kernel_is_right_on_scripted_devices() {
    let devices = (0..2).map(|k| Arc::new(FakeGpu::new(k, [])));
    let rt = devices.fold(Runtime::builder().gpu(false).profile(None), |b, d| b.backend(d)).build().unwrap();
    run_all(&rt, 30);
}

#[cfg(feature = "gpu")]
#[test]
fn every_kernel_is_right_on_two_gpus() {
    let Some(first) = support::software_gpu() else { return };
    let second = first.sibling("gpu:1").expect("an adapter");
    let rt = Runtime::builder().gpu(false).profile(None).backend(first).backend(second).build().unwrap();
    run_all(&rt, 4);
}
