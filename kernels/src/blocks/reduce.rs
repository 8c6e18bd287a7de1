//! Reductions by a fixed tree: what is joined with what depends on the sizes alone, so that results have the same bits
//! on every device and however the call is split.

use super::{Axis, host, number::Number};
use crate::{
    data::{Input, Output},
    passes::Passes,
    reports::Done,
    sizes::{expect_length, expect_shape, indexable, same_length},
};
use evener::{
    Result,
    call::{Call, args::HostArg},
    prelude::*,
};
use evener_shaders::blocks as wgsl;

/// Elements that one work-group of `reduce_whole` takes.
const BLOCK: usize = 64 * 128;

/// Rows shorter than this are taken by one invocation each, not by a work-group.
const SHORT: usize = 128;

/// The least elements of a strip, which is about the square root of what there is.
const STRIP: usize = 64;

/// Which extreme, and so whether the order is turned round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Extreme {
    Least,
    Greatest,
}

impl Extreme {
    fn flip(self) -> u32 {
        u32::from(self == Extreme::Greatest)
    }
}

/// The states of the blocks of a vector, or of the products of two. The host joins them, so they are its own.
fn blocks<A: Element + Default, B: Element + Default>(
    passes: &mut Passes<'_>,
    kernel: &Kernel,
    x: HostArg<'_>,
    y: Option<HostArg<'_>>,
    count: u32,
    flip: u32,
) -> Result<(Vec<A>, Vec<B>)> {
    let groups = (count as usize).div_ceil(BLOCK);
    let (mut first, mut second) = (vec![A::default(); groups], vec![B::default(); groups]);
    let call = shaped(kernel.call(), Shape { inner: count, flip, ..Shape::default() }).arg("x", x);
    let call = if let Some(y) = y { call.arg("y", y) } else { call };
    passes.run(call.arg("first", &mut first).arg("second", &mut second).groups([groups as u32, 1, 1]))?;
    Ok((first, second))
}

/// The uniform of all reductions.
#[derive(Clone, Copy, Debug, Default)]
struct Shape {
    outer: u32,
    inner: u32,
    outer_step: u32,
    inner_step: u32,
    strip: u32,
    strips: u32,
    flip: u32,
}

fn shaped(call: Call<'_>, shape: Shape) -> Call<'_> {
    let call = call.set("shape.outer", shape.outer).set("shape.inner", shape.inner);
    let call = call.set("shape.outer_step", shape.outer_step).set("shape.inner_step", shape.inner_step);
    let call = call.set("shape.strip", shape.strip).set("shape.strips", shape.strips);
    call.set("shape.flip", shape.flip).set("shape.zero", 0u32)
}

pub(super) fn sum<T: Number>(rt: &Runtime, x: &impl Input<T>) -> Result<Done<T>> {
    summed(rt, indexable("x", x.count())?, x.as_arg(), None)
}

pub(super) fn sum_of_products<T: Number>(rt: &Runtime, x: &impl Input<T>, y: &impl Input<T>) -> Result<Done<T>> {
    same_length("x", x.count(), "y", y.count())?;
    summed(rt, indexable("x", x.count())?, x.as_arg(), Some(y.as_arg()))
}

/// The sum of `x`, or of its products with `y`.
fn summed<T: Number>(rt: &Runtime, count: u32, x: HostArg<'_>, y: Option<HostArg<'_>>) -> Result<Done<T>> {
    let mut passes = Passes::new(rt);
    if count == 0 {
        return Ok(passes.done(T::default()));
    }
    let [scalars, sums] = T::SUM_WGSL;
    let products = y.is_some();
    let item = if products { wgsl::ITEM_PRODUCT } else { wgsl::ITEM_X };
    let parts = [T::TYPE_WGSL, wgsl::REDUCE_SHAPE, scalars, sums, item, wgsl::REDUCE_GROUP, wgsl::REDUCE_WHOLE];
    let kernel = passes.native(&parts, move |chunk| host::reduce::whole::<T>(chunk, products))?;
    let (sums, rests) = blocks::<T, T::Rest>(&mut passes, &kernel, x, y, count, 0)?;
    Ok(passes.done(T::total(sums.into_iter().zip(rests))))
}

fn nothing(what: &str) -> Error {
    Error::new(ErrorKind::ArgumentSize, format!("`x` has no elements: nothing is its {what}; pass at least one"))
}

pub(super) fn extreme<T: Number>(rt: &Runtime, x: &impl Input<T>, which: Extreme) -> Result<Done<T>> {
    let mut passes = Passes::new(rt);
    let count = indexable("x", x.count())?;
    if count == 0 {
        return Err(nothing("minimum or maximum"));
    }
    let parts = [T::TYPE_WGSL, wgsl::REDUCE_SHAPE, wgsl::LEAST, wgsl::ITEM_X, wgsl::REDUCE_GROUP, wgsl::REDUCE_WHOLE];
    let kernel = passes.native(&parts, host::reduce::extremes::<T>)?;
    let (keys, _) = blocks::<T::Key, u32>(&mut passes, &kernel, x.as_arg(), None, count, which.flip())?;
    let key = keys.into_iter().min().ok_or_else(|| nothing("minimum or maximum"))?;
    Ok(passes.done(T::of_key(if which == Extreme::Greatest { !key } else { key })))
}

pub(super) fn place<T: Number>(rt: &Runtime, x: &impl Input<T>, which: Extreme) -> Result<Done<usize>> {
    let mut passes = Passes::new(rt);
    let count = indexable("x", x.count())?;
    if count == 0 {
        return Err(nothing("place of a minimum or maximum"));
    }
    let parts = [T::TYPE_WGSL, wgsl::REDUCE_SHAPE, wgsl::PLACE, wgsl::ITEM_X, wgsl::REDUCE_GROUP, wgsl::REDUCE_WHOLE];
    let kernel = passes.kernel(&parts)?;
    let (keys, places) = blocks::<T::Key, u32>(&mut passes, &kernel, x.as_arg(), None, count, which.flip())?;
    let least = keys.into_iter().zip(places).min().ok_or_else(|| nothing("place of a minimum or maximum"))?;
    Ok(passes.done(least.1 as usize))
}

pub(super) fn sum_axis<T: Number>(
    rt: &Runtime,
    x: &impl Input<T>,
    shape: [usize; 2],
    axis: Axis,
    result: &mut impl Output<T>,
) -> Result<Done<()>> {
    let [scalars, sums] = T::SUM_WGSL;
    if axis.inner(shape) == 0 {
        expect_shape("x", x.count(), shape)?;
        expect_length("result", result.count(), axis.outer(shape), axis.why())?;
        result.fill(T::default())?;
        return Ok(Passes::new(rt).done(()));
    }
    along::<T, T, T, T::Rest>(rt, x, shape, axis, result, [scalars, sums], 0)
}

pub(super) fn extreme_axis<T: Number>(
    rt: &Runtime,
    x: &impl Input<T>,
    shape: [usize; 2],
    axis: Axis,
    result: &mut impl Output<T>,
    which: Extreme,
) -> Result<Done<()>> {
    along::<T, T, T::Key, u32>(rt, x, shape, axis, result, [wgsl::LEAST, ""], which.flip())
}

pub(super) fn place_axis<T: Number>(
    rt: &Runtime,
    x: &impl Input<T>,
    shape: [usize; 2],
    axis: Axis,
    result: &mut impl Output<u32>,
    which: Extreme,
) -> Result<Done<()>> {
    along::<T, u32, T::Key, u32>(rt, x, shape, axis, result, [wgsl::PLACE, ""], which.flip())
}

/// One result for each row or column. `A` and `B` are what a state is made of.
fn along<T: Number, R: Element, A: Element, B: Element>(
    rt: &Runtime,
    x: &impl Input<T>,
    shape: [usize; 2],
    axis: Axis,
    result: &mut impl Output<R>,
    operation: [&str; 2],
    flip: u32,
) -> Result<Done<()>> {
    expect_shape("x", x.count(), shape)?;
    indexable("x", x.count())?;
    let (inner, outer) = (axis.inner(shape), axis.outer(shape));
    expect_length("result", result.count(), outer, axis.why())?;
    let mut passes = Passes::new(rt);
    if outer == 0 {
        return Ok(passes.done(()));
    }
    if inner == 0 {
        return Err(nothing("extreme along an axis of no elements"));
    }
    let [columns, one] = [shape[1] as u32, 1];
    let (outer_step, inner_step) = if axis == Axis::Rows { (one, columns) } else { (columns, one) };
    let sizes = Shape { outer: outer as u32, inner: inner as u32, outer_step, inner_step, flip, strip: 0, strips: 0 };
    let [scalars, states] = operation;
    if axis == Axis::Columns && inner >= SHORT {
        let sources =
            [T::TYPE_WGSL, wgsl::REDUCE_SHAPE, scalars, states, wgsl::ITEM_X, wgsl::REDUCE_GROUP, wgsl::REDUCE_ROWS];
        let kernel = if operation == T::SUM_WGSL {
            passes.native(&sources, |chunk| {
                let [_, columns] = chunk.uniform::<[u32; 2]>("shape")?;
                host::reduce::rows::<T>(chunk, columns as usize)
            })?
        } else {
            passes.kernel(&sources)?
        };
        let call = shaped(kernel.call(), sizes).arg("x", x.as_arg()).arg("result", result.as_arg_mut());
        passes.run(call.groups([outer as u32, 1, 1]))?;
        return Ok(passes.done(()));
    }
    let strip = STRIP.max(inner.isqrt());
    let strips = inner.div_ceil(strip);
    let sizes = Shape { strip: strip as u32, strips: strips as u32, ..sizes };
    let (mut first, mut second) = (rt.zeros::<A>(strips * outer)?, rt.zeros::<B>(strips * outer)?);
    let sources = [T::TYPE_WGSL, wgsl::REDUCE_SHAPE, scalars, states, wgsl::ITEM_X, wgsl::REDUCE_STRIPS];
    // Without another device the strips are whole rows of the matrix.
    let kernel = if operation == T::SUM_WGSL && axis == Axis::Rows && rt.devices().len() == 1 {
        passes.native(&sources, host::reduce::strips::<T>)?
    } else {
        passes.kernel(&sources)?
    };
    let call = shaped(kernel.call(), sizes).arg("x", x.as_arg()).arg("first", &mut first).arg("second", &mut second);
    passes.run(call.items([outer, strips]))?;
    let kernel = passes.kernel(&[T::TYPE_WGSL, wgsl::REDUCE_SHAPE, scalars, states, wgsl::REDUCE_JOIN])?;
    let call = shaped(kernel.call(), sizes).arg("first", &first).arg("second", &second);
    passes.run(call.arg("result", result.as_arg_mut()).items(outer))?;
    Ok(passes.done(()))
}
