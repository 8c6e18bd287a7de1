//! Keeps released device buffers by size class, so that a call does not pay for allocation.
//!
//! [`Pool`] is a plain data structure over any buffer type: its owner locks it, creates what it lacks and
//! drops what it evicts outside the lock.

use std::collections::BTreeMap;

/// Smallest size class in bytes: below it buffers cost their bookkeeping, not their bytes.
const SMALLEST: u64 = 256;

/// The size in bytes to allocate for `bytes`: the next of eight steps per power of two, so at most
/// an eighth is wasted above [`SMALLEST`].
pub(crate) fn size_class(bytes: u64) -> u64 {
    if bytes <= SMALLEST {
        return SMALLEST;
    }
    let step = 1u64 << (bytes - 1).ilog2().saturating_sub(3);
    bytes.checked_next_multiple_of(step).unwrap_or(bytes)
}

/// Free buffers by size class, bounded by bytes; the longest unused go first.
#[derive(Debug)]
pub(crate) struct Pool<B> {
    free: BTreeMap<u64, Vec<Kept<B>>>,
    kept_bytes: u64,
    capacity_bytes: u64,
    clock: u64,
}

#[derive(Debug)]
struct Kept<B> {
    buffer: B,
    released: u64,
}

impl<B> Pool<B> {
    /// An empty pool that keeps at most `capacity_bytes`.
    pub(crate) fn new(capacity_bytes: u64) -> Self {
        Pool { free: BTreeMap::new(), kept_bytes: 0, capacity_bytes, clock: 0 }
    }

    /// A free buffer of exactly this size class, the last one released.
    pub(crate) fn take(&mut self, class: u64) -> Option<B> {
        let list = self.free.get_mut(&class)?;
        let kept = list.pop()?;
        if list.is_empty() {
            self.free.remove(&class);
        }
        self.kept_bytes -= class;
        Some(kept.buffer)
    }

    /// Keeps a buffer and returns those that no longer fit, to be dropped outside the owner's lock.
    pub(crate) fn give(&mut self, class: u64, buffer: B) -> Vec<B> {
        if class > self.capacity_bytes {
            return vec![buffer];
        }
        self.clock += 1;
        self.free.entry(class).or_default().push(Kept { buffer, released: self.clock });
        self.kept_bytes += class;
        let mut evicted = Vec::new();
        while self.kept_bytes > self.capacity_bytes {
            let Some(buffer) = self.evict_oldest() else { break };
            evicted.push(buffer);
        }
        evicted
    }

    /// The longest unused buffer, to be dropped.
    pub(crate) fn evict(&mut self) -> Option<B> {
        self.evict_oldest()
    }

    /// Everything kept, to be dropped when the device runs short of memory.
    pub(crate) fn drain(&mut self) -> Vec<B> {
        self.kept_bytes = 0;
        std::mem::take(&mut self.free).into_values().flatten().map(|k| k.buffer).collect()
    }

    /// Bytes kept for reuse.
    #[cfg(test)]
    pub(crate) fn kept_bytes(&self) -> u64 {
        self.kept_bytes
    }

    fn evict_oldest(&mut self) -> Option<B> {
        // Within a class the first is the oldest: `take` and `give` work at the end.
        let (&class, _) = self.free.iter().min_by_key(|(_, list)| list.first().map_or(u64::MAX, |k| k.released))?;
        let list = self.free.get_mut(&class)?;
        let kept = list.remove(0);
        if list.is_empty() {
            self.free.remove(&class);
        }
        self.kept_bytes -= class;
        Some(kept.buffer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_class_holds_its_bytes_and_wastes_at_most_an_eighth() {
        for bytes in (1..5000).chain([65_535, 65_536, 65_537, (1 << 31) - 1, (1 << 40) + 3]) {
            let class = size_class(bytes);
            assert!(class >= bytes && class.is_multiple_of(4), "{bytes} -> {class}");
            assert!(class <= SMALLEST || class <= bytes + bytes / 8 + 4, "{bytes} -> {class}");
            assert_eq!(size_class(class), class);
        }
        assert_eq!(size_class(u64::MAX), u64::MAX);
    }

    #[test]
    fn the_longest_unused_buffer_goes_first() {
        let mut pool = Pool::new(1000);
        assert!(pool.give(400, 'a').is_empty());
        assert!(pool.give(500, 'b').is_empty());
        assert_eq!(pool.give(300, 'c'), ['a']);
        assert_eq!(pool.take(400), None);
        assert_eq!(pool.take(300), Some('c'));
        assert_eq!(pool.kept_bytes(), 500);
        assert_eq!(pool.give(2000, 'd'), ['d']);
        assert_eq!(pool.drain(), ['b']);
        assert_eq!(pool.kept_bytes(), 0);
    }
}
