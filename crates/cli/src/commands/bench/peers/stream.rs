//! BabelStream's five kernels and the sum by hand.

use super::{Shape, TASK, floats, floats_mut};
use crate::commands::bench::functions::SCALAR;
use rayon::prelude::*;

/// Makes each element of the last buffer by chunks of all of them.
fn chunks(out: &mut [u32], inputs: [&[u32]; 2], make: impl Fn(&mut [f32], &[f32], &[f32]) + Sync) {
    let [x, y] = inputs.map(floats);
    floats_mut(out).par_chunks_mut(TASK).enumerate().for_each(|(k, out)| {
        let part = k * TASK..k * TASK + out.len();
        make(out, &x[part.clone()], &y[part]);
    });
}

/// `y = x`.
pub fn copy(_: &Shape, buffers: &mut [Vec<u32>]) {
    let [x, y] = buffers else { return };
    chunks(y, [x, x], |y, x, _| y.copy_from_slice(x));
}

/// `y = 0.4 x`.
pub fn mul(_: &Shape, buffers: &mut [Vec<u32>]) {
    let [x, y] = buffers else { return };
    chunks(y, [x, x], |y, x, _| y.iter_mut().zip(x).for_each(|(y, x)| *y = SCALAR * x));
}

/// `z = x + y`.
pub fn add(_: &Shape, buffers: &mut [Vec<u32>]) {
    let [x, y, z] = buffers else { return };
    chunks(z, [x, y], |z, x, y| z.iter_mut().zip(x.iter().zip(y)).for_each(|(z, (x, y))| *z = x + y));
}

/// `z = x + 0.4 y`.
pub fn triad(_: &Shape, buffers: &mut [Vec<u32>]) {
    let [x, y, z] = buffers else { return };
    chunks(z, [x, y], |z, x, y| z.iter_mut().zip(x.iter().zip(y)).for_each(|(z, (x, y))| *z = x + SCALAR * y));
}

/// 32 sums side by side: one alone could not be vectorised.
fn sum_of(items: impl Iterator<Item = [f32; 32]>) -> f32 {
    let mut sums = [0.0f32; 32];
    items.for_each(|item| sums.iter_mut().zip(item).for_each(|(sum, x)| *sum += x));
    sums.iter().sum()
}

/// The sum of `x y`.
pub fn dot(_: &Shape, buffers: &mut [Vec<u32>]) {
    let [x, y, total] = buffers else { return };
    let parts = floats(x).par_chunks(2 * TASK).zip(floats(y).par_chunks(2 * TASK));
    let part = |(x, y): (&[f32], &[f32])| {
        let ((x, x_rest), (y, y_rest)) = (x.as_chunks::<32>(), y.as_chunks::<32>());
        let products = x.iter().zip(y).map(|(x, y)| std::array::from_fn(|k| x[k] * y[k]));
        sum_of(products) + x_rest.iter().zip(y_rest).map(|(x, y)| x * y).sum::<f32>()
    };
    floats_mut(total)[0] = parts.map(part).sum();
}

/// The sum of `x`.
pub fn sum(_: &Shape, buffers: &mut [Vec<u32>]) {
    let [x, total] = buffers else { return };
    let part = |x: &[f32]| {
        let (x, rest) = x.as_chunks::<32>();
        sum_of(x.iter().copied()) + rest.iter().sum::<f32>()
    };
    floats_mut(total)[0] = floats(x).par_chunks(2 * TASK).map(part).sum();
}
