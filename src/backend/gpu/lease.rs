//! Pooled device buffers: a [`Lease`] goes back to its pool by [`Lease::keep`], after a run that ended well.
//! Dropped without it, as after a failure, its buffer is dropped too: its state is unknown.

use crate::memory::pool::{Pool, size_class};
use std::sync::{Arc, Mutex, PoisonError};

/// What a buffer is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// Storage arguments.
    Storage,
    /// Uniform arguments and dispatch parameters.
    Uniform,
    /// Results on their way to the host.
    Readback,
    /// Large arguments on their way to the device.
    Upload,
    /// Resolved timestamps.
    Queries,
}

impl Purpose {
    const ALL: [Purpose; 5] =
        [Purpose::Storage, Purpose::Uniform, Purpose::Readback, Purpose::Upload, Purpose::Queries];

    fn usage(self) -> wgpu::BufferUsages {
        use wgpu::BufferUsages as U;
        match self {
            Purpose::Storage => U::STORAGE | U::COPY_SRC | U::COPY_DST,
            Purpose::Uniform => U::UNIFORM | U::COPY_SRC | U::COPY_DST,
            Purpose::Readback => U::MAP_READ | U::COPY_DST,
            Purpose::Upload => U::MAP_WRITE | U::COPY_SRC,
            Purpose::Queries => U::QUERY_RESOLVE | U::COPY_SRC,
        }
    }

    /// Bytes kept for reuse.
    fn capacity(self) -> u64 {
        match self {
            Purpose::Storage => 1 << 30,
            Purpose::Uniform | Purpose::Queries => 1 << 20,
            Purpose::Readback => 256 << 20,
            Purpose::Upload => 128 << 20,
        }
    }
}

/// The pools of one wgpu device.
#[derive(Debug)]
pub(super) struct Pools {
    device: wgpu::Device,
    max_bytes: u64,
    free: [Mutex<Pool<wgpu::Buffer>>; 5],
}

impl Pools {
    pub(super) fn new(device: &wgpu::Device) -> Arc<Self> {
        let free = Purpose::ALL.map(|p| Mutex::new(Pool::new(p.capacity())));
        Arc::new(Pools { device: device.clone(), max_bytes: device.limits().max_buffer_size, free })
    }

    /// A buffer of at least `bytes`. Within error scopes: a failure of wgpu shows there.
    pub(super) fn lease(self: &Arc<Self>, purpose: Purpose, bytes: u64) -> Lease {
        let class = match size_class(bytes) {
            class if class <= self.max_bytes => class,
            _ => bytes,
        };
        let kept = self.pool(purpose).take(class);
        let fresh = kept.is_none();
        let buffer = kept.unwrap_or_else(|| {
            self.device.create_buffer(&wgpu::BufferDescriptor {
                label: None,
                size: class,
                usage: purpose.usage(),
                mapped_at_creation: purpose == Purpose::Upload,
            })
        });
        Lease { buffer, class, purpose, fresh, keep: false, pools: self.clone() }
    }

    /// Drops everything kept, for a device short of memory.
    pub(super) fn drain(&self) {
        for purpose in Purpose::ALL {
            let dropped = self.pool(purpose).drain();
            drop(dropped);
        }
    }

    fn pool(&self, purpose: Purpose) -> std::sync::MutexGuard<'_, Pool<wgpu::Buffer>> {
        self.free[purpose as usize].lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A buffer in use. Buffers are dropped and never destroyed: `destroy` can block behind another thread's wait.
#[derive(Debug)]
pub(super) struct Lease {
    /// The buffer; it may be larger than what was asked for.
    pub(super) buffer: wgpu::Buffer,
    class: u64,
    purpose: Purpose,
    /// New from wgpu, which zeroes what is not written; a kept one holds its last user's bytes.
    pub(super) fresh: bool,
    keep: bool,
    pools: Arc<Pools>,
}

impl Lease {
    /// Back to the pool. Upload buffers must be mapped, readback buffers unmapped.
    pub(super) fn keep(mut self) {
        self.keep = true;
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if self.keep {
            let evicted = self.pools.pool(self.purpose).give(self.class, self.buffer.clone());
            drop(evicted);
        }
    }
}
