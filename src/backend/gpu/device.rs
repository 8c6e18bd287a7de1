//! A GPU as a back end: created at first use, lost, and created again.

use super::{
    Options, arrays, batch,
    faults::lost_error,
    lease::Lease,
    limits,
    live::Live,
    run::{self, CountedDispatch, GpuRun, Job},
    storage::Storage,
};
use crate::{
    backend::{Argument, Backend, Carry, Chunk, DeviceInfo, Queued, Room, Started, Warmth, Window},
    error::{Error, ErrorKind, Result},
    kernel::Compiled,
};
use std::{
    ops::Range,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

/// A physical card, or a software rasteriser where these were asked for.
///
/// Chunks may be started from several threads at once.
#[derive(Debug)]
pub struct GpuDevice {
    info: DeviceInfo,
    limits: wgpu::Limits,
    options: Options,
    /// `None` for a device of the user's own, which only the user can create again.
    adapter: Option<wgpu::Adapter>,
    live: Mutex<Option<Arc<Live>>>,
    /// Times it was created again.
    generation: AtomicU64,
}

impl GpuDevice {
    /// A device of the adapter, not created yet.
    pub(super) fn listed(adapter: wgpu::Adapter, id: String, merged: Vec<String>, options: Options) -> Self {
        let limits = adapter.limits();
        let mut info = limits::describe(&adapter.get_info(), adapter.features(), &limits, id, merged);
        let most = &mut info.limits.storage_binding_bytes;
        *most = options.binding_bytes.map_or(*most, |bytes| bytes.min(*most));
        GpuDevice {
            info,
            limits,
            options,
            adapter: Some(adapter),
            live: Mutex::new(None),
            generation: AtomicU64::new(0),
        }
    }

    /// A device over a wgpu device of the caller's own, with that device's features and limits.
    ///
    /// Replaces its uncaptured-error handler and its lost callback.
    ///
    /// # Errors
    /// The system gives no thread.
    #[cfg(feature = "interop-wgpu")]
    pub fn from_wgpu(device: wgpu::Device, queue: wgpu::Queue, id: impl Into<String>) -> Result<Arc<Self>> {
        let (id, limits, options) = (id.into(), device.limits(), Options::default());
        let info = limits::describe(&device.adapter_info(), device.features(), &limits, id, Vec::new());
        let live = Live::new(device, queue, options, &info.id)?;
        let (live, generation) = (Mutex::new(Some(live)), AtomicU64::new(0));
        Ok(Arc::new(GpuDevice { info, limits, options, adapter: None, live, generation }))
    }

    /// A second device on the same adapter, with its own queue, memory and failures.
    ///
    /// # Errors
    /// The device is one of the caller's own and has no adapter.
    #[doc(hidden)]
    pub fn sibling(&self, id: &str) -> Result<Arc<Self>> {
        let adapter = self.adapter.clone().ok_or_else(no_adapter)?;
        Ok(Arc::new(GpuDevice::listed(adapter, id.to_owned(), self.info.merged.clone(), self.options)))
    }

    /// Creates the device anew on its adapter after a loss; kernels are compiled again at their next use. Does
    /// nothing to a device that is not lost.
    ///
    /// # Errors
    /// The driver gives no device, or the device is one of the caller's own.
    pub fn recreate(&self) -> Result<()> {
        let mut live = self.lock();
        if live.as_ref().is_some_and(|l| l.faults.lost().is_none()) {
            return Ok(());
        }
        let adapter = self.adapter.as_ref().ok_or_else(no_adapter)?;
        let lost = live.replace(Live::create(adapter, self.options, &self.info.id)?);
        if lost.is_some() {
            // Read without the lock: a stale count shows as a device that lacks the array.
            self.generation.fetch_add(1, Ordering::Release);
        }
        // Dropping the old device may wait for its driver: not under the lock.
        drop(live);
        drop(lost);
        Ok(())
    }

    /// Destroys the wgpu device under everything that runs on it, as a driver's loss would.
    #[doc(hidden)]
    pub fn inject_loss(&self) {
        let live = self.lock().clone();
        if let Some(live) = live {
            live.device.destroy();
        }
    }

    /// Makes wgpu refuse the next submission that calls share.
    #[doc(hidden)]
    pub fn inject_refusal(&self) {
        if let Some(live) = &*self.lock() {
            live.batches.spoil();
        }
    }

    /// The most bytes that its buffers had at once.
    #[doc(hidden)]
    pub fn peak_bytes(&self) -> u64 {
        self.lock().as_ref().map_or(0, |live| live.pools.peak())
    }

    /// Starts a chunk of a kernel given as a module for GPUs.
    ///
    /// # Errors
    /// As [`Backend::start`].
    #[doc(hidden)]
    pub fn start_job<'a>(&self, job: &Job<'a>) -> Result<Box<dyn Started + 'a>> {
        Ok(Box::new(self.start_run(job)?))
    }

    fn start_run<'a>(&self, job: &Job<'a>) -> Result<GpuRun<'a>> {
        let live = self.live()?;
        match run::start(&live, job) {
            Err(e) if e.kind() == ErrorKind::OutOfMemory => {
                // What the pools keep may be what is missing: once more without it.
                live.shelf.clear();
                live.pools.drain();
                let _ = live.device.poll(wgpu::PollType::Poll);
                run::start(&live, job)
            }
            other => other,
        }
    }

    /// A chunk as the device runs it.
    fn job<'a>(&self, chunk: &Chunk<'a>) -> Result<Job<'a>> {
        let windows: Vec<Option<&Window>> = chunk.transfers.iter().map(|t| t.window.as_ref()).collect();
        let pieces = windows.iter().flatten().map(|w| w.pieces().len().max(1)).max().unwrap_or(0);
        let (range, limit) = (&chunk.range, self.info.limits.groups_per_axis);
        let folded = chunk.counted.is_some() || (0..3).any(|a| range.end[a].saturating_sub(range.start[a]) > limit);
        let module = chunk.kernel.gpu_for(pieces, folded);
        let module = module.map_err(|reason| Error::new(ErrorKind::Unsupported, reason))?;
        let lengths: Vec<u64> = chunk.arguments.iter().map(|a| a.len).collect();
        let dispatch = module.dispatch_in(chunk.grid, range, &lengths, &windows, limit)?;
        // Each of a kernel's modules is a pipeline of its own.
        let variant = Compiled::variant(pieces, folded) as u64;
        Ok(Job {
            kernel: chunk.kernel.id | variant << 56,
            shader: module.into(),
            bindings: chunk.kernel.bindings(),
            dispatch,
            arguments: chunk.arguments,
            transfers: chunk.transfers,
            carry: chunk.carry,
            repeat: chunk.repeat,
            counted: chunk.counted.map(|counted| CountedDispatch {
                counted,
                axis_groups: limit,
                most_groups: chunk.range.end[0],
            }),
            alone: chunk.alone,
        })
    }

    /// The created device.
    fn live(&self) -> Result<Arc<Live>> {
        let mut live = self.lock();
        if let Some(live) = &*live {
            return live.faults.check().map(|()| live.clone());
        }
        let adapter = self.adapter.as_ref().ok_or_else(no_adapter)?;
        let created = Live::create(adapter, self.options, &self.info.id)?;
        *live = Some(created.clone());
        Ok(created)
    }

    fn lost(&self) -> Option<String> {
        self.lock().as_ref().and_then(|l| l.faults.lost().map(str::to_owned))
    }

    fn lock(&self) -> MutexGuard<'_, Option<Arc<Live>>> {
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn no_adapter() -> Error {
    lost_error("it was given by the caller, who alone can create it again")
}

impl Backend for GpuDevice {
    fn gives_up(&self) -> bool {
        true
    }

    fn info(&self) -> &DeviceInfo {
        &self.info
    }

    fn room(&self) -> Option<Room> {
        let limits = &self.info.limits;
        let binding_bytes = limits.storage_binding_bytes.min(limits.buffer_bytes);
        Some(Room { binding_bytes, memory_bytes: self.options.memory.unwrap_or(u64::MAX) })
    }

    fn accepts(&self, kernel: &Compiled, sizes: &[u64]) -> Result<(), String> {
        if let Some(reason) = self.lost() {
            return Err(format!("the device was lost: {reason}"));
        }
        limits::fits(&self.info, &self.limits, kernel, sizes)?;
        let live = self.lock().clone();
        live.and_then(|l| l.pipelines.refusal(kernel.id)).map_or(Ok(()), Err)
    }

    fn counts_items(&self) -> bool {
        true
    }

    fn start<'a>(&'a self, chunk: &Chunk<'a>) -> Result<Box<dyn Started + 'a>> {
        self.start_job(&self.job(chunk)?)
    }

    fn enqueue(&self, chunk: &Chunk<'_>, predicted_ns: f64) -> Result<Option<Arc<dyn Queued>>> {
        let queued = batch::enqueue(&self.live()?, &self.job(chunk)?, predicted_ns)?;
        Ok(queued.map(|queued| queued as Arc<dyn Queued>))
    }

    fn take_back(&self, carry: Carry) {
        let leases = carry.into_kept::<Storage>().filter_map(Arc::into_inner).filter_map(|s| s.lease);
        leases.for_each(Lease::keep);
    }

    fn warmth(&self, kernel: &Compiled) -> Warmth {
        let live = self.lock().clone();
        Warmth { device: live.is_some(), kernel: live.is_some_and(|l| l.pipelines.has(kernel.id)) }
    }

    fn is_lost(&self) -> bool {
        self.lost().is_some()
    }

    fn recreate(&self) -> Result<()> {
        GpuDevice::recreate(self)
    }

    fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    fn maps_arrays(&self) -> bool {
        self.lock().as_ref().is_some_and(|live| live.maps_arrays)
    }

    fn array_reserve(&self, array: u64, part: &Range<u64>) -> Result<()> {
        arrays::reserve(&*self.live()?, array, part)
    }

    fn array_write(&self, host: &Argument, ranges: &[Range<u64>]) -> Result<()> {
        arrays::write(&*self.live()?, host, ranges)
    }

    fn array_read(&self, host: &Argument, ranges: &[Range<u64>]) -> Result<()> {
        arrays::read(&*self.live()?, host, ranges)
    }

    fn array_release(&self, array: u64, part: &Range<u64>) {
        let live = self.lock().clone();
        if let Some(live) = live {
            live.flush_users(array);
            live.shelf.release(array);
            live.arrays.release(array, part);
        }
    }
}
