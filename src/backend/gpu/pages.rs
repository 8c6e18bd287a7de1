//! Copies on the device between the pages of arrays and the buffers of a chunk.

use super::{arrays::Piece, live::Live, run::Job, storage::Storage, upload::placed_ranges};
use crate::{error::Result, memory::staging::padded};
use std::{ops::Range, sync::Arc};

/// One copy.
#[derive(Debug)]
struct Copy {
    binding: usize,
    page: wgpu::Buffer,
    /// First bytes in the page and in the binding's buffer.
    from: u64,
    at: u64,
    bytes: u64,
}

/// What a chunk takes from pages, and leaves there.
#[derive(Debug, Default)]
pub(super) struct Pages {
    loads: Vec<Copy>,
    stores: Vec<Copy>,
}

impl Pages {
    /// The copies of a job.
    ///
    /// # Errors
    /// A page that is not there.
    pub(super) fn new(live: &Live, job: &Job<'_>) -> Result<Self> {
        let mut pages = Pages::default();
        for (binding, transfer) in job.transfers.iter().enumerate() {
            let Some(copies) = &transfer.pages else { continue };
            for (ranges, out) in [(&copies.load, &mut pages.loads), (&copies.store, &mut pages.stores)] {
                for (range, at) in placed_ranges(transfer, ranges) {
                    out.extend(copies_of(live, job, binding, &range, at)?);
                }
            }
        }
        Ok(pages)
    }

    /// What the loads fill of a binding's buffer, ascending.
    pub(super) fn filled(&self, binding: usize) -> impl Iterator<Item = Range<u64>> {
        self.loads.iter().filter(move |c| c.binding == binding).map(|c| c.at..c.at + c.bytes)
    }

    /// Copies in, before the dispatch.
    pub(super) fn load(&self, encoder: &mut wgpu::CommandEncoder, storage: &[Option<Arc<Storage>>]) {
        for c in &self.loads {
            if let Some(own) = &storage[c.binding] {
                encoder.copy_buffer_to_buffer(&c.page, c.from, &own.buffer, c.at, c.bytes);
            }
        }
    }

    /// Copies out, after it.
    pub(super) fn store(&self, encoder: &mut wgpu::CommandEncoder, storage: &[Option<Arc<Storage>>]) {
        for c in &self.stores {
            if let Some(own) = &storage[c.binding] {
                encoder.copy_buffer_to_buffer(&own.buffer, c.at, &c.page, c.from, c.bytes);
            }
        }
    }
}

/// The copies of a range of a binding whose first byte is at `at` of its buffer: one a page.
fn copies_of(live: &Live, job: &Job<'_>, binding: usize, range: &Range<u64>, at: u64) -> Result<Vec<Copy>> {
    let Some(part) = job.arguments[binding].array else { return Ok(Vec::new()) };
    // The last word of a binding counts as whole: a window says so, and an array's memory has it.
    let end = range.end.min(job.arguments[binding].len);
    let there = part.offset + range.start..part.offset + end;
    let pieces = live.arrays.pieces(part.id, &there)?;
    let copy = |piece: Piece| Copy {
        binding,
        from: piece.at(),
        at: at + (piece.range.start - there.start),
        bytes: padded(piece.range.end - piece.range.start),
        page: piece.buffer,
    };
    Ok(pieces.into_iter().map(copy).collect())
}
