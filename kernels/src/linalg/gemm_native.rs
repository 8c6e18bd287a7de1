//! Dense products on the CPU by the crate `gemm`.
//!
//! The body sees what the kernel sees: the uniforms, and the parts of A, B and C that its work-groups touch. It takes
//! matrices without gaps only, so that the parts are slices.

use super::{Real, matrix::Layout};
use evener::{Result, kernel::native::NativeChunk};
use gemm::Parallelism;
use rayon::prelude::*;
use std::{borrow::Cow, ops::Range};

/// Rows and columns of the part of C that a work-group computes.
pub(super) const TILE: usize = 64;

/// Whether rows or columns lie one after the other, and the matrices of a batch too.
pub(super) fn is_compact(layout: &Layout) -> bool {
    let Layout { rows, cols, row_stride, col_stride, batch, batch_stride } = *layout;
    let by_rows = col_stride == 1 && row_stride == cols;
    let by_columns = row_stride == 1 && col_stride == rows;
    (by_rows || by_columns) && (batch == 1 || batch_stride == rows * cols)
}

/// The uniforms of the kernel. C lies row by row.
struct Params<T> {
    alpha: T,
    beta: T,
    rows: usize,
    cols: usize,
    depth: usize,
    a: Strides,
    b: Strides,
}

#[derive(Clone, Copy)]
struct Strides {
    row: usize,
    col: usize,
    batch: usize,
}

impl<T: Real> Params<T> {
    fn of(chunk: &NativeChunk<'_>) -> Result<Self> {
        let [alpha, beta] = chunk.uniform::<[T; 2]>("p")?;
        // After two scalars of T.
        let words: [u32; 12] = if size_of::<T>() == 4 {
            let [_, _, words @ ..] = chunk.uniform::<[u32; 14]>("p")?;
            words
        } else {
            let [_, _, _, _, words @ ..] = chunk.uniform::<[u32; 16]>("p")?;
            words
        };
        let [rows, cols, depth, a_row, a_col, a_batch, b_row, b_col, b_batch, ..] = words.map(|word| word as usize);
        let a = Strides { row: a_row, col: a_col, batch: a_batch };
        let b = Strides { row: b_row, col: b_col, batch: b_batch };
        Ok(Params { alpha, beta, rows, cols, depth, a, b })
    }

    /// Multiplies parts of A and B into a part of C, which lies row by row.
    fn multiply(&self, a: &Part<'_, T>, b: &Part<'_, T>, c: &mut [T], beta: T, parallelism: Parallelism) {
        let (m, n) = (a.rows, b.cols);
        assert!(c.len() == m * n && a.cols == b.rows, "the parts agree");
        let [a_row, a_col] = a.strides.map(|s| s as isize);
        let [b_row, b_col] = b.strides.map(|s| s as isize);
        let (a_first, b_first, k) = (a.first(), b.first(), a.cols);
        let reads = beta != T::default();
        // SAFETY: `Part` holds all elements of its rows and columns at its strides, and `c` all `m * n` of C at strides `n`
        // and 1, mutably and so apart from the others. T is f32 or f64, which the crate knows.
        unsafe {
            gemm::gemm(
                m,
                n,
                k,
                c.as_mut_ptr(),
                1,
                n as isize,
                reads,
                a_first,
                a_col,
                a_row,
                b_first,
                b_col,
                b_row,
                beta,
                self.alpha,
                false,
                false,
                false,
                parallelism,
            );
        }
    }
}

/// Rows and columns of an operand.
struct Part<'a, T: Clone> {
    rows: usize,
    cols: usize,
    strides: [usize; 2],
    data: Cow<'a, [T]>,
}

impl<T: Real> Part<'_, T> {
    /// Element (0, 0); of an empty part a pointer that is not read.
    fn first(&self) -> *const T {
        let last = self.rows.saturating_sub(1) * self.strides[0] + self.cols.saturating_sub(1) * self.strides[1];
        assert!(self.rows == 0 || self.cols == 0 || last < self.data.len(), "a part holds all its elements");
        self.data.as_ptr()
    }
}

/// The part of an operand of which element (0, 0) is at `start`. Where its rows, or columns, lie one after the other with
/// those of other work-groups between them, they are copied together.
fn part<'a, T: Real>(
    chunk: &mut NativeChunk<'a>,
    name: &str,
    start: usize,
    [rows, cols]: [Range<usize>; 2],
    strides: Strides,
) -> Result<Part<'a, T>> {
    let (height, width) = (rows.len(), cols.len());
    if height == 0 || width == 0 {
        return Ok(Part { rows: height, cols: width, strides: [1, 1], data: Cow::Borrowed(&[]) });
    }
    let first = start + rows.start * strides.row + cols.start * strides.col;
    let last = first + (height - 1) * strides.row + (width - 1) * strides.col;
    if let Ok(data) = chunk.read::<T>(name, first..last + 1) {
        let strides = [strides.row, strides.col];
        return Ok(Part { rows: height, cols: width, strides, data: Cow::Borrowed(data) });
    }
    let by_rows = strides.col == 1;
    let (lines, length, step) = if by_rows { (height, width, strides.row) } else { (width, height, strides.col) };
    let mut data = Vec::with_capacity(lines * length);
    for line in 0..lines {
        let first = first + line * step;
        data.extend_from_slice(chunk.read::<T>(name, first..first + length)?);
    }
    let strides = if by_rows { [length, 1] } else { [1, length] };
    Ok(Part { rows: height, cols: width, strides, data: Cow::Owned(data) })
}

/// The native body of the kernel.
pub(super) fn body<T: Real>(chunk: &mut NativeChunk<'_>) -> Result<()> {
    let p = Params::<T>::of(chunk)?;
    let (start, end) = (chunk.groups().start, chunk.groups().end);
    let tiles = |axis: usize, extent: usize| start[axis] as usize * TILE..(end[axis] as usize * TILE).min(extent);
    let (cols, rows) = (tiles(0, p.cols), tiles(1, p.rows));
    let batch = start[2] as usize..end[2] as usize;
    if batch.len() > 1 && rows.len() == p.rows && cols.len() == p.cols {
        return many(chunk, &p, batch);
    }
    for k in batch {
        one(chunk, &p, k, rows.clone(), cols.clone())?;
    }
    Ok(())
}

/// Whole products of a batch, each on a thread.
fn many<T: Real>(chunk: &mut NativeChunk<'_>, p: &Params<T>, batch: Range<usize>) -> Result<()> {
    let size = p.rows * p.cols;
    let c = chunk.write::<T>("c", batch.start * size..batch.end * size)?;
    let mut all = |name, rows: usize, cols: usize, strides: Strides| -> Result<&[T]> {
        let len = if strides.batch == 0 { rows * cols } else { batch.len() * rows * cols };
        chunk.read::<T>(name, batch.start * strides.batch..batch.start * strides.batch + len)
    };
    let (a, b) = (all("a", p.rows, p.depth, p.a)?, all("b", p.depth, p.cols, p.b)?);
    c.par_chunks_mut(size).enumerate().for_each(|(k, c)| {
        let a = whole(a, k, [p.rows, p.depth], p.a);
        let b = whole(b, k, [p.depth, p.cols], p.b);
        p.multiply(&a, &b, c, p.beta, Parallelism::None);
    });
    Ok(())
}

/// Matrix `k` of a batch.
fn whole<T: Real>(batch: &[T], k: usize, [rows, cols]: [usize; 2], strides: Strides) -> Part<'_, T> {
    let data = Cow::Borrowed(&batch[k * strides.batch..][..rows * cols]);
    Part { rows, cols, strides: [strides.row, strides.col], data }
}

/// A part of one product.
fn one<T: Real>(
    chunk: &mut NativeChunk<'_>,
    p: &Params<T>,
    k: usize,
    rows: Range<usize>,
    cols: Range<usize>,
) -> Result<()> {
    let a = part(chunk, "a", k * p.a.batch, [rows.clone(), 0..p.depth], p.a)?;
    let b = part(chunk, "b", k * p.b.batch, [0..p.depth, cols.clone()], p.b)?;
    let first = k * p.rows * p.cols;
    let parallelism = Parallelism::Rayon(0);
    if cols.len() == p.cols {
        let c = chunk.write::<T>("c", first + rows.start * p.cols..first + rows.end * p.cols)?;
        p.multiply(&a, &b, c, p.beta, parallelism);
        return Ok(());
    }
    // Between the columns of these work-groups lie those of others.
    let mut product = vec![T::default(); rows.len() * cols.len()];
    p.multiply(&a, &b, &mut product, T::default(), parallelism);
    for (row, product) in rows.zip(product.chunks(cols.len())) {
        let first = first + row * p.cols;
        let c = chunk.write::<T>("c", first + cols.start..first + cols.end)?;
        for (c, product) in c.iter_mut().zip(product) {
            // With beta zero, C may hold anything, NaN too.
            *c = if p.beta == T::default() { *product } else { *product + p.beta * *c };
        }
    }
    Ok(())
}
