//! What is kept of a vector, in its order: by a mask, or where neighbours differ.

use super::{host, number::Number, scan, sort};
use crate::{
    data::{Input, Output},
    passes::Passes,
    reports::Done,
    sizes::{indexable, same_length},
};
use evener::{
    Result,
    call::{
        Call,
        args::{HostArg, IntoArg},
    },
    prelude::*,
};
use evener_shaders::blocks as wgsl;
use std::marker::PhantomData;

/// Elements of a tile.
const TILE: usize = 64 * 15;

pub(super) fn compact<T: Number>(
    rt: &Runtime,
    x: &impl Input<T>,
    mask: &impl Input<u32>,
    kept: &mut impl Output<T>,
) -> Result<Done<usize>> {
    same_length("mask", mask.count(), "x", x.count())?;
    let mut passes = Passes::of(rt, "compact", T::NAME, &x.as_arg());
    let count = indexable("x", x.count())?;
    if count == 0 {
        return Ok(passes.done(0));
    }
    let what = Masked(x, mask, PhantomData);
    let keep = Keep::count::<T>(&mut passes, wgsl::KEEP_MASK, &what, count)?;
    if kept.count() < keep.count {
        let why = format!("`kept` has {} elements and {} are kept: give it as many as `x`", kept.count(), keep.count);
        return Err(Error::new(ErrorKind::ArgumentSize, why));
    }
    keep.write::<T>(&mut passes, &what, kept.as_arg_mut())?;
    Ok(passes.done(keep.count))
}

/// What a rule reads.
trait Bind {
    fn bind<'c>(&'c self, call: Call<'c>) -> Call<'c>;
}

/// Elements with their mask.
struct Masked<'x, I, M, T>(&'x I, &'x M, PhantomData<T>);

impl<I: Input<T>, M: Input<u32>, T: Element> Bind for Masked<'_, I, M, T> {
    fn bind<'c>(&'c self, call: Call<'c>) -> Call<'c> {
        call.arg("x", self.0.as_arg()).arg("mask", self.1.as_arg())
    }
}

/// Elements alone.
struct Alone<'x, T: Element>(&'x Array<T>);

impl<T: Element> Bind for Alone<'_, T> {
    fn bind<'c>(&'c self, call: Call<'c>) -> Call<'c> {
        call.arg("x", self.0)
    }
}

pub(super) fn unique<T: Number>(rt: &Runtime, x: &impl Input<T>) -> Result<Done<Array<T>>> {
    let mut passes = Passes::of(rt, "unique", T::NAME, &x.as_arg());
    let count = indexable("x", x.count())?;
    if count == 0 {
        return Ok(passes.done(rt.zeros(0)?));
    }
    let mut sorted = rt.zeros::<T>(count as usize)?;
    sort::sorted(&mut passes, x, &mut sorted, count)?;
    let keep = Keep::count::<T>(&mut passes, wgsl::KEEP_CHANGES, &Alone(&sorted), count)?;
    let mut distinct = rt.zeros::<T>(keep.count)?;
    keep.write::<T>(&mut passes, &Alone(&sorted), (&mut distinct).into_arg())?;
    Ok(passes.done(distinct))
}

/// What a rule keeps, counted.
struct Keep {
    rule: &'static str,
    tiles: u32,
    /// Kept before each tile, and at the end of all.
    offsets: Array<u32>,
    count: usize,
}

impl Keep {
    /// Counts.
    fn count<T: Number>(passes: &mut Passes<'_>, rule: &'static str, what: &impl Bind, count: u32) -> Result<Self> {
        let tiles = (count as usize).div_ceil(TILE);
        let mut counts = passes.runtime.zeros::<u32>(tiles + 1)?;
        let sources = [T::TYPE_WGSL, rule, wgsl::COMPACT_COUNTS];
        let by_mask = rule == wgsl::KEEP_MASK;
        let kernel = if by_mask {
            passes.native(&sources, host::compact::masked_counts)?
        } else {
            passes.native(&sources, host::compact::changed_counts::<T>)?
        };
        passes.run(what.bind(kernel.call()).arg("counts", &mut counts).groups([tiles as u32, 1, 1]))?;
        let mut offsets = passes.runtime.zeros::<u32>(tiles + 1)?;
        scan::tiles(passes, &&counts, &mut &mut offsets, false)?;
        let count = offsets.view(tiles..)?.read()?[0] as usize;
        Ok(Keep { rule, tiles: tiles as u32, offsets, count })
    }

    /// Writes, in the order of what is kept.
    fn write<T: Number>(&self, passes: &mut Passes<'_>, what: &impl Bind, kept: HostArg<'_>) -> Result<()> {
        if self.count == 0 {
            return Ok(());
        }
        let sources = [T::TYPE_WGSL, self.rule, wgsl::COMPACT_TILES];
        let by_mask = self.rule == wgsl::KEEP_MASK;
        let kernel = if by_mask {
            passes.native(&sources, host::compact::masked_tiles::<T>)?
        } else {
            passes.native(&sources, host::compact::changed_tiles::<T>)?
        };
        passes.run(what.bind(kernel.call()).arg("offsets", &self.offsets).arg("y", kept).groups([self.tiles, 1, 1]))
    }
}
