//! Arrays on a device that shares the host's memory: written and read where they are, at any time and from any thread.
#![cfg(feature = "gpu")]

mod support;

use evener::{backend::gpu::GpuDevice, prelude::*};
use std::sync::Arc;

const GPU: Placement = Placement::Gpu(Some(0));
/// Not a multiple of anything that maps are aligned to.
const N: usize = 20_011;

const ADD: &str = "
    @group(0) @binding(0) var<storage, read> x: array<u32>;
    @group(0) @binding(1) var<storage, read_write> y: array<u32>;
    @compute @workgroup_size(64) fn add(@builtin(global_invocation_id) id: vec3u) {
        if id.x < arrayLength(&y) { y[id.x] += x[id.x]; }
    }";

fn runtime(gpu: Arc<GpuDevice>) -> Runtime {
    // One profile for all test processes of a build, so that the machine is measured once.
    let profile = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("profile.json");
    Runtime::builder().gpu(false).profile(Some(profile)).placement(GPU).backend(gpu).build().unwrap()
}

#[test]
fn bytes_are_the_same_mapped_and_staged_and_the_report_says_which() {
    let (Some(mapped), Some(staged)) = (support::software_gpu(), support::staging_gpu()) else { return };
    for (gpu, is_mapped) in [(mapped, true), (staged, false)] {
        let rt = runtime(gpu);
        let add = rt.kernel(ADD).unwrap();
        let ramp: Vec<u32> = (0..N as u32).collect();
        let (x, mut y) = (rt.array(&ramp).unwrap(), rt.array(&ramp).unwrap());
        let run = |y: &mut Array<u32>| add.call().arg("x", &x).arg("y", y).items(N).run().unwrap();
        let report = run(&mut y);
        assert_eq!((report.bytes.up, report.bytes.down), (8 * N as u64, 0));
        assert!(report.moves.iter().all(|m| m.mapped == is_mapped), "{}", report.explain());
        assert_eq!(report.explain().contains("shares with the host"), is_mapped, "{}", report.explain());
        // Parts, at odd places; what lies between is only on the device.
        y.view_mut(5..8).unwrap().copy_from(&[100; 3]).unwrap();
        y.view_mut(N - 1..).unwrap().write().unwrap()[0] = 7;
        assert_eq!(run(&mut y).bytes.up, 16);
        let want = |i: usize| match i {
            5..8 => 100 + i as u32,
            _ if i == N - 1 => 7 + i as u32,
            _ => 3 * i as u32,
        };
        assert_eq!(y.view(7..9).unwrap().read().unwrap()[..], [want(7), want(8)]);
        assert!(y.to_vec().unwrap().iter().enumerate().all(|(i, v)| *v == want(i)));
    }
}

#[test]
fn threads_map_their_arrays_while_others_run_calls() {
    let Some(gpu) = support::software_gpu() else { return };
    let rt = runtime(gpu);
    let add = rt.kernel(ADD).unwrap();
    let shared = rt.array(&[2u32; N]).unwrap();
    std::thread::scope(|scope| {
        for thread in 0..3u32 {
            let (rt, add, shared) = (&rt, &add, &shared);
            scope.spawn(move || {
                let mut own = rt.zeros::<u32>(N).unwrap();
                for turn in 0..12u32 {
                    own.view_mut(..100).unwrap().copy_from(&[thread; 100]).unwrap();
                    add.call().arg("x", shared).arg("y", &mut own).items(N).run().unwrap();
                    let seen = own.read().unwrap();
                    assert!(seen[..100].iter().all(|v| *v == thread + 2), "thread {thread}, turn {turn}");
                    assert!(seen[100..].iter().all(|v| *v == 2 * (turn + 1)), "thread {thread}, turn {turn}");
                    assert_eq!(shared.view(turn as usize..N).unwrap().read().unwrap()[0], 2);
                }
            });
        }
    });
}
