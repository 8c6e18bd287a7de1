//! Pooled device buffers: a [`Lease`] goes back to its pool by [`Lease::keep`], after a run that ended well.
//! Dropped without it, as after a failure, its buffer is dropped too: its state is unknown.

use crate::memory::pool::{Pool, size_class};
use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicU64, Ordering},
};

/// What a buffer is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// Storage arguments.
    Storage,
    /// Memory of arrays: where the host shares it, it can be mapped.
    Array,
    /// Uniform arguments and dispatch parameters.
    Uniform,
    /// Results on their way to the host.
    Readback,
    /// Large arguments on their way to the device.
    Upload,
    /// Resolved timestamps.
    Queries,
    /// Work-groups that the device counts.
    Indirect,
}

impl Purpose {
    const ALL: [Purpose; 7] = [
        Purpose::Storage,
        Purpose::Array,
        Purpose::Uniform,
        Purpose::Readback,
        Purpose::Upload,
        Purpose::Queries,
        Purpose::Indirect,
    ];

    /// `mappable`: the host reaches arrays where they are.
    fn usage(self, mappable: bool) -> wgpu::BufferUsages {
        use wgpu::BufferUsages as U;
        match self {
            Purpose::Array if mappable => Purpose::Array.usage(false) | U::MAP_READ | U::MAP_WRITE,
            Purpose::Storage | Purpose::Array => U::STORAGE | U::COPY_SRC | U::COPY_DST,
            Purpose::Uniform => U::UNIFORM | U::COPY_SRC | U::COPY_DST,
            Purpose::Readback => U::MAP_READ | U::COPY_DST,
            Purpose::Upload => U::MAP_WRITE | U::COPY_SRC,
            Purpose::Queries => U::QUERY_RESOLVE | U::COPY_SRC,
            Purpose::Indirect => U::STORAGE | U::INDIRECT | U::COPY_SRC | U::COPY_DST,
        }
    }

    /// Bytes kept for reuse.
    fn capacity(self) -> u64 {
        match self {
            Purpose::Storage | Purpose::Array => 1 << 30,
            Purpose::Uniform | Purpose::Queries | Purpose::Indirect => 1 << 20,
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
    mappable: bool,
    /// What all buffers, used and kept, should not exceed.
    budget: u64,
    /// What they have, and the most they had. Counters that order nothing.
    held: AtomicU64,
    peak: AtomicU64,
    free: [Mutex<Pool<wgpu::Buffer>>; Purpose::ALL.len()],
}

impl Pools {
    /// `mappable`: the device's memory is the host's too, and arrays are mapped.
    pub(super) fn new(device: &wgpu::Device, budget: Option<u64>, mappable: bool) -> Arc<Self> {
        let free = Purpose::ALL.map(|p| Mutex::new(Pool::new(p.capacity())));
        let (max_bytes, budget) = (device.limits().max_buffer_size, budget.unwrap_or(u64::MAX));
        let (held, peak) = (AtomicU64::new(0), AtomicU64::new(0));
        Arc::new(Pools { device: device.clone(), max_bytes, mappable, budget, held, peak, free })
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
            self.make_room(class);
            self.device.create_buffer(&wgpu::BufferDescriptor {
                label: None,
                size: class,
                usage: purpose.usage(self.mappable),
                mapped_at_creation: purpose == Purpose::Upload,
            })
        });
        Lease { buffer, class, purpose, fresh, keep: false, pools: self.clone() }
    }

    /// Drops everything kept, for a device short of memory.
    pub(super) fn drain(&self) {
        for purpose in Purpose::ALL {
            let dropped = self.pool(purpose).drain();
            self.forget(dropped);
        }
    }

    /// The most bytes that the buffers had at once.
    pub(super) fn peak(&self) -> u64 {
        self.peak.load(Ordering::Relaxed)
    }

    /// Counts memory that wgpu takes beside the buffers here, as long as the charge lives.
    pub(super) fn charge(self: &Arc<Self>, bytes: u64) -> Charge {
        self.make_room(bytes);
        Charge { bytes, pools: self.clone() }
    }

    /// Counts a new buffer, and drops kept ones while all together exceed the budget.
    fn make_room(&self, bytes: u64) {
        for purpose in Purpose::ALL {
            while self.held.load(Ordering::Relaxed).saturating_add(bytes) > self.budget {
                let evicted = self.pool(purpose).evict();
                if evicted.is_none() {
                    break;
                }
                self.forget(evicted);
            }
        }
        let held = self.held.fetch_add(bytes, Ordering::Relaxed) + bytes;
        self.peak.fetch_max(held, Ordering::Relaxed);
    }

    fn forget(&self, buffers: impl IntoIterator<Item = wgpu::Buffer>) {
        for buffer in buffers {
            self.held.fetch_sub(buffer.size(), Ordering::Relaxed);
        }
    }

    fn pool(&self, purpose: Purpose) -> std::sync::MutexGuard<'_, Pool<wgpu::Buffer>> {
        self.free[purpose as usize].lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Bytes of a device that are no buffer of ours.
#[derive(Debug)]
pub(super) struct Charge {
    bytes: u64,
    pools: Arc<Pools>,
}

impl Drop for Charge {
    fn drop(&mut self) {
        self.pools.held.fetch_sub(self.bytes, Ordering::Relaxed);
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
            self.pools.forget(evicted);
        } else {
            self.pools.held.fetch_sub(self.class, Ordering::Relaxed);
        }
    }
}
