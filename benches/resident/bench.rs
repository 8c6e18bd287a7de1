//! The loop and the single call, timed in turns.

use crate::{clock::cpu_ns, raw::Raw};
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

/// Medians over the turns, by one clock, in us.
struct Medians {
    raw: f64,
    ours: f64,
    ratio: f64,
    more: f64,
}

impl Medians {
    fn new(turns: &[(f64, f64)]) -> Self {
        let median = |of: &dyn Fn(&(f64, f64)) -> f64| {
            let mut values: Vec<f64> = turns.iter().map(of).collect();
            values.sort_by(f64::total_cmp);
            values[values.len() / 2]
        };
        Medians {
            raw: median(&|t| t.0),
            ours: median(&|t| t.1),
            ratio: median(&|t| t.1 / t.0),
            more: median(&|t| t.1 - t.0),
        }
    }
}

/// Runs both versions in turns: by the wall, and by the CPU time of the process.
fn turns(rounds: usize, mut raw: impl FnMut(), mut ours: impl FnMut()) -> [Medians; 2] {
    let time = |f: &mut dyn FnMut()| {
        let (start, cpu) = (Instant::now(), cpu_ns());
        f();
        [start.elapsed().as_secs_f64() * 1e6, (cpu_ns() - cpu) * 1e-3]
    };
    let both: Vec<_> = (0..rounds).map(|_| (time(&mut raw), time(&mut ours))).collect();
    [0, 1].map(|clock| Medians::new(&both.iter().map(|(raw, ours)| (raw[clock], ours[clock])).collect::<Vec<_>>()))
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
        for (clock, m) in ["wall", "CPU"].iter().zip(turns(41, || raw.run(STEPS), || drop(steps(STEPS)))) {
            println!("loop, {clock}: wgpu {:.0} us, evener {:.0} us, ratio {:.3} (goal 1.2)", m.raw, m.ours, m.ratio);
        }
        for (clock, m) in ["wall", "CPU"].iter().zip(turns(2001, || raw.run(1), || drop(steps(1)))) {
            println!("call, {clock}: wgpu {:.1} us, evener {:.1} us, {:.1} us more (goal 5)", m.raw, m.ours, m.more);
        }
        let report = steps(1);
        println!("{}", report.explain());
        return;
    }
    assert_eq!(u.to_vec().expect("there"), raw.read(), "the same steps");
}
