//! Bind groups and uniforms of dispatches, kept for calls to come.
//!
//! A program that steps through time makes the same few dispatches again and again, over the same arrays. Writing the
//! uniforms and making the bind groups takes longer than all else that wgpu does for a small one. So what was made for a
//! dispatch whose storage is arrays, in place, is kept with what it was made from, and taken as it is for an equal one. A
//! kept uniform buffer is written once, before its first use, and never again.
//!
//! A bind group keeps its buffers alive: [`Shelf::release`] gives up those of an array that leaves the device.

use super::{
    lease::{Lease, Purpose},
    live::Live,
    pipeline::{Pipeline, Source},
    run::Job,
    storage::Storage,
};
use crate::backend::Repeat;
use evener_lanes::ir::Space;
use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

/// Dispatches kept on a device; the longest unused goes first.
const KEPT: usize = 64;

/// Bind groups with their numbers.
pub(super) type Groups = Vec<(u32, wgpu::BindGroup)>;

/// What a dispatch binds.
#[derive(Debug)]
pub(super) struct Prepared {
    /// Uniform arguments and dispatch parameters,
    pub(super) uniforms: Lease,
    /// and where the parameters start.
    pub(super) params: u64,
    /// Zeroed buffers of bindings without effect, by group and binding.
    pub(super) unused: Vec<((u32, u32), Lease)>,
    /// The bind groups,
    pub(super) plain: Groups,
    /// and those where two arguments have changed places.
    pub(super) swapped: Option<Groups>,
    /// Whether wgpu took a dispatch of it. It orders nothing.
    checked: AtomicBool,
}

impl Prepared {
    /// Gives the buffers back to the pools, if nobody else has them.
    pub(super) fn give_back(self: Arc<Self>) {
        if let Some(Prepared { uniforms, unused, plain, swapped, .. }) = Arc::into_inner(self) {
            drop((plain, swapped));
            unused.into_iter().map(|(_, lease)| lease).chain([uniforms]).for_each(Lease::keep);
        }
    }

    /// Whether a dispatch of it was recorded without a fault.
    pub(super) fn is_checked(&self) -> bool {
        self.checked.load(Ordering::Relaxed)
    }

    pub(super) fn set_checked(&self) {
        self.checked.store(true, Ordering::Relaxed);
    }

    /// The bind groups of a step: every other one has two arguments changed over.
    pub(super) fn groups(&self, step: u32) -> &Groups {
        self.swapped.as_ref().filter(|_| step % 2 == 1).unwrap_or(&self.plain)
    }
}

/// All uniform arguments and the dispatch parameters, as they lie in one buffer.
#[derive(Debug)]
pub(super) struct Uniforms {
    contents: Vec<u8>,
    /// First byte of each binding; 0 for storage.
    offsets: Vec<u64>,
    /// First byte and bytes of the parameters.
    params: (u64, u64),
}

impl Uniforms {
    /// `bytes` are those bound, per binding.
    pub(super) fn new(live: &Live, job: &Job<'_>, bytes: &[u64]) -> Self {
        let mut contents = Vec::new();
        let mut place = |value: &[u8], bytes: u64| {
            let at = (contents.len() as u64).next_multiple_of(live.uniform_align);
            contents.resize(at as usize, 0);
            contents.extend_from_slice(value);
            contents.resize((at + bytes) as usize, 0);
            at
        };
        let offsets = (job.bindings.iter().zip(job.arguments).zip(bytes))
            .map(|((binding, argument), &bytes)| match binding.space {
                Space::Storage => 0,
                Space::Uniform => {
                    // SAFETY: the argument is valid for the call, and nobody writes a uniform.
                    let value = unsafe { std::slice::from_raw_parts(argument.ptr, argument.len as usize) };
                    place(value, bytes)
                }
            })
            .collect();
        let params_bytes = (job.dispatch.params.len() as u64).max(16).next_multiple_of(16);
        let params = (place(&job.dispatch.params, params_bytes), params_bytes);
        Uniforms { contents, offsets, params }
    }

    /// Makes what a dispatch binds, and writes the uniforms.
    pub(super) fn prepare(
        &self,
        live: &Live,
        job: &Job<'_>,
        pipeline: &Pipeline,
        storage: &[Option<Arc<Storage>>],
        bytes: &[u64],
    ) -> Arc<Prepared> {
        let unused = pipeline.slots.iter().filter_map(|slot| match slot.source {
            Source::Unused(bytes) => {
                let purpose = if slot.read_only_storage.is_some() { Purpose::Storage } else { Purpose::Uniform };
                Some(((slot.group, slot.binding), live.pools.lease(purpose, bytes)))
            }
            _ => None,
        });
        let unused: Vec<_> = unused.collect();
        let uniforms = live.pools.lease(Purpose::Uniform, self.contents.len() as u64);
        live.queue.write_buffer(&uniforms.buffer, 0, &self.contents);
        let made = Making { live, pipeline, storage, bytes, unused: &unused, buffer: &uniforms.buffer, uniforms: self };
        let (plain, swapped) = (made.groups(None), job.repeat.map(|r| made.groups(Some(r))));
        let checked = AtomicBool::new(false);
        Arc::new(Prepared { uniforms, params: self.params.0, unused, plain, swapped, checked })
    }
}

/// Bind groups in the making.
struct Making<'a> {
    live: &'a Live,
    pipeline: &'a Pipeline,
    storage: &'a [Option<Arc<Storage>>],
    bytes: &'a [u64],
    unused: &'a [((u32, u32), Lease)],
    buffer: &'a wgpu::Buffer,
    uniforms: &'a Uniforms,
}

impl Making<'_> {
    /// The bind groups with their numbers; with `swap` two arguments have changed places.
    fn groups(&self, swap: Option<Repeat>) -> Groups {
        let layouts = (0..).zip(&self.pipeline.layouts);
        let used = layouts.filter_map(|(group, layout)| Some((group, layout.as_ref()?)));
        used.map(|(group, layout)| (group, self.group(group, layout, swap))).collect()
    }

    fn group(&self, group: u32, layout: &wgpu::BindGroupLayout, swap: Option<Repeat>) -> wgpu::BindGroup {
        let entries: Vec<wgpu::BindGroupEntry<'_>> = (self.pipeline.slots.iter().filter(|s| s.group == group))
            .filter_map(|slot| {
                let (buffer, offset, bytes) = match slot.source {
                    Source::Params => (self.buffer, self.uniforms.params.0, self.uniforms.params.1),
                    Source::Unused(bytes) => {
                        let at = (slot.group, slot.binding);
                        (&self.unused.iter().find(|(key, _)| *key == at)?.1.buffer, 0, bytes)
                    }
                    Source::Argument(i) => match &self.storage[swap.map_or(i, |s| s.swapped(i))] {
                        Some(storage) => (&storage.buffer, storage.offset, self.bytes[i]),
                        None => (self.buffer, self.uniforms.offsets[i], self.bytes[i]),
                    },
                };
                let size = wgpu::BufferSize::new(bytes);
                let resource = wgpu::BindingResource::Buffer(wgpu::BufferBinding { buffer, offset, size });
                Some(wgpu::BindGroupEntry { binding: slot.binding, resource })
            })
            .collect();
        self.live.device.create_bind_group(&wgpu::BindGroupDescriptor { label: None, layout, entries: &entries })
    }
}

/// What a dispatch is made from, apart from the work-groups.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Origin {
    kernel: u64,
    swap: Option<(usize, usize)>,
    /// Array, first byte and bytes bound, per storage binding.
    arrays: Vec<(u64, u64, u64)>,
    uniforms: Vec<u8>,
}

impl Origin {
    /// The origin of a job that moves nothing, whose storage is arrays, and whose parameters the host knows; `None` for
    /// others.
    pub(super) fn of(job: &Job<'_>, uniforms: &Uniforms, bytes: &[u64]) -> Option<Self> {
        let idle = job.counted.is_none()
            && job.transfers.iter().all(|t| t.download.is_empty() && t.window.is_none() && !t.carried);
        let storage = job.bindings.iter().zip(job.arguments).zip(job.transfers).zip(bytes);
        let storage = storage.filter(|(((binding, _), _), _)| binding.space == Space::Storage);
        let arrays = storage.map(|(((_, argument), transfer), &bytes)| {
            let part = argument.array.filter(|_| transfer.upload.is_empty())?;
            Some((part.id, part.offset, bytes))
        });
        let arrays = arrays.collect::<Option<Vec<_>>>().filter(|_| idle)?;
        let swap = job.repeat.map(|r| r.swap);
        Some(Origin { kernel: job.kernel, swap, arrays, uniforms: uniforms.contents.clone() })
    }
}

/// The kept dispatches of a device, the latest first.
#[derive(Debug, Default)]
pub(super) struct Shelf {
    kept: Mutex<VecDeque<(Origin, Arc<Prepared>)>>,
}

impl Shelf {
    /// What was made for an equal dispatch.
    pub(super) fn find(&self, origin: &Origin) -> Option<Arc<Prepared>> {
        let mut kept = self.lock();
        let at = kept.iter().position(|(of, _)| of == origin)?;
        let found = kept.remove(at)?;
        let prepared = found.1.clone();
        kept.push_front(found);
        Some(prepared)
    }

    /// Keeps what was made.
    pub(super) fn keep(&self, origin: Origin, prepared: &Arc<Prepared>) {
        let mut kept = self.lock();
        kept.push_front((origin, prepared.clone()));
        let oldest = if kept.len() > KEPT { kept.pop_back() } else { None };
        drop(kept);
        oldest.into_iter().for_each(|(_, prepared)| prepared.give_back());
    }

    /// Gives up what was made over an array.
    pub(super) fn release(&self, array: u64) {
        self.give_up(|origin| origin.arrays.iter().any(|(id, ..)| *id == array));
    }

    /// Gives up everything, for a device short of memory.
    pub(super) fn clear(&self) {
        self.give_up(|_| true);
    }

    fn give_up(&self, which: impl Fn(&Origin) -> bool) {
        let mut kept = self.lock();
        let (gone, stay) = kept.drain(..).partition(|(origin, _)| which(origin));
        *kept = stay;
        drop(kept);
        let gone: VecDeque<_> = gone;
        gone.into_iter().for_each(|(_, prepared)| prepared.give_back());
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<(Origin, Arc<Prepared>)>> {
        // What is kept is whole at any time.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
