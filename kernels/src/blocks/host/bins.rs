//! Histograms: counters of their own for each task, added up at the end.

use evener::{Result, kernel::native::NativeChunk};
use rayon::prelude::*;

/// Elements that a work-group counts.
const BLOCK: usize = 64 * 128;

/// Most bins: a place in them is a signed word, to which floats are converted faster than to an unsigned one.
pub(in super::super) const MOST: u32 = i32::MAX as u32;

/// Low, high and scale of a range in bins.
#[derive(Clone, Copy)]
struct Range {
    low: f32,
    high: f32,
    scale: f32,
}

/// `bins`.
pub(in super::super) fn count(chunk: &mut NativeChunk<'_>) -> Result<()> {
    let [low, high, scale, bins, _] = chunk.uniform::<[u32; 5]>("range")?;
    let range = Range { low: f32::from_bits(low), high: f32::from_bits(high), scale: f32::from_bits(scale) };
    let (start, end) = (chunk.groups().start[0] as usize * BLOCK, chunk.groups().end[0] as usize * BLOCK);
    let x = chunk.read::<f32>("x", start..end.min(chunk.len::<f32>("x")?))?;
    let counts = chunk.write::<u32>("counts", 0..bins as usize)?;
    // Enough elements to pay for a task's own counters.
    let task = (x.len() / (4 * rayon::current_num_threads())).max(BLOCK).max(4 * bins as usize);
    let own: Vec<Vec<u32>> = x.par_chunks(task).map(|x| one(x, range, bins as usize)).collect();
    for own in own {
        counts.iter_mut().zip(own).for_each(|(count, own)| *count = count.wrapping_add(own));
    }
    Ok(())
}

/// Elements whose bins are found before they are counted.
const RUN: usize = 64;

by_vector_width! {
    one = one_of one_wide <>(x: &[f32], range: Range, bins: usize) -> Vec<u32>;
}

#[inline(always)]
fn one_of(x: &[f32], range: Range, bins: usize) -> Vec<u32> {
    // Two sets, so that equal neighbours do not wait for each other; what is outside is counted past the last bin.
    let (mut even, mut odd) = (vec![0u32; bins + 1], vec![0u32; bins + 1]);
    let (runs, last) = x.as_chunks::<RUN>();
    let mut found = [0; RUN];
    for run in runs {
        find(run, range, bins, &mut found);
        for [a, b] in found.as_chunks::<2>().0 {
            even[*a as usize] += 1;
            odd[*b as usize] += 1;
        }
    }
    find(last, range, bins, &mut found);
    found[..last.len()].iter().for_each(|bin| even[*bin as usize] += 1);
    even.iter_mut().zip(odd).for_each(|(even, odd)| *even += odd);
    even.truncate(bins);
    even
}

/// The bin of each element.
#[inline(always)]
fn find(x: &[f32], range: Range, bins: usize, found: &mut [u32; RUN]) {
    let (last, outside) = (bins as i32 - 1, bins as i32);
    for (x, found) in x.iter().zip(found) {
        let inside = (*x >= range.low) & (*x <= range.high);
        let bin = (((*x - range.low) * range.scale) as i32).min(last);
        *found = if inside { bin } else { outside } as u32;
    }
}
