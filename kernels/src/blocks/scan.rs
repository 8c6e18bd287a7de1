//! Prefix sums by tiles: the sums of the tiles, their scan by the same way, then each tile from the sum before it.

use super::{host, number::Number};
use crate::{
    data::{Input, Output},
    passes::Passes,
    reports::Done,
    sizes::{indexable, same_length},
};
use evener::{Array, Result, Runtime};
use evener_shaders::blocks as wgsl;

/// Elements of a tile.
const TILE: usize = 256 * 15;

pub(super) fn scan<T: Number>(
    rt: &Runtime,
    x: &impl Input<T>,
    y: &mut impl Output<T>,
    inclusive: bool,
) -> Result<Done<()>> {
    same_length("y", y.count(), "x", x.count())?;
    indexable("x", x.count())?;
    let several = x.count() > TILE;
    let mut passes = if several { Passes::of(rt, "scan", T::NAME, &x.as_arg()) } else { Passes::new(rt) };
    if x.count() > 0 {
        tiles(&mut passes, x, y, inclusive)?;
    }
    Ok(passes.done(()))
}

/// Scans at least one element.
pub(super) fn tiles<T: Number>(
    passes: &mut Passes<'_>,
    x: &impl Input<T>,
    y: &mut impl Output<T>,
    inclusive: bool,
) -> Result<()> {
    let tiles = x.count().div_ceil(TILE);
    let groups = [tiles as u32, 1, 1];
    let offsets = if tiles > 1 { Some(offsets(passes, x, tiles)?) } else { None };
    let none;
    let before = match &offsets {
        Some(offsets) => offsets,
        None => {
            none = passes.runtime.zeros(1)?;
            &none
        }
    };
    let kernel = passes.native(&[T::TYPE_WGSL, wgsl::SCAN_TILES], host::scan::tiles::<T>)?;
    let call = kernel.call().arg("x", x.as_arg()).arg("offsets", before).arg("y", y.as_arg_mut());
    let call = call.set("settings.offset", u32::from(offsets.is_some()));
    passes.run(call.set("settings.inclusive", u32::from(inclusive)).groups(groups))
}

/// The sum before each tile.
fn offsets<T: Number>(passes: &mut Passes<'_>, x: &impl Input<T>, tiles: usize) -> Result<Array<T>> {
    let mut totals = passes.runtime.zeros::<T>(tiles)?;
    let kernel = passes.native(&[T::TYPE_WGSL, wgsl::SCAN_TOTALS], host::scan::totals::<T>)?;
    let call = kernel.call().arg("x", x.as_arg()).arg("totals", &mut totals);
    passes.run(call.groups([tiles as u32, 1, 1]))?;
    let mut offsets = passes.runtime.zeros::<T>(tiles)?;
    self::tiles(passes, &&totals, &mut &mut offsets, false)?;
    Ok(offsets)
}
