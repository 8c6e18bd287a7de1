//! Moves without arithmetic: through an index, and the transpose.

use super::{host, number::Number};
use crate::{
    data::{Input, Output},
    passes::Passes,
    reports::Done,
    sizes::{expect_length, expect_shape, indexable},
};
use evener::{Result, Runtime};
use evener_shaders::blocks as wgsl;

pub(super) fn gather<T: Number>(
    rt: &Runtime,
    x: &impl Input<T>,
    index: &impl Input<u32>,
    y: &mut impl Output<T>,
) -> Result<Done<()>> {
    let count = indexable("index", index.count())?;
    expect_length("y", y.count(), index.count(), "as many as `index`")?;
    let mut passes = Passes::new(rt);
    if x.count() == 0 {
        y.fill(T::default())?;
    } else if count > 0 {
        let kernel = passes.kernel(&[T::TYPE_WGSL, wgsl::GATHER])?;
        let call = kernel.call().arg("x", x.as_arg()).arg("index", index.as_arg());
        passes.run(call.arg("y", y.as_arg_mut()).items(count))?;
    }
    Ok(passes.done(()))
}

pub(super) fn scatter<T: Number>(
    rt: &Runtime,
    x: &impl Input<T>,
    index: &impl Input<u32>,
    y: &mut impl Output<T>,
) -> Result<Done<()>> {
    let count = indexable("x", x.count())?;
    expect_length("index", index.count(), x.count(), "as many as `x`")?;
    let mut passes = Passes::new(rt);
    if count > 0 && y.count() > 0 {
        let kernel = passes.native(&[T::TYPE_WGSL, wgsl::SCATTER], host::moves::scatter::<T>)?;
        let call = kernel.call().arg("x", x.as_arg()).arg("index", index.as_arg());
        passes.run(call.arg("y", y.as_arg_mut()).items(count))?;
    }
    Ok(passes.done(()))
}

pub(super) fn transpose<T: Number>(
    rt: &Runtime,
    x: &impl Input<T>,
    shape: [usize; 2],
    y: &mut impl Output<T>,
) -> Result<Done<()>> {
    expect_shape("x", x.count(), shape)?;
    expect_length("y", y.count(), x.count(), "as many as `x`")?;
    let mut passes = Passes::new(rt);
    if indexable("x", x.count())? > 0 {
        let [rows, columns] = shape.map(|n| n as u32);
        let kernel = passes.native(&[T::TYPE_WGSL, wgsl::TRANSPOSE], host::moves::transpose::<T>)?;
        let call = kernel.call().set("shape.rows", rows).set("shape.columns", columns);
        let call = call.arg("x", x.as_arg()).arg("y", y.as_arg_mut());
        passes.run(call.groups([columns.div_ceil(32), rows.div_ceil(32), 1]))?;
    }
    Ok(passes.done(()))
}
