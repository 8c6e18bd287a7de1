//! Convolution of images, with weights over an area or with a column times a row of weights.

use super::{host, number::Number};
use crate::{
    data::{Input, Output},
    passes::Passes,
    reports::Done,
    sizes::{expect_length, expect_shape, indexable},
};
use evener::{Result, prelude::*};
use evener_shaders::blocks as wgsl;

/// An image or weights: rows, columns.
type Shape = [usize; 2];

pub(super) fn convolve<T: Number>(
    rt: &Runtime,
    x: &impl Input<T>,
    shape: Shape,
    weights: &impl Input<T>,
    area: Shape,
    y: &mut impl Output<T>,
) -> Result<Done<()>> {
    expect_shape("x", x.count(), shape)?;
    expect_shape("weights", weights.count(), area)?;
    expect_length("y", y.count(), x.count(), "as many as `x`")?;
    let mut passes = Passes::new(rt);
    if indexable("x", x.count())? > 0 {
        pass(&mut passes, x, shape, weights, area, y)?;
    }
    Ok(passes.done(()))
}

pub(super) fn convolve_separable<T: Number>(
    rt: &Runtime,
    x: &impl Input<T>,
    shape: Shape,
    column: &impl Input<T>,
    row: &impl Input<T>,
    y: &mut impl Output<T>,
) -> Result<Done<()>> {
    expect_shape("x", x.count(), shape)?;
    expect_length("y", y.count(), x.count(), "as many as `x`")?;
    let mut passes = Passes::new(rt);
    if indexable("x", x.count())? > 0 {
        let mut between = rt.zeros::<T>(x.count())?;
        pass(&mut passes, x, shape, row, [1, row.count()], &mut &mut between)?;
        pass(&mut passes, &&between, shape, column, [column.count(), 1], y)?;
    }
    Ok(passes.done(()))
}

fn pass<T: Number>(
    passes: &mut Passes<'_>,
    x: &impl Input<T>,
    shape: Shape,
    weights: &impl Input<T>,
    area: Shape,
    y: &mut impl Output<T>,
) -> Result<()> {
    /// The kernel tells what is outside of the image by its wrapped, and so large, index.
    const MOST: usize = 1 << 30;
    if weights.count() == 0 {
        let why = "the weights are empty: a convolution has at least one";
        return Err(Error::new(ErrorKind::ArgumentSize, why));
    }
    if shape.iter().chain(&area).any(|n| *n > MOST) {
        let why = format!("an image of {shape:?} under weights of {area:?}: no side may be longer than {MOST}");
        return Err(Error::new(ErrorKind::ItemCount, why));
    }
    let ([rows, columns], [height, width]) = (shape.map(|n| n as u32), area.map(|n| n as u32));
    let sources = [T::TYPE_WGSL, wgsl::CONVOLVE];
    // Without another device the CPU has all rows; a smaller image does not meet all weights.
    let is_met = height <= rows && width <= columns;
    let is_line = area.contains(&1) && is_met && passes.runtime.devices().len() == 1;
    let kernel =
        if is_line { passes.native(&sources, host::convolve::lines::<T>)? } else { passes.kernel(&sources)? };
    let call = kernel.call().set("shape.rows", rows).set("shape.columns", columns);
    let call = call.set("shape.height", height).set("shape.width", width);
    let call = call.set("shape.middle_row", (height - 1) / 2).set("shape.middle_column", (width - 1) / 2);
    let call = call.arg("weights", weights.as_arg()).arg("x", x.as_arg()).arg("y", y.as_arg_mut());
    passes.run(call.items([columns, rows]))
}
