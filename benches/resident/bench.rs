//! The loop and the single call, timed in turns.

use crate::raw::Raw;
use evener::prelude::*;
use std::time::Instant;

/// Elements: small enough that a step is mostly its launch.
const N: usize = 4096;
/// Steps of the loop.
const STEPS: usize = 1000;
const GROUP: u32 = 64;

const STEP: &str = "
    @group(0) @binding(0) var<storage, read> src: array<f32>;
    @group(0) @binding(1) var<storage, read_write> dst: array<f32>;
    @compute @workgroup_size(64) fn step(@builtin(global_invocation_id) id: vec3u) {
        let i = id.x;
        if (i == 0u || i + 1u >= arrayLength(&src)) { return; }
        dst[i] = 0.25 * (src[i - 1u] + 2.0 * src[i] + src[i + 1u]);
    }";

/// Median of the times in us of both versions, and of their ratios and differences.
fn turns(rounds: usize, mut raw: impl FnMut(), mut ours: impl FnMut()) -> [f64; 4] {
    let time = |f: &mut dyn FnMut()| {
        let start = Instant::now();
        f();
        start.elapsed().as_secs_f64() * 1e6
    };
    let pairs: Vec<(f64, f64)> = (0..rounds).map(|_| (time(&mut raw), time(&mut ours))).collect();
    let median = |of: &dyn Fn(&(f64, f64)) -> f64| {
        let mut values: Vec<f64> = pairs.iter().map(of).collect();
        values.sort_by(f64::total_cmp);
        values[values.len() / 2]
    };
    [median(&|p| p.0), median(&|p| p.1), median(&|p| p.1 / p.0), median(&|p| p.1 - p.0)]
}

pub fn main() {
    let timed = std::env::args().any(|a| a == "--bench");
    let start: Vec<f32> = (0..N).map(|i| (i * 7 % 100) as f32).collect();
    let Some(raw) = Raw::open(STEP, &start, GROUP) else {
        println!("no adapter");
        return;
    };
    let rt = Runtime::new().expect("a CPU");
    let rt = if rt.devices().len() > 1 { rt } else { Runtime::builder().software_gpu(true).build().expect("a CPU") };
    let Some(device) = rt.devices().get(1).cloned() else {
        println!("no GPU");
        return;
    };
    let kernel = rt.kernel(STEP).expect("valid");
    let (mut u, mut v) = (rt.array(&start).expect("memory"), rt.array(&start).expect("memory"));
    let on = Placement::Gpu(Some(0));
    let mut steps = |steps: usize| {
        let call = kernel.call().arg("src", &mut u).arg("dst", &mut v).items(N).on(on);
        match steps {
            1 => call.run().expect("runs"),
            _ => call.iterate(steps as u32, ("src", "dst")).expect("runs"),
        }
    };
    raw.run(STEPS);
    steps(STEPS);
    println!("{}: {} elements, {STEPS} steps", device.name, N);
    if timed {
        let [raw_us, ours_us, ratio, _] = turns(41, || raw.run(STEPS), || drop(steps(STEPS)));
        println!("loop: wgpu {raw_us:.0} us, evener {ours_us:.0} us, ratio {ratio:.3} (goal 1.2)");
        let [raw_us, ours_us, _, more] = turns(2001, || raw.run(1), || drop(steps(1)));
        println!("one call: wgpu {raw_us:.1} us, evener {ours_us:.1} us, {more:.1} us more (goal 5)");
        let report = steps(1);
        println!("{}", report.explain());
        return;
    }
    assert_eq!(u.to_vec().expect("there"), raw.read(), "the same steps");
}
