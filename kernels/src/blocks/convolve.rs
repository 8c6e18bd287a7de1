//! Convolution of images, with weights over an area or with a column times a row of weights.

use super::{host, number::Number};
use crate::{
    data::{Input, Output},
    passes::Passes,
    reports::Done,
    sizes::{expect_length, expect_shape, indexable},
};
use evener::{Result, call::Call, prelude::*};
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
    if indexable("x", x.count())? == 0 {
        return Ok(passes.done(()));
    }
    let (across, down) = ([1, row.count()], [column.count(), 1]);
    if has_all(&passes, shape, [column.count(), row.count()]) {
        let area = Area::new([column.count(), row.count()], shape)?;
        let kernel = passes.native(&[T::TYPE_WGSL, wgsl::CONVOLVE_SEPARABLE], host::convolve::separable::<T>)?;
        let call = area.set(kernel.call()).arg("column", column.as_arg()).arg("row", row.as_arg());
        passes.run(call.arg("x", x.as_arg()).arg("y", y.as_arg_mut()).items(area.items()))?;
        return Ok(passes.done(()));
    }
    let mut between = rt.zeros::<T>(x.count())?;
    pass(&mut passes, x, shape, row, across, &mut &mut between)?;
    pass(&mut passes, &&between, shape, column, down, y)?;
    Ok(passes.done(()))
}

/// Whether the CPU has all rows, as it does without another device, and all weights are met: not by a smaller image.
fn has_all(passes: &Passes<'_>, [rows, columns]: Shape, [height, width]: Shape) -> bool {
    height <= rows && width <= columns && passes.runtime.devices().len() == 1
}

/// An image under weights, as the kernels count them.
struct Area {
    image: [u32; 2],
    weights: [u32; 2],
}

impl Area {
    fn new(weights: Shape, image: Shape) -> Result<Self> {
        /// The kernels tell what is outside of the image by its wrapped, and so large, index.
        const MOST: usize = 1 << 30;
        if weights.contains(&0) {
            let why = "the weights are empty: a convolution has at least one";
            return Err(Error::new(ErrorKind::ArgumentSize, why));
        }
        if image.iter().chain(&weights).any(|n| *n > MOST) {
            let why = format!("an image of {image:?} under weights of {weights:?}: no side may be longer than {MOST}");
            return Err(Error::new(ErrorKind::ItemCount, why));
        }
        Ok(Area { image: image.map(|n| n as u32), weights: weights.map(|n| n as u32) })
    }

    fn set<'c>(&self, call: Call<'c>) -> Call<'c> {
        let ([rows, columns], [height, width]) = (self.image, self.weights);
        let call = call.set("shape.rows", rows).set("shape.columns", columns);
        let call = call.set("shape.height", height).set("shape.width", width);
        call.set("shape.middle_row", (height - 1) / 2).set("shape.middle_column", (width - 1) / 2)
    }

    /// Invocations, one a pixel.
    fn items(&self) -> [u32; 2] {
        let [rows, columns] = self.image;
        [columns, rows]
    }
}

fn pass<T: Number>(
    passes: &mut Passes<'_>,
    x: &impl Input<T>,
    shape: Shape,
    weights: &impl Input<T>,
    area: Shape,
    y: &mut impl Output<T>,
) -> Result<()> {
    let sizes = Area::new(area, shape)?;
    let sources = [T::TYPE_WGSL, wgsl::CONVOLVE];
    let is_line = area.contains(&1) && has_all(passes, shape, area);
    let kernel =
        if is_line { passes.native(&sources, host::convolve::lines::<T>)? } else { passes.kernel(&sources)? };
    let call = sizes.set(kernel.call()).arg("weights", weights.as_arg());
    passes.run(call.arg("x", x.as_arg()).arg("y", y.as_arg_mut()).items(sizes.items()))
}
