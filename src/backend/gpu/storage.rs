//! Where the storage arguments of a chunk are on the device: a pooled buffer, or an array's.
//!
//! A part of an array is bound in place, at its offset in the array's buffer. Two cases go through a copy on the device: an
//! offset that the device cannot bind at, and a read-only binding of an array that the same dispatch writes elsewhere (wgpu
//! takes no buffer as read and as read_write at once).

use super::{
    lease::{Lease, Purpose},
    live::Live,
    pipeline::{Pipeline, Source},
    run::Job,
};
use crate::{backend::ArrayRef, error::Result, memory::staging::padded};

/// A storage argument on the device.
#[derive(Debug)]
pub(super) struct Storage {
    /// What is bound,
    pub(super) buffer: wgpu::Buffer,
    /// from this byte.
    pub(super) offset: u64,
    /// The pooled buffer that it is, if it is one.
    pub(super) lease: Option<Lease>,
    /// The part of an array that the pooled buffer stands for.
    copied: Option<Copied>,
}

#[derive(Debug)]
struct Copied {
    array: wgpu::Buffer,
    offset: u64,
    /// A multiple of 4.
    bytes: u64,
    /// Whether the kernel may write it.
    back: bool,
}

impl Storage {
    /// A pooled buffer.
    pub(super) fn pooled(live: &Live, bytes: u64) -> Self {
        let lease = live.pools.lease(Purpose::Storage, bytes);
        Storage { buffer: lease.buffer.clone(), offset: 0, lease: Some(lease), copied: None }
    }

    /// Argument `k` of a job, of which `bytes` are bound.
    ///
    /// # Errors
    /// An array that has no memory here.
    pub(super) fn of_argument(live: &Live, job: &Job<'_>, pipeline: &Pipeline, k: usize, bytes: u64) -> Result<Self> {
        let argument = &job.arguments[k];
        let in_place = argument.array.filter(|_| job.transfers[k].pages.is_none());
        let Some(part) = in_place else { return Ok(Storage::pooled(live, bytes)) };
        let (array, offset) = live.arrays.buffer(part.id, &(part.offset..part.offset + argument.len))?;
        let fits = offset.checked_add(bytes).is_some_and(|end| end <= array.size());
        let aligned = offset.is_multiple_of(live.storage_align);
        let read_only = pipeline.is_read_only(k);
        if fits && aligned && !(read_only && written_elsewhere(job, pipeline, part)) {
            return Ok(Storage { buffer: array, offset, lease: None, copied: None });
        }
        let copied = Copied { array, offset, bytes: padded(argument.len), back: !read_only };
        Ok(Storage { copied: Some(copied), ..Storage::pooled(live, bytes) })
    }

    /// Bytes at the front of a pooled buffer that a copy fills.
    pub(super) fn filled(&self) -> u64 {
        self.copied.as_ref().map_or(0, |c| c.bytes)
    }

    /// Copies the array's part in, before the dispatch.
    pub(super) fn copy_in(&self, encoder: &mut wgpu::CommandEncoder) {
        if let Some(c) = self.copied.as_ref().filter(|c| c.bytes > 0) {
            encoder.copy_buffer_to_buffer(&c.array, c.offset, &self.buffer, 0, c.bytes);
        }
    }

    /// Copies it back, after the dispatch.
    pub(super) fn copy_out(&self, encoder: &mut wgpu::CommandEncoder) {
        if let Some(c) = self.copied.as_ref().filter(|c| c.back && c.bytes > 0) {
            encoder.copy_buffer_to_buffer(&self.buffer, 0, &c.array, c.offset, c.bytes);
        }
    }
}

/// Whether another argument is a part of the same array and bound to be written.
fn written_elsewhere(job: &Job<'_>, pipeline: &Pipeline, part: ArrayRef) -> bool {
    let same = |k: usize| job.arguments[k].array.is_some_and(|a| a.id == part.id);
    (0..job.arguments.len()).any(|k| same(k) && !pipeline.is_read_only(k))
}

impl Pipeline {
    /// Whether an argument is bound to be read only.
    fn is_read_only(&self, argument: usize) -> bool {
        let slot = self.slots.iter().find(|s| s.source == Source::Argument(argument));
        slot.is_none_or(|s| s.read_only_storage == Some(true))
    }
}
