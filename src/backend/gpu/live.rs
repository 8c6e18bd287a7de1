//! A created wgpu device with everything kept on it. A lost one is replaced as a whole.

use super::{
    Options, SpirvWriter,
    arrays::Arrays,
    batch::Batches,
    counter::Counter,
    faults::{Faults, panic_text},
    lease::Pools,
    limits,
    mapped::{self, Gate},
    pipeline::Pipelines,
    prepared::Shelf,
    waiter::Waiter,
};
use crate::{
    backend::DeviceKind,
    clock::ns,
    error::{Error, ErrorKind, Result},
};
use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Mutex, OnceLock, PoisonError},
    time::Instant,
};

/// Parts of a budget that wgpu takes from the driver at once, and the bounds of their size in bytes.
const BLOCKS_OF_BUDGET: u64 = 32;
const LEAST_BLOCK_BYTES: u64 = 8 << 20;
const MOST_BLOCK_BYTES: u64 = 128 << 20;

/// A created device.
#[derive(Debug)]
pub(super) struct Live {
    pub(super) device: wgpu::Device,
    pub(super) queue: wgpu::Queue,
    pub(super) faults: Arc<Faults>,
    pub(super) pools: Arc<Pools>,
    pub(super) pipelines: Pipelines,
    pub(super) waiter: Waiter,
    pub(super) spirv: Option<SpirvWriter>,
    pub(super) uniform_align: u64,
    pub(super) storage_align: u64,
    pub(super) arrays: Arrays,
    /// Whether arrays are mapped rather than staged,
    pub(super) maps_arrays: bool,
    /// and who has them.
    pub(super) gate: Gate,
    pub(super) batches: Batches,
    pub(super) shelf: Shelf,
    pub(super) counter: OnceLock<Counter>,
    /// When a submission ended last.
    last_end: Mutex<Option<Instant>>,
}

impl Live {
    /// Creates a device on an adapter with its full limits. Costs 16 to 43 ms on lavapipe.
    ///
    /// # Errors
    /// The driver gives no device.
    pub(super) fn create(adapter: &wgpu::Adapter, options: Options, name: &str) -> Result<Arc<Self>> {
        let mut features = limits::wanted_features(adapter.features());
        if options.maps(&adapter.get_info(), adapter.features()) {
            features |= wgpu::Features::MAPPABLE_PRIMARY_BUFFERS;
        }
        if options.spirv.is_some() {
            features |= wgpu::Features::PASSTHROUGH_SHADERS;
        }
        let descriptor = wgpu::DeviceDescriptor {
            label: Some(name),
            required_features: features,
            required_limits: adapter.limits(),
            memory_hints: memory_hints(options.memory),
            ..Default::default()
        };
        let request = || pollster::block_on(adapter.request_device(&descriptor));
        let (device, queue) = match catch_unwind(AssertUnwindSafe(request)) {
            Ok(Ok(pair)) => pair,
            Ok(Err(e)) => {
                let message = format!("{name}: the driver gives no device: {e}");
                return Err(Error::new(ErrorKind::Device, message).with_source(e));
            }
            Err(panic) => {
                let message = format!("{name}: creating the device failed: {}", panic_text(&*panic));
                return Err(Error::new(ErrorKind::Device, message));
            }
        };
        Live::new(device, queue, options, name)
    }

    /// Takes over a created device.
    ///
    /// # Errors
    /// The system gives no thread.
    pub(super) fn new(device: wgpu::Device, queue: wgpu::Queue, options: Options, name: &str) -> Result<Arc<Self>> {
        let faults = Faults::install(&device);
        let waiter = Waiter::start(device.clone(), faults.clone(), name)?;
        let maps_arrays = options.maps(&device.adapter_info(), device.features())
            && (limits::kind(&device.adapter_info()) == DeviceKind::Software || mapped::reads_fast(&device, &faults));
        Ok(Arc::new(Live {
            pools: Pools::new(&device, options.memory, maps_arrays),
            uniform_align: device.limits().min_uniform_buffer_offset_alignment.into(),
            storage_align: device.limits().min_storage_buffer_offset_alignment.into(),
            arrays: Arrays::default(),
            maps_arrays,
            gate: Gate::default(),
            batches: Batches::default(),
            shelf: Shelf::default(),
            counter: OnceLock::new(),
            pipelines: Pipelines::default(),
            spirv: options.spirv,
            last_end: Mutex::default(),
            device,
            queue,
            faults,
            waiter,
        }))
    }

    /// How long a submission had the device: not before the one that ended last had left it.
    pub(super) fn busy_ns(&self, submitted: Instant, ended: Instant) -> f64 {
        let mut last = self.last_end.lock().unwrap_or_else(PoisonError::into_inner);
        let began = last.filter(|end| *end <= ended).map_or(submitted, |end| end.max(submitted));
        *last = Some(last.map_or(ended, |end| end.max(ended)));
        ns(ended.saturating_duration_since(began))
    }
}

/// How wgpu takes memory from the driver: in blocks that hold several buffers, of which it keeps an empty one. With a
/// budget they are small beside it; a larger buffer then has a block of its own that goes when the buffer goes.
fn memory_hints(budget: Option<u64>) -> wgpu::MemoryHints {
    let Some(budget) = budget else { return wgpu::MemoryHints::Performance };
    let block = budget / BLOCKS_OF_BUDGET / LEAST_BLOCK_BYTES * LEAST_BLOCK_BYTES;
    let block = block.clamp(LEAST_BLOCK_BYTES, MOST_BLOCK_BYTES);
    wgpu::MemoryHints::Manual { suballocated_device_memory_block_size: block..block }
}
