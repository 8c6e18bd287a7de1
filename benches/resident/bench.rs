//! The loop and the single call, timed in turns.

use crate::{clock::cpu_ns, raw::Raw};
use evener::prelude::*;
use std::time::Instant;

/// Elements: small enough that a step is mostly its launch.
const N: usize = 4096;
/// Steps of the loop.
const STEPS: usize = 1000;
const GROUP: u32 = 64;
/// Turns of the single call.
const CALLS: usize = 4001;

const STEP: &str = "
    @group(0) @binding(0) var<storage, read> src: array<f32>;
    @group(0) @binding(1) var<storage, read_write> dst: array<f32>;
    @compute @workgroup_size(64) fn step(@builtin(global_invocation_id) id: vec3u) {
        let i = id.x;
        if (i == 0u || i + 1u >= arrayLength(&src)) { return; }
        dst[i] = 0.25 * (src[i - 1u] + 2.0 * src[i] + src[i + 1u]);
    }";

const ADD: &str = "
    @group(0) @binding(0) var<storage, read_write> x: array<f32>;
    @compute @workgroup_size(256) fn add(@builtin(global_invocation_id) id: vec3u) {
        if id.x < arrayLength(&x) { x[id.x] += 1.0; }
    }";

/// Medians over the turns, by one clock, in us.
struct Medians {
    raw: f64,
    ours: f64,
    ratio: f64,
    more: f64,
    /// The fastest turn of each.
    least: (f64, f64),
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
            least: turns.iter().fold((f64::INFINITY, f64::INFINITY), |a, b| (a.0.min(b.0), a.1.min(b.1))),
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

/// An array that the host writes, a kernel changes and the host reads, with the device's memory mapped and through staging.
fn up_and_down(timed: bool) {
    let elements = if timed { 4 << 20 } else { 4096 };
    let built = |map| Runtime::builder().software_gpu(true).profile(None).map_arrays(map).build().expect("a CPU");
    let runtimes = [built(false), built(true)];
    let contents = vec![1.0f32; elements];
    let mut arrays = runtimes.each_ref().map(|rt| rt.zeros::<f32>(elements).expect("memory"));
    let kernels = runtimes.each_ref().map(|rt| rt.kernel(ADD).expect("valid"));
    let mut once = |k: usize| {
        arrays[k].copy_from(&contents).expect("as long");
        let call = kernels[k].call().arg("x", &mut arrays[k]).items(elements).on(Placement::Gpu(Some(0)));
        let report = call.run().expect("runs");
        let host = arrays[k].read().expect("there");
        assert_eq!((host[0], host[elements - 1]), (2.0, 2.0));
        report.moves[0].mapped
    };
    let mapped = [once(0), once(1)];
    if timed {
        let once = std::cell::RefCell::new(once);
        let turn = |k: usize| assert_eq!((once.borrow_mut())(k), mapped[k], "as before");
        let [wall, _] = turns(41, || turn(0), || turn(1));
        let mib = elements >> 18;
        println!(
            "{mib} MiB written, changed and read, mapped {mapped:?}: {:.0} us, {:.0} us, ratio {:.2}",
            wall.raw, wall.ours, wall.ratio
        );
    }
}

/// Whether a part of the bench is among those named on the command line, if any are.
fn is_wanted(part: &str) -> bool {
    let mut names = std::env::args().skip(1).filter(|a| !a.starts_with('-')).peekable();
    names.peek().is_none() || names.any(|name| name == part)
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
        if is_wanted("loop") {
            for (clock, m) in ["wall", "CPU"].iter().zip(turns(41, || raw.run(STEPS), || drop(steps(STEPS)))) {
                println!(
                    "loop, {clock}: wgpu {:.0} us, evener {:.0} us, ratio {:.3} (goal 1.2)",
                    m.raw, m.ours, m.ratio
                );
            }
        }
        if is_wanted("call") {
            for (clock, m) in ["wall", "CPU"].iter().zip(turns(CALLS, || raw.run(1), || drop(steps(1)))) {
                println!(
                    "call, {clock}: wgpu {:.1} us, evener {:.1} us, {:.1} us more (goal 5)",
                    m.raw, m.ours, m.more
                );
                println!("    the fastest: wgpu {:.1} us, evener {:.1} us", m.least.0, m.least.1);
            }
        }
        let report = steps(1);
        println!("{}", report.explain());
        if !is_wanted("submits") {
            return;
        }
        let mut submitted = || {
            for _ in 1..STEPS {
                kernel.call().arg("src", &u).arg("dst", &mut v).items(N).on(on).submit().expect("runs");
            }
            let last = kernel.call().arg("src", &u).arg("dst", &mut v).items(N).on(on).submit().expect("runs");
            last.wait().expect("runs").shared
        };
        println!(
            "calls that nobody waits for: the last of {STEPS} shared its submission with {} others",
            submitted() - 1
        );
        for (clock, m) in
            ["wall", "CPU"].iter().zip(turns(21, || (0..STEPS).for_each(|_| raw.run(1)), || assert!(submitted() > 0)))
        {
            println!(
                "{STEPS} submits, {clock}: wgpu one by one {:.0} us, evener {:.0} us, ratio {:.3}",
                m.raw, m.ours, m.ratio
            );
        }
        up_and_down(true);
        return;
    }
    up_and_down(false);
    assert_eq!(u.to_vec().expect("there"), raw.read(), "the same steps");
}
