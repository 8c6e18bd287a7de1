//! Products of matrices.

use super::{
    Matrix, MatrixMut, Real, Reports,
    gemm_native::{self, TILE},
    kernel,
    matrix::Layout,
    or_zero,
};
use crate::sizes::agree;
use evener::{Error, ErrorKind, Result, Runtime, call::Call};
use evener_shaders::linalg as wgsl;

pub(super) fn gemm<T: Real>(
    rt: &Runtime,
    alpha: T,
    a: Matrix<'_, T>,
    b: Matrix<'_, T>,
    beta: T,
    c: MatrixMut<'_, T>,
) -> Result<Reports> {
    agree("b", "rows", b.layout.rows, "a", "columns", a.layout.cols)?;
    agree("c", "rows", c.layout.rows, "a", "rows", a.layout.rows)?;
    agree("c", "columns", c.layout.cols, "b", "columns", b.layout.cols)?;
    for (name, layout) in [("a", a.layout), ("b", b.layout)] {
        if layout.batch != 1 && layout.batch != c.layout.batch {
            let why = format!(
                "`{name}` is a batch of {} and `c` of {}: give as many, or one for all",
                layout.batch, c.layout.batch
            );
            return Err(Error::new(ErrorKind::ArgumentSize, why));
        }
    }
    if c.layout.is_empty() {
        return Ok(Reports::none());
    }
    // The kernel's neighbours are in one row of C: where they lie in one column, the transposes are multiplied.
    if c.layout.row_stride < c.layout.col_stride {
        return run(rt, alpha, b.transposed(), a.transposed(), beta, c.transposed());
    }
    run(rt, alpha, a, b, beta, c)
}

fn run<T: Real>(
    rt: &Runtime,
    alpha: T,
    a: Matrix<'_, T>,
    b: Matrix<'_, T>,
    beta: T,
    c: MatrixMut<'_, T>,
) -> Result<Reports> {
    let Layout { rows, cols, batch, .. } = c.layout;
    let depth = a.layout.cols;
    // C lies row by row, or is the transpose of what does.
    let compact = [&a.layout, &b.layout, &c.layout].into_iter().all(gemm_native::is_compact);
    let kernel = if compact && depth > 0 && c.layout.col_stride == 1 {
        rt.kept_kernel_with_native([T::PRELUDE, wgsl::GEMM], gemm_native::body::<T>)?
    } else {
        kernel::<T>(rt, wgsl::GEMM)?
    };
    let call = kernel.call().set("p.alpha", alpha).set("p.beta", beta).set("p.rows", rows as u32);
    let call = call.set("p.cols", cols as u32).set("p.depth", depth as u32);
    let call = strides(call, ["p.a_row", "p.a_col", "p.a_batch"], &a.layout);
    let call = strides(call, ["p.b_row", "p.b_col", "p.b_batch"], &b.layout);
    let call = strides(call, ["p.c_row", "p.c_col", "p.c_batch"], &c.layout);
    let zero = [T::default()];
    let (a, b) = (or_zero(a.data, depth == 0, &zero), or_zero(b.data, depth == 0, &zero));
    let groups = [cols.div_ceil(TILE) as u32, rows.div_ceil(TILE) as u32, batch as u32];
    Ok(call.arg("a", a).arg("b", b).arg("c", c.data).groups(groups).run()?.into())
}

/// Sets the strides of a matrix; one alone is the same for the whole batch.
fn strides<'a>(call: Call<'a>, names: [&'a str; 3], layout: &Layout) -> Call<'a> {
    let batch = if layout.batch == 1 { 0 } else { layout.batch_stride };
    let strides = [layout.row_stride, layout.col_stride, batch];
    names.into_iter().zip(strides).fold(call, |call, (name, stride)| call.set(name, stride as u32))
}
