//! The host's cores: lane programs and native bodies on a rayon pool, in place on the host slices.

use super::{Argument, Backend, Capabilities, Chunk, ChunkRun, DeviceInfo, DeviceKind, Limits, Room, Started, Warmth};
use crate::{
    clock::ns_since,
    error::{Error, Result},
    kernel::Compiled,
};
use evener_lanes::{Buffer, Few};
use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Instant,
};

/// The CPU as a device.
pub struct CpuBackend {
    info: DeviceInfo,
    /// The pool to run on; `None` is rayon's global pool.
    pool: Option<Arc<rayon::ThreadPool>>,
    /// Whether a chunk has run: the pool's threads are there.
    warm: AtomicBool,
}

impl CpuBackend {
    /// The CPU with a pool of its own, or rayon's global one.
    pub fn new(pool: Option<Arc<rayon::ThreadPool>>) -> Self {
        let threads = pool.as_ref().map_or_else(rayon::current_num_threads, |p| p.current_num_threads());
        let info = DeviceInfo {
            id: "cpu".into(),
            name: format!("{} ({threads} threads)", processor_name()),
            kind: DeviceKind::Cpu,
            api: "lanes".into(),
            merged: Vec::new(),
            driver: format!("evener-lanes {}", env!("CARGO_PKG_VERSION")),
            capabilities: Capabilities::ALL,
            limits: Limits::MEMORY,
        };
        CpuBackend { info, pool, warm: AtomicBool::new(false) }
    }

    /// Worker threads of the pool.
    pub fn threads(&self) -> usize {
        self.pool.as_ref().map_or_else(rayon::current_num_threads, |p| p.current_num_threads())
    }
}

fn run(chunk: &Chunk<'_>) -> Result<()> {
    if let Some(native) = &chunk.kernel.native {
        // Somebody else's code is not interrupted.
        native.run(chunk)?;
        chunk.watch.inspect(|w| w.came(1.0));
        return Ok(());
    }
    let buffers: Few<Buffer<'_>> = chunk.arguments.iter().map(lane_buffer).collect();
    let program = &chunk.kernel.program;
    let ran = match chunk.watch {
        None => program.run(&buffers, chunk.grid, chunk.range),
        Some(watch) => program.run_watched(&buffers, chunk.grid, chunk.range, watch),
    };
    ran.map_err(|e| chunk.kernel.fault(e))
}

fn lane_buffer(argument: &Argument) -> Buffer<'_> {
    // SAFETY: the call keeps the slice borrowed while the chunk runs, mutably when `writable`.
    unsafe { Buffer::from_raw(argument.ptr, argument.len, argument.writable) }
}

impl fmt::Debug for CpuBackend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CpuBackend({} threads)", self.threads())
    }
}

impl Backend for CpuBackend {
    fn info(&self) -> &DeviceInfo {
        &self.info
    }

    fn room(&self) -> Option<Room> {
        None
    }

    fn accepts(&self, _kernel: &Compiled, _sizes: &[u64]) -> Result<(), String> {
        Ok(())
    }

    fn warmth(&self, _kernel: &Compiled) -> Warmth {
        Warmth { device: self.warm.load(Ordering::Relaxed), kernel: true }
    }

    fn run(&self, chunk: &Chunk<'_>) -> Result<ChunkRun> {
        let start = Instant::now();
        match &self.pool {
            Some(pool) => pool.install(|| run(chunk)),
            None => run(chunk),
        }?;
        self.warm.store(true, Ordering::Relaxed); // a hint for predictions, ordering nothing
        Ok(ChunkRun { run_ns: ns_since(start), ..ChunkRun::default() })
    }

    fn start<'a>(&'a self, chunk: &Chunk<'a>) -> Result<Box<dyn Started + 'a>> {
        Ok(Box::new(CpuRun { backend: self, chunk: *chunk }))
    }
}

/// A CPU chunk runs on the thread that finishes it, so that a caller inside a rayon worker helps instead of waiting.
struct CpuRun<'a> {
    backend: &'a CpuBackend,
    chunk: Chunk<'a>,
}

impl Started for CpuRun<'_> {
    fn finish(self: Box<Self>) -> Result<ChunkRun, Error> {
        self.backend.run(&self.chunk)
    }
}

/// The processor's name where the system tells it, else the architecture.
fn processor_name() -> String {
    let from_proc = std::fs::read_to_string("/proc/cpuinfo").ok().and_then(|text| {
        let line = text.lines().find(|l| l.starts_with("model name"))?;
        Some(line.split_once(':')?.1.trim().to_owned())
    });
    from_proc
        .or_else(|| std::env::var("PROCESSOR_IDENTIFIER").ok())
        .unwrap_or_else(|| std::env::consts::ARCH.to_owned())
}
