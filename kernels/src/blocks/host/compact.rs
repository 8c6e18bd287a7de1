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
    tiles.for_each(|(count, tile)| *count = kept(tile) as u32);
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
    let last = mask.len().saturating_sub(1) / part * part;
    let ends = offsets.iter().step_by(TASK).skip(1).map(|offset| *offset as usize - start);
    let all = offsets.last().map_or(0, |_| offsets[last / TILE] as usize - start + kept(&mask[last..]));
    let (mut rest, mut places, mut from) = (y, Vec::with_capacity(offsets.len().div_ceil(TASK)), 0);
    for end in ends.chain([all]) {
        let (own, others) = rest.split_at_mut(end - from);
        places.push(own);
        (rest, from) = (others, end);
    }
    places.into_par_iter().zip(x.par_chunks(part).zip(mask.par_chunks(part))).for_each(|(y, (x, mask))| {
        let mut place = 0;
        for (x, mask) in x.iter().zip(mask) {
            // Without a branch on the mask, which nobody could foretell: what is not kept is written over.
            let Some(y) = y.get_mut(place) else { break };
            *y = *x;
            place += usize::from(*mask != 0);
        }
    });
    Ok(())
}

fn kept(mask: &[u32]) -> usize {
    mask.iter().map(|m| u32::from(*m != 0)).sum::<u32>() as usize
}
