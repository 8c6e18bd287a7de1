//! What a device with its own memory moves for a chunk, from the chunk's footprint.

use crate::{
    backend::{PageCopies, Transfer},
    memory::intervals::Intervals,
};
use evener_lanes::{
    analysis::{BindingFootprint, Footprint, Strided},
    ir::{Binding, Space},
};
use std::ops::Range;

/// Copies smaller gaps than this rather than starting another transfer.
const GAP_BYTES: u64 = 4096;

/// The transfers of every binding, in their order; `sizes` are the bindings' bytes.
pub fn of_footprint(footprint: &Footprint, bindings: &[Binding], sizes: &[u64]) -> Vec<Transfer> {
    bindings
        .iter()
        .zip(&footprint.bindings)
        .zip(sizes)
        .map(|((binding, touched), &size)| match binding.space {
            Space::Uniform => Transfer { upload: std::iter::once(0..size).collect(), ..Transfer::default() },
            Space::Storage => {
                Transfer { upload: upload(touched, size), download: touched.writes.clone(), ..Transfer::default() }
            }
        })
        .collect()
}

/// What is in pages of the argument's array on the device, of `size` bytes of the binding, is taken from there rather than
/// uploaded, and what is written of it goes there. All of the window that is in pages is loaded: then any hull of what is
/// written can be stored.
pub(crate) fn keep(transfer: &mut Transfer, size: u64, kept: &Intervals) {
    transfer.upload = kept.divide(&transfer.upload)[1].clone();
    let there: Vec<Range<u64>> = match &transfer.window {
        None => std::iter::once(0..size).collect(),
        Some(window) => window.map(0..size).map(|(part, _)| part).collect(),
    };
    let load: Intervals = there.iter().flat_map(|part| kept.within(part)).collect();
    let written: Intervals = transfer.download.iter().map(|set| align(set.start..set.end(), size)).collect();
    let store = written.runs().iter().flat_map(|run| load.within(run)).collect();
    transfer.pages = Some(PageCopies { load: load.runs().to_vec(), store });
}

/// The sets of which something is needed: all that are not certainly overwritten as a whole.
pub fn needed(touched: &BindingFootprint) -> impl Iterator<Item = &Strided> {
    let all = touched.reads.iter().chain(&touched.writes);
    all.filter(|s| !touched.certain.iter().any(|c| covers(c, s)))
}

/// `(reads ∪ writes) − certain`: what may be written but need not be comes back with what was there before.
fn upload(touched: &BindingFootprint, size: u64) -> Vec<Range<u64>> {
    let mut ranges: Vec<Range<u64>> =
        needed(touched).flat_map(|s| runs(s, GAP_BYTES)).map(|r| align(r, size)).collect();
    ranges.sort_by_key(|r| r.start);
    let plain = touched.certain.iter().filter(|c| c.levels.is_empty());
    merge(plain.fold(ranges, without), GAP_BYTES)
}

/// Ranges less the words that lie in a plain set.
fn without(ranges: Vec<Range<u64>>, hole: &Strided) -> Vec<Range<u64>> {
    let (start, end) = (hole.start.next_multiple_of(4), hole.end() / 4 * 4);
    let parts = |r: Range<u64>| {
        if start >= end || r.end <= start || end <= r.start {
            [r, 0..0]
        } else {
            [r.start..start.max(r.start), end.min(r.end)..r.end]
        }
    };
    ranges.into_iter().flat_map(parts).filter(|r| r.start < r.end).collect()
}

/// Whether every byte of `inner` is certainly in `outer`.
fn covers(outer: &Strided, inner: &Strided) -> bool {
    outer == inner || outer.levels.is_empty() && outer.start <= inner.start && inner.end() <= outer.end()
}

/// The runs of a set, or its hull where the runs are many or the gaps small.
fn runs(set: &Strided, gap: u64) -> Vec<Range<u64>> {
    const MAX_RUNS: u64 = 4096;
    let count = set.count();
    let widest_gap = set.levels.iter().map(|(stride, _)| stride.saturating_sub(set.run)).max().unwrap_or(0);
    if count > MAX_RUNS || widest_gap <= gap {
        return std::iter::once(set.start..set.end()).collect();
    }
    let mut runs = Vec::with_capacity(count as usize);
    set.for_each_run(|run| runs.push(run));
    runs
}

/// Widened to 4 bytes, the unit of GPU copies, within the buffer.
fn align(range: Range<u64>, size: u64) -> Range<u64> {
    range.start / 4 * 4..range.end.div_ceil(4).saturating_mul(4).min(size)
}

/// Sorted ranges joined where the gap is small.
fn merge(ranges: Vec<Range<u64>>, gap: u64) -> Vec<Range<u64>> {
    let mut merged: Vec<Range<u64>> = Vec::new();
    for range in ranges.into_iter().filter(|r| r.start < r.end) {
        match merged.last_mut() {
            Some(last) if range.start <= last.end.saturating_add(gap) => last.end = last.end.max(range.end),
            _ => merged.push(range),
        }
    }
    merged
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(start: u64, run: u64) -> Strided {
        Strided { start, run, levels: Vec::new() }
    }

    fn none() -> BindingFootprint {
        BindingFootprint::default()
    }

    #[test]
    fn certain_overwrites_are_not_uploaded() {
        let touched =
            BindingFootprint { reads: vec![], writes: vec![run(0, 400)], certain: vec![run(0, 400)], ..none() };
        assert!(upload(&touched, 400).is_empty());
    }

    #[test]
    fn what_is_overwritten_before_it_is_read_is_not_uploaded_where_it_is_read() {
        let touched = BindingFootprint {
            reads: vec![run(0, 400)],
            writes: vec![run(0, 400)],
            certain: vec![run(0, 400)],
            ..none()
        };
        assert!(upload(&touched, 400).is_empty());
        let halo = BindingFootprint {
            reads: vec![run(0, 90_000)],
            writes: vec![run(0, 90_000)],
            certain: vec![run(10, 80_000)],
            ..none()
        };
        assert_eq!(upload(&halo, 90_000), vec![0..12, 80_008..90_000]);
    }

    #[test]
    fn possible_writes_are_uploaded_since_they_come_back_whole() {
        let touched =
            BindingFootprint { reads: vec![], writes: vec![run(8, 400)], certain: vec![run(8, 40)], ..none() };
        // A gap of a few bytes is copied too.
        assert_eq!(upload(&touched, 1000), vec![48..408]);
    }

    #[test]
    fn near_ranges_join_and_far_ones_do_not() {
        assert_eq!(merge(vec![0..10, 12..20, 9000..9010], 4096), vec![0..20, 9000..9010]);
        assert_eq!(merge(vec![0..10, 9000..9010], 4096), vec![0..10, 9000..9010]);
    }

    #[test]
    fn a_column_block_is_its_runs_and_counts_its_bytes() {
        let set = Strided { start: 100, run: 8, levels: vec![(10_000, 3)] };
        assert_eq!(runs(&set, 4096), vec![100..108, 10_100..10_108, 20_100..20_108]);
        assert_eq!((set.bytes(), set.end()), (24, 20_108));
    }
}
