//! Compaction by the tiles of `compact_counts` and `compact_tiles`.

use super::super::number::Number;
use evener::{Result, kernel::native::NativeChunk};
use rayon::prelude::*;

/// Elements of a tile.
const TILE: usize = 64 * 15;

/// Tiles that one task takes at least.
const TASK: usize = 16;

/// `compact_counts` with a mask.
pub(in super::super) fn counts(chunk: &mut NativeChunk<'_>) -> Result<()> {
    let groups = chunk.groups().start[0] as usize..chunk.groups().end[0] as usize;
    let elements = groups.start * TILE..(groups.end * TILE).min(chunk.len::<u32>("mask")?);
    let mask = chunk.read::<u32>("mask", elements)?;
    let counts = chunk.write::<u32>("counts", groups)?;
    let tiles = counts.par_iter_mut().zip(mask.par_chunks(TILE)).with_min_len(TASK);
    tiles.for_each(|(count, tile)| *count = tile.iter().map(|m| u32::from(*m != 0)).sum());
    Ok(())
}

/// `compact_tiles` with a mask. It runs whole: where a tile writes depends on the data.
pub(in super::super) fn tiles<T: Number>(chunk: &mut NativeChunk<'_>) -> Result<()> {
    let groups = chunk.groups().start[0] as usize..chunk.groups().end[0] as usize;
    let elements = groups.start * TILE..(groups.end * TILE).min(chunk.len::<T>("x")?);
    let (x, mask) = (chunk.read::<T>("x", elements.clone())?, chunk.read::<u32>("mask", elements)?);
    let offsets = chunk.read::<u32>("offsets", groups)?;
    let start = offsets.first().map_or(0, |o| *o as usize);
    let y = chunk.write::<T>("y", start..chunk.len::<T>("y")?)?;
    let part = TILE * TASK;
    let mut rest = y;
    let mut places = Vec::with_capacity(offsets.len().div_ceil(TASK));
    for of_part in offsets.chunks(TASK).map(|part| part[0] as usize).skip(1).scan(start, |last, next| {
        let count = next - *last;
        *last = next;
        Some(count)
    }) {
        let (own, others) = rest.split_at_mut(of_part);
        places.push(own);
        rest = others;
    }
    places.push(rest);
    places.into_par_iter().zip(x.par_chunks(part).zip(mask.par_chunks(part))).for_each(|(y, (x, mask))| {
        let mut place = y.iter_mut();
        for (x, _) in x.iter().zip(mask).filter(|(_, mask)| **mask != 0) {
            if let Some(place) = place.next() {
                *place = *x;
            }
        }
    });
    Ok(())
}
