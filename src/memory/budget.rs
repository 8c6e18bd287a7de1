//! What of a device's memory arrays take, and which goes first when it is full.
//!
//! wgpu says neither how much memory there is nor how much is left, so the limit is a figure of our own: the builder's
//! [`device_memory`](crate::runtime::Builder::device_memory), else [`default_bytes`].

use super::{intervals::Intervals, segments::Segments};
use crate::backend::DeviceKind;
use std::{collections::HashMap, ops::Range};

/// Bytes of arrays on a device of which the builder says nothing: what nearly all cards of the kind have to spare. A device
/// that has less says so by an error of memory, and arrays are evicted then.
pub(crate) fn default_bytes(kind: DeviceKind) -> u64 {
    match kind {
        DeviceKind::Discrete => 4 << 30,
        _ => 2 << 30,
    }
}

/// What is on one device, by array and segment; `H` is a handle to reach an array.
#[derive(Debug)]
pub(crate) struct Ledger<H> {
    limit: u64,
    used: u64,
    clock: u64,
    entries: HashMap<u64, Entry<H>>,
}

#[derive(Debug)]
struct Entry<H> {
    handle: H,
    /// When the array was used here last.
    touched: u64,
    /// When each segment was.
    segments: Segments<u64>,
}

impl<H: Clone> Ledger<H> {
    /// An empty ledger of a device with this much for arrays.
    pub(crate) fn new(limit: u64) -> Self {
        Ledger { limit, used: 0, clock: 0, entries: HashMap::new() }
    }

    /// Bytes allowed.
    pub(crate) fn limit(&self) -> u64 {
        self.limit
    }

    /// Marks the segment that holds all of a part of an array as just used. `false` if there is none.
    pub(crate) fn touch(&mut self, array: u64, part: &Range<u64>) -> bool {
        self.clock += 1;
        let Some(entry) = self.entries.get_mut(&array) else { return false };
        let Some(touched) = entry.segments.covering_mut(part) else { return false };
        (*touched, entry.touched) = (self.clock, self.clock);
        true
    }

    /// The segment that holds all of a part of an array.
    pub(crate) fn covering(&self, array: u64, part: &Range<u64>) -> Option<Range<u64>> {
        self.entries.get(&array)?.segments.covering(part).map(|(segment, _)| segment.clone())
    }

    /// The segments that have any of a part of an array.
    pub(crate) fn overlapping(&self, array: u64, part: &Range<u64>) -> Vec<Range<u64>> {
        let within = self.entries.get(&array).into_iter().flat_map(|entry| entry.segments.within(part));
        within.map(|(_, segment, _)| segment.clone()).collect()
    }

    /// Marks what of an array overlaps these runs as just used, and says when the array was used before; 0 for never. An
    /// array of which nothing is here is remembered.
    pub(crate) fn touch_runs(&mut self, array: u64, runs: &Intervals, handle: H) -> u64 {
        self.clock += 1;
        let entry = self.entries.entry(array).or_insert_with(|| Entry::new(handle));
        for (range, touched) in entry.segments.iter_mut() {
            if runs.within(range).next().is_some() {
                *touched = self.clock;
            }
        }
        std::mem::replace(&mut entry.touched, self.clock)
    }

    /// What of an array is here.
    pub(crate) fn held(&self, array: u64) -> Intervals {
        self.entries.get(&array).map_or_else(Intervals::default, |entry| entry.segments.held())
    }

    /// Bytes that must go before `bytes` more fit.
    pub(crate) fn excess(&self, bytes: u64) -> u64 {
        self.used.saturating_add(bytes).saturating_sub(self.limit)
    }

    /// Enters a segment of an array, as just used.
    pub(crate) fn enter(&mut self, array: u64, segment: Range<u64>, handle: H) {
        self.clock += 1;
        self.used += segment.end - segment.start;
        let entry = self.entries.entry(array).or_insert_with(|| Entry::new(handle));
        entry.touched = self.clock;
        entry.segments.insert(segment, self.clock);
    }

    /// Takes out the segments of an array inside a range.
    pub(crate) fn remove(&mut self, array: u64, range: &Range<u64>) {
        if let Some(entry) = self.entries.get_mut(&array) {
            self.used -= entry.segments.remove(range).map(|(r, _)| r.end - r.start).sum::<u64>();
        }
    }

    /// Takes out an array that is no more.
    pub(crate) fn forget(&mut self, array: u64) {
        self.used -= self.entries.remove(&array).map_or(0, |entry| entry.segments.bytes());
    }

    /// The segments that were used before a time, the least recently used first.
    pub(crate) fn oldest_first(&self, before: u64) -> Vec<(H, Range<u64>)> {
        let of = |entry: &Entry<H>| {
            let segments = entry.segments.iter().filter(|(_, touched)| **touched < before);
            let handle = entry.handle.clone();
            segments.map(|(range, touched)| (*touched, handle.clone(), range.clone())).collect::<Vec<_>>()
        };
        let mut segments: Vec<_> = self.entries.values().flat_map(of).collect();
        // Of one array the last first: streams keep its beginning.
        segments.sort_by_key(|(touched, _, range)| (*touched, u64::MAX - range.start));
        segments.into_iter().map(|(_, handle, range)| (handle, range)).collect()
    }
}

impl<H> Entry<H> {
    fn new(handle: H) -> Self {
        Entry { handle, touched: 0, segments: Segments::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_least_recently_used_is_named_first_and_bytes_are_counted() {
        let mut ledger = Ledger::new(100);
        ledger.enter(1, 0..40, 'a');
        ledger.enter(2, 0..40, 'b');
        assert_eq!((ledger.excess(20), ledger.excess(50)), (0, 30));
        assert!(ledger.touch(1, &(8..40)));
        assert!(!ledger.touch(9, &(0..40)));
        assert_eq!(ledger.oldest_first(u64::MAX), [('b', 0..40), ('a', 0..40)]);
        ledger.remove(2, &(0..40));
        ledger.remove(2, &(0..40));
        assert_eq!(ledger.excess(50), 0);
        ledger.forget(1);
        assert_eq!(ledger.excess(100), 0);
    }

    #[test]
    fn segments_age_one_by_one() {
        let mut ledger = Ledger::new(100);
        ledger.enter(1, 0..20, 'a');
        ledger.enter(1, 20..40, 'a');
        ledger.enter(2, 0..10, 'b');
        assert_eq!(ledger.touch_runs(3, &Intervals::whole(8), 'c'), 0, "never used before");
        let before = ledger.touch_runs(1, &Intervals::whole(10), 'a');
        assert_eq!(ledger.oldest_first(u64::MAX), [('a', 20..40), ('b', 0..10), ('a', 0..20)]);
        assert_eq!(ledger.oldest_first(before), [], "the other was used since");
        assert!(!ledger.touch(1, &(0..40)), "no segment is all of it");
        assert!(ledger.touch(1, &(20..30)));
        assert_eq!(ledger.oldest_first(u64::MAX), [('b', 0..10), ('a', 0..20), ('a', 20..40)]);
        assert_eq!(ledger.covering(1, &(4..8)), Some(0..20));
        assert_eq!(ledger.overlapping(1, &(19..21)), [0..20, 20..40]);
        assert_eq!(ledger.held(1), Intervals::whole(40));
    }
}
