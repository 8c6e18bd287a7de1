//! Speed of the interpreter on one thread against scalar Rust in the same binary.

#[path = "../tests/interp_ir/build.rs"]
#[allow(dead_code)]
mod build;

use build::Build;
use evener_lanes::{Buffer, Engine, Grid, GroupRange, Level, Module, Program, Settings, ir::*};
use naga::Span;
use std::{hint::black_box, time::Instant};

fn bytes<T: Copy>(v: &mut [T]) -> &mut [u8] {
    // SAFETY: plain numbers.
    unsafe { std::slice::from_raw_parts_mut(v.as_mut_ptr().cast(), size_of_val(v)) }
}

/// Least time of some runs, in ns.
fn time(mut f: impl FnMut()) -> f64 {
    let mut best = f64::INFINITY;
    let start = Instant::now();
    while start.elapsed().as_secs_f64() < 0.3 {
        let t = Instant::now();
        f();
        best = best.min(t.elapsed().as_nanos() as f64);
    }
    best
}

fn saxpy() -> Kernel {
    let mut b = Build::new([64, 1, 1]);
    let (x, y) = (b.array("x", 4), b.array("y", 4));
    let i = b.gid(0);
    let len = b.op(Ty::U32, Op::ArrayLength(0));
    let inside = b.binary(BinaryOp::Lt, i, len);
    b.begin();
    let a = b.op(Ty::F32, Op::Const(2.5f32.to_bits().into()));
    let vx = b.load(Ty::F32, x, i);
    let vy = b.load(Ty::F32, y, i);
    let ax = b.binary(BinaryOp::Mul, a, vx);
    let sum = b.binary(BinaryOp::Add, ax, vy);
    b.store(y, i, sum);
    let then = b.end();
    b.push(Inst::If { cond: inside, then, other: Region::default(), phis: vec![], span: Span::UNDEFINED });
    b.done()
}

fn f32c(b: &mut Build, v: f32) -> Value {
    b.op(Ty::F32, Op::Const(v.to_bits().into()))
}

const SIDE: u32 = 256;
const ITERATIONS: u32 = 256;

fn mandelbrot() -> Kernel {
    use BinaryOp::*;
    let mut b = Build::new([16, 16, 1]);
    let out = b.array("out", 4);
    let (x, y) = (b.gid(0), b.gid(1));
    let (fx, fy) = (b.op(Ty::F32, Op::Convert(x)), b.op(Ty::F32, Op::Convert(y)));
    let (scale, left, top) = (f32c(&mut b, 3.0 / SIDE as f32), f32c(&mut b, -2.2), f32c(&mut b, -1.5));
    let sx = b.binary(Mul, fx, scale);
    let cx = b.binary(Add, sx, left);
    let sy = b.binary(Mul, fy, scale);
    let cy = b.binary(Add, sy, top);
    let (zero, nought, one, max) = (f32c(&mut b, 0.0), b.u32(0), b.u32(1), b.u32(ITERATIONS));
    let (four, two) = (f32c(&mut b, 4.0), f32c(&mut b, 2.0));
    let (zx, zy, n) = (b.value(Ty::F32), b.value(Ty::F32), b.value(Ty::U32));
    b.begin();
    let xx = b.binary(Mul, zx, zx);
    let yy = b.binary(Mul, zy, zy);
    let xy = b.binary(Mul, zx, zy);
    let d = b.binary(Sub, xx, yy);
    let nx = b.binary(Add, d, cx);
    let t = b.binary(Mul, two, xy);
    let ny = b.binary(Add, t, cy);
    let nn = b.binary(Add, n, one);
    let r = b.binary(Add, xx, yy);
    let near = b.binary(Lt, r, four);
    let more = b.binary(Lt, nn, max);
    let again = b.binary(And, near, more);
    let body = b.end();
    let (rx, ry, rn) = (b.value(Ty::F32), b.value(Ty::F32), b.value(Ty::U32));
    let params = vec![
        Param { dst: zx, init: zero, next: nx, result: rx },
        Param { dst: zy, init: zero, next: ny, result: ry },
        Param { dst: n, init: nought, next: nn, result: rn },
    ];
    b.push(Inst::Loop { params, body, again, span: Span::UNDEFINED });
    let side = b.u32(SIDE);
    let row = b.binary(Mul, y, side);
    let i = b.binary(Add, row, x);
    b.store(out, i, rn);
    b.done()
}

fn mandelbrot_scalar(out: &mut [u32]) {
    for y in 0..SIDE {
        for x in 0..SIDE {
            let cx = x as f32 * (3.0 / SIDE as f32) - 2.2;
            let cy = y as f32 * (3.0 / SIDE as f32) - 1.5;
            let (mut zx, mut zy, mut n) = (0f32, 0f32, 0u32);
            loop {
                let (xx, yy, xy) = (zx * zx, zy * zy, zx * zy);
                zx = xx - yy + cx;
                zy = 2.0 * xy + cy;
                n += 1;
                if xx + yy >= 4.0 || n >= ITERATIONS {
                    break;
                }
            }
            out[(y * SIDE + x) as usize] = n;
        }
    }
}

const BODIES: u32 = 2048;

/// All pairs: positions and masses as x, y, z, m; accelerations likewise.
fn nbody() -> Kernel {
    use BinaryOp::*;
    let mut b = Build::new([64, 1, 1]);
    let (p, out) = (b.array("p", 16), b.array("a", 16));
    let i = b.gid(0);
    let component = |b: &mut Build, base: Base, i: Value, k: u32| {
        let mut place = b.at(base, i);
        place.offset = 4 * k;
        place
    };
    let own: Vec<Value> = (0..3)
        .map(|k| {
            let place = component(&mut b, p, i, k);
            b.op(Ty::F32, Op::Load(place))
        })
        .collect();
    let (zero, eps, nought, one, max) = (f32c(&mut b, 0.0), f32c(&mut b, 0.01), b.u32(0), b.u32(1), b.u32(BODIES));
    let acc: Vec<Value> = (0..3).map(|_| b.value(Ty::F32)).collect();
    let j = b.value(Ty::U32);
    b.begin();
    let other: Vec<Value> = (0..4)
        .map(|k| {
            let place = component(&mut b, p, j, k);
            b.op(Ty::F32, Op::Load(place))
        })
        .collect();
    let d: Vec<Value> = (0..3).map(|k| b.binary(Sub, other[k], own[k])).collect();
    let mut r = eps;
    for d in &d {
        let s = b.binary(Mul, *d, *d);
        r = b.binary(Add, r, s);
    }
    let inv = b.op(Ty::F32, Op::Unary(UnaryOp::InverseSqrt, r));
    let i2 = b.binary(Mul, inv, inv);
    let i3 = b.binary(Mul, i2, inv);
    let f = b.binary(Mul, other[3], i3);
    let next: Vec<Value> = (0..3)
        .map(|k| {
            let t = b.binary(Mul, f, d[k]);
            b.binary(Add, acc[k], t)
        })
        .collect();
    let nj = b.binary(Add, j, one);
    let again = b.binary(Lt, nj, max);
    let body = b.end();
    let mut params = vec![Param { dst: j, init: nought, next: nj, result: b.value(Ty::U32) }];
    for k in 0..3 {
        params.push(Param { dst: acc[k], init: zero, next: next[k], result: b.value(Ty::F32) });
    }
    let results: Vec<Value> = params[1..].iter().map(|p| p.result).collect();
    b.push(Inst::Loop { params, body, again, span: Span::UNDEFINED });
    for (k, r) in results.into_iter().enumerate() {
        let place = component(&mut b, out, i, k as u32);
        b.push(Inst::Store { place, value: r, span: Span::UNDEFINED });
    }
    b.done()
}

fn nbody_scalar(p: &[[f32; 4]], out: &mut [[f32; 4]]) {
    for (i, out) in out.iter_mut().enumerate() {
        let mut a = [0f32; 3];
        for q in p {
            let d = [q[0] - p[i][0], q[1] - p[i][1], q[2] - p[i][2]];
            let r = 0.01 + d[0] * d[0] + d[1] * d[1] + d[2] * d[2];
            let inv = 1.0 / r.sqrt();
            let f = q[3] * (inv * inv * inv);
            for k in 0..3 {
                a[k] += f * d[k];
            }
        }
        *out = [a[0], a[1], a[2], 0.0];
    }
}

const WIDTH: usize = 1024;

const STENCIL: &str = "
    @group(0) @binding(0) var<storage, read> old: array<f32>;
    @group(0) @binding(1) var<storage, read_write> out: array<f32>;
    @compute @workgroup_size(64, 4)
    fn main(@builtin(global_invocation_id) g: vec3u) {
        let w = 1024u;
        if g.x > 0 && g.x < w - 1 && g.y > 0 && g.y < w - 1 {
            let i = g.y * w + g.x;
            out[i] = 0.6 * old[i] + 0.1 * (old[i - 1] + old[i + 1] + old[i - w] + old[i + w]);
        }
    }";

fn stencil_scalar(from: &[f32], to: &mut [f32]) {
    for y in 1..WIDTH - 1 {
        for x in 1..WIDTH - 1 {
            let i = y * WIDTH + x;
            to[i] = 0.6 * from[i] + 0.1 * (from[i - 1] + from[i + 1] + from[i - WIDTH] + from[i + WIDTH]);
        }
    }
}

const BLACK_SCHOLES: &str = "
    @group(0) @binding(0) var<storage, read> spot: array<f32>;
    @group(0) @binding(1) var<storage, read_write> price: array<f32>;
    fn normal(x: f32) -> f32 { return 1.0 / (1.0 + exp(-1.702 * x)); }
    @compute @workgroup_size(64)
    fn main(@builtin(global_invocation_id) g: vec3u) {
        let s = spot[g.x];
        let d1 = (log(s / 100.0) + 0.07) / 0.3;
        price[g.x] = s * normal(d1) - 100.0 * exp(-0.02) * normal(d1 - 0.3) + sin(s) * pow(s, 0.3);
    }";

fn black_scholes_scalar(spot: &[f32], price: &mut [f32]) {
    let normal = |x: f32| 1.0 / (1.0 + (-1.702 * x).exp());
    for (s, price) in spot.iter().zip(price) {
        let d1 = ((s / 100.0).ln() + 0.07) / 0.3;
        *price = s * normal(d1) - 100.0 * (-0.02f32).exp() * normal(d1 - 0.3) + s.sin() * s.powf(0.3);
    }
}

fn lowered(source: &str) -> Kernel {
    Module::parse(source).unwrap().lower("main").unwrap()
}

fn wgsl(level: Level) {
    let n = WIDTH * WIDTH;
    let (mut from, mut to) = ((0..n).map(|i| (i % 977) as f32).collect::<Vec<_>>(), vec![0f32; n]);
    let scalar = time(|| stencil_scalar(black_box(&from), black_box(&mut to)));
    let expected = to.clone();
    let buffers = [Buffer::write(bytes(&mut from)), Buffer::write(bytes(&mut to))];
    run(lowered(STENCIL), "stencil", level, &buffers, [WIDTH as u32 / 64, WIDTH as u32 / 4, 1], scalar);
    assert_eq!(to, expected);
    let mut spot: Vec<f32> = (0..16384).map(|i| 50.0 + i as f32 * 0.01).collect();
    let mut price = vec![0f32; spot.len()];
    let scalar = time(|| black_scholes_scalar(black_box(&spot), black_box(&mut price)));
    let expected = price.clone();
    let buffers = [Buffer::write(bytes(&mut spot)), Buffer::write(bytes(&mut price))];
    run(lowered(BLACK_SCHOLES), "black-scholes", level, &buffers, [256, 1, 1], scalar);
    assert!(price.iter().zip(&expected).all(|(a, b)| (a - b).abs() <= 1e-4 * b.abs().max(1.0)));
}

fn run(kernel: Kernel, name: &str, level: Level, buffers: &[Buffer<'_>], groups: [u32; 3], scalar: f64) {
    let t = time_of(kernel, level, buffers, groups);
    println!("{name:20} {level:?}: {:10.1} us, scalar {:10.1} us, ratio {:.2}", t / 1e3, scalar / 1e3, scalar / t);
}

fn time_of(kernel: Kernel, level: Level, buffers: &[Buffer<'_>], groups: [u32; 3]) -> f64 {
    let program = Program::with(kernel, &Settings::default().engine(Engine::Interpreter(level))).unwrap();
    let grid = Grid { groups };
    time(|| program.run(buffers, grid, GroupRange::all(grid)).unwrap())
}

fn all() {
    for level in Level::available() {
        wgsl(level);
        for (name, n) in [("saxpy of 256", 256), ("saxpy in cache", 4096usize), ("saxpy in memory", 16 << 20)] {
            let (mut x, mut y) = (vec![1.5f32; n], vec![0.5f32; n]);
            let scalar = time(|| {
                let (x, y) = (black_box(&x), black_box(&mut y));
                for i in 0..x.len() {
                    y[i] += 2.5 * x[i];
                }
            });
            let buffers = [Buffer::write(bytes(&mut x)), Buffer::write(bytes(&mut y))];
            run(saxpy(), name, level, &buffers, [(n / 64) as u32, 1, 1], scalar);
        }
        let mut out = vec![0u32; (SIDE * SIDE) as usize];
        let scalar = time(|| mandelbrot_scalar(black_box(&mut out)));
        let expected = out.clone();
        run(mandelbrot(), "mandelbrot", level, &[Buffer::write(bytes(&mut out))], [SIDE / 16, SIDE / 16, 1], scalar);
        assert_eq!(out, expected);
        let mut p: Vec<[f32; 4]> =
            (0..BODIES).map(|i| [(i * 7 % 64) as f32, (i * 13 % 61) as f32, (i * 29 % 59) as f32, 1.0]).collect();
        let mut a = vec![[0f32; 4]; p.len()];
        let scalar = time(|| nbody_scalar(black_box(&p), black_box(&mut a)));
        let expected = a.clone();
        let buffers = [Buffer::write(bytes(&mut p)), Buffer::write(bytes(&mut a))];
        run(nbody(), "n-body", level, &buffers, [BODIES / 64, 1, 1], scalar);
        assert_eq!(a, expected);
    }
}

const SHORT_LOOP: &str = "
    @group(0) @binding(0) var<storage, read> trips: array<u32>;
    @group(0) @binding(1) var<storage, read_write> out: array<f32>;
    @compute @workgroup_size(64)
    fn main(@builtin(global_invocation_id) g: vec3u) {
        var x = f32(g.x);
        for (var i = 0u; i < trips[0]; i++) { x = x * 0.5 + 1.0; }
        out[g.x] = x;
    }";

/// Calls that should not wake the global pool, made from outside it.
fn small_calls() {
    let level = Level::detect();
    for n in [256usize, 4096] {
        let (mut x, mut y) = (vec![1.5f32; n], vec![0.5f32; n]);
        let buffers = [Buffer::write(bytes(&mut x)), Buffer::write(bytes(&mut y))];
        let groups = [(n / 64) as u32, 1, 1];
        let t = time_of(saxpy(), level, &buffers, groups);
        println!("{n} items, saxpy: {:.2} us", t / 1e3);
        for trips in [2u32, 1000] {
            let mut trips = [trips];
            let buffers = [Buffer::write(bytes(&mut trips)), Buffer::write(bytes(&mut y))];
            let t = time_of(lowered(SHORT_LOOP), level, &buffers, groups);
            println!("{n} items, {} trips: {:.2} us", trips[0], t / 1e3);
        }
    }
}

fn main() {
    small_calls();
    rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap().install(all);
}
