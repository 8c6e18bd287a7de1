//! Sums and dots by the lanes and trees of `reduce_whole`, `reduce_rows` and `reduce_strips`.

use super::super::number::Number;
use evener::{Result, kernel::native::NativeChunk};
use rayon::prelude::*;

/// Invocations of a work-group.
const WIDTH: usize = 64;

/// Elements of a work-group of `reduce_whole`.
const BLOCK: usize = WIDTH * 128;

/// Elements whose sums one task makes at least.
const TASK: usize = 1 << 16;

/// Lanes whose states stay in registers together.
const GROUP: usize = 32;

/// Rows that all lanes take before the next ones: memory is read in its order.
const ROWS: usize = 16;

/// The state of 64 lanes, of which lane `l` takes `item` of each row and `l`, and of the last row the first ones; joined by
/// a tree.
#[inline(always)]
fn lanes<T: Number>(rows: usize, item: impl Fn(usize, usize) -> T, last: impl Iterator<Item = T>) -> (T, T::Rest) {
    let (mut first, mut second) = ([T::default(); WIDTH], [T::Rest::default(); WIDTH]);
    for top in (0..rows).step_by(ROWS) {
        let bottom = (top + ROWS).min(rows);
        for start in (0..WIDTH).step_by(GROUP) {
            let (mut sums, mut rests) = ([T::default(); GROUP], [T::Rest::default(); GROUP]);
            sums.copy_from_slice(&first[start..start + GROUP]);
            rests.copy_from_slice(&second[start..start + GROUP]);
            for row in top..bottom {
                for lane in 0..GROUP {
                    T::take(&mut sums[lane], &mut rests[lane], item(row, start + lane));
                }
            }
            first[start..start + GROUP].copy_from_slice(&sums);
            second[start..start + GROUP].copy_from_slice(&rests);
        }
    }
    for (lane, value) in last.enumerate() {
        T::take(&mut first[lane], &mut second[lane], value);
    }
    let mut half = WIDTH / 2;
    while half > 0 {
        for lane in 0..half {
            let (sum, rest) = (first[lane + half], second[lane + half]);
            T::take(&mut first[lane], &mut second[lane], sum);
            T::join(&mut second[lane], rest);
        }
        half /= 2;
    }
    (first[0], second[0])
}

#[inline(always)]
fn sum_of<T: Number>(x: &[T]) -> (T, T::Rest) {
    let (rows, last) = x.as_chunks::<WIDTH>();
    lanes(rows.len(), |row, lane| rows[row][lane], last.iter().copied())
}

#[inline(always)]
fn dot_of<T: Number>(x: &[T], y: &[T]) -> (T, T::Rest) {
    let ((rows, last), (rows_y, last_y)) = (x.as_chunks::<WIDTH>(), y.as_chunks::<WIDTH>());
    let rows_y = &rows_y[..rows.len()];
    let item = |row: usize, lane: usize| rows[row][lane].times(rows_y[row][lane]);
    lanes(rows.len(), item, last.iter().zip(last_y).map(|(x, y)| x.times(*y)))
}

#[inline(always)]
fn least_of<T: Number>(x: &[T], flip: T::Key) -> T::Key {
    x.iter().fold(T::LAST_KEY, |least, x| least.min(x.key() ^ flip))
}

/// Adds rows of as many elements to the states of their columns, four rows while a state is at hand.
#[inline(always)]
fn take_rows_of<T: Number>(first: &mut [T], second: &mut [T::Rest], rows: &[T]) {
    let mut fours = rows.chunks_exact(4 * first.len());
    for four in fours.by_ref() {
        let (upper, lower) = four.split_at(2 * first.len());
        let ((a, b), (c, d)) = (upper.split_at(first.len()), lower.split_at(first.len()));
        let values = a.iter().zip(b).zip(c.iter().zip(d));
        for ((first, second), ((a, b), (c, d))) in first.iter_mut().zip(second.iter_mut()).zip(values) {
            let (mut sum, mut rest) = (*first, *second);
            for value in [a, b, c, d] {
                T::take(&mut sum, &mut rest, *value);
            }
            (*first, *second) = (sum, rest);
        }
    }
    for row in fours.remainder().chunks(first.len()) {
        for ((first, second), value) in first.iter_mut().zip(second.iter_mut()).zip(row) {
            T::take(first, second, *value);
        }
    }
}

by_vector_width! {
    take_rows = take_rows_of take_rows_wide <T>(first: &mut [T], second: &mut [T::Rest], rows: &[T]) -> ();
    sum = sum_of sum_wide <T>(x: &[T]) -> (T, T::Rest);
    dot = dot_of dot_wide <T>(x: &[T], y: &[T]) -> (T, T::Rest);
    least = least_of least_wide <T>(x: &[T], flip: T::Key) -> T::Key;
}

/// `reduce_whole` with the least keys.
pub(in super::super) fn extremes<T: Number>(chunk: &mut NativeChunk<'_>) -> Result<()> {
    let flip = if chunk.uniform::<[u32; 7]>("shape")?[6] == 0 { T::Key::default() } else { T::LAST_KEY };
    let groups = chunk.groups().start[0] as usize..chunk.groups().end[0] as usize;
    let x = chunk.read::<T>("x", groups.start * BLOCK..(groups.end * BLOCK).min(chunk.len::<T>("x")?))?;
    let first = chunk.write::<T::Key>("first", groups.clone())?;
    chunk.write::<u32>("second", groups)?.fill(0);
    let blocks = first.par_iter_mut().zip(x.par_chunks(BLOCK)).with_min_len(TASK / BLOCK);
    blocks.for_each(|(first, x)| *first = least::<T>(x, flip));
    Ok(())
}

/// `reduce_whole` with sums of elements, or of products.
pub(in super::super) fn whole<T: Number>(chunk: &mut NativeChunk<'_>, products: bool) -> Result<()> {
    let groups = chunk.groups().start[0] as usize..chunk.groups().end[0] as usize;
    let elements = groups.start * BLOCK..(groups.end * BLOCK).min(chunk.len::<T>("x")?);
    let x = chunk.read::<T>("x", elements.clone())?;
    let first = chunk.write::<T>("first", groups.clone())?;
    let second = chunk.write::<T::Rest>("second", groups)?;
    let states = first.par_iter_mut().zip(second).with_min_len(TASK / BLOCK);
    if products {
        let y = chunk.read::<T>("y", elements)?;
        let parts = x.par_chunks(BLOCK).zip(y.par_chunks(BLOCK));
        states.zip(parts).for_each(|((first, second), (x, y))| (*first, *second) = dot(x, y));
    } else {
        states.zip(x.par_chunks(BLOCK)).for_each(|((first, second), x)| (*first, *second) = sum(x));
    }
    Ok(())
}

/// `reduce_rows` with sums.
pub(in super::super) fn rows<T: Number>(chunk: &mut NativeChunk<'_>, columns: usize) -> Result<()> {
    let rows = chunk.groups().start[0] as usize..chunk.groups().end[0] as usize;
    let x = chunk.read::<T>("x", rows.start * columns..rows.end * columns)?;
    let result = chunk.write::<T>("result", rows)?;
    let rows = result.par_iter_mut().zip(x.par_chunks(columns)).with_min_len(TASK.div_ceil(columns));
    rows.for_each(|(result, row)| {
        let (first, second) = sum(row);
        *result = T::finish(first, second);
    });
    Ok(())
}

/// `reduce_strips` with sums of whole columns.
pub(in super::super) fn strips<T: Number>(chunk: &mut NativeChunk<'_>) -> Result<()> {
    let [outer, inner, _, _, strip] = chunk.uniform::<[u32; 5]>("shape")?.map(|n| n as usize);
    let [_, strips, _] = chunk.items();
    let states = strips.start * outer..strips.end * outer;
    let x = chunk.read::<T>("x", strips.start * strip * outer..(strips.end * strip).min(inner) * outer)?;
    let first = chunk.write::<T>("first", states.clone())?;
    let second = chunk.write::<T::Rest>("second", states)?;
    let states = first.par_chunks_mut(outer).zip(second.par_chunks_mut(outer));
    let strips = states.zip(x.par_chunks(strip * outer)).with_min_len(TASK.div_ceil(strip * outer));
    strips.for_each(|((first, second), rows)| {
        first.fill(T::default());
        second.fill(T::Rest::default());
        take_rows(first, second, rows);
    });
    Ok(())
}
