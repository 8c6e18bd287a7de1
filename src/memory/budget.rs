//! What of a device's memory arrays take, and which goes first when it is full.
//!
//! wgpu says neither how much memory there is nor how much is left, so the limit is a figure of our own: the builder's
//! [`device_memory`](crate::runtime::Builder::device_memory), else [`default_bytes`].

use crate::backend::DeviceKind;
use std::collections::HashMap;

/// Bytes of arrays on a device of which the builder says nothing: what nearly all cards of the kind have to spare. A device
/// that has less says so by an error of memory, and arrays are evicted then.
pub(crate) fn default_bytes(kind: DeviceKind) -> u64 {
    match kind {
        DeviceKind::Discrete => 4 << 30,
        _ => 2 << 30,
    }
}

/// What is on one device, by array; `H` is a handle to reach its owner.
#[derive(Debug)]
pub(crate) struct Ledger<H> {
    limit: u64,
    used: u64,
    clock: u64,
    entries: HashMap<u64, Entry<H>>,
}

#[derive(Debug)]
struct Entry<H> {
    bytes: u64,
    touched: u64,
    handle: H,
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

    /// Marks an array as just used. `false` if it is not here.
    pub(crate) fn touch(&mut self, array: u64) -> bool {
        self.clock += 1;
        let clock = self.clock;
        self.entries.get_mut(&array).map(|e| e.touched = clock).is_some()
    }

    /// Bytes that must go before `bytes` more fit.
    pub(crate) fn excess(&self, bytes: u64) -> u64 {
        self.used.saturating_add(bytes).saturating_sub(self.limit)
    }

    /// Enters an array, as just used.
    pub(crate) fn enter(&mut self, array: u64, bytes: u64, handle: H) {
        self.remove(array);
        self.clock += 1;
        self.used += bytes;
        self.entries.insert(array, Entry { bytes, touched: self.clock, handle });
    }

    /// Takes an array out.
    pub(crate) fn remove(&mut self, array: u64) {
        if let Some(entry) = self.entries.remove(&array) {
            self.used -= entry.bytes;
        }
    }

    /// The arrays, the least recently used first.
    pub(crate) fn oldest_first(&self) -> Vec<H> {
        let mut entries: Vec<&Entry<H>> = self.entries.values().collect();
        entries.sort_by_key(|e| e.touched);
        entries.into_iter().map(|e| e.handle.clone()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_least_recently_used_is_named_first_and_bytes_are_counted() {
        let mut ledger = Ledger::new(100);
        ledger.enter(1, 40, 'a');
        ledger.enter(2, 40, 'b');
        assert_eq!((ledger.excess(20), ledger.excess(50)), (0, 30));
        assert!(ledger.touch(1));
        assert!(!ledger.touch(9));
        assert_eq!(ledger.oldest_first(), ['b', 'a']);
        ledger.remove(2);
        ledger.remove(2);
        assert_eq!(ledger.excess(50), 0);
        ledger.enter(1, 60, 'a');
        assert_eq!(ledger.excess(50), 10, "an array counts once");
    }
}
