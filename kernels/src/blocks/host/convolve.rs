//! Convolutions by a row or a column of weights. Those over an area are better compiled from the WGSL.

use super::super::number::Number;
use evener::{Result, kernel::native::NativeChunk};
use rayon::prelude::*;

/// Pixels whose sums stay in registers together.
const RUN: usize = 32;

/// Pixels that one task makes at least.
const TASK: usize = 1 << 14;

/// Of the uniform: rows, columns, and the width and middle of the weights.
struct Shape {
    rows: usize,
    columns: usize,
    width: usize,
    middle: [usize; 2],
}

/// `convolve` of whole rows.
pub(in super::super) fn lines<T: Number>(chunk: &mut NativeChunk<'_>) -> Result<()> {
    let [rows, columns, height, width, row, column] = chunk.uniform::<[u32; 6]>("shape")?.map(|n| n as usize);
    let shape = Shape { rows, columns, width, middle: [row, column] };
    let weights = chunk.read::<T>("weights", 0..height * width)?;
    let x = chunk.read::<T>("x", 0..rows * columns)?;
    let y = chunk.write::<T>("y", 0..rows * columns)?;
    let lines = y.par_chunks_mut(columns).enumerate().with_min_len(TASK.div_ceil(columns));
    lines.for_each(|(r, y)| line(&shape, weights, x, r, y));
    Ok(())
}

/// `convolve_separable`: lines along the rows, of which a band of the result holds as many as the column has weights.
pub(in super::super) fn separable<T: Number>(chunk: &mut NativeChunk<'_>) -> Result<()> {
    let [rows, columns, height, width, middle_row, middle] = chunk.uniform::<[u32; 6]>("shape")?.map(|n| n as usize);
    let (column, row) = (chunk.read::<T>("column", 0..height)?, chunk.read::<T>("row", 0..width)?);
    let x = chunk.read::<T>("x", 0..rows * columns)?;
    let y = chunk.write::<T>("y", 0..rows * columns)?;
    let across = Shape { rows, columns, width, middle: [0, middle] };
    // Enough rows to pay for the lines that two bands make both.
    let band = TASK.div_ceil(columns).max(8 * height);
    y.par_chunks_mut(band * columns).enumerate().for_each(|(k, y)| {
        let mut lines = vec![T::default(); height * columns];
        let mut next = (k * band + middle_row + 1).saturating_sub(height);
        for (r, y) in (k * band..).zip(y.chunks_mut(columns)) {
            while next <= r + middle_row && next < rows {
                line(&across, row, x, next, &mut lines[next % height * columns..][..columns]);
                next += 1;
            }
            let inside = |i: usize| (r + middle_row).checked_sub(i).filter(|from| *from < rows);
            let weighted: Vec<(T, &[T])> = (0..height)
                .filter_map(|i| Some((column[i], &lines[inside(i)? % height * columns..][..columns])))
                .collect();
            down(&weighted, y);
        }
    });
    Ok(())
}

/// The sum of lines by their weights.
#[inline(always)]
fn down_of<T: Number>(lines: &[(T, &[T])], y: &mut [T]) {
    for (run, y) in y.chunks_mut(RUN).enumerate() {
        let mut sums = [T::default(); RUN];
        for (weight, line) in lines {
            let line = &line[run * RUN..];
            match line.first_chunk::<RUN>() {
                Some(line) => sums.iter_mut().zip(line).for_each(|(sum, x)| *sum = sum.plus(weight.times(*x))),
                None => sums.iter_mut().zip(line).for_each(|(sum, x)| *sum = sum.plus(weight.times(*x))),
            }
        }
        y.copy_from_slice(&sums[..y.len()]);
    }
}

by_vector_width! {
    line = line_of line_wide <T>(shape: &Shape, weights: &[T], x: &[T], r: usize, y: &mut [T]) -> ();
    down = down_of down_wide <T>(lines: &[(T, &[T])], y: &mut [T]) -> ();
}

#[inline(always)]
fn line_of<T: Number>(shape: &Shape, weights: &[T], x: &[T], r: usize, y: &mut [T]) {
    let [middle_row, middle_column] = shape.middle;
    let (left, right) = (shape.width - 1 - middle_column, middle_column);
    for (run, y) in y.chunks_mut(RUN).enumerate() {
        let start = run * RUN;
        let inside = start >= left && start + RUN + right <= shape.columns;
        let mut sums = [T::default(); RUN];
        for (i, weights) in weights.chunks_exact(shape.width).enumerate() {
            let Some(from) = (r + middle_row).checked_sub(i).filter(|r| *r < shape.rows) else { continue };
            let x = &x[from * shape.columns..][..shape.columns];
            for (j, weight) in weights.iter().enumerate() {
                if inside {
                    let (x, _) = x[start + middle_column - j..].as_chunks::<RUN>();
                    sums.iter_mut().zip(&x[0]).for_each(|(sum, x)| *sum = sum.plus(weight.times(*x)));
                    continue;
                }
                for (c, sum) in (start..).zip(&mut sums).take(y.len()) {
                    if let Some(x) = (c + middle_column).checked_sub(j).and_then(|c| x.get(c)) {
                        *sum = sum.plus(weight.times(*x));
                    }
                }
            }
        }
        y.copy_from_slice(&sums[..y.len()]);
    }
}
