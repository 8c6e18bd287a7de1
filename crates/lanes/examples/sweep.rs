//! The functions of the lane IR over all `f32` arguments, against `f64`: the largest error in units of the last
//! place and where, and how many results are off by more than one.
//!
//! `cargo run -p evener-lanes --release --example sweep -- [name ...] [every=N] [jit] [speed]`: names as in WGSL (all by
//! default); `every=N` takes one of N arguments; `jit` runs machine code; `speed` measures ns an element of an `f32` and
//! of an `f64` call in place of the errors. Functions of two arguments take as many pairs, three of four with moderate
//! results.

#[path = "../tests/interp_ir/build.rs"]
#[allow(dead_code)]
mod build;
#[path = "../tests/math/functions.rs"]
#[allow(dead_code)]
mod functions;

use evener_lanes::{Buffer, Engine, Grid, GroupRange, Level, Program, Settings, ir::Ty};
use functions::{FUNCTIONS, Function, Operation, ulps};
use rayon::prelude::*;
use std::time::Instant;

fn bytes<T: Copy>(v: &mut [T]) -> &mut [u8] {
    // SAFETY: plain numbers.
    unsafe { std::slice::from_raw_parts_mut(v.as_mut_ptr().cast(), size_of_val(v)) }
}

fn run<T: Copy>(program: &Program, x: &mut [T], y: &mut [T], out: &mut [T]) {
    let grid = Grid { groups: [x.len().div_ceil(64) as u32, 1, 1] };
    let buffers = match program.kernel().bindings.len() {
        3 => vec![Buffer::write(bytes(x)), Buffer::write(bytes(y)), Buffer::write(bytes(out))],
        n => panic!("{n} bindings"),
    };
    program.run(&buffers, grid, GroupRange::all(grid)).expect("the kernel runs");
}

/// The arguments number `i`.
fn arguments(function: &Function, i: u32) -> (f32, f32) {
    if let Operation::Unary(_) = function.operation {
        return (f32::from_bits(i), 0.0);
    }
    let z = (u64::from(i) + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    let z = z ^ (z >> 31);
    let (x, y) = (f32::from_bits(z as u32), f32::from_bits((z >> 32) as u32));
    let unit = (z >> 32) as f32 / 4_294_967_296.0;
    match i % 4 {
        0 => (x, y),
        1 => (x.abs(), (unit * 280.0 - 151.0) / x.abs().log2()),
        2 => (0.5 + (z as u32 as f32) / 4_294_967_296.0, unit * 400.0 - 200.0),
        _ => ((z as u32 as f32) / 1e9, unit * 8.0 - 4.0),
    }
}

/// The largest error, its arguments, and how many are above one.
#[derive(Clone, Copy, Default)]
struct Worst {
    ulps: f64,
    at: (f32, f32),
    above: u64,
}

impl Worst {
    fn of(self, other: Worst) -> Worst {
        let above = self.above + other.above;
        Worst { above, ..if other.ulps > self.ulps { other } else { self } }
    }
}

/// A part of the sweep: the arguments `chunk`, ..
fn chunk(function: &Function, program: &Program, chunk: u32, every: usize) -> Worst {
    const SIZE: u32 = 1 << 18;
    let numbers = (chunk * SIZE..=chunk * SIZE + (SIZE - 1)).step_by(every);
    let (mut x, mut y): (Vec<f32>, Vec<f32>) = numbers.map(|i| arguments(function, i)).unzip();
    let mut out = vec![0f32; x.len()];
    run(program, &mut x, &mut y, &mut out);
    let mut worst = Worst::default();
    for i in 0..x.len() {
        let error = ulps(out[i], (function.truth)(x[i].into(), y[i].into()));
        worst = worst.of(Worst { ulps: error, at: (x[i], y[i]), above: u64::from(error > 1.0) });
    }
    worst
}

fn sweep(function: &Function, engine: Engine, every: usize) {
    let start = Instant::now();
    let program = program(function, Ty::F32, engine);
    let worst =
        (0..1u32 << 14).into_par_iter().map(|c| chunk(function, &program, c, every)).reduce(Worst::default, Worst::of);
    let (x, y) = worst.at;
    let arguments =
        if let Operation::Unary(_) = function.operation { format!("{x:e}") } else { format!("{x:e}, {y:e}") };
    println!(
        "{:12} {:.4} ULP at ({arguments}), {} above one, limit {}, {:.0?}",
        function.name,
        worst.ulps,
        worst.above,
        function.limit,
        start.elapsed()
    );
}

fn program(function: &Function, ty: Ty, engine: Engine) -> Program {
    Program::with(function.kernel(ty), &Settings::default().engine(engine)).expect("the kernel compiles")
}

/// ns an element on one thread, arguments moderate.
fn speed<T: Copy + Default>(function: &Function, ty: Ty, engine: Engine, of: fn(f64) -> T) -> f64 {
    let program = program(function, ty, engine);
    let least = if function.name == "acosh" { 1.0 } else { 0.05 };
    let mut x: Vec<T> = (0..4096).map(|i| of(least + f64::from(i) * 0.9 / 4096.0)).collect();
    let (mut y, mut out) = (x.clone(), vec![T::default(); x.len()]);
    let mut best = f64::INFINITY;
    for _ in 0..3000 {
        let start = Instant::now();
        run(&program, &mut x, &mut y, &mut out);
        best = best.min(start.elapsed().as_nanos() as f64);
    }
    best / 4096.0
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let has = |word: &str| arguments.iter().any(|a| a == word);
    let level = Level::detect();
    let engine = if has("jit") { Engine::Jit(level) } else { Engine::Interpreter(level) };
    let every = arguments.iter().find_map(|a| a.strip_prefix("every=")?.parse().ok()).unwrap_or(1);
    let named = FUNCTIONS.iter().any(|f| has(f.name));
    for function in FUNCTIONS.iter().filter(|f| !named || has(f.name)) {
        if has("speed") {
            let single = speed(function, Ty::F32, engine, |x| x as f32);
            let double = speed(function, Ty::F64, engine, |x| x);
            println!("{:12} f32 {single:.3} ns, f64 {double:.3} ns", function.name);
        } else {
            sweep(function, engine, every);
        }
    }
}
