//! The same kernels by hand: plain Rust on rayon, as one would write them without evener, on the same data.
//!
//! They are compiled with this program, for any x86-64 or arm64 unless it was built for the machine's own processor.

use super::kernels::Shape;
use rayon::prelude::*;

mod blocks;
mod linalg;
mod stream;

/// Runs a kernel on the words of its buffers, in the order of its shape.
pub type Peer = fn(&Shape, &mut [Vec<u32>]);

/// Elements that one task works on: fewer cost more to hand out than they take.
const TASK: usize = 1 << 13;

/// The kernel by hand, where there is one.
pub fn rayon(kernel: &str) -> Option<Peer> {
    Some(match kernel {
        "saxpy" => saxpy,
        "stencil5" => stencil5,
        "mandelbrot" => mandelbrot,
        "nbody" => nbody,
        "histogram" => histogram,
        "black_scholes" => black_scholes,
        "copy" => stream::copy,
        "mul" => stream::mul,
        "add" => stream::add,
        "triad" => stream::triad,
        "dot" => stream::dot,
        "sum" => stream::sum,
        "scan" => blocks::scan,
        "compact" => blocks::compact,
        "count_bins" => blocks::count_bins,
        "sort" => blocks::sort,
        "transpose" => blocks::transpose,
        "convolve" => blocks::convolve,
        "random" => blocks::random,
        "normal" => blocks::normal,
        "gemm" => linalg::gemm,
        "gemv" => linalg::gemv,
        "spmv" => linalg::spmv,
        "fft_pass" => linalg::fft_pass,
        _ => return None,
    })
}

fn floats(words: &[u32]) -> &[f32] {
    bytemuck::cast_slice(words)
}

fn floats_mut(words: &mut [u32]) -> &mut [f32] {
    bytemuck::cast_slice_mut(words)
}

/// A uniform of the call; zero where it has none of that name.
fn uniform(shape: &Shape, name: &str) -> f32 {
    shape.uniforms.iter().find(|u| u.0 == name).and_then(|u| u.1.parse().ok()).unwrap_or_default()
}

/// Columns of a call over a square.
fn width(shape: &Shape) -> usize {
    shape.items[0] as usize
}

fn saxpy(shape: &Shape, buffers: &mut [Vec<u32>]) {
    let [x, y] = buffers else { return };
    let a = uniform(shape, "a");
    floats_mut(y).par_chunks_mut(TASK).zip(floats(x).par_chunks(TASK)).for_each(|(y, x)| {
        y.iter_mut().zip(x).for_each(|(y, x)| *y += a * x);
    });
}

fn stencil5(shape: &Shape, buffers: &mut [Vec<u32>]) {
    let [now, next] = buffers else { return };
    let (now, w, rate) = (floats(now), width(shape), uniform(shape, "grid.rate"));
    let rows = now.len() / w;
    floats_mut(next).par_chunks_mut(w).with_min_len((TASK / w).max(1)).enumerate().for_each(|(row, out)| {
        let here = &now[row * w..][..w];
        out.copy_from_slice(here);
        if row == 0 || row + 1 == rows || w < 3 {
            return;
        }
        let (north, south) = (&now[(row - 1) * w..][..w], &now[(row + 1) * w..][..w]);
        for col in 1..w - 1 {
            let around = here[col - 1] + here[col + 1] + north[col] + south[col];
            out[col] = here[col] + rate * (around - 4.0 * here[col]);
        }
    });
}

fn mandelbrot(shape: &Shape, buffers: &mut [Vec<u32>]) {
    let [count] = buffers else { return };
    let [left, top, pixel] = ["view.left", "view.top", "view.pixel"].map(|name| uniform(shape, name));
    let cap = uniform(shape, "view.cap") as u32;
    count.par_chunks_mut(width(shape)).enumerate().for_each(|(row, out)| {
        let c_im = top - pixel * row as f32;
        for (col, n) in out.iter_mut().enumerate() {
            let c_re = left + pixel * col as f32;
            let (mut re, mut im) = (0.0f32, 0.0f32);
            *n = 0;
            while *n < cap && re * re + im * im <= 4.0 {
                (re, im) = (re * re - im * im + c_re, 2.0 * re * im + c_im);
                *n += 1;
            }
        }
    });
}

fn nbody(shape: &Shape, buffers: &mut [Vec<u32>]) {
    let [bodies, acceleration] = buffers else { return };
    let softening2 = uniform(shape, "system.softening2");
    let (bodies, _) = floats(bodies).as_chunks::<4>();
    let (out, _) = floats_mut(acceleration).as_chunks_mut::<4>();
    out.par_iter_mut().zip(bodies).for_each(|(out, here)| {
        let mut sum = [0.0f32; 3];
        for other in bodies {
            let towards: [f32; 3] = std::array::from_fn(|k| other[k] - here[k]);
            let inverse = 1.0 / (towards.iter().map(|t| t * t).sum::<f32>() + softening2).sqrt();
            let pull = other[3] * inverse * inverse * inverse;
            sum.iter_mut().zip(towards).for_each(|(sum, t)| *sum += pull * t);
        }
        *out = [sum[0], sum[1], sum[2], 0.0];
    });
}

fn histogram(_: &Shape, buffers: &mut [Vec<u32>]) {
    let [values, bins] = buffers else { return };
    let count = |values: &[u32]| {
        let mut own = [0u32; 256];
        values.iter().for_each(|v| own[(v & 255) as usize] += 1);
        own
    };
    let sum = |mut a: [u32; 256], b: [u32; 256]| {
        a.iter_mut().zip(b).for_each(|(a, b)| *a = a.wrapping_add(b));
        a
    };
    let all = values.par_chunks(8 * TASK).map(count).reduce(|| [0; 256], sum);
    bins.iter_mut().zip(all).for_each(|(bin, n)| *bin = bin.wrapping_add(n));
}

fn black_scholes(shape: &Shape, buffers: &mut [Vec<u32>]) {
    const SIGMA: f32 = 0.3;
    let [spot, strike, years, price] = buffers else { return };
    let (spot, strike, years, rate) = (floats(spot), floats(strike), floats(years), uniform(shape, "rate"));
    let below = |x: f32| {
        let t = 1.0 / (1.0 + 0.231_641_9 * x.abs());
        let tail = t * (0.319_381_53 + t * (-0.356_563_8 + t * (1.781_477_9 + t * (-1.821_255_9 + t * 1.330_274_5))));
        let above = 0.398_942_3 * (-0.5 * x * x).exp() * tail;
        if x > 0.0 { 1.0 - above } else { above }
    };
    floats_mut(price).par_iter_mut().with_min_len(TASK / 8).enumerate().for_each(|(i, price)| {
        let root = SIGMA * years[i].sqrt();
        let d = ((spot[i] / strike[i]).ln() + (rate + 0.5 * SIGMA * SIGMA) * years[i]) / root;
        *price = spot[i] * below(d) - strike[i] * (-rate * years[i]).exp() * below(d - root);
    });
}

#[cfg(test)]
mod tests {
    use super::{
        super::{
            data::{Data, Home},
            kernels::{self, Kind},
            measure::Runner,
        },
        *,
    };
    use evener::prelude::{Placement, Runtime};

    /// By hand and by evener, on the same data: integers but for chaotic pixels, floats to rounding.
    #[test]
    fn what_is_written_by_hand_computes_the_same() {
        let runtime = Runtime::builder().gpu(false).profile(None).build().unwrap();
        for name in kernels::NAMES {
            let spec = kernels::spec(name).unwrap();
            let shape = (spec.shape)(1000);
            let Some(peer) = rayon(name) else {
                assert_eq!(name, "shallow_water", "only that one has none");
                continue;
            };
            let mut data = Data::new(&runtime, shape.clone(), Home::Host).unwrap();
            let mut by_hand = Data::new(&runtime, shape.clone(), Home::Host).unwrap();
            by_hand.by_hand(peer);
            Runner::new(&spec, &runtime, Placement::Cpu).unwrap().run(&mut data).unwrap();
            let kinds: Vec<Kind> = shape.buffers.iter().filter(|b| b.written).map(|b| b.kind).collect();
            let both = data.results().unwrap().into_iter().zip(by_hand.results().unwrap());
            for ((got, want), kind) in both.zip(kinds) {
                let differ = |(g, w): &(&u32, &u32)| match kind {
                    Kind::Word => g != w,
                    _ => {
                        let (g, w) = (f32::from_bits(**g), f32::from_bits(**w));
                        (g - w).abs() > 1e-3 * w.abs().max(1.0)
                    }
                };
                let wrong = got.iter().zip(&want).filter(differ).count();
                let allowed = if name == "mandelbrot" { got.len() / 100 } else { 0 };
                assert!(wrong <= allowed, "{name}: {wrong} of {} differ", got.len());
            }
        }
    }
}
