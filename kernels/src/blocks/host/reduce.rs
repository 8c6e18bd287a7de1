//! Sums and dots by the lanes and trees of `reduce_whole`, `reduce_rows` and `reduce_strips`.

use super::super::number::Number;
use evener::{Result, kernel::native::NativeChunk};
use rayon::prelude::*;

/// Invocations of a work-group.
const WIDTH: usize = 64;

/// Elements of a work-group of `reduce_whole`.
const BLOCK: usize = WIDTH * 128;

/// Elements whose sums one task makes at least.
const TASK: usize = 1 << 15;

/// The state of 64 lanes, of which lane `l` takes element `l` of each row, joined by a tree.
fn lanes<T: Number>(rows: impl Iterator<Item = [T; WIDTH]>, last: impl Iterator<Item = T>) -> (T, T::Rest) {
    let (mut first, mut second) = ([T::default(); WIDTH], [T::Rest::default(); WIDTH]);
    for row in rows {
        for lane in 0..WIDTH {
            T::take(&mut first[lane], &mut second[lane], row[lane]);
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

fn sum<T: Number>(x: &[T]) -> (T, T::Rest) {
    let (rows, last) = x.as_chunks::<WIDTH>();
    lanes(rows.iter().copied(), last.iter().copied())
}

fn dot<T: Number>(x: &[T], y: &[T]) -> (T, T::Rest) {
    let ((rows, last), (rows_y, last_y)) = (x.as_chunks::<WIDTH>(), y.as_chunks::<WIDTH>());
    let products = |(x, y): (&[T; WIDTH], &[T; WIDTH])| std::array::from_fn(|lane| x[lane].times(y[lane]));
    lanes(rows.iter().zip(rows_y).map(products), last.iter().zip(last_y).map(|(x, y)| x.times(*y)))
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
        for row in rows.chunks(outer) {
            for ((first, second), value) in first.iter_mut().zip(second.iter_mut()).zip(row) {
                T::take(first, second, *value);
            }
        }
    });
    Ok(())
}
