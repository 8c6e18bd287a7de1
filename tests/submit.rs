//! Calls that nobody waits for yet: in what order they are seen, and what is left of them when a device goes.

#[path = "arrays/devices.rs"]
mod devices;
#[path = "arrays/kernels.rs"]
mod kernels;
#[cfg(feature = "gpu")]
mod support;

use devices::{runtime, software, software_with_memory, throttled};
#[cfg(feature = "gpu")]
use evener::backend::Backend;
use evener::{prelude::*, report::Bytes};
use kernels::STENCIL;

const GPU: Placement = Placement::Gpu(Some(0));
const N: usize = 3000;

const ADD: &str = "
    @group(0) @binding(0) var<uniform> by: u32;
    @group(0) @binding(1) var<storage, read> x: array<u32>;
    @group(0) @binding(2) var<storage, read_write> y: array<u32>;
    @compute @workgroup_size(64) fn add(@builtin(global_invocation_id) id: vec3u) {
        if id.x < arrayLength(&y) { y[id.x] = x[id.x] + by; }
    }";

fn runtimes() -> Vec<Runtime> {
    [Some(runtime(1).0), Some(throttled(1)), software(1)].into_iter().flatten().collect()
}

#[test]
fn what_was_submitted_is_seen_in_its_order_without_a_wait() {
    for rt in runtimes() {
        let add = rt.kernel(ADD).unwrap();
        let (mut u, mut v) = (rt.array(&[0u32; N]).unwrap(), rt.zeros::<u32>(N).unwrap());
        for by in 1..=200u32 {
            add.call().set("by", by).arg("x", &u).arg("y", &mut v).items(N).on(GPU).submit().unwrap();
            std::mem::swap(&mut u, &mut v);
            if by % 50 == 0 {
                assert_eq!(u.view(N - 1..).unwrap().read().unwrap()[0], by * (by + 1) / 2);
            }
        }
        assert!(u.read().unwrap().iter().all(|x| *x == 200 * 201 / 2));
    }
}

#[test]
fn the_host_writes_and_calls_that_run_at_once_come_after_what_was_submitted() {
    for rt in runtimes() {
        let add = rt.kernel(ADD).unwrap();
        let (mut x, mut y, mut z) =
            (rt.array(&[1u32; N]).unwrap(), rt.zeros::<u32>(N).unwrap(), rt.zeros::<u32>(N).unwrap());
        for turn in 0..20u32 {
            add.call().set("by", 1u32).arg("x", &x).arg("y", &mut y).items(N).on(GPU).submit().unwrap();
            x.copy_from(&[100 * turn; N]).unwrap();
            add.call().set("by", 2u32).arg("x", &x).arg("y", &mut z).items(N).on(GPU).submit().unwrap();
            let on = [GPU, Placement::Cpu, Placement::Split(0.5)][turn as usize % 3];
            let mut sum = vec![0u32; N];
            add.call().set("by", 3u32).arg("x", &y).arg("y", &mut sum).items(N).on(on).run().unwrap();
            let before = if turn == 0 { 1 } else { 100 * (turn - 1) };
            assert!(sum.iter().all(|s| *s == before + 4), "turn {turn}");
            assert_eq!(z.to_vec().unwrap()[7], 100 * turn + 2);
        }
    }
}

#[test]
fn reports_say_what_moved_and_what_was_shared() {
    for rt in runtimes() {
        let step = rt.kernel(STENCIL).unwrap();
        let (u, mut v) = (rt.array(&[1.0f32; N]).unwrap(), rt.zeros::<f32>(N).unwrap());
        let mut submit = || step.call().arg("src", &u).arg("dst", &mut v).items(N).on(GPU).submit().unwrap();
        let first = submit().wait().unwrap();
        assert!(first.bytes.up >= 4 * N as u64, "{}", first.explain());
        let events: Vec<Event> = (0..50).map(|_| submit()).collect();
        // A look at one that is under way changes nothing.
        assert!(format!("{:?}", events[0]).starts_with("Event(step, "), "{:?}", events[0]);
        for event in events {
            let report = event.wait().unwrap();
            assert_eq!((report.chose.as_str(), report.bytes), ("gpu:0", Bytes::default()), "{}", report.explain());
            assert!((1..=50).contains(&report.shared) && report.phases.run.actual_ns > 0.0, "{}", report.explain());
            assert!(report.actual_ns >= report.phases.run.actual_ns, "{}", report.explain());
        }
    }
}

#[test]
fn arrays_dropped_or_evicted_before_the_submission_were_used_as_they_were() {
    let Some(rt) = software_with_memory(3 * 4 * N as u64) else { return };
    let add = rt.kernel(ADD).unwrap();
    let mut results: Vec<Array<u32>> = Vec::new();
    for turn in 0..30u32 {
        // Three arrays fit: a part of the earlier ones leaves, and this one's memory is the next one's.
        let x = rt.array(&[turn; N]).unwrap();
        let mut y = rt.zeros::<u32>(N).unwrap();
        add.call().set("by", 1u32).arg("x", &x).arg("y", &mut y).items(N).on(GPU).submit().unwrap();
        results.push(y);
    }
    for (turn, y) in (0..).zip(&results) {
        assert!(y.read().unwrap().iter().all(|v| *v == turn + 1), "turn {turn}");
    }
}

#[test]
fn what_cannot_be_recorded_runs_at_once() {
    for rt in runtimes() {
        let add = rt.kernel(ADD).unwrap();
        let x = rt.array(&(0..N as u32).collect::<Vec<_>>()).unwrap();
        let (mut slice, mut y) = (vec![0u32; 100], rt.zeros::<u32>(N).unwrap());
        let event = add.call().set("by", 5u32).arg("x", &x).arg("y", &mut slice).items(100).on(GPU).submit().unwrap();
        assert!(event.is_done());
        assert_eq!(slice[99], 104);
        // A view that devices cannot bind in place.
        let part = x.view(3..103).unwrap();
        let event = add.call().set("by", 5u32).arg("x", &part).arg("y", &mut y).items(100).on(GPU).submit().unwrap();
        assert_eq!(event.wait().unwrap().chose, "gpu:0");
        assert_eq!(y.view(..2).unwrap().read().unwrap()[..], [8, 9]);
        let error = add.call().arg("x", &x).arg("y", &mut y).items(100).submit().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::MissingArgument);
    }
}

#[cfg(feature = "gpu")]
#[test]
fn a_device_lost_with_calls_recorded_is_an_error_of_their_events_and_of_the_arrays() {
    let Some(gpu) = support::software_gpu() else { return };
    let rt = Runtime::builder().gpu(false).profile(None).backend(gpu.clone()).build().unwrap();
    let add = rt.kernel(ADD).unwrap();
    let (x, mut y) = (rt.array(&[1u32; N]).unwrap(), rt.zeros::<u32>(N).unwrap());
    let mut submit = || add.call().set("by", 1u32).arg("x", &x).arg("y", &mut y).items(N).on(GPU).strict(true).submit();
    submit().unwrap().wait().unwrap();
    let events: Vec<Event> = (0..20).map(|_| submit().unwrap()).collect();
    gpu.inject_loss();
    let last = events.into_iter().map(Event::wait).last().unwrap();
    if let Err(error) = &last {
        assert_eq!(error.kind(), ErrorKind::DeviceLost, "{error}");
    }
    // Whether the last was done before or not: what only the device had is gone.
    assert_eq!(y.to_vec().unwrap_err().kind(), ErrorKind::DeviceLost);
    y.copy_from(&[9; N]).unwrap();
    assert_eq!(y.to_vec().unwrap(), [9; N]);
    assert_eq!(x.to_vec().unwrap(), [1; N]);
}

#[cfg(feature = "gpu")]
#[test]
fn calls_whose_submission_is_refused_are_submitted_again_and_nothing_is_lost() {
    let Some(gpu) = support::software_gpu() else { return };
    let profile = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("profile.json");
    let rt = Runtime::builder().gpu(false).profile(Some(profile)).backend(gpu.clone()).build().unwrap();
    let add = rt.kernel(ADD).unwrap();
    let (mut u, mut v) = (rt.array(&[0u32; N]).unwrap(), rt.zeros::<u32>(N).unwrap());
    let mut want = 0;
    for calls in [1, 2, 7, 100] {
        let mut events = Vec::new();
        for by in 1..=calls {
            if by == calls {
                gpu.inject_refusal();
            }
            events.push(add.call().set("by", by).arg("x", &u).arg("y", &mut v).items(N).on(GPU).submit().unwrap());
            std::mem::swap(&mut u, &mut v);
            want += by;
        }
        for event in events {
            assert_eq!(event.wait().unwrap().recoveries, [""; 0]);
        }
        assert!(!gpu.is_lost() && gpu.generation() == 0);
        assert_eq!(u.to_vec().unwrap(), [want; N], "{calls} calls");
    }
}
