//! What a device still lacks for the chunks that it is given one after the other.
//!
//! Chunks of one call share the device's buffers ([`Carry`](crate::backend::Carry)), so what an earlier chunk brought
//! (a table, a row of a neighbour) is not sent again. That is right because a chunk of a split call reads only bytes that
//! no other chunk writes: what was sent once is what the host has until the call ends.

use super::transfers;
use crate::{backend::Transfer, memory::intervals::Intervals, memory::staging::ALIGN};
use evener_lanes::{
    analysis::Footprint,
    ir::{Binding, Space},
};
use std::ops::Range;

/// Runs of one set that are remembered one by one; a finer set is sent anew with each chunk.
const MAX_RUNS: u64 = 4096;

/// The host's bytes that a device has, by binding.
#[derive(Debug)]
pub(super) struct Supply {
    there: Vec<Intervals>,
}

impl Supply {
    /// A device that has nothing of so many bindings.
    pub(super) fn new(bindings: usize) -> Self {
        Supply { there: vec![Intervals::default(); bindings] }
    }

    /// What moves for the next chunk. It reads exactly the bytes of its own footprint, so other devices may write theirs
    /// meanwhile.
    pub(super) fn transfers(&mut self, footprint: &Footprint, bindings: &[Binding], sizes: &[u64]) -> Vec<Transfer> {
        let mut moved = transfers::of_footprint(footprint, bindings, sizes);
        for (k, transfer) in moved.iter_mut().enumerate().filter(|(k, _)| bindings[*k].space == Space::Storage) {
            let there = &mut self.there[k];
            let exact: Vec<_> = transfers::needed(&footprint.bindings[k]).cloned().collect();
            transfer.upload = transfer.upload.iter().flat_map(|run| there.missing(run)).collect();
            // What lies between the bytes of the footprint arrives as zeros, also over what an earlier chunk brought.
            transfer.upload.iter().for_each(|run| there.remove(run.clone()));
            let uploaded: Intervals = transfer.upload.iter().cloned().collect();
            for set in exact.iter().filter(|set| set.count() <= MAX_RUNS) {
                set.for_each_run(|run| {
                    uploaded.within(&run).for_each(|part| there.insert(whole_words(part, sizes[k])));
                });
            }
            transfer.exact = Some(exact);
            transfer.carried = true;
        }
        moved
    }
}

/// The words of a run that are its alone: uploads are in words.
fn whole_words(run: Range<u64>, size: u64) -> Range<u64> {
    let end = if run.end == size { size } else { run.end / ALIGN * ALIGN };
    let start = run.start.next_multiple_of(ALIGN);
    start..end.max(start)
}

#[cfg(test)]
mod tests {
    use super::*;
    use evener_lanes::analysis::{BindingFootprint, Strided};

    const SIZE: u64 = 1 << 20;

    fn ask(supply: &mut Supply, reads: &[(u64, u64)], writes: &[(u64, u64)]) -> Vec<(u64, u64)> {
        let sets = |runs: &[(u64, u64)]| runs.iter().map(|r| Strided::range(r.0, r.1)).collect();
        let touched = BindingFootprint { reads: sets(reads), writes: sets(writes), ..BindingFootprint::default() };
        let module = evener_lanes::Module::parse(
            "@group(0) @binding(0) var<storage, read_write> x: array<u32>;
             @compute @workgroup_size(1) fn f() { x[0] += 1u; }",
        );
        let kernel = module.and_then(|m| m.lower("f")).expect("valid");
        let footprint = Footprint { bindings: vec![touched] };
        let moved = supply.transfers(&footprint, &kernel.bindings, &[SIZE]).remove(0);
        moved.upload.iter().map(|r| (r.start, r.end)).collect()
    }

    #[test]
    fn a_table_is_sent_once() {
        let mut supply = Supply::new(1);
        assert_eq!(ask(&mut supply, &[(0, 4096), (8192, 12_288)], &[]), [(0, 12_288)]);
        assert_eq!(ask(&mut supply, &[(0, 4096), (100_000, 100_400)], &[]), [(100_000, 100_400)]);
        // The gap arrived as zeros.
        assert_eq!(ask(&mut supply, &[(4000, 8200)], &[]), [(4096, 8192)]);
    }

    #[test]
    fn a_gap_over_what_was_there_is_sent_again_when_it_is_needed() {
        let mut supply = Supply::new(1);
        ask(&mut supply, &[(4096, 4100)], &[]);
        // One transfer over the byte range between, which holds the word from before.
        let over = ask(&mut supply, &[(4000, 4008), (4200, 4208)], &[]);
        let resent = ask(&mut supply, &[(4096, 4100)], &[]);
        let covered = over.iter().any(|r| r.0 <= 4096 && 4100 <= r.1);
        assert_eq!(resent.is_empty(), !covered, "{over:?} {resent:?}");
    }

    #[test]
    fn halves_of_words_are_sent_with_both_chunks() {
        let mut supply = Supply::new(1);
        assert_eq!(ask(&mut supply, &[], &[(0, 6)]), [(0, 8)]);
        assert_eq!(ask(&mut supply, &[], &[(6, 12)]), [(4, 12)]);
    }
}
