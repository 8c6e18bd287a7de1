//! Sums and inner products of vectors.

use super::{Input, Output, Real, Reports, Scalar, call_size, kernel};
use crate::same_length;
use evener::{Array, Result, Runtime};
use evener_shaders::linalg as wgsl;

/// Elements of a partial sum of the kernels.
const PARTIAL: usize = 4096;

pub(super) fn axpy<'x, 'y, T: Real>(
    rt: &Runtime,
    alpha: T,
    x: impl Input<'x, T>,
    y: impl Output<'y, T>,
) -> Result<Reports> {
    same_length("y", y.count(), "x", x.count())?;
    let Some(count) = call_size(y.count())? else { return Ok(Reports::none()) };
    let kernel = kernel::<T>(rt, wgsl::AXPY)?;
    let call = kernel.call().set("params.alpha", alpha).set("params.count", count);
    Ok(call.arg("x", x.into_arg()).arg("y", y.into_arg()).items(count).run()?.into())
}

/// `y = alpha x + beta y`.
pub(super) fn combine<T: Real>(rt: &Runtime, alpha: T, x: &Array<T>, beta: T, y: &mut Array<T>) -> Result<Reports> {
    let Some(count) = call_size(y.len())? else { return Ok(Reports::none()) };
    let kernel = kernel::<T>(rt, wgsl::COMBINE)?;
    let call = kernel.call().set("params.alpha", alpha).set("params.beta", beta).set("params.count", count);
    Ok(call.arg("x", x).arg("y", y).items(count).run()?.into())
}

pub(super) fn dot<'x, 'y, T: Real>(rt: &Runtime, x: impl Input<'x, T>, y: impl Input<'y, T>) -> Result<Scalar<T>> {
    same_length("y", y.count(), "x", x.count())?;
    let Some(count) = call_size(x.count())? else {
        return Ok(Scalar { value: T::from_f64(0.0), reports: Reports::none() });
    };
    let kernel = kernel::<T>(rt, wgsl::DOT)?;
    let mut partial = Partial::<T>::new(rt, x.count())?;
    let call = kernel.call().set("count", count).arg("x", x.into_arg()).arg("y", y.into_arg());
    let groups = partial.groups();
    let report = call.arg("partial", &mut partial.sums).groups(groups).run()?;
    Ok(Scalar { value: T::from_f64(partial.total()?), reports: report.into() })
}

/// The partial sums of `count` elements.
pub(super) struct Partial<T: Real> {
    pub(super) sums: Array<T>,
}

impl<T: Real> Partial<T> {
    pub(super) fn new(rt: &Runtime, count: usize) -> Result<Self> {
        Ok(Partial { sums: rt.zeros(count.div_ceil(PARTIAL))? })
    }

    /// Work-groups that compute them.
    pub(super) fn groups(&self) -> [u32; 3] {
        [self.sums.len() as u32, 1, 1]
    }

    /// Their sum, with the rounding errors carried along (A. Neumaier, 1974).
    pub(super) fn total(&self) -> Result<f64> {
        let (mut sum, mut lost) = (0.0f64, 0.0f64);
        for part in self.sums.read()?.iter() {
            let part = part.to_f64();
            let next = sum + part;
            lost += if sum.abs() >= part.abs() { (sum - next) + part } else { (part - next) + sum };
            sum = next;
        }
        // Of infinite sums nothing is lost but NaN.
        Ok(if sum.is_finite() { sum + lost } else { sum })
    }
}
