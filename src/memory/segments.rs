//! Disjoint intervals of one array, each with something of its own: its buffer on a device, when it was used last.
//!
//! An array is on a device in one segment, bound in place, where all of it fits; of a larger one, what the arguments that
//! are views of it span. Where even that does not fit, some pages are there ([`page_bytes`]), from which its windows are
//! filled on the device. Segments leave one by one.

use super::intervals::Intervals;
use std::ops::Range;

/// Pages of a budget.
const PAGES: u64 = 32;
/// Least and most bytes of a page: enough for a copy to be worth its command, and few enough to be given up.
const LEAST_PAGE_BYTES: u64 = 256;
const MOST_PAGE_BYTES: u64 = 64 << 20;

/// Bytes of the pages in which a device with this budget holds arrays in part: a power of two, as buffers come in.
pub(crate) fn page_bytes(budget: u64) -> u64 {
    let bytes = (budget / PAGES).clamp(LEAST_PAGE_BYTES, MOST_PAGE_BYTES);
    1 << bytes.ilog2()
}

/// Sorted, disjoint intervals with a value each.
#[derive(Debug)]
pub(crate) struct Segments<T> {
    parts: Vec<(Range<u64>, T)>,
}

impl<T> Default for Segments<T> {
    fn default() -> Self {
        Segments { parts: Vec::new() }
    }
}

impl<T> Segments<T> {
    /// Adds one that is disjoint from those there.
    pub(crate) fn insert(&mut self, range: Range<u64>, value: T) {
        let at = self.parts.partition_point(|(r, _)| r.start < range.start);
        self.parts.insert(at, (range, value));
    }

    /// Takes out those that lie inside a range.
    pub(crate) fn remove(&mut self, range: &Range<u64>) -> impl Iterator<Item = (Range<u64>, T)> {
        let inside = |r: &Range<u64>| range.start <= r.start && r.end <= range.end;
        let (gone, stay) = std::mem::take(&mut self.parts).into_iter().partition(|(r, _)| inside(r));
        self.parts = stay;
        let gone: Vec<_> = gone;
        gone.into_iter()
    }

    /// The one that holds all of a range.
    pub(crate) fn covering(&self, range: &Range<u64>) -> Option<(&Range<u64>, &T)> {
        self.parts.iter().find(|(r, _)| r.start <= range.start && range.end <= r.end).map(|(r, value)| (r, value))
    }

    /// What is with that one, to be changed.
    pub(crate) fn covering_mut(&mut self, range: &Range<u64>) -> Option<&mut T> {
        let found = self.parts.iter_mut().find(|(r, _)| r.start <= range.start && range.end <= r.end);
        found.map(|(_, value)| value)
    }

    /// Those that have a part of a range, with that part, in order.
    pub(crate) fn within(&self, range: &Range<u64>) -> impl Iterator<Item = (Range<u64>, &Range<u64>, &T)> {
        let (start, end) = (range.start, range.end);
        let part = move |(r, value)| {
            let r: &Range<u64> = r;
            let part = r.start.max(start)..r.end.min(end);
            (part.start < part.end).then_some((part, r, value))
        };
        self.parts.iter().map(|(r, value)| (r, value)).filter_map(part)
    }

    /// All, in order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&Range<u64>, &T)> {
        self.parts.iter().map(|(r, value)| (r, value))
    }

    /// All, in order, to be changed.
    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = (&Range<u64>, &mut T)> {
        self.parts.iter_mut().map(|(r, value)| (&*r, value))
    }

    /// What they hold.
    pub(crate) fn held(&self) -> Intervals {
        self.parts.iter().map(|(r, _)| r.clone()).collect()
    }

    /// Bytes of all.
    pub(crate) fn bytes(&self) -> u64 {
        self.parts.iter().map(|(r, _)| r.end - r.start).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_powers_of_two_within_their_bounds() {
        assert_eq!(
            [0, 16 << 10, 256 << 20, 300 << 20, 1 << 40].map(page_bytes),
            [256, 512, 8 << 20, 8 << 20, 64 << 20]
        );
    }

    #[test]
    fn parts_of_a_range_are_found_with_the_segments_that_have_them() {
        let mut segments = Segments::default();
        for (k, start) in [64u64, 0, 192].into_iter().enumerate() {
            segments.insert(start..start + 64, k);
        }
        assert_eq!((segments.bytes(), segments.held().runs()), (192, &[0..128, 192..256][..]));
        let parts: Vec<_> = segments.within(&(32..200)).map(|(part, whole, k)| (part, whole.start, *k)).collect();
        assert_eq!(parts, [(32..64, 0, 1), (64..128, 64, 0), (192..200, 192, 2)]);
        assert_eq!(segments.covering(&(70..128)), Some((&(64..128), &0)));
        assert_eq!(segments.covering(&(60..70)), None);
        assert_eq!(segments.remove(&(1..200)).collect::<Vec<_>>(), [(64..128, 0)]);
        assert_eq!(segments.iter().map(|(_, k)| *k).collect::<Vec<_>>(), [1, 2]);
    }
}
