//! Building blocks by hand.

use super::{Shape, TASK, floats, floats_mut};
use crate::commands::bench::functions::{RANGE, SEED};
use rayon::prelude::*;

/// Sums of the elements up to and with each, in two passes.
pub fn scan(_: &Shape, buffers: &mut [Vec<u32>]) {
    let [x, y] = buffers else { return };
    let (x, y) = (floats(x), floats_mut(y));
    let part = x.len().div_ceil(4 * rayon::current_num_threads()).max(2 * TASK);
    let totals: Vec<f32> = x.par_chunks(part).map(|x| x.iter().sum()).collect();
    y.par_chunks_mut(part).zip(x.par_chunks(part)).enumerate().for_each(|(k, (y, x))| {
        let mut sum: f32 = totals[..k].iter().sum();
        for (y, x) in y.iter_mut().zip(x) {
            sum += x;
            *y = sum;
        }
    });
}

/// The elements whose mask is not zero.
pub fn compact(_: &Shape, buffers: &mut [Vec<u32>]) {
    let [x, mask, kept] = buffers else { return };
    let pairs = x.par_iter().zip(&*mask).with_min_len(2 * TASK).filter(|(_, mask)| **mask != 0);
    let found: Vec<u32> = pairs.map(|(x, _)| *x).collect();
    kept[..found.len()].copy_from_slice(&found);
}

/// Counts in 256 bins of equal width.
pub fn count_bins(_: &Shape, buffers: &mut [Vec<u32>]) {
    let [x, counts] = buffers else { return };
    let [low, high] = RANGE;
    let scale = 256.0 / (high - low);
    let count = |x: &[f32]| {
        let mut own = [0u32; 256];
        for x in x.iter().filter(|x| **x >= low && **x <= high) {
            own[(((x - low) * scale) as usize).min(255)] += 1;
        }
        own
    };
    let sum = |mut a: [u32; 256], b: [u32; 256]| {
        a.iter_mut().zip(b).for_each(|(a, b)| *a += b);
        a
    };
    let all = floats(x).par_chunks(8 * TASK).map(count).reduce(|| [0; 256], sum);
    counts.iter_mut().zip(all).for_each(|(count, n)| *count = count.wrapping_add(n));
}

/// A sorted copy.
pub fn sort(_: &Shape, buffers: &mut [Vec<u32>]) {
    let [x, y] = buffers else { return };
    y.copy_from_slice(x);
    y.par_sort_unstable();
}

/// `y[c][r] = x[r][c]`, in squares that stay in the first cache.
pub fn transpose(_: &Shape, buffers: &mut [Vec<u32>]) {
    const SIDE: usize = 32;
    let [x, y] = buffers else { return };
    let side = x.len().isqrt();
    y.par_chunks_mut(SIDE * side).enumerate().for_each(|(band, y)| {
        for first in (0..side).step_by(SIDE) {
            for (c, y) in y.chunks_mut(side).enumerate() {
                let line = &mut y[first..(first + SIDE).min(side)];
                line.iter_mut().enumerate().for_each(|(r, y)| *y = x[(first + r) * side + band * SIDE + c]);
            }
        }
    });
}

/// Five by five weights; outside of the square is zero.
pub fn convolve(_: &Shape, buffers: &mut [Vec<u32>]) {
    let [x, weights, y] = buffers else { return };
    let (x, weights) = (floats(x), floats(weights));
    let side = x.len().isqrt();
    floats_mut(y).par_chunks_mut(side).with_min_len((TASK / side).max(1)).enumerate().for_each(|(r, y)| {
        y.fill(0.0);
        for (i, weights) in weights.chunks_exact(5).enumerate() {
            let Some(row) = (r + 2).checked_sub(i).filter(|row| *row < side) else { continue };
            let x = &x[row * side..][..side];
            for (j, weight) in weights.iter().enumerate() {
                // The columns whose neighbour `c + 2 - j` is inside.
                let (first, end) = (j.saturating_sub(2), side.min((side + j).saturating_sub(2)));
                if first < end {
                    let x = &x[first + 2 - j..];
                    y[first..end].iter_mut().zip(x).for_each(|(y, x)| *y += weight * x);
                }
            }
        }
    });
}

/// Philox 4x32-10 by 64-bit products.
fn philox(mut c: [u32; 4], mut k: [u32; 2]) -> [u32; 4] {
    for _ in 0..10 {
        let (p, q) = (u64::from(c[0]) * 0xd251_1f53, u64::from(c[2]) * 0xcd9e_8d57);
        c = [(q >> 32) as u32 ^ c[1] ^ k[0], q as u32, (p >> 32) as u32 ^ c[3] ^ k[1], p as u32];
        k = [k[0].wrapping_add(0x9e37_79b9), k[1].wrapping_add(0xbb67_ae85)];
    }
    c
}

/// Makes four elements at once of four random words.
fn made<T: Send>(out: &mut [T], make: impl Fn([u32; 4], &mut [T]) + Sync) {
    out.par_chunks_mut(4).with_min_len(TASK / 4).enumerate().for_each(|(k, four)| {
        make(philox([k as u32, 0, 0, 0], [SEED as u32, (SEED >> 32) as u32]), four);
    });
}

/// Random words.
pub fn random(_: &Shape, buffers: &mut [Vec<u32>]) {
    let [y] = buffers else { return };
    made(y, |words, four| four.copy_from_slice(&words[..four.len()]));
}

/// Normal random numbers.
pub fn normal(_: &Shape, buffers: &mut [Vec<u32>]) {
    const UNIT: f32 = 1.0 / (1 << 24) as f32;
    let [y] = buffers else { return };
    made(floats_mut(y), |[a, b, c, d], four| {
        let pair = |u: u32, v: u32| {
            let radius = (-2.0 * (((u >> 8) + 1) as f32 * UNIT).ln()).sqrt();
            let (sin, cos) = ((v >> 8) as f32 * (std::f32::consts::TAU * UNIT)).sin_cos();
            [radius * cos, radius * sin]
        };
        let both = [pair(a, b), pair(c, d)];
        four.iter_mut().zip(both.as_flattened()).for_each(|(y, made)| *y = *made);
    });
}
