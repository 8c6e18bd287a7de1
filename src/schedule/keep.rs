//! What of the arrays of a streamed part stays on its device.
//!
//! A call over more than a device's budget goes through it in windows, chunk after chunk. If the next such call should find
//! anything, it must not be what was used last: chunks come in the same order again, so that by then each page would have
//! made room for a later one just before its turn. So the first bytes of the arrays stay, as many as there is room for, and
//! the others are streamed past them: the same bytes at each call. What is written has its part first, since it saves two
//! ways, and the same part of each such array, so that a chunk writes only pages or none.
//!
//! A chunk loads what its windows have of pages on the device, and stores what it wrote there back, so that pages are as
//! new as the chunks before made them. Where all that it writes are pages, nothing comes down.

use super::{
    coexec::Job,
    plan::Assignment,
    windows::{Cutter, STREAM_BYTES},
};
use crate::{
    backend::{Argument, Room, Transfer},
    memory::{
        array::Held,
        intervals::{self, Intervals},
        places::Moved,
        segments::page_bytes,
    },
};
use std::{collections::HashMap, ops::Range};

/// The part of a budget that is left to the chunks, which are no faster beyond [`STREAM_BYTES`].
const CHUNKS_OF_BUDGET: u64 = 4;

/// What stays, by binding.
#[derive(Debug, Default)]
pub(super) struct Kept {
    pages: Vec<Option<Held>>,
    /// The same as bytes of the binding.
    bytes: Vec<Option<Intervals>>,
    /// Left to the chunks, bytes.
    spare: u64,
    /// What went for it.
    evicted: Vec<Moved>,
}

/// An array's part in the choice.
struct Wish {
    binding: usize,
    /// Pages of the array, all that the part touches.
    pages: Intervals,
    written: bool,
}

impl Kept {
    /// Pages for a part that its device streams. `may` says which bindings could have any.
    pub(super) fn choose(
        job: &Job<'_>,
        assignment: &Assignment,
        transfers: &[Transfer],
        may: impl Fn(usize) -> bool,
    ) -> Option<Self> {
        let place = assignment.device;
        let limit = job.places.limit(place);
        let spare = (limit / CHUNKS_OF_BUDGET).min(STREAM_BYTES);
        let mut kept = Kept { spare, ..Kept::default() };
        let cutter = kept.cutter(job, assignment)?;
        let page = page_bytes(limit);
        let may = |k: &usize| may(*k) && (transfers[*k].download.is_empty() || !cutter.is_carried(*k));
        let wish = |k| wish(k, &transfers[k], job.arguments[k], page);
        let mut wishes: Vec<Wish> = (0..transfers.len()).filter(may).filter_map(wish).collect();
        if wishes.is_empty() || cutter.misfit().is_some() {
            return None;
        }
        let bytes = |w: &Wish| intervals::bytes(w.pages.runs());
        let written: u64 = wishes.iter().filter(|w| w.written).map(bytes).sum();
        let most = limit - spare;
        for wish in wishes.iter_mut().filter(|w| w.written && written > most) {
            let share = bytes(wish) as f64 / written as f64;
            wish.pages = first(&wish.pages, (most as f64 * share) as u64 / page * page);
        }
        wishes.sort_by_key(|w| !w.written);
        kept.pages.resize_with(transfers.len(), || None);
        kept.bytes.resize_with(transfers.len(), || None);
        for wish in wishes {
            let (Some(array), argument) = (&job.arrays[wish.binding], job.arguments[wish.binding]) else { continue };
            let pages = Held::pages(array, place, (&wish.pages, spare), &mut kept.evicted);
            kept.bytes[wish.binding] = Some(of_binding(pages.bytes(), argument));
            kept.pages[wish.binding] = Some(pages);
        }
        kept.bytes.iter().flatten().any(|bytes| !bytes.is_empty()).then_some(kept)
    }

    /// Cuts the part into chunks that fit beside what stays.
    pub(super) fn cutter<'j>(&self, job: &Job<'j>, assignment: &Assignment) -> Option<Cutter<'j>> {
        let room = job.places.device(assignment.device).room()?;
        let room = Room { memory_bytes: room.memory_bytes.min(self.spare), ..room };
        let split = job.kernel.analysis.split(&job.shape);
        Some(Cutter::new(job.kernel, job.shape, &split, room, assignment.range))
    }

    /// Pages of an argument's array.
    pub(super) fn pages(&self, binding: usize) -> Option<&Held> {
        self.pages[binding].as_ref()
    }

    /// By binding, what of it is in pages.
    pub(super) fn by_binding(&self) -> Vec<Option<Intervals>> {
        self.bytes.clone()
    }

    /// Bytes of device memory that chunks may take beside it.
    pub(super) fn spare(&self) -> u64 {
        self.spare
    }

    /// What other arrays gave up for it.
    pub(super) fn evicted(&self) -> &[Moved] {
        &self.evicted
    }

    /// Bytes of the arrays that stay.
    pub(super) fn bytes(&self, arguments: &[Argument]) -> u64 {
        let ids = self.pages.iter().zip(arguments).filter_map(|(pages, a)| Some((a.array?.id, pages.as_ref()?)));
        let by_array: HashMap<u64, u64> = ids.map(|(id, p)| (id, intervals::bytes(p.bytes().runs()))).collect();
        by_array.values().sum()
    }
}

/// All pages of an array that a part touches.
fn wish(binding: usize, transfer: &Transfer, argument: Argument, page: u64) -> Option<Wish> {
    let part = argument.array?;
    let hulls = transfer.download.iter().map(|set| set.start..set.end());
    let pages = |r: Range<u64>| {
        let (start, end) = (r.start + part.offset, r.end + part.offset);
        start / page * page..end.next_multiple_of(page).min(part.bytes)
    };
    let pages: Intervals = transfer.upload.iter().cloned().chain(hulls).map(pages).collect();
    (!pages.is_empty()).then_some(Wish { binding, pages, written: !transfer.download.is_empty() })
}

/// The first bytes of a set.
fn first(set: &Intervals, mut bytes: u64) -> Intervals {
    let take = |r: &Range<u64>| {
        let taken = bytes.min(r.end - r.start);
        bytes -= taken;
        r.start..r.start + taken
    };
    set.runs().iter().map(take).collect()
}

/// Bytes of an array as bytes of an argument that is a part of it.
fn of_binding(held: &Intervals, argument: Argument) -> Intervals {
    let offset = argument.array.map_or(0, |part| part.offset);
    let part = offset..offset + argument.len;
    held.within(&part).map(|r| r.start - offset..r.end - offset).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_bytes_of_a_set_are_taken_over_its_gaps() {
        let set: Intervals = [256..512, 1024..2048].into_iter().collect();
        assert_eq!(first(&set, 512).runs(), [256..512, 1024..1280]);
        assert_eq!(first(&set, 1 << 20), set);
        assert!(first(&set, 0).is_empty());
    }
}
