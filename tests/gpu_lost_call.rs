//! A device that is lost in the middle of a call.
#![cfg(feature = "gpu")]

mod support;
mod table;

use evener::{backend::Backend, prelude::*, schedule::chunks::Worker};
use std::time::{Duration, Instant};
use table::profile_path;

/// Work enough that a device can be lost in the middle of it.
const LONG: &str = "
    @group(0) @binding(0) var<storage, read_write> y: array<u32>;
    @compute @workgroup_size(64) fn long(@builtin(global_invocation_id) id: vec3u) {
        if (id.x >= arrayLength(&y)) { return; }
        var h = y[id.x];
        for (var k = 0u; k < 2000u; k++) { h = h * 1664525u + 1013904223u; }
        y[id.x] = h;
    }";

/// Chunks of a call in which all devices are said to be equal.
fn worker(device: usize) -> (usize, Worker) {
    let (chunk_ns, filling_ns, first_ns, link_ns, slice_ns) = (1e4, 0.0, 0.0, 0.0, 1e4);
    (
        device,
        Worker {
            chunk_ns,
            launch_ns: 0.0,
            filling_ns,
            first_ns,
            link_ns,
            slice_ns,
            spread: 1.0,
            uneven: 0.5,
            in_place: device == 0,
        },
    )
}

fn long_reference(n: u32) -> Vec<u32> {
    let step = |h: u32, _: u32| h.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
    (0..n).map(|i| (0..2000).fold(i, step)).collect()
}

#[test]
fn a_device_destroyed_in_the_middle_of_a_run_ends_as_a_right_result() {
    let Some(device) = support::software_gpu() else { return };
    let rt = Runtime::builder().gpu(false).profile(profile_path()).backend(device.clone()).build().unwrap();
    let kernel = rt.kernel(LONG).unwrap();
    let n = 40_000u32;
    let want = long_reference(n);
    let mut recovered = 0;
    let placements = [Some(Placement::Gpu(Some(0))), Some(Placement::Split(0.3)), None];
    for (round, placement) in placements.iter().cycle().take(24).enumerate() {
        if round >= 6 && recovered > 0 {
            break;
        }
        // The device comes back after a back-off, or the call says that it is not there yet.
        let start = Instant::now();
        loop {
            let mut y: Vec<u32> = (0..n).collect();
            let result = std::thread::scope(|s| {
                // When the device runs the chunk depends on the machine: several moments are tried.
                let delay = Duration::from_millis(1 + 2 * (round as u64 % 8));
                let device = &device;
                s.spawn(move || {
                    std::thread::sleep(delay);
                    device.inject_loss();
                });
                let call = kernel.call().arg("y", &mut y).items(n);
                match placement {
                    Some(placement) => call.on(*placement).run(),
                    None => call.workers(vec![worker(0), worker(1)]).run(),
                }
            });
            match result {
                Ok(report) => {
                    assert!(y == want, "{placement:?}: {}", report.explain());
                    recovered += report.recoveries.len();
                    break;
                }
                Err(e) => assert_eq!(e.kind(), ErrorKind::NoSuchDevice, "{e}"),
            }
            assert!(start.elapsed() < Duration::from_secs(60), "the device never came back");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
    assert!(recovered > 0, "no loss hit a run");
    assert!(device.info().id.starts_with("gpu"));
}
