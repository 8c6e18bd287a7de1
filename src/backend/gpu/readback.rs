//! Results from the device to the host: pooled mapped buffers, then exactly the bytes asked for.

use super::{
    faults::lost_error,
    lease::{Lease, Purpose},
    live::Live,
    waiter::Ticket,
};
use crate::{
    backend::{Argument, Transfer},
    error::Result,
    memory::staging::{Landed, pieces, scatter, spans},
};
use std::{ops::Range, sync::Arc};

/// Size of one readback buffer.
const PIECE_BYTES: u64 = 64 << 20;

/// One copy from a binding's buffer.
#[derive(Clone, Debug)]
struct Copy {
    binding: usize,
    /// Bytes of the binding.
    range: Range<u64>,
    /// Where the first one is on the device.
    from: u64,
    piece: usize,
    at: u64,
}

/// Where the results of a chunk land.
#[derive(Debug)]
pub(super) struct Readback {
    copies: Vec<Copy>,
    /// Readback buffers with the bytes used of each.
    buffers: Vec<(Lease, u64)>,
    header: u64,
}

/// The parts of a range of a binding that are on the device, with their places there.
fn placed(transfer: &Transfer, range: Range<u64>) -> Vec<(Range<u64>, u64)> {
    match &transfer.window {
        None => vec![(range.clone(), range.start)],
        Some(window) => window.map(range).collect(),
    }
}

impl Readback {
    /// Plans the copies; `whole` are the padded bytes of each binding. `header` bytes are left free at the front. There
    /// is always something to map, because only a map that succeeded shows that the work was done.
    pub(super) fn new(live: &Live, transfers: &[Transfer], whole: &[u64], header: u64) -> Self {
        let mut copies = Vec::new();
        let mut used = vec![header];
        for (binding, (transfer, &whole)) in transfers.iter().zip(whole).enumerate() {
            for (span, place) in spans(&transfer.download, whole).into_iter().flat_map(|s| placed(transfer, s)) {
                for range in pieces(span.clone(), PIECE_BYTES - header) {
                    let size = range.end - range.start;
                    if used.last().is_none_or(|&u| u + size > PIECE_BYTES) {
                        used.push(0);
                    }
                    let (piece, from) = (used.len() - 1, place + (range.start - span.start));
                    copies.push(Copy { binding, range, from, piece, at: used[piece] });
                    used[piece] += size;
                }
            }
        }
        let lease = |bytes| (live.pools.lease(Purpose::Readback, bytes), bytes);
        Readback { copies, buffers: used.into_iter().map(lease).collect(), header }
    }

    /// The buffer whose front is the header.
    pub(super) fn front(&self) -> &wgpu::Buffer {
        &self.buffers[0].0.buffer
    }

    /// Encodes the copies.
    pub(super) fn encode(&self, encoder: &mut wgpu::CommandEncoder, sources: &[Option<&wgpu::Buffer>]) {
        for copy in &self.copies {
            if let Some(source) = sources[copy.binding] {
                let (target, size) = (&self.buffers[copy.piece].0.buffer, copy.range.end - copy.range.start);
                encoder.copy_buffer_to_buffer(source, copy.from, target, copy.at, size);
            }
        }
    }

    /// Asks for all buffers to be mapped.
    pub(super) fn map(&self, ticket: &Arc<Ticket>) {
        for (lease, bytes) in &self.buffers {
            ticket.map(&lease.buffer, wgpu::MapMode::Read, 0..*bytes);
        }
    }

    /// Copies the results to the host, all or nothing, after the maps succeeded, and keeps the buffers. Returns the
    /// header's bytes.
    ///
    /// # Errors
    /// A device lost since; no host byte was written then.
    pub(super) fn land(self, live: &Live, arguments: &[Argument], transfers: &[Transfer]) -> Result<Vec<u8>> {
        let views = self.buffers.iter().map(|(lease, bytes)| lease.buffer.get_mapped_range(0..*bytes));
        let views = views.collect::<Result<Vec<_>, _>>();
        let views = views.map_err(|e| {
            // Mapped a moment ago: only a device lost since refuses.
            live.faults.lose("its results are no longer mapped".into());
            lost_error("its results are no longer mapped").with_source(e)
        })?;
        for (binding, (argument, transfer)) in arguments.iter().zip(transfers).enumerate() {
            let landed: Vec<Landed<'_>> = (self.copies.iter().filter(|c| c.binding == binding))
                .map(|c| {
                    let at = c.at as usize;
                    let bytes = &views[c.piece][at..at + (c.range.end - c.range.start) as usize];
                    Landed { range: c.range.clone(), bytes }
                })
                .collect();
            if !landed.is_empty() {
                // SAFETY: the runs lie in the argument and it is writable (both checked at start); the call that owns the
                // slice gives these bytes to this chunk alone until it ended.
                unsafe { scatter(&transfer.download, &landed, argument.ptr) };
            }
        }
        let header = views[0][..self.header as usize].to_vec();
        drop(views);
        for (lease, _) in self.buffers {
            lease.buffer.unmap();
            lease.keep();
        }
        Ok(header)
    }
}
