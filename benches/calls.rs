//! What a call costs over the work itself, and the CPU path beside hand-written rayon.
//!
//! `cargo bench --bench calls`. Compare figures of one run only: machines differ, and so do their moods.

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use evener::prelude::*;
use rayon::prelude::*;
use std::hint::black_box;

fn saxpy(c: &mut Criterion) {
    let rt = Runtime::builder().gpu(false).build().expect("a CPU");
    let kernel = rt.kernel(evener_shaders::SAXPY).expect("valid");
    let mut group = c.benchmark_group("saxpy");
    for n in [256usize, 1 << 16, 1 << 20, 1 << 24] {
        let (x, mut y) = (vec![1.0f32; n], vec![2.0f32; n]);
        group.throughput(Throughput::Bytes(12 * n as u64));
        group.bench_function(BenchmarkId::new("evener", n), |b| {
            b.iter(|| kernel.call().set("a", 0.5f32).arg("x", &x).arg("y", &mut y).items(n).run().expect("runs"));
        });
        group.bench_function(BenchmarkId::new("rayon", n), |b| {
            let a = black_box(0.5f32);
            b.iter(|| y.par_iter_mut().zip(&x).with_min_len(1 << 14).for_each(|(y, x)| *y += a * x));
        });
        group.bench_function(BenchmarkId::new("plain loop", n), |b| {
            let a = black_box(0.5f32);
            b.iter(|| black_box(&mut y).iter_mut().zip(&x).for_each(|(y, x)| *y += a * x));
        });
    }
    group.finish();
}

/// The iteration of one point, as the shader does it.
fn escape(c_re: f32, c_im: f32, cap: u32) -> u32 {
    let (mut re, mut im, mut n) = (0.0f32, 0.0f32, 0);
    while n < cap && re * re + im * im <= 4.0 {
        (re, im) = (re * re - im * im + c_re, 2.0 * re * im + c_im);
        n += 1;
    }
    n
}

fn mandelbrot(c: &mut Criterion) {
    let rt = Runtime::builder().gpu(false).build().expect("a CPU");
    let kernel = rt.kernel(evener_shaders::MANDELBROT).expect("valid");
    let (side, cap, pixel) = (512u32, 200u32, 2.5 / 512.0f32);
    let mut counts = vec![0u32; (side * side) as usize];
    let mut group = c.benchmark_group("mandelbrot");
    group.sample_size(20);
    group.bench_function("evener", |b| {
        b.iter(|| {
            let call = kernel.call().set("view.width", side).set("view.height", side).set("view.cap", cap);
            let call = call.set("view.left", -2.0f32).set("view.top", 1.25f32).set("view.pixel", pixel);
            call.arg("count", &mut counts).items([side, side]).run().expect("runs")
        });
    });
    group.bench_function("rayon", |b| {
        b.iter(|| {
            counts.par_chunks_mut(side as usize).enumerate().for_each(|(y, row)| {
                let c_im = 1.25 - pixel * y as f32;
                row.iter_mut().enumerate().for_each(|(x, n)| *n = escape(-2.0 + pixel * x as f32, c_im, cap));
            });
        });
    });
    group.finish();
}

criterion_group!(benches, saxpy, mandelbrot);
criterion_main!(benches);
