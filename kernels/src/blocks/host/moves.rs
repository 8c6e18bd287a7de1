//! Scatter and transpose.

use super::super::number::Number;
use evener::{Result, kernel::native::NativeChunk};
use rayon::prelude::*;

/// Side of the square in which a transpose goes to and fro: its rows and columns stay in the first cache.
const SIDE: usize = 32;

/// `scatter`. It runs whole; one thread writes, since two may not write one element.
pub(in super::super) fn scatter<T: Number>(chunk: &mut NativeChunk<'_>) -> Result<()> {
    let [items, ..] = chunk.items();
    let elements = items.start..items.end.min(chunk.len::<T>("x")?);
    let (x, index) = (chunk.read::<T>("x", elements.clone())?, chunk.read::<u32>("index", elements)?);
    let y = chunk.write::<T>("y", 0..chunk.len::<T>("y")?)?;
    for (x, i) in x.iter().zip(index) {
        if let Some(y) = y.get_mut(*i as usize) {
            *y = *x;
        }
    }
    Ok(())
}

/// `transpose`, in bands of the result.
pub(in super::super) fn transpose<T: Number>(chunk: &mut NativeChunk<'_>) -> Result<()> {
    let [rows, columns] = chunk.uniform::<[u32; 2]>("shape")?.map(|n| n as usize);
    let (start, end) = (chunk.groups().start, chunk.groups().end);
    let of_x = start[1] as usize * SIDE..(end[1] as usize * SIDE).min(rows);
    let of_y = start[0] as usize * SIDE..(end[0] as usize * SIDE).min(columns);
    if of_x == (0..rows) && of_y == (0..columns) {
        let x = chunk.read::<T>("x", 0..rows * columns)?;
        let y = chunk.write::<T>("y", 0..rows * columns)?;
        y.par_chunks_mut(SIDE * rows).enumerate().for_each(|(band, y)| {
            let mut lines: Vec<&mut [T]> = y.chunks_mut(rows).collect();
            squares(x, columns, 0..rows, band * SIDE, &mut lines);
        });
        return Ok(());
    }
    // A part: its columns of `y` are apart.
    let mut lines = of_y
        .clone()
        .map(|c| chunk.write::<T>("y", c * rows + of_x.start..c * rows + of_x.end))
        .collect::<Result<Vec<_>>>()?;
    let mut x = Vec::with_capacity(of_x.len() * columns);
    for r in of_x.clone() {
        x.extend_from_slice(chunk.read::<T>("x", r * columns + of_y.start..r * columns + of_y.end)?);
    }
    let bands = lines.par_chunks_mut(SIDE).enumerate();
    bands.for_each(|(band, lines)| squares(&x, of_y.len(), 0..of_x.len(), band * SIDE, lines));
    Ok(())
}

/// Lines of the result, square by square: `lines[c][r] = x[r][first + c]` for the rows given.
fn squares<T: Number>(x: &[T], columns: usize, rows: std::ops::Range<usize>, first: usize, lines: &mut [&mut [T]]) {
    for start in rows.clone().step_by(SIDE) {
        let end = (start + SIDE).min(rows.end);
        for (c, line) in lines.iter_mut().enumerate() {
            for (r, y) in line[start..end].iter_mut().enumerate() {
                *y = x[(start + r) * columns + first + c];
            }
        }
    }
}
