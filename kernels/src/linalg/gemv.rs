//! Products of matrices with vectors.

use super::{Matrix, Real, Reports, call_size, kernel, or_zero};
use crate::{
    data::{Input, Output},
    sizes::agree,
};
use evener::{Error, ErrorKind, Result, Runtime};
use evener_shaders::linalg as wgsl;

pub(super) fn gemv<T: Real>(
    rt: &Runtime,
    alpha: T,
    a: Matrix<'_, T>,
    x: impl Input<T>,
    beta: T,
    mut y: impl Output<T>,
) -> Result<Reports> {
    let layout = a.layout;
    if layout.batch != 1 {
        let why = format!("`a` is a batch of {} matrices; `gemv` takes one, `gemm` batches", layout.batch);
        return Err(Error::new(ErrorKind::ArgumentSize, why));
    }
    agree("x", "elements", x.count(), "a", "columns", layout.cols)?;
    agree("y", "elements", y.count(), "a", "rows", layout.rows)?;
    let Some(rows) = call_size(layout.rows)? else { return Ok(Reports::none()) };
    let is_empty = layout.cols == 0;
    let zero = [T::default()];
    let (data, x) = (or_zero(a.data, is_empty, &zero), or_zero(x.as_arg(), is_empty, &zero));
    let side_by_side = layout.col_stride == 1;
    let kernel = kernel::<T>(rt, if side_by_side { wgsl::GEMV_ROWS } else { wgsl::GEMV_COLUMNS })?;
    let call = kernel.call().set("params.alpha", alpha).set("params.beta", beta).set("params.rows", rows);
    let call = call.set("params.cols", layout.cols as u32).set("params.row_stride", layout.row_stride as u32);
    let call = call.set("params.col_stride", layout.col_stride as u32);
    let call = call.arg("a", data).arg("x", x).arg("y", y.as_arg_mut());
    let call = if side_by_side { call.groups([rows, 1, 1]) } else { call.items(rows) };
    Ok(call.run()?.into())
}
