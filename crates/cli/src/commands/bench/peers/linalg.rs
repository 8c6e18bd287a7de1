//! Linear algebra by hand.

use super::{Shape, TASK, floats, floats_mut};
use crate::commands::bench::shapes::BLOCK;
use rayon::prelude::*;

/// The product of two squares, by rows of the second one.
pub fn gemm(_: &Shape, buffers: &mut [Vec<u32>]) {
    let [a, b, c] = buffers else { return };
    let (a, b, n) = (floats(a), floats(b), c.len().isqrt());
    floats_mut(c).par_chunks_mut(n).enumerate().for_each(|(row, c)| {
        c.fill(0.0);
        for (k, factor) in a[row * n..][..n].iter().enumerate() {
            c.iter_mut().zip(&b[k * n..][..n]).for_each(|(c, b)| *c += factor * b);
        }
    });
}

/// A square times a vector.
pub fn gemv(_: &Shape, buffers: &mut [Vec<u32>]) {
    let [a, x, y] = buffers else { return };
    let (a, x) = (floats(a), floats(x));
    let rows = floats_mut(y).par_iter_mut().zip(a.par_chunks(x.len())).with_min_len((TASK / x.len()).max(1));
    rows.for_each(|(y, row)| {
        let ((row, row_rest), (x, x_rest)) = (row.as_chunks::<16>(), x.as_chunks::<16>());
        let mut sums = [0.0f32; 16];
        for (row, x) in row.iter().zip(x) {
            sums.iter_mut().zip(row.iter().zip(x)).for_each(|(sum, (a, x))| *sum += a * x);
        }
        let rest: f32 = row_rest.iter().zip(x_rest).map(|(a, x)| a * x).sum();
        *y = sums.iter().sum::<f32>() + rest;
    });
}

/// A sparse square times a vector.
pub fn spmv(_: &Shape, buffers: &mut [Vec<u32>]) {
    let [starts, column, value, x, y] = buffers else { return };
    let (value, x) = (floats(value), floats(x));
    floats_mut(y).par_iter_mut().zip(starts.par_windows(2)).with_min_len(TASK / 8).for_each(|(y, row)| {
        let row = row[0] as usize..row[1] as usize;
        *y = value[row.clone()].iter().zip(&column[row]).map(|(value, column)| value * x[*column as usize]).sum();
    });
}

/// A pass of radix 4 over blocks that are together.
pub fn fft_pass(_: &Shape, buffers: &mut [Vec<u32>]) {
    const TOGETHER: usize = BLOCK as usize;
    let [root, src, dst] = buffers else { return };
    let ((root, _), (src, _)) = (floats(root).as_chunks::<2>(), floats(src).as_chunks::<2>());
    let (dst, _) = floats_mut(dst).as_chunks_mut::<2>();
    let (quarter, step) = (src.len() / 4, src.len() / (4 * TOGETHER));
    let times = |a: [f32; 2], w: [f32; 2]| [a[0] * w[0] - a[1] * w[1], a[0] * w[1] + a[1] * w[0]];
    let add = |a: [f32; 2], b: [f32; 2]| [a[0] + b[0], a[1] + b[1]];
    let less = |a: [f32; 2], b: [f32; 2]| [a[0] - b[0], a[1] - b[1]];
    let blocks = dst.par_chunks_mut(4 * TOGETHER).enumerate().with_min_len((TASK / (4 * TOGETHER)).max(1));
    blocks.for_each(|(before, dst)| {
        for within in 0..TOGETHER {
            let (from, turn) = (before * TOGETHER + within, within * step);
            let [v0, v1, v2, v3] = std::array::from_fn(|k| times(src[from + k * quarter], root[k * turn]));
            let (s, d, t, e) = (add(v0, v2), less(v0, v2), add(v1, v3), less(v1, v3));
            let turned = [e[1], -e[0]];
            let sums = [add(s, t), add(d, turned), less(s, t), less(d, turned)];
            sums.into_iter().enumerate().for_each(|(k, sum)| dst[within + k * TOGETHER] = sum);
        }
    });
}
