//! Compaction by the tiles of `compact_counts` and `compact_tiles`.

use super::super::number::Number;
use evener::{Result, kernel::native::NativeChunk};
use rayon::prelude::*;
use std::ops::Range;

/// Elements of a tile.
const TILE: usize = 64 * 15;

/// Tiles that one task takes at least.
const TASK: usize = 16;

/// What is kept of the elements of a chunk.
trait Rule<'a>: Sized + Sync {
    /// For these elements of a vector.
    fn of(chunk: &mut NativeChunk<'a>, elements: Range<usize>) -> Result<Self>;

    /// Whether each of some is kept, counted from the first of the chunk.
    fn flags(&self, elements: Range<usize>) -> impl Iterator<Item = bool>;

    fn count(&self, elements: Range<usize>) -> usize {
        self.flags(elements).map(u32::from).sum::<u32>() as usize
    }
}

/// `keep_mask`.
struct Masked<'a>(&'a [u32]);

impl<'a> Rule<'a> for Masked<'a> {
    fn of(chunk: &mut NativeChunk<'a>, elements: Range<usize>) -> Result<Self> {
        Ok(Masked(chunk.read("mask", elements)?))
    }

    fn flags(&self, elements: Range<usize>) -> impl Iterator<Item = bool> {
        self.0[elements].iter().map(|m| *m != 0)
    }
}

/// `keep_changes`.
struct Changes<'a, T> {
    x: &'a [T],
    /// Elements in front of those of the chunk: the one that its first is compared with, if there is one.
    before: usize,
}

impl<'a, T: Number> Rule<'a> for Changes<'a, T> {
    fn of(chunk: &mut NativeChunk<'a>, elements: Range<usize>) -> Result<Self> {
        let before = elements.start.min(1);
        // A vector's only element is kept unseen, and so is none that the body may read.
        let x = if elements.end > 1 { chunk.read("x", elements.start - before..elements.end)? } else { &[] };
        Ok(Changes { x, before })
    }

    fn flags(&self, elements: Range<usize>) -> impl Iterator<Item = bool> {
        let (start, end) = (elements.start + self.before, elements.end + self.before);
        let is_first = start == 0 && end > 0;
        let start = start.max(1);
        let (own, others) = (self.x.get(start..end), self.x.get(start - 1..));
        let changes = own.unwrap_or_default().iter().zip(others.unwrap_or_default());
        is_first.then_some(true).into_iter().chain(changes.map(|(x, before)| x.key() != before.key()))
    }
}

/// `compact_counts` with a mask.
pub(in super::super) fn masked_counts(chunk: &mut NativeChunk<'_>) -> Result<()> {
    let len = chunk.len::<u32>("mask")?;
    counts::<Masked<'_>>(chunk, len)
}

/// `compact_counts` of changes.
pub(in super::super) fn changed_counts<T: Number>(chunk: &mut NativeChunk<'_>) -> Result<()> {
    let len = chunk.len::<T>("x")?;
    counts::<Changes<'_, T>>(chunk, len)
}

/// `compact_tiles` with a mask.
pub(in super::super) fn masked_tiles<T: Number>(chunk: &mut NativeChunk<'_>) -> Result<()> {
    tiles::<T, Masked<'_>>(chunk)
}

/// `compact_tiles` of changes.
pub(in super::super) fn changed_tiles<T: Number>(chunk: &mut NativeChunk<'_>) -> Result<()> {
    tiles::<T, Changes<'_, T>>(chunk)
}

/// The tiles of a chunk, and their elements of `len`.
fn extent(chunk: &NativeChunk<'_>, len: usize) -> (Range<usize>, Range<usize>) {
    let groups = chunk.groups().start[0] as usize..chunk.groups().end[0] as usize;
    let elements = groups.start * TILE..(groups.end * TILE).min(len);
    (groups, elements)
}

fn counts<'a, R: Rule<'a>>(chunk: &mut NativeChunk<'a>, len: usize) -> Result<()> {
    let (groups, elements) = extent(chunk, len);
    let count = elements.len();
    let rule = R::of(chunk, elements)?;
    let counts = chunk.write::<u32>("counts", groups)?;
    let tiles = counts.par_iter_mut().enumerate().with_min_len(TASK);
    tiles.for_each(|(k, kept)| *kept = rule.count(k * TILE..((k + 1) * TILE).min(count)) as u32);
    Ok(())
}

/// It runs whole: where a tile writes depends on the data.
fn tiles<'a, T: Number, R: Rule<'a>>(chunk: &mut NativeChunk<'a>) -> Result<()> {
    let len = chunk.len::<T>("x")?;
    let (groups, elements) = extent(chunk, len);
    let count = elements.len();
    let (x, rule) = (chunk.read::<T>("x", elements.clone())?, R::of(chunk, elements)?);
    let offsets = chunk.read::<u32>("offsets", groups)?;
    let start = offsets.first().map_or(0, |o| *o as usize);
    let y = chunk.write::<T>("y", start..chunk.len::<T>("y")?)?;
    let part = TILE * TASK;
    let last = count.saturating_sub(1) / part * part;
    let ends = offsets.iter().step_by(TASK).skip(1).map(|offset| *offset as usize - start);
    let all = offsets.last().map_or(0, |_| offsets[last / TILE] as usize - start + rule.count(last..count));
    let (mut rest, mut places, mut from) = (y, Vec::with_capacity(offsets.len().div_ceil(TASK)), 0);
    for end in ends.chain([all]) {
        let (own, others) = rest.split_at_mut(end - from);
        places.push(own);
        (rest, from) = (others, end);
    }
    places.into_par_iter().zip(x.par_chunks(part)).enumerate().for_each(|(k, (y, x))| {
        let mut place = 0;
        x.iter().zip(rule.flags(k * part..k * part + x.len())).for_each(|(x, keep)| {
            // Without a branch on what is kept, which nobody could foretell: what is not is written over.
            if let Some(y) = y.get_mut(place) {
                *y = *x;
            }
            place += usize::from(keep);
        });
    });
    Ok(())
}
