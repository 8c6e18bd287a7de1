//! Parts of a call that are too large for a device, cut into chunks that bind only what they touch.
//!
//! Any order of work-groups is a legal order of one dispatch, so chunks of *any* call may run one after the other on
//! one device: each sees what those before left. Chunks on the call's split axis are independent, so they may also
//! overlap; others run *alone*, from upload to result.
//!
//! A [`Cutter`] gives chunk after chunk, each the largest that fits, found by bisection with the footprint. What all
//! chunks touch alike (a table, a histogram) is *carried*: it goes up with the first chunk, stays, and comes down with
//! the last.

use super::transfers;
use crate::{
    backend::{Room, Transfer, Window},
    kernel::Compiled,
    memory::intervals::Intervals,
    report::human_bytes,
};
use evener_lanes::{
    GroupRange,
    analysis::{BindingFootprint, CallShape, Footprint, Split, Strided},
    ir::{Binding, Space},
};
use std::{ops::Range, sync::Arc};

/// Chunks of one part under way at once: one is uploaded while the other runs.
pub const IN_FLIGHT: u64 = 2;

/// Device memory that the chunks of one part take where the budget allows more: larger ones are no faster.
pub const STREAM_BYTES: u64 = 512 << 20;

/// Innermost counts of far-apart runs that become pieces of their own.
const MAX_ROWS: u64 = 8;

/// A chunk with its windows.
#[derive(Clone, Debug, PartialEq)]
pub struct WindowedChunk {
    /// What to run.
    pub range: GroupRange,
    /// One per binding.
    pub transfers: Vec<Transfer>,
    /// Device memory in bytes, staging included.
    pub bytes: u64,
    /// No other chunk of the part may be under way.
    pub alone: bool,
    /// All that it writes stays on the device, in pages of arrays.
    pub stays: bool,
}

/// A part of a call that fits no window, and why.
#[derive(Clone, Debug, PartialEq)]
pub struct Misfit {
    /// What cannot run on the device.
    pub range: GroupRange,
    /// For the user.
    pub reason: String,
}

/// Why arguments of these sizes cannot be bound whole, for the user; `None` if they can.
pub fn whole_misfit(bindings: &[Binding], sizes: &[u64], room: &Room) -> Option<String> {
    let storage = || bindings.iter().zip(sizes).filter(|(b, _)| b.space == Space::Storage);
    if let Some((binding, &size)) = storage().find(|(_, size)| **size > room.binding_bytes) {
        let (size, most) = (human_bytes(size), human_bytes(room.binding_bytes));
        return Some(format!("`{}` has {size}, the device binds at most {most}", binding.name));
    }
    let all = storage().map(|(_, size)| size).fold(0u64, |sum, size| sum.saturating_add(*size));
    (all > room.memory_bytes)
        .then(|| format!("its arrays have {}, the budget is {}", human_bytes(all), human_bytes(room.memory_bytes)))
}

/// Cuts a part of a call for one device.
#[derive(Debug)]
pub struct Cutter<'a> {
    kernel: &'a Compiled,
    shape: CallShape<'a>,
    room: Room,
    /// Chunks on this axis are independent.
    free_axis: Option<usize>,
    /// What stays on the device: per binding, the footprint of the whole part.
    carried: Vec<Option<Box<BindingFootprint>>>,
    carried_bytes: u64,
    /// Per binding, what of it is in pages of its array on the device.
    kept: Vec<Option<Intervals>>,
    /// Whether something carried is written: then the order of the queue is enough, and results come with the last chunk.
    carries_results: bool,
    /// What is left, the next at the end.
    rest: Vec<GroupRange>,
    /// Bytes that one chunk may take beside others.
    target: u64,
    /// Groups of the last cut on each axis: most chunks are alike.
    usual: [u32; 3],
    /// Whether a chunk with the uploads of what is carried was given out.
    started: bool,
}

/// What a chunk of a range needs.
struct Need {
    footprint: Arc<Footprint>,
    windows: Vec<Option<Window>>,
    /// With staging, without what is carried.
    bytes: u64,
    /// A binding too large for the device.
    misfit: Option<String>,
}

impl<'a> Cutter<'a> {
    /// Cuts `part` of a call. `split` is the whole call's.
    pub fn new(kernel: &'a Compiled, shape: CallShape<'a>, split: &Split, room: Room, part: GroupRange) -> Self {
        let free_axis = match split {
            Split::Axis(axis) => Some(usize::from(*axis)),
            Split::Whole(_) => None,
        };
        let mut cutter = Cutter {
            kernel,
            shape,
            room,
            free_axis,
            carried: vec![None; kernel.bindings().len()],
            carried_bytes: 0,
            kept: vec![None; kernel.bindings().len()],
            carries_results: false,
            rest: vec![part],
            target: 0,
            usual: [0; 3],
            started: false,
        };
        cutter.carry(&part);
        let memory = room.memory_bytes.min(STREAM_BYTES.max(4 * cutter.carried_bytes));
        // A quarter is left to what drivers round up, and keep for a while after it was given back.
        cutter.target = (memory - memory / 4).saturating_sub(cutter.carried_bytes) / IN_FLIGHT;
        cutter
    }

    /// Chunks take from pages of arrays on the device what these have, per binding, and leave there what they write of them.
    /// They are cut where what they write is no longer all in pages.
    pub(crate) fn keeping(mut self, kept: Vec<Option<Intervals>>) -> Self {
        self.kept = kept;
        let (Some(axis), [part]) = (self.free_axis, &self.rest[..]) else { return self };
        let part = *part;
        let stays = |groups| self.stays(&self.footprint(&front(&part, axis, groups).0));
        let (mut all, mut not) = (1, part.end[axis] - part.start[axis]);
        if not > 1 && stays(all) && !stays(not) {
            while not - all > 1 {
                let middle = all + (not - all) / 2;
                if stays(middle) { all = middle } else { not = middle }
            }
            let (front, back) = front(&part, axis, all);
            self.rest = vec![back, front];
        }
        self
    }

    /// Whether a binding's bytes stay on the device from the first chunk to the last.
    pub(crate) fn is_carried(&self, binding: usize) -> bool {
        self.carried[binding].is_some()
    }

    /// Whether results stay on the device until the last chunk: a failure before loses those of all chunks.
    pub fn carries_results(&self) -> bool {
        self.carries_results
    }

    /// Why the part cannot run on the device, judged by its first and its last chunk.
    pub fn misfit(&self) -> Option<String> {
        let (start, end) = (self.rest.last()?.start, self.rest.first()?.end);
        let first = GroupRange { start, end: start.map(|s| s + 1) };
        let last = GroupRange { start: end.map(|e| e - 1), end };
        [first, last].iter().find_map(|group| self.group_misfit(group))
    }

    /// All chunks in their order. From the first work-group on that fits no window, the rest is misfits.
    pub fn cut(&mut self) -> (Vec<WindowedChunk>, Vec<Misfit>) {
        let mut chunks = Vec::new();
        while let Some(next) = self.next_chunk() {
            match next {
                Ok(chunk) => chunks.push(chunk),
                Err(Misfit { range, reason }) => {
                    let rest = std::iter::once(range).chain(std::mem::take(&mut self.rest).into_iter().rev());
                    return (chunks, rest.map(|range| Misfit { range, reason: reason.clone() }).collect());
                }
            }
        }
        (chunks, Vec::new())
    }

    /// Takes back the chunks from one that the device had no memory for on, to be cut to half its size. `None` if it
    /// cannot be smaller.
    pub fn halve(&mut self, chunks: &[WindowedChunk], any_ran: bool) -> Option<()> {
        let first = chunks.first().filter(|c| c.range.count() > 1)?;
        self.target = self.target.min(first.bytes) / 2;
        self.usual = [0; 3];
        self.started = any_ran;
        self.rest.extend(chunks.iter().rev().map(|c| c.range));
        Some(())
    }

    fn next_chunk(&mut self) -> Option<Result<WindowedChunk, Misfit>> {
        let range = self.rest.pop()?;
        let need = self.need(&range);
        if self.fits(&need) {
            return Some(Ok(self.chunk(range, need, false)));
        }
        let Some(axis) = self.axis(&range) else {
            // One work-group may have all the memory for itself.
            return Some(match self.group_misfit(&range) {
                None => Ok(self.chunk(range, need, true)),
                Some(reason) => Err(Misfit { range, reason }),
            });
        };
        let (front, back) = front(&range, axis, self.groups_that_fit(&range, axis).max(1));
        self.rest.push(back);
        self.rest.push(front);
        self.next_chunk()
    }

    /// The axis to cut on: the independent one while it lasts, else the one whose halves touch least.
    fn axis(&self, range: &GroupRange) -> Option<usize> {
        let long = |a: &usize| range.end[*a] - range.start[*a] > 1;
        if let Some(axis) = self.free_axis.filter(long) {
            return Some(axis);
        }
        let touched = |a: &usize| {
            let (front, back) = front(range, *a, (range.end[*a] - range.start[*a]) / 2);
            self.need(&front).bytes.saturating_add(self.need(&back).bytes)
        };
        [2, 1, 0].into_iter().filter(long).min_by_key(touched)
    }

    /// The most groups of an axis that fit, shared evenly among as many chunks as they need. 0: not even one.
    fn groups_that_fit(&mut self, range: &GroupRange, axis: usize) -> u32 {
        let groups = range.end[axis] - range.start[axis];
        let usual = self.usual[axis];
        if (1..groups).contains(&usual) {
            let need = self.need(&front(range, axis, usual).0);
            if self.fits(&need) && need.bytes > self.target / 2 {
                return usual;
            }
        }
        let (mut fits, mut too_many) = (0, groups);
        while too_many - fits > 1 {
            let middle = fits + (too_many - fits) / 2;
            if self.fits(&self.need(&front(range, axis, middle).0)) { fits = middle } else { too_many = middle }
        }
        let even = if fits == 0 { 0 } else { groups.div_ceil(groups.div_ceil(fits)) };
        self.usual[axis] = even;
        even
    }

    fn fits(&self, need: &Need) -> bool {
        need.misfit.is_none() && need.bytes <= self.target
    }

    /// Why one work-group, alone on the device, does not fit.
    fn group_misfit(&self, group: &GroupRange) -> Option<String> {
        let need = self.need(group);
        let all = need.bytes.saturating_add(self.carried_bytes);
        need.misfit.or_else(|| {
            let (all, budget) = (human_bytes(all), human_bytes(self.room.memory_bytes));
            (need.bytes.saturating_add(self.carried_bytes) > self.room.memory_bytes)
                .then(|| format!("one work-group needs {all} of device memory, the budget is {budget}"))
        })
    }

    fn footprint(&self, range: &GroupRange) -> Arc<Footprint> {
        self.kernel.analysis.footprint(&self.shape, range)
    }

    fn need(&self, range: &GroupRange) -> Need {
        let footprint = self.footprint(range);
        let mut need = Need { footprint, windows: Vec::new(), bytes: 0, misfit: None };
        for (k, binding) in self.kernel.bindings().iter().enumerate() {
            let own = &need.footprint.bindings[k];
            let touched = self.carried[k].as_deref().unwrap_or(own);
            let window = window(binding, self.shape.sizes[k], touched);
            if binding.space == Space::Storage && self.carried[k].is_none() {
                let bytes = self.bound_bytes(k, window.as_ref());
                need.bytes = need.bytes.saturating_add(memory_bytes(bytes, touched));
                if bytes > self.room.binding_bytes {
                    need.misfit.get_or_insert_with(|| self.binding_misfit(binding, bytes, window.is_some()));
                }
            }
            need.windows.push(window);
        }
        need
    }

    fn bound_bytes(&self, binding: usize, window: Option<&Window>) -> u64 {
        window.map_or(self.shape.sizes[binding], Window::device_bytes)
    }

    fn binding_misfit(&self, binding: &Binding, bytes: u64, movable: bool) -> String {
        let (name, most) = (&binding.name, human_bytes(self.room.binding_bytes));
        let bytes = human_bytes(bytes);
        match movable {
            true => format!("one work-group may touch {bytes} of `{name}`, the device binds at most {most}"),
            false => format!("`{name}` has {bytes} and cannot be cut, the device binds at most {most}"),
        }
    }

    /// Finds what all chunks of the part touch alike and the device can hold beside them.
    fn carry(&mut self, part: &GroupRange) {
        let Some(axis) = self.axis(part) else { return };
        let (front, back) = front(part, axis, (part.end[axis] - part.start[axis]) / 2);
        let [whole, front, back] = [part, &front, &back].map(|r| self.need(r));
        let bindings = self.kernel.bindings();
        let bytes = |need: &Need, k: usize| self.bound_bytes(k, need.windows[k].as_ref());
        let memory = |k: usize| memory_bytes(bytes(&whole, k), &whole.footprint.bindings[k]);
        let mut alike: Vec<usize> = (0..bindings.len())
            .filter(|&k| bindings[k].space == Space::Storage && bytes(&whole, k) <= self.room.binding_bytes)
            .filter(|&k| 2 * (bytes(&front, k) + bytes(&back, k)) > 3 * bytes(&whole, k))
            .collect();
        alike.sort_by_key(|&k| memory(k));
        let mut left = self.room.memory_bytes.min(4 * STREAM_BYTES) / 4;
        alike.retain(|&k| {
            let fits = memory(k) <= left;
            left -= if fits { memory(k) } else { 0 };
            fits
        });
        // Results stay only where running all again after a failure is right: what else is written is not read.
        let written = |k: &usize| bindings[*k].access.write || bindings[*k].access.atomic;
        let moved = |k: &usize| written(k) && !alike.contains(k);
        let repeatable =
            (0..bindings.len()).filter(moved).all(|k| !bindings[k].access.read && !bindings[k].access.atomic);
        alike.retain(|k| repeatable || !written(k));
        self.carried_bytes = alike.iter().map(|&k| memory(k)).sum();
        self.carries_results = alike.iter().any(written);
        for k in alike {
            self.carried[k] = Some(Box::new(whole.footprint.bindings[k].clone()));
        }
    }

    /// Whether chunks other than on the free axis may overlap: all results stay on the device, in the order of its queue.
    fn ordered_by_queue(&self) -> bool {
        let bindings = self.kernel.bindings();
        bindings.iter().zip(&self.carried).all(|(b, c)| c.is_some() || !(b.access.write || b.access.atomic))
    }

    fn chunk(&mut self, range: GroupRange, need: Need, whole_device: bool) -> WindowedChunk {
        let (first, last) = (!std::mem::replace(&mut self.started, true), self.rest.is_empty());
        let bindings = self.kernel.bindings();
        let mut footprint = Arc::unwrap_or_clone(need.footprint);
        for (k, carried) in self.carried.iter().enumerate() {
            if let Some(carried) = carried {
                footprint.bindings[k] = (**carried).clone();
            }
        }
        // What merges is updated by all chunks, each after the one before.
        let shared = |k: usize| self.carried[k].is_none() && !footprint.bindings[k].merges.is_empty();
        let free = self.is_free(&range) && !(0..bindings.len()).any(shared);
        let stays = free && self.stays(&footprint);
        let mut moved = transfers::of_footprint(&footprint, bindings, self.shape.sizes);
        for (k, (transfer, window)) in moved.iter_mut().zip(need.windows).enumerate() {
            if bindings[k].space == Space::Uniform {
                continue;
            }
            transfer.carried = self.carried[k].is_some();
            transfer.exact = Some(transfers::needed(&footprint.bindings[k]).cloned().collect());
            transfer.window = window;
            if let Some(kept) = &self.kept[k] {
                transfers::keep(transfer, self.shape.sizes[k], kept);
            }
            if transfer.carried && !first {
                transfer.upload.clear();
                transfer.pages.iter_mut().for_each(|pages| pages.load.clear());
            }
            if stays || (transfer.carried && !last) {
                transfer.download.clear();
            }
        }
        let alone = whole_device || !(free || self.ordered_by_queue());
        WindowedChunk { range, transfers: moved, bytes: need.bytes, alone, stays }
    }

    /// Whether a range of work-groups writes something, and that all of it into pages of arrays.
    fn stays(&self, footprint: &Footprint) -> bool {
        let in_pages = |k: usize, set: &Strided| {
            self.carried[k].is_none()
                && self.kept[k].as_ref().is_some_and(|kept| kept.contains(&(set.start..set.end())))
        };
        let mut writes = footprint.bindings.iter().enumerate().flat_map(|(k, b)| b.writes.iter().map(move |w| (k, w)));
        let some = writes.clone().next().is_some();
        some && writes.all(|(k, set)| in_pages(k, set))
    }

    /// Whether a chunk was cut on the free axis only.
    fn is_free(&self, range: &GroupRange) -> bool {
        let Some(free) = self.free_axis else { return false };
        (0..3).all(|a| a == free || (range.start[a] == 0 && range.end[a] == self.shape.grid.groups[a]))
    }
}

/// The first groups of an axis, and the others.
fn front(range: &GroupRange, axis: usize, groups: u32) -> (GroupRange, GroupRange) {
    range.split_at(axis, range.start[axis] + groups)
}

/// Device memory for a binding of a chunk: its buffer and what travels, in the sizes that buffers come in.
fn memory_bytes(bound: u64, touched: &BindingFootprint) -> u64 {
    let sum = |sets: &mut dyn Iterator<Item = &Strided>| sets.map(Strided::bytes).fold(0u64, u64::saturating_add);
    let up = sum(&mut transfers::needed(touched)).min(bound);
    let down = sum(&mut touched.writes.iter()).min(bound);
    let all = bound.saturating_add(up).saturating_add(down);
    // Buffers come in steps of an eighth.
    all.saturating_add(all / 8)
}

/// The window of what a chunk touches of a binding; `None` where it must be bound whole.
fn window(binding: &Binding, len: u64, touched: &BindingFootprint) -> Option<Window> {
    if binding.space == Space::Uniform {
        return None;
    }
    Window::new(binding, len, touched.reads.iter().chain(&touched.writes).flat_map(rows))
}

/// The hull of a set, or the hulls of its few outermost blocks.
fn rows(set: &Strided) -> Vec<Range<u64>> {
    match set.levels.split_last() {
        Some((&(stride, count), inner)) if count <= MAX_ROWS => {
            let block = Strided { start: set.start, run: set.run, levels: inner.to_vec() };
            let bytes = block.end() - block.start;
            (0..count).map(|k| set.start + k * stride).map(|start| start..start + bytes).collect()
        }
        _ => std::iter::once(set.start..set.end()).collect(),
    }
}
