//! Sums of two vectors.

use super::{Real, Reports, call_size, kernel};
use crate::{
    data::{Input, Output},
    sizes::same_length,
};
use evener::{Array, Result, Runtime};
use evener_shaders::linalg as wgsl;

pub(super) fn axpy<T: Real>(rt: &Runtime, alpha: T, x: impl Input<T>, mut y: impl Output<T>) -> Result<Reports> {
    same_length("y", y.count(), "x", x.count())?;
    let Some(count) = call_size(y.count())? else { return Ok(Reports::none()) };
    let kernel = kernel::<T>(rt, wgsl::AXPY)?;
    let call = kernel.call().set("params.alpha", alpha).set("params.count", count);
    Ok(call.arg("x", x.as_arg()).arg("y", y.as_arg_mut()).items(count).run()?.into())
}

/// `y = alpha x + beta y`.
pub(super) fn combine<T: Real>(rt: &Runtime, alpha: T, x: &Array<T>, beta: T, y: &mut Array<T>) -> Result<Reports> {
    let Some(count) = call_size(y.len())? else { return Ok(Reports::none()) };
    let kernel = kernel::<T>(rt, wgsl::COMBINE)?;
    let call = kernel.call().set("params.alpha", alpha).set("params.beta", beta).set("params.count", count);
    Ok(call.arg("x", x).arg("y", y).items(count).run()?.into())
}
