//! Sparse matrices in compressed rows, and their products with vectors.

use super::{Real, Reports, call_size, kernel, or_zero};
use crate::{
    data::{Input, Output},
    sizes::{agree, same_length},
};
use evener::{Array, Error, ErrorKind, Result, Runtime, call::args::IntoArg, kernel::native::NativeChunk};
use evener_shaders::linalg as wgsl;
use rayon::prelude::*;

/// Elements a row, on average, from which on several invocations share a row.
const SHARED: usize = 8;

/// Invocations of a work-group over rows that are shared.
const ROWS: u32 = 16;

/// A sparse matrix in compressed rows (CSR), in arrays that stay where they were last used.
///
/// The elements of row i are `value[k]` in column `column[k]` for k from `row_start[i]` to `row_start[i + 1]`. Columns of
/// a row may come in any order; elements of one place add up.
///
/// ```
/// use evener::prelude::*;
/// use evener_kernels::{Linalg, linalg::Csr};
///
/// # fn main() -> evener::Result<()> {
/// # let rt = Runtime::builder().gpu(false).profile(None).build()?;
/// // 2 0 1
/// // 0 3 0
/// let a = Csr::new(&rt, 3, &[0, 2, 3], &[0, 2, 1], &[2.0f64, 1.0, 3.0])?;
/// let mut y = [0.0; 2];
/// rt.spmv(&a, &[1.0, 10.0, 100.0], &mut y)?;
/// assert_eq!(y, [102.0, 30.0]);
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct Csr<T: Real> {
    cols: usize,
    row_start: Array<u32>,
    column: Array<u32>,
    value: Array<T>,
}

impl<T: Real> Csr<T> {
    /// A matrix of `row_start.len() - 1` rows and `cols` columns.
    ///
    /// # Errors
    /// `ArgumentSize`: `column` and `value` differ in length, `row_start` is empty or does not start at 0 and end at their
    /// length; `ArgumentType`: a `row_start` less than the one before, a column that is not there; `OutOfMemory`.
    pub fn new(rt: &Runtime, cols: usize, row_start: &[u32], column: &[u32], value: &[T]) -> Result<Self> {
        same_length("column", column.len(), "value", value.len())?;
        let (first, last) = (row_start.first(), row_start.last().map(|last| *last as usize));
        if first != Some(&0) || last != Some(value.len()) {
            let why = format!(
                "`row_start` begins with {first:?} and ends with {last:?}; it must begin with 0 and end with {}, the \
                 elements of `value`",
                value.len()
            );
            return Err(Error::new(ErrorKind::ArgumentSize, why));
        }
        if let Some(row) = row_start.windows(2).position(|w| w[0] > w[1]) {
            let why = format!("`row_start[{}]` is less than the one before it", row + 1);
            return Err(Error::new(ErrorKind::ArgumentType, why));
        }
        if let Some(k) = column.iter().position(|c| *c as usize >= cols) {
            let why = format!("`column[{k}]` is {} and the matrix has {cols} columns", column[k]);
            return Err(Error::new(ErrorKind::ArgumentType, why));
        }
        Ok(Csr { cols, row_start: rt.array(row_start)?, column: rt.array(column)?, value: rt.array(value)? })
    }

    /// Rows.
    pub fn rows(&self) -> usize {
        self.row_start.len() - 1
    }

    /// Columns.
    pub fn cols(&self) -> usize {
        self.cols
    }

    /// Elements that are stored.
    pub fn stored(&self) -> usize {
        self.value.len()
    }
}

pub(super) fn spmv<T: Real>(rt: &Runtime, a: &Csr<T>, x: impl Input<T>, mut y: impl Output<T>) -> Result<Reports> {
    agree("x", "elements", x.count(), "a", "columns", a.cols())?;
    agree("y", "elements", y.count(), "a", "rows", a.rows())?;
    let Some(rows) = call_size(a.rows())? else { return Ok(Reports::none()) };
    let is_shared = a.stored() / a.rows() >= SHARED;
    let (is_empty, no_columns) = (a.stored() == 0, a.cols() == 0);
    // Sixteen lanes that meet in work-group memory are slower on the CPU than one row after the other.
    let kernel = if is_shared {
        rt.kept_kernel_with_native([T::PRELUDE, wgsl::SPMV_VECTOR], body::<T>)?
    } else {
        kernel::<T>(rt, wgsl::SPMV_SCALAR)?
    };
    let (zero, nowhere) = ([T::default()], [0u32]);
    let call = kernel.call().set("rows", rows).arg("row_start", &a.row_start);
    let call = call.arg("column", or_zero((&a.column).into_arg(), is_empty, &nowhere));
    let call = call.arg("value", or_zero((&a.value).into_arg(), is_empty, &zero));
    let call = call.arg("x", or_zero(x.as_arg(), no_columns, &zero)).arg("y", y.as_arg_mut());
    let call = if is_shared { call.groups([rows.div_ceil(ROWS), 1, 1]) } else { call.items(rows) };
    Ok(call.run()?.into())
}

/// Rows that a task takes at least.
const PART: usize = 64;

/// Sums of a row that go on side by side.
const SUMS: usize = 4;

/// The native body of the kernel that shares rows.
fn body<T: Real>(chunk: &mut NativeChunk<'_>) -> Result<()> {
    let rows = chunk.uniform::<u32>("rows")? as usize;
    let (first, end) = (chunk.groups().start[0] as usize, chunk.groups().end[0] as usize);
    let (first, end) = (first * ROWS as usize, (end * ROWS as usize).min(rows));
    let row_start = chunk.read::<u32>("row_start", first..end + 1)?;
    let (stored, cols) = (chunk.len::<u32>("column")?, chunk.len::<T>("x")?);
    let (column, value) = (chunk.read::<u32>("column", 0..stored)?, chunk.read::<T>("value", 0..stored)?);
    let x = chunk.read::<T>("x", 0..cols)?;
    let y = chunk.write::<T>("y", first..end)?;
    y.par_iter_mut().with_min_len(PART).zip(row_start.par_windows(2)).for_each(|(y, row)| {
        let row = row[0] as usize..row[1] as usize;
        *y = match (column.get(row.clone()), value.get(row)) {
            (Some(column), Some(value)) => row_product(column, value, x),
            _ => T::default(),
        };
    });
    Ok(())
}

/// A row times `x`. What lies outside of `x` counts as zero, as it does in WGSL.
fn row_product<T: Real>(column: &[u32], value: &[T], x: &[T]) -> T {
    let at = |column: u32| x.get(column as usize).copied().unwrap_or_default();
    let mut sums = [T::default(); SUMS];
    let (columns, values) = (column.chunks_exact(SUMS), value.chunks_exact(SUMS));
    let rest = columns.remainder().iter().zip(values.remainder());
    let rest = rest.fold(T::default(), |sum, (column, value)| sum + *value * at(*column));
    for (column, value) in columns.zip(values) {
        for ((sum, column), value) in sums.iter_mut().zip(column).zip(value) {
            *sum = *sum + *value * at(*column);
        }
    }
    sums.into_iter().fold(rest, |sum, part| sum + part)
}
