//! Arrays' bytes to and from a device that shares the host's memory: its buffers are mapped and copied to or from as they
//! are, where others need a staging buffer, a second copy and a submission.
//!
//! A mapped buffer cannot be used by a submission, and one map asks for it alone. So a [`Gate`] lets either submissions
//! that use arrays be made, any number at a time, or one map be held.

use super::{
    faults::{Faults, lost_error},
    live::Live,
    waiter::Ticket,
};
use crate::{
    backend::Argument,
    error::{Error, ErrorKind, Result},
};
use std::{
    ops::Range,
    sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard},
    time::Instant,
};

/// Offsets of maps are multiples of this.
const OFFSET_ALIGN: u64 = wgpu::MAP_ALIGNMENT;
/// Their sizes are multiples of this.
const SIZE_ALIGN: u64 = wgpu::COPY_BUFFER_ALIGNMENT;

/// Who may have arrays' buffers. Whoever has it open waits for nothing that the one who maps could hold up.
#[derive(Debug, Default)]
pub(super) struct Gate {
    lock: RwLock<()>,
}

impl Gate {
    /// No array is mapped while this lives: for a submission from before its commands are made until it is submitted.
    pub(super) fn unmapped(&self) -> RwLockReadGuard<'_, ()> {
        self.lock.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn mapped(&self) -> RwLockWriteGuard<'_, ()> {
        self.lock.write().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Copies ranges of the host's bytes into the array's buffer. When it returns, they are no longer read.
///
/// # Errors
/// A lost device.
pub(super) fn write(live: &Live, buffer: &wgpu::Buffer, host: &Argument, ranges: &[Range<u64>]) -> Result<()> {
    let Some(hull) = hull(ranges) else { return Ok(()) };
    let _alone = live.gate.mapped();
    map(live, buffer, wgpu::MapMode::Write, &hull)?;
    let view = buffer.get_mapped_range_mut(hull.clone()).map_err(|e| not_mapped(live, e));
    if let Ok(mut view) = view {
        for range in ranges {
            let at = |byte: u64| (byte - hull.start) as usize;
            // SAFETY: the ranges lie in the array, whose host bytes nobody writes until this returned.
            let bytes = unsafe {
                std::slice::from_raw_parts(host.ptr.add(range.start as usize), (range.end - range.start) as usize)
            };
            view.slice(at(range.start)..at(range.end)).copy_from_slice(bytes);
        }
    }
    buffer.unmap();
    live.faults.check()
}

/// Copies exactly these ranges of the array's buffer to the host.
///
/// # Errors
/// A lost device; no host byte was written then.
pub(super) fn read(live: &Live, buffer: &wgpu::Buffer, host: &Argument, ranges: &[Range<u64>]) -> Result<()> {
    let Some(hull) = hull(ranges) else { return Ok(()) };
    let _alone = live.gate.mapped();
    map(live, buffer, wgpu::MapMode::Read, &hull)?;
    let view = buffer.get_mapped_range(hull.clone()).map_err(|e| not_mapped(live, e));
    if let Ok(view) = &view {
        for range in ranges {
            let bytes = &view[(range.start - hull.start) as usize..(range.end - hull.start) as usize];
            // SAFETY: the ranges lie in the array and are the caller's to write; a driver's mapping does not overlap them.
            unsafe {
                std::ptr::copy_nonoverlapping(bytes.as_ptr(), host.ptr.add(range.start as usize), bytes.len());
            }
        }
    }
    drop(view);
    buffer.unmap();
    live.faults.check()
}

/// Whether the host reads memory that kernels use as it reads its own. Where the driver leaves it uncached, reading it takes
/// tens of times as long, and staging is the faster way.
pub(super) fn reads_fast(device: &wgpu::Device, faults: &Faults) -> bool {
    /// Slower than the host's own memory by less than this.
    const SLOWER: f64 = 8.0;
    const BYTES: usize = 1 << 20;
    let mut copy = vec![1u8; BYTES];
    let mut took = |bytes: &[u8]| {
        let mut once = || {
            let since = Instant::now();
            copy.copy_from_slice(bytes);
            std::hint::black_box(&copy);
            since.elapsed().as_secs_f64()
        };
        once().min(once())
    };
    let shared = faults.scoped(device, "looking at its memory", || {
        let usage = wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::MAP_WRITE;
        let descriptor = wgpu::BufferDescriptor { label: None, size: BYTES as u64, usage, mapped_at_creation: true };
        let buffer = device.create_buffer(&descriptor);
        let refused = |e| Error::new(ErrorKind::Device, "its memory cannot be read").with_source(e);
        buffer.get_mapped_range(..).map(|view| took(&view)).map_err(refused)
    });
    shared.is_ok_and(|shared| shared < SLOWER * took(&vec![1u8; BYTES]))
}

/// From the first byte of ascending ranges to the last one, as maps take it.
fn hull(ranges: &[Range<u64>]) -> Option<Range<u64>> {
    let mut some = ranges.iter().filter(|r| !r.is_empty());
    let first = some.next()?;
    let start = first.start / OFFSET_ALIGN * OFFSET_ALIGN;
    let end = some.next_back().unwrap_or(first).end;
    Some(start..end.next_multiple_of(SIZE_ALIGN))
}

/// Maps a part of a buffer once nothing submitted uses it.
fn map(live: &Live, buffer: &wgpu::Buffer, mode: wgpu::MapMode, part: &Range<u64>) -> Result<()> {
    let ticket = Arc::new(Ticket::default());
    live.faults.scoped(&live.device, "mapping an array", || {
        ticket.map(buffer, mode, part.clone());
        Ok(())
    })?;
    ticket.serve_maps(&live.device, &live.faults);
    ticket.wait(&live.faults).map(drop)
}

/// Mapped a moment ago: only a device lost since refuses.
fn not_mapped(live: &Live, error: wgpu::MapRangeError) -> Error {
    live.faults.lose("an array is no longer mapped".into());
    lost_error("an array is no longer mapped").with_source(error)
}

#[cfg(test)]
#[allow(clippy::single_range_in_vec_init, reason = "transfers are lists of ranges")]
mod tests {
    use super::*;

    #[test]
    fn the_hull_is_aligned_and_holds_all_ranges() {
        assert_eq!(hull(&[12..16, 40..44]), Some(8..44));
        assert_eq!(hull(&[0..0, 20..27]), Some(16..28));
        assert_eq!(hull(&[4..4]), None);
        assert_eq!(hull(&[]), None);
    }
}
