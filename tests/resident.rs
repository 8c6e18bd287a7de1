//! Calls on arrays that stay on the device, made again and again: what is kept from the first one never shows.
#![cfg(feature = "gpu")]

mod support;

use evener::{prelude::*, report::Bytes};

const GPU: Placement = Placement::Gpu(Some(0));
const N: usize = 1000;

const SCALE: &str = "
    @group(0) @binding(0) var<uniform> by: f32;
    @group(0) @binding(1) var<storage, read> x: array<f32>;
    @group(0) @binding(2) var<storage, read_write> y: array<f32>;
    @compute @workgroup_size(64) fn scale(@builtin(global_invocation_id) id: vec3u) {
        if id.x < arrayLength(&y) { y[id.x] = by * x[id.x]; }
    }";

/// The software GPU with room for so many bytes of arrays.
fn runtime(bytes: u64) -> Option<Runtime> {
    let gpu = support::software_gpu()?;
    // One profile for all test processes of a build, so that the machine is measured once.
    let profile = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("profile.json");
    let builder = Runtime::builder().gpu(false).profile(Some(profile)).placement(GPU).backend(gpu);
    Some(builder.device_memory(bytes).build().unwrap())
}

fn filled(rt: &Runtime, value: f32) -> Array<f32> {
    rt.array(&[value; N]).unwrap()
}

#[test]
fn the_same_dispatch_with_other_uniforms_items_and_arrays_is_another_one() {
    let Some(rt) = runtime(1 << 20) else { return };
    let scale = rt.kernel(SCALE).unwrap();
    let (one, two, mut y) = (filled(&rt, 1.0), filled(&rt, 2.0), filled(&rt, 0.0));
    let mut expected = vec![0.0f32; N];
    for turn in 0..40usize {
        let (by, items) = ([3.0f32, 5.0][turn % 2], [N, 100, 640][turn % 3]);
        let (x, value) = [(&one, 1.0), (&two, 2.0)][turn / 2 % 2];
        let report = scale.call().set("by", by).arg("x", x).arg("y", &mut y).items(items).run().unwrap();
        if turn >= 4 {
            assert_eq!(report.bytes, Bytes { up: 0, down: 0 }, "{}", report.explain());
        }
        expected[..(items.div_ceil(64) * 64).min(N)].fill(by * value);
    }
    assert_eq!(y.to_vec().unwrap(), expected);
}

#[test]
fn a_part_of_an_array_is_not_taken_for_another_part() {
    let Some(rt) = runtime(1 << 20) else { return };
    let scale = rt.kernel(SCALE).unwrap();
    let x = rt.array(&(0..N).map(|i| i as f32).collect::<Vec<_>>()).unwrap();
    let mut y = filled(&rt, 0.0);
    for turn in 0..12usize {
        // Of one length, bound in place and through a copy.
        let start = [0, 64, 128, 7][turn % 4];
        let part = x.view(start..start + 300).unwrap();
        scale.call().set("by", 1.0f32).arg("x", &part).arg("y", &mut y).items(N).run().unwrap();
        let want = |i: usize| if i < 300 { (start + i) as f32 } else { 0.0 };
        assert!(y.read().unwrap().iter().enumerate().all(|(i, v)| *v == want(i)), "from {start}");
    }
}

#[test]
fn arrays_that_left_the_device_come_back_to_other_memory() {
    // Three of five fit.
    let Some(rt) = runtime(3 * 4 * N as u64) else { return };
    let scale = rt.kernel(SCALE).unwrap();
    let inputs = [filled(&rt, 1.0), filled(&rt, 2.0), filled(&rt, 3.0)];
    let mut outputs = [filled(&rt, 0.0), filled(&rt, 0.0)];
    for turn in 0..30usize {
        let (x, y) = (&inputs[turn % 3], &mut outputs[turn % 2]);
        scale.call().set("by", 10.0f32).arg("x", x).arg("y", &mut *y).items(N).run().unwrap();
        if turn % 5 == 4 {
            let want = 10.0 * (turn % 3 + 1) as f32;
            assert!(y.to_vec().unwrap().iter().all(|v| *v == want), "turn {turn}");
        }
    }
}

#[test]
fn a_dropped_array_s_memory_may_be_the_next_one_s() {
    let Some(rt) = runtime(1 << 20) else { return };
    let scale = rt.kernel(SCALE).unwrap();
    for turn in 0..20usize {
        let (x, mut y) = (filled(&rt, turn as f32), filled(&rt, -1.0));
        scale.call().set("by", 2.0f32).arg("x", &x).arg("y", &mut y).items(N).run().unwrap();
        assert!(y.to_vec().unwrap().iter().all(|v| *v == 2.0 * turn as f32), "turn {turn}");
    }
}
