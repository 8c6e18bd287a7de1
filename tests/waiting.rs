//! Who waits for a device: several threads at once, nobody, and threads whose device is lost meanwhile.
#![cfg(feature = "gpu")]

mod support;

use evener::{backend::gpu::GpuDevice, prelude::*};
use std::{
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

const GPU: Placement = Placement::Gpu(Some(0));
const N: usize = 20_000;
/// Longer than anything here takes.
const TIME_OUT: Duration = Duration::from_secs(60);

/// Work enough that a device can be lost in the middle of it.
const HASH: &str = "
    @group(0) @binding(0) var<uniform> rounds: u32;
    @group(0) @binding(1) var<storage, read> x: array<u32>;
    @group(0) @binding(2) var<storage, read_write> y: array<u32>;
    @compute @workgroup_size(64) fn hash(@builtin(global_invocation_id) id: vec3u) {
        if (id.x >= arrayLength(&y)) { return; }
        var h = x[id.x];
        for (var k = 0u; k < rounds; k++) { h = h * 1664525u + 1013904223u; }
        y[id.x] = h;
    }";

fn runtime(device: Arc<GpuDevice>) -> Runtime {
    // One profile for all test processes of a build, so that the machine is measured once.
    let profile = Path::new(env!("CARGO_TARGET_TMPDIR")).join("profile.json");
    Runtime::builder().gpu(false).profile(Some(profile)).backend(device).build().unwrap()
}

fn hashed(x: u32, rounds: u32) -> u32 {
    (0..rounds).fold(x, |h, _| h.wrapping_mul(1_664_525).wrapping_add(1_013_904_223))
}

#[test]
fn threads_that_wait_for_submissions_of_their_own_get_their_own_results() {
    let Some(device) = support::software_gpu() else { return };
    let rt = runtime(device);
    let kernel = rt.kernel(HASH).unwrap();
    std::thread::scope(|scope| {
        for thread in 0..3u32 {
            let (rt, kernel) = (&rt, &kernel);
            scope.spawn(move || {
                let (mut u, mut v) = (rt.array(&[thread; N]).unwrap(), rt.zeros::<u32>(N).unwrap());
                let mut want = thread;
                for turn in 0..20 {
                    // Some wait for their call, some for a submission that others may share.
                    let rounds = 1 + (turn + thread) % 5;
                    let call = kernel.call().set("rounds", rounds).arg("x", &u).arg("y", &mut v).items(N).on(GPU);
                    let report = if turn % 2 == 0 { call.run() } else { call.submit().unwrap().wait() };
                    assert_eq!(report.unwrap().chose, "gpu:0");
                    want = hashed(want, rounds);
                    assert_eq!(v.view(N - 1..).unwrap().read().unwrap()[0], want, "thread {thread}, turn {turn}");
                    std::mem::swap(&mut u, &mut v);
                }
            });
        }
    });
}

#[test]
fn a_submission_that_nobody_waits_for_ends() {
    let Some(device) = support::software_gpu() else { return };
    let rt = runtime(device);
    let kernel = rt.kernel(HASH).unwrap();
    let (x, mut y) = (rt.array(&[1u32; N]).unwrap(), rt.zeros::<u32>(N).unwrap());
    // Of an idle device the first one is submitted at once.
    let event = kernel.call().set("rounds", 9u32).arg("x", &x).arg("y", &mut y).items(N).on(GPU).submit().unwrap();
    let since = Instant::now();
    while !event.is_done() {
        assert!(since.elapsed() < TIME_OUT, "it never ended");
        std::thread::sleep(Duration::from_millis(1));
    }
    drop(event);
    assert_eq!(y.to_vec().unwrap()[N - 1], hashed(1, 9));
}

#[test]
fn all_who_wait_for_a_device_that_is_lost_go_on() {
    let Some(device) = support::software_gpu() else { return };
    let rt = runtime(device.clone());
    let kernel = rt.kernel(HASH).unwrap();
    for delay in [0, 2, 5, 10] {
        let start = Instant::now();
        std::thread::scope(|scope| {
            for thread in 0..3u32 {
                let (rt, kernel) = (&rt, &kernel);
                scope.spawn(move || {
                    let (x, mut y) = (rt.array(&[thread; N]).unwrap(), rt.zeros::<u32>(N).unwrap());
                    let call = kernel.call().set("rounds", 2000u32).arg("x", &x).arg("y", &mut y).items(N).on(GPU);
                    let ended = match thread {
                        0 => call.run(),
                        _ => call.submit().and_then(Event::wait),
                    };
                    // Right, on the device or after it, or an error that says what happened.
                    match ended.and_then(|_| y.to_vec()) {
                        Ok(y) => assert_eq!(y[N - 1], hashed(thread, 2000)),
                        Err(e) => assert!(matches!(e.kind(), ErrorKind::DeviceLost | ErrorKind::NoSuchDevice), "{e}"),
                    }
                });
            }
            std::thread::sleep(Duration::from_millis(delay));
            device.inject_loss();
        });
        assert!(start.elapsed() < TIME_OUT, "somebody waited for a device that was gone");
        // It comes back after its back-off.
        let mut y = vec![0u32; N];
        while let Err(e) =
            kernel.call().set("rounds", 1u32).arg("x", &vec![7u32; N]).arg("y", &mut y).items(N).on(GPU).run()
        {
            assert_eq!(e.kind(), ErrorKind::NoSuchDevice, "{e}");
            assert!(start.elapsed() < TIME_OUT, "the device never came back");
            std::thread::sleep(Duration::from_millis(20));
        }
        assert_eq!(y[0], hashed(7, 1));
    }
}
