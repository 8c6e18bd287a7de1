//! Tridiagonal systems, many at once.

use super::{Matrix, MatrixMut, Real, Reports, call_size, kernel, matrix::Layout};
use crate::sizes::agree;
use evener::{Error, ErrorKind, Result, Runtime};
use evener_shaders::linalg as wgsl;

pub(super) fn solve<T: Real>(
    rt: &Runtime,
    lower: Matrix<'_, T>,
    diagonal: Matrix<'_, T>,
    upper: Matrix<'_, T>,
    x: MatrixMut<'_, T>,
) -> Result<Reports> {
    let Layout { rows, cols, .. } = x.layout;
    for (name, layout) in [("lower", lower.layout), ("diagonal", diagonal.layout), ("upper", upper.layout)] {
        agree(name, "rows", layout.rows, "x", "rows", rows)?;
        agree(name, "columns", layout.cols, "x", "columns", cols)?;
    }
    for (name, layout) in
        [("lower", lower.layout), ("diagonal", diagonal.layout), ("upper", upper.layout), ("x", x.layout)]
    {
        if layout.batch != 1 {
            let why = format!("`{name}` is a batch of {} matrices: the systems are the rows of one", layout.batch);
            return Err(Error::new(ErrorKind::ArgumentSize, why));
        }
    }
    let (Some(systems), Some(size)) = (call_size(rows)?, call_size(cols)?) else { return Ok(Reports::none()) };
    call_size(rows.saturating_mul(cols))?;
    let mut scratch = rt.zeros::<T>(rows * cols)?;
    let strides = |layout: &Layout| [layout.row_stride as u32, layout.col_stride as u32];
    let kernel = kernel::<T>(rt, wgsl::TRIDIAGONAL)?;
    let call = kernel.call().set("p.systems", systems).set("p.size", size).set("p.lower", strides(&lower.layout));
    let call = call.set("p.diagonal", strides(&diagonal.layout)).set("p.upper", strides(&upper.layout));
    let call = call.set("p.x", strides(&x.layout)).arg("lower", lower.data).arg("diagonal", diagonal.data);
    let call = call.arg("upper", upper.data).arg("x", x.data).arg("scratch", &mut scratch);
    Ok(call.items(systems).run()?.into())
}
