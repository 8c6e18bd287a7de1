//! Arrays over a device's budget, or over what it binds: a part stays there, the rest is streamed past it, and what moves is
//! exactly what a hand would move.

#[path = "arrays/devices.rs"]
mod devices;
#[path = "arrays/kernels.rs"]
mod kernels;
#[cfg(feature = "gpu")]
mod support;

use devices::scripted;
use evener::{
    backend::{
        Room,
        fake::{FakeGpu, Script},
    },
    prelude::*,
    report::Bytes,
};
use kernels::{FILL, SAXPY, STENCIL, stencil};
use std::sync::Arc;

const GPU: Placement = Placement::Gpu(Some(0));
/// Elements: arrays of 16 KiB.
const N: usize = 4096;
const ARRAY: u64 = 4 * N as u64;
/// Holds three quarters of an array in pages; a quarter of it is for chunks.
const BUDGET: u64 = ARRAY;
const KEPT: u64 = BUDGET / 4 * 3;

fn ramp() -> Vec<f32> {
    (0..N).map(|i| (i * 7 % 100) as f32).collect()
}

/// The CPU and a scripted device with so much memory, which knows it.
fn tight(bytes: u64) -> (Runtime, Vec<Arc<FakeGpu>>) {
    let device = FakeGpu::new(0, []).with_room(Room { binding_bytes: u64::MAX, memory_bytes: bytes });
    scripted(Runtime::builder().device_memory(bytes), [device])
}

/// All devices there are, with so much memory.
fn all(bytes: u64) -> Vec<Runtime> {
    [Some(tight(bytes).0), devices::software_within(bytes)].into_iter().flatten().collect()
}

fn saxpy(rt: &Runtime, x: &Array<f32>, y: &mut Array<f32>) -> Report {
    rt.kernel(SAXPY).unwrap().call().set("a", 2.0f32).arg("x", x).arg("y", y).items(N).on(GPU).run().unwrap()
}

#[test]
fn a_repeated_call_moves_only_what_did_not_fit() {
    for rt in all(BUDGET) {
        let (x, mut y) = (rt.array(&ramp()).unwrap(), rt.array(&vec![1.0f32; N]).unwrap());
        for call in 0..4 {
            let report = saxpy(&rt, &x, &mut y);
            assert!(!report.windows.is_empty() && report.recoveries.is_empty(), "{}", report.explain());
            // Of `y`, which moves both ways, three quarters stay; at first they go up.
            let first = if call == 0 { KEPT } else { 0 };
            let expected = Bytes { up: ARRAY + (ARRAY - KEPT) + first, down: ARRAY - KEPT };
            assert_eq!(report.bytes, expected, "call {call}: {}", report.explain());
        }
        let want: Vec<f32> = ramp().iter().map(|x| 1.0 + 8.0 * x).collect();
        assert_eq!(y.to_vec().unwrap(), want);
    }
}

#[test]
fn an_output_that_is_written_whole_never_goes_up() {
    for rt in all(BUDGET / 2) {
        let mut out = rt.array(&vec![9.0f32; N]).unwrap();
        let kernel = rt.kernel(FILL).unwrap();
        for _ in 0..3 {
            let report = kernel.call().arg("out", &mut out).items(N).on(GPU).run().unwrap();
            assert_eq!(report.bytes, Bytes { up: 0, down: ARRAY - KEPT / 2 }, "{}", report.explain());
        }
        assert_eq!(out.to_vec().unwrap(), (0..N).map(|i| i as f32).collect::<Vec<_>>());
    }
}

#[test]
fn steps_between_two_arrays_keep_their_halos() {
    for rt in all(BUDGET) {
        let kernel = rt.kernel(STENCIL).unwrap();
        let (mut u, mut v) = (rt.array(&ramp()).unwrap(), rt.zeros::<f32>(N).unwrap());
        let mut want = ramp();
        for step in 0..7 {
            let report = kernel.call().arg("src", &u).arg("dst", &mut v).items(N).on(GPU).run().unwrap();
            assert!(!report.windows.is_empty() && report.recoveries.is_empty(), "{step}: {}", report.explain());
            assert!(report.bytes.up + report.bytes.down < 2 * ARRAY, "{step}: {}", report.explain());
            want = stencil(&want);
            std::mem::swap(&mut u, &mut v);
            if step == 3 {
                // The host writes between, inside and outside of what stays.
                for at in [0, 100, N - 1] {
                    u.view_mut(at..at + 1).unwrap().write().unwrap()[0] = 7.0;
                    want[at] = 7.0;
                }
            }
        }
        assert_eq!(u.to_vec().unwrap(), want);
    }
}

#[test]
fn what_stays_makes_room_for_calls_that_fit() {
    for rt in all(BUDGET) {
        let kernel = rt.kernel(FILL).unwrap();
        let (x, mut y) = (rt.array(&ramp()).unwrap(), rt.array(&vec![1.0f32; N]).unwrap());
        saxpy(&rt, &x, &mut y);
        // `y` has three quarters of the memory, dirty; half of it is needed, and goes page by page, the last first.
        let mut small = rt.zeros::<f32>(N / 2).unwrap();
        let report = kernel.call().arg("out", &mut small).items(N / 2).on(GPU).run().unwrap();
        assert!(report.windows.is_empty(), "{}", report.explain());
        assert_eq!(report.bytes, Bytes { up: 0, down: KEPT - ARRAY / 2 }, "{}", report.explain());
        // Then as many of its pages stay as are left beside the small one.
        let report = saxpy(&rt, &x, &mut y);
        assert!(report.recoveries.is_empty(), "{}", report.explain());
        let want: Vec<f32> = ramp().iter().map(|x| 1.0 + 4.0 * x).collect();
        assert_eq!(y.to_vec().unwrap(), want);
        assert_eq!(small.to_vec().unwrap(), (0..N / 2).map(|i| i as f32).collect::<Vec<_>>());
    }
}

#[test]
fn clean_pages_go_before_dirty_ones() {
    for rt in all(BUDGET / 2 * 3) {
        let (x, mut y) = (rt.array(&ramp()).unwrap(), rt.array(&vec![1.0f32; N]).unwrap());
        // All of `y` stays, and what is left of `x`.
        let left = BUDGET / 8;
        assert_eq!(saxpy(&rt, &x, &mut y).bytes, Bytes { up: 2 * ARRAY, down: 0 });
        assert_eq!(saxpy(&rt, &x, &mut y).bytes, Bytes { up: ARRAY - left, down: 0 });
        let mut small = rt.zeros::<f32>(N / 2).unwrap();
        let report = rt.kernel(FILL).unwrap().call().arg("out", &mut small).items(N / 2).on(GPU).run().unwrap();
        assert_eq!(report.bytes, Bytes::default(), "the pages of `x` were enough: {}", report.explain());
        let want: Vec<f32> = ramp().iter().map(|x| 1.0 + 4.0 * x).collect();
        assert_eq!(y.to_vec().unwrap(), want);
    }
}

/// `x[i] += 1`.
const COUNT_UP: &str = "
    @group(0) @binding(0) var<storage, read_write> x: array<f32>;
    @compute @workgroup_size(64) fn up(@builtin(global_invocation_id) id: vec3u) {
        if (id.x < arrayLength(&x)) { x[id.x] += 1.0; }
    }";

#[test]
fn views_of_an_array_over_the_budget_stay_and_leave_one_by_one() {
    // A view is a quarter; three of them fit.
    const VIEW: u64 = ARRAY / 4;
    for rt in all(3 * VIEW) {
        let kernel = rt.kernel(COUNT_UP).unwrap();
        let (mut x, mut want) = (rt.array(&ramp()).unwrap(), ramp());
        let mut up = |view: usize, expected: (u64, u64)| {
            let part = view * N / 4..(view + 1) * N / 4;
            let mut x = x.view_mut(part.clone()).unwrap();
            let report = kernel.call().arg("x", &mut x).items(N / 4).on(GPU).run().unwrap();
            assert!(report.windows.is_empty() && report.recoveries.is_empty(), "{}", report.explain());
            assert_eq!(report.bytes, Bytes { up: expected.0, down: expected.1 }, "{view}: {}", report.explain());
            want[part].iter_mut().for_each(|x| *x += 1.0);
        };
        (0..3).for_each(|view| up(view, (VIEW, 0)));
        (0..3).for_each(|view| up(view, (0, 0)));
        up(3, (VIEW, VIEW));
        up(2, (0, 0));
        up(0, (VIEW, VIEW));
        up(3, (0, 0));
        assert_eq!(x.to_vec().unwrap(), want);
        // Read by the host, all is clean: what is least used goes without a copy.
        let kernel = rt.kernel(COUNT_UP).unwrap();
        let mut second = x.view_mut(N / 4..N / 2).unwrap();
        let report = kernel.call().arg("x", &mut second).items(N / 4).on(GPU).run().unwrap();
        assert_eq!(report.bytes, Bytes { up: VIEW, down: 0 }, "{}", report.explain());
        // Parts at other places: what was there in other pieces goes first.
        let mut middle = x.view_mut(N / 8..5 * N / 8).unwrap();
        kernel.call().arg("x", &mut middle).items(N / 2).on(GPU).run().unwrap();
        want[N / 4..N / 2].iter_mut().for_each(|x| *x += 1.0);
        want[N / 8..5 * N / 8].iter_mut().for_each(|x| *x += 1.0);
        assert_eq!(x.to_vec().unwrap(), want);
    }
}

#[test]
fn an_array_that_comes_to_fit_is_bound_in_one_piece() {
    for rt in all(BUDGET) {
        let (x, mut y) = (rt.array(&ramp()).unwrap(), rt.array(&vec![1.0f32; N]).unwrap());
        saxpy(&rt, &x, &mut y);
        let report = rt.kernel(FILL).unwrap().call().arg("out", &mut y).items(N / 2).on(GPU).run().unwrap();
        assert!(report.windows.is_empty() && report.recoveries.is_empty(), "{}", report.explain());
        let want: Vec<f32> = (0..N).map(|i| if i < N / 2 { i as f32 } else { 1.0 + 2.0 * ramp()[i] }).collect();
        assert_eq!(y.to_vec().unwrap(), want);
    }
}

#[test]
fn arrays_over_the_binding_limit_stay_whole() {
    let room = Room { binding_bytes: ARRAY / 4, memory_bytes: 1 << 20 };
    let device = FakeGpu::new(0, []).with_room(room);
    let (rt, _) = scripted(Runtime::builder().device_memory(1 << 20), [device]);
    let (x, mut y) = (rt.array(&ramp()).unwrap(), rt.array(&vec![1.0f32; N]).unwrap());
    let first = saxpy(&rt, &x, &mut y);
    assert!(!first.windows.is_empty(), "{}", first.explain());
    assert_eq!(first.bytes, Bytes { up: 2 * ARRAY, down: 0 });
    assert_eq!(saxpy(&rt, &x, &mut y).bytes, Bytes::default(), "nothing moves between resident calls");
    let want: Vec<f32> = ramp().iter().map(|x| 1.0 + 4.0 * x).collect();
    assert_eq!(y.to_vec().unwrap(), want);
}

#[test]
fn a_device_lost_in_the_stream_costs_what_it_held_and_nothing_is_wrong() {
    for at in [0, 1, 5, 40, 48, 50, 63] {
        let (rt, gpus) = tight(BUDGET);
        let (x, mut y) = (rt.array(&ramp()).unwrap(), rt.array(&vec![1.0f32; N]).unwrap());
        // Whatever is measured is measured now.
        saxpy(&rt, &x, &mut rt.zeros(N).unwrap());
        gpus[0].follow(std::iter::repeat_n(Script::Run, at).chain([Script::LostInRun]));
        let report = saxpy(&rt, &x, &mut y);
        assert!(!report.recoveries.is_empty(), "{at}: {}", report.explain());
        let want: Vec<f32> = ramp().iter().map(|x| 1.0 + 2.0 * x).collect();
        assert_eq!(y.to_vec().unwrap(), want, "lost in chunk {at}: the host had all of it before");
    }
}

#[test]
fn memory_that_is_not_there_leaves_less_on_the_device() {
    let device = FakeGpu::new(0, []).with_array_bytes(ARRAY / 4);
    let device = device.with_room(Room { binding_bytes: u64::MAX, memory_bytes: BUDGET });
    let (rt, gpus) = scripted(Runtime::builder().device_memory(BUDGET), [device]);
    let (x, mut y) = (rt.array(&ramp()).unwrap(), rt.array(&vec![1.0f32; N]).unwrap());
    saxpy(&rt, &x, &mut y);
    let report = saxpy(&rt, &x, &mut y);
    assert_eq!(report.bytes, Bytes { up: ARRAY + ARRAY / 4 * 3, down: ARRAY / 4 * 3 }, "{}", report.explain());
    assert_eq!(gpus[0].array_bytes(), ARRAY / 4);
    let want: Vec<f32> = ramp().iter().map(|x| 1.0 + 4.0 * x).collect();
    assert_eq!(y.to_vec().unwrap(), want);
}
