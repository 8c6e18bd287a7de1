//! Host bytes to the device.
//!
//! Small uploads go through `write_buffer`, which joins the chunk's own submission (16 MiB: 5.2 ms on the
//! 2-core Xeon against 7.4 through mapped staging). Large or scattered ones go through pooled mapped buffers in
//! pieces: running out of memory in `write_buffer` loses the device, in `create_buffer` it is an error.

use super::{
    faults::Faults,
    lease::{Charge, Lease, Purpose},
    live::Live,
    storage::Storage,
    waiter::Ticket,
};
use crate::{
    backend::{Argument, Transfer},
    error::{Error, ErrorKind, Result},
    memory::{
        pool::size_class,
        staging::{padded, pieces, readable},
    },
};
use evener_lanes::analysis::Strided;
use std::{collections::VecDeque, ops::Range, sync::Arc};

/// Above this many bytes in one chunk mapped staging is used.
const DIRECT_BYTES: u64 = 64 << 20;

/// Above this many ranges too: each `write_buffer` allocates.
const DIRECT_RANGES: usize = 16;

/// Size of one staging buffer; smaller where there is less to upload.
const PIECE_BYTES: u64 = 32 << 20;

/// Staging buffers under way at once: one is filled while two are copied.
const IN_FLIGHT: usize = 3;

/// What an upload takes beside the arguments' own buffers until its submission ended.
#[derive(Default)]
pub(super) struct Staged {
    /// Staging buffers, mapped again before they are kept.
    buffers: VecDeque<(Lease, Arc<Ticket>)>,
    /// Memory of `write_buffer`.
    _direct: Option<Charge>,
}

impl Staged {
    /// Waits until the staging buffers are mapped again and gives them back to their pool.
    ///
    /// # Errors
    /// A lost device.
    pub(super) fn give_back(self, faults: &Faults) -> Result<()> {
        for (lease, ticket) in self.buffers {
            ticket.wait(faults)?;
            lease.keep();
        }
        Ok(())
    }

    /// Nobody waits for the staging buffers any more.
    pub(super) fn abandon(&self) {
        self.buffers.iter().for_each(|(_, ticket)| ticket.abandon());
    }
}

/// One range of an argument and the place in a buffer that it goes to.
pub(super) struct Part<'a> {
    pub(super) argument: &'a Argument,
    pub(super) buffer: &'a wgpu::Buffer,
    pub(super) range: Range<u64>,
    pub(super) to: u64,
    /// All that may be read; `None`: the whole range.
    pub(super) exact: Option<&'a [Strided]>,
}

/// Copies the upload ranges of all bindings. When it returns, the host bytes are no longer read.
///
/// Returns the bytes moved and the memory used for that.
///
/// # Errors
/// Memory, a lost device.
pub(super) fn upload(
    live: &Live,
    arguments: &[Argument],
    transfers: &[Transfer],
    buffers: &[Option<Arc<Storage>>],
) -> Result<(u64, Staged)> {
    let parts: Vec<Part<'_>> = (arguments.iter().zip(transfers).zip(buffers))
        .filter_map(|((argument, transfer), storage)| Some((argument, transfer, storage.as_deref()?)))
        .flat_map(|(argument, transfer, storage)| {
            let (buffer, exact) = (&storage.buffer, transfer.exact.as_deref());
            placed(transfer).into_iter().map(move |(range, to)| Part { argument, buffer, range, to, exact })
        })
        .collect();
    upload_parts(live, &parts)
}

/// Copies parts. When it returns, the host bytes are no longer read.
///
/// # Errors
/// Memory, a lost device.
pub(super) fn upload_parts(live: &Live, parts: &[Part<'_>]) -> Result<(u64, Staged)> {
    let total: u64 = parts.iter().map(|p| p.range.end - p.range.start).sum();
    if total <= DIRECT_BYTES && parts.len() <= DIRECT_RANGES {
        let charge = (total > 0).then(|| live.pools.charge(total));
        parts.iter().for_each(|part| direct(live, part));
        return Ok((total, Staged { _direct: charge, ..Staged::default() }));
    }
    Ok((total, Staged { buffers: staged(live, parts, total)?, _direct: None }))
}

/// The upload ranges of a transfer with their places on the device, ascending in both.
pub(super) fn placed(transfer: &Transfer) -> Vec<(Range<u64>, u64)> {
    placed_ranges(transfer, &transfer.upload)
}

/// Ranges of a binding with their places in its buffer on the device, ascending in both.
pub(super) fn placed_ranges(transfer: &Transfer, ranges: &[Range<u64>]) -> Vec<(Range<u64>, u64)> {
    let ranges = ranges.iter().filter(|r| !r.is_empty()).cloned();
    match &transfer.window {
        None => ranges.map(|r| (r.clone(), r.start)).collect(),
        Some(window) => ranges.flat_map(|r| window.map(r)).collect(),
    }
}

/// The host bytes of a range of an argument.
fn host(argument: &Argument, range: Range<u64>) -> &[u8] {
    debug_assert!(range.start <= range.end && range.end <= argument.len);
    // SAFETY: the range lies in the argument (checked at start), which is valid for the call, and by the contract of
    // `Transfer::upload` nobody writes these bytes until the start returned.
    unsafe { std::slice::from_raw_parts(argument.ptr.add(range.start as usize), (range.end - range.start) as usize) }
}

fn direct(live: &Live, part: &Part<'_>) {
    let Range { start, end } = part.range;
    // Only the end of the argument can be odd; its last word is padded with zeros.
    let body = start + (end - start) / 4 * 4;
    let (whole, parts) = readable(part.exact, &part.range);
    if !whole {
        let mut bytes = vec![0u8; padded(end - start) as usize];
        for r in parts {
            let at = (r.start - start) as usize;
            bytes[at..at + (r.end - r.start) as usize].copy_from_slice(host(part.argument, r));
        }
        return live.queue.write_buffer(part.buffer, part.to, &bytes);
    }
    if start < body {
        live.queue.write_buffer(part.buffer, part.to, host(part.argument, start..body));
    }
    if body < end {
        let mut word = [0u8; 4];
        word[..(end - body) as usize].copy_from_slice(host(part.argument, body..end));
        live.queue.write_buffer(part.buffer, part.to + (body - start), &word);
    }
}

/// A staging buffer being filled.
struct Filling<'a> {
    lease: Lease,
    view: Option<wgpu::BufferViewMut>,
    /// Its bytes.
    size: u64,
    used: u64,
    /// From, to where, and how many bytes.
    copies: Vec<(u64, &'a wgpu::Buffer, u64, u64)>,
}

impl<'a> Filling<'a> {
    /// `lease` is mapped.
    fn new(lease: Lease, size: u64) -> Result<Self> {
        let view = lease.buffer.get_mapped_range_mut(0..size);
        let view = view.map_err(|e| Error::new(ErrorKind::Device, "a staging buffer is not mapped").with_source(e))?;
        Ok(Filling { lease, view: Some(view), size, used: 0, copies: Vec::new() })
    }

    /// Adds as much of the range as fits and returns the rest.
    fn add(&mut self, part: &Part<'a>, range: Range<u64>) -> Range<u64> {
        let end = range.end.min(range.start + (self.size - self.used));
        let size = padded(end - range.start);
        if let Some(view) = &mut self.view {
            let (whole, parts) = readable(part.exact, &(range.start..end));
            let at = |byte: u64| (self.used + byte - range.start) as usize;
            let blank = if whole { end } else { range.start };
            view.slice(at(blank)..at(range.start + size)).fill(0);
            for r in parts {
                view.slice(at(r.start)..at(r.end)).copy_from_slice(host(part.argument, r));
            }
        }
        self.copies.push((self.used, part.buffer, part.to + (range.start - part.range.start), size));
        self.used += size;
        end..range.end
    }

    /// Submits the copies and asks for the buffer to be mapped again.
    fn submit(mut self, live: &Live) -> Result<(Lease, Arc<Ticket>)> {
        self.view = None;
        let ticket = Arc::new(Ticket::default());
        let index = live.faults.scoped(&live.device, "uploading", || {
            self.lease.buffer.unmap();
            let mut encoder = live.device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
            for (at, buffer, to, size) in &self.copies {
                encoder.copy_buffer_to_buffer(&self.lease.buffer, *at, buffer, *to, *size);
            }
            let index = live.queue.submit([encoder.finish()]);
            ticket.map(&self.lease.buffer, wgpu::MapMode::Write, 0..self.size);
            Ok(index)
        })?;
        live.waiter.watch(index, ticket.clone());
        Ok((self.lease, ticket))
    }
}

fn staged(live: &Live, parts: &[Part<'_>], total: u64) -> Result<VecDeque<(Lease, Arc<Ticket>)>> {
    let mut under_way = VecDeque::new();
    let size = size_class(padded(total)).min(PIECE_BYTES);
    let mut filling = Filling::new(live.pools.lease(Purpose::Upload, size), size)?;
    let mut left = total;
    for part in parts {
        for piece in pieces(part.range.clone(), size) {
            let mut rest = piece;
            while !rest.is_empty() {
                let before = rest.end - rest.start;
                rest = filling.add(part, rest);
                left -= before - (rest.end - rest.start);
                if filling.used == size && left > 0 {
                    let next = next_buffer(live, &mut under_way, size)?;
                    under_way.push_back(std::mem::replace(&mut filling, next).submit(live)?);
                }
            }
        }
    }
    under_way.push_back(filling.submit(live)?);
    Ok(under_way)
}

/// A mapped staging buffer: the oldest under way once there are enough, else one of the pool.
fn next_buffer<'a>(live: &Live, under_way: &mut VecDeque<(Lease, Arc<Ticket>)>, size: u64) -> Result<Filling<'a>> {
    if under_way.len() + 1 >= IN_FLIGHT
        && let Some((lease, ticket)) = under_way.pop_front()
    {
        ticket.wait(&live.faults)?;
        return Filling::new(lease, size);
    }
    Filling::new(live.pools.lease(Purpose::Upload, size), size)
}
