//! Prefix sums by the tiles of `scan_totals` and `scan_tiles`.

use super::super::number::Number;
use evener::{Result, kernel::native::NativeChunk};
use rayon::prelude::*;

/// Invocations of a work-group, elements of each, and of all.
const WIDTH: usize = 256;
const LENGTH: usize = 15;
const TILE: usize = WIDTH * LENGTH;

/// Tiles that one task takes at least.
const TASK: usize = 4;

/// `scan_totals`.
pub(in super::super) fn totals<T: Number>(chunk: &mut NativeChunk<'_>) -> Result<()> {
    let groups = chunk.groups().start[0] as usize..chunk.groups().end[0] as usize;
    let x = chunk.read::<T>("x", groups.start * TILE..(groups.end * TILE).min(chunk.len::<T>("x")?))?;
    let totals = chunk.write::<T>("totals", groups)?;
    totals.par_iter_mut().zip(x.par_chunks(TILE)).with_min_len(TASK).for_each(|(total, tile)| *total = whole(tile));
    Ok(())
}

/// The sum of a tile by strided lanes and a tree.
fn whole<T: Number>(tile: &[T]) -> T {
    if T::EXACT {
        return tile.iter().fold(T::default(), |sum, x| sum.plus(*x));
    }
    let mut part = [T::default(); WIDTH];
    for row in tile.chunks(WIDTH) {
        part.iter_mut().zip(row).for_each(|(part, x)| *part = part.plus(*x));
    }
    if tile.len() < TILE {
        // The lanes past the end add the zeros that they read there.
        part.iter_mut().for_each(|part| *part = part.plus(T::default()));
    }
    let mut half = WIDTH / 2;
    while half > 0 {
        let (low, high) = part.split_at_mut(half);
        low.iter_mut().zip(high).for_each(|(low, high)| *low = low.plus(*high));
        half /= 2;
    }
    part[0]
}

/// `scan_tiles`.
pub(in super::super) fn tiles<T: Number>(chunk: &mut NativeChunk<'_>) -> Result<()> {
    let [offset, inclusive] = chunk.uniform::<[u32; 2]>("settings")?;
    let groups = chunk.groups().start[0] as usize..chunk.groups().end[0] as usize;
    let elements = groups.start * TILE..(groups.end * TILE).min(chunk.len::<T>("y")?);
    let x = chunk.read::<T>("x", elements.clone())?;
    let offsets = if offset == 0 { None } else { Some(chunk.read::<T>("offsets", groups)?) };
    let y = chunk.write::<T>("y", elements)?;
    let tiles = y.par_chunks_mut(TILE).zip(x.par_chunks(TILE)).enumerate().with_min_len(TASK);
    tiles.for_each(|(k, (y, x))| {
        let offset = offsets.map_or(T::default(), |offsets| offsets[k]);
        if inclusive != 0 { tile::<T, true>(x, y, offset) } else { tile::<T, false>(x, y, offset) }
    });
    Ok(())
}

/// Scans a tile, of which the last one may be shorter.
fn tile<T: Number, const INCLUSIVE: bool>(x: &[T], y: &mut [T], offset: T) {
    if T::EXACT {
        run::<T, INCLUSIVE>(x, y, offset);
    } else if let (Ok(x), Ok(y)) = (<&[T; TILE]>::try_from(x), <&mut [T; TILE]>::try_from(&mut *y)) {
        lanes::<T, INCLUSIVE>(x, y, offset);
    } else {
        let (mut padded, mut scanned) = ([T::default(); TILE], [T::default(); TILE]);
        padded[..x.len()].copy_from_slice(x);
        lanes::<T, INCLUSIVE>(&padded, &mut scanned, offset);
        y.copy_from_slice(&scanned[..y.len()]);
    }
}

fn lanes<T: Number, const INCLUSIVE: bool>(x: &[T; TILE], y: &mut [T; TILE], offset: T) {
    let ((x, _), (y, _)) = (x.as_chunks::<LENGTH>(), y.as_chunks_mut::<LENGTH>());
    let mut sums = [T::default(); WIDTH];
    for (sum, x) in sums.iter_mut().zip(x) {
        *sum = x.iter().fold(T::default(), |sum, x| sum.plus(*x));
    }
    let mut step = 1;
    while step < WIDTH {
        let before = sums;
        // Lanes below the step add zero.
        sums[..step].iter_mut().for_each(|sum| *sum = sum.plus(T::default()));
        sums[step..].iter_mut().zip(&before).for_each(|(sum, before)| *sum = sum.plus(*before));
        step *= 2;
    }
    for (lane, (x, y)) in x.iter().zip(y).enumerate() {
        let start = if lane == 0 { offset } else { offset.plus(sums[lane - 1]) };
        run::<T, INCLUSIVE>(x, y, start);
    }
}

#[inline]
fn run<T: Number, const INCLUSIVE: bool>(x: &[T], y: &mut [T], start: T) {
    let mut sum = start;
    for (x, y) in x.iter().zip(y) {
        let next = sum.plus(*x);
        *y = if INCLUSIVE { next } else { sum };
        sum = next;
    }
}
