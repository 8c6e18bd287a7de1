//! A scripted device for tests: lanes behind a memory of its own, with failures on order.
//!
//! It has what a GPU has and the CPU lacks: only uploaded bytes arrive (the rest is poison), only downloaded
//! bytes come back, and it can be lost at any point. So splits, footprints and recovery are tested without a driver.

use super::{Argument, Backend, Capabilities, Chunk, ChunkRun, DeviceInfo, DeviceKind, Limits, Started, Warmth};
use crate::{
    error::{Error, ErrorKind, Result},
    kernel::Compiled,
};
use evener_lanes::{Buffer, analysis::Strided};
use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Instant,
};

/// What a scripted device does with a chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Script {
    /// Runs it.
    Run,
    /// Is lost before anything was uploaded.
    LostAtStart,
    /// Is lost while the chunk runs.
    LostInRun,
    /// Has no memory for it.
    OutOfMemory,
}

/// A scripted device.
#[derive(Debug)]
pub struct FakeGpu {
    info: DeviceInfo,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// What to do with the next chunks; then [`Script::Run`].
    script: VecDeque<Script>,
    lost: bool,
}

/// Every byte of the device's memory before something is uploaded: a value that shows in results.
const POISON: u64 = 0xA5A5_5A5A_A5A5_5A5A;

impl FakeGpu {
    /// A device called `gpu:number`, which follows the script and then just runs.
    pub fn new(number: usize, script: impl IntoIterator<Item = Script>) -> Self {
        let limits = Limits {
            storage_binding_bytes: 1 << 30,
            uniform_binding_bytes: 1 << 16,
            buffer_bytes: 1 << 30,
            storage_bindings: 8,
            uniform_bindings: 12,
            group_invocations: 1024,
            group_size: [1024, 1024, 64],
            group_bytes: 32 << 10,
            groups_per_axis: 65_535,
        };
        let info = DeviceInfo {
            id: format!("gpu:{number}"),
            name: format!("scripted device {number}"),
            kind: DeviceKind::Discrete,
            api: "fake".into(),
            merged: Vec::new(),
            driver: "none".into(),
            capabilities: Capabilities { f64: true, i64: true, i64_atomics: true, ..Capabilities::default() },
            limits,
        };
        FakeGpu { info, state: Mutex::new(State { script: script.into_iter().collect(), lost: false }) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lose(&self) -> Error {
        self.state().lost = true;
        Error::new(ErrorKind::DeviceLost, format!("{} was lost", self.info.id))
    }
}

impl Backend for FakeGpu {
    fn info(&self) -> &DeviceInfo {
        &self.info
    }

    fn accepts(&self, _kernel: &Compiled, _sizes: &[u64]) -> Result<(), String> {
        Ok(())
    }

    fn start<'a>(&'a self, chunk: &Chunk<'a>) -> Result<Box<dyn Started + 'a>> {
        let step = {
            let mut state = self.state();
            if state.lost {
                return Err(Error::new(ErrorKind::DeviceLost, format!("{} is lost", self.info.id)));
            }
            state.script.pop_front().unwrap_or(Script::Run)
        };
        match step {
            Script::LostAtStart => return Err(self.lose()),
            Script::OutOfMemory => {
                return Err(Error::new(ErrorKind::OutOfMemory, format!("{} has no memory left", self.info.id)));
            }
            Script::Run | Script::LostInRun => {}
        }
        let start = Instant::now();
        let memory = chunk.arguments.iter().zip(chunk.transfers).map(|(a, t)| upload(a, &t.upload)).collect();
        let up_bytes = chunk.transfers.iter().flat_map(|t| &t.upload).map(|r| r.end - r.start).sum();
        let upload_ns = start.elapsed().as_nanos() as f64;
        Ok(Box::new(FakeRun {
            device: self,
            chunk: *chunk,
            memory,
            lost: step == Script::LostInRun,
            up_bytes,
            upload_ns,
        }))
    }

    fn warmth(&self, _kernel: &Compiled) -> Warmth {
        Warmth { device: true, kernel: true }
    }

    fn is_lost(&self) -> bool {
        self.state().lost
    }

    fn recreate(&self) -> Result<()> {
        self.state().lost = false;
        Ok(())
    }
}

/// Device memory of one argument. Words, so that 8-byte atomics are aligned.
fn upload(argument: &Argument, ranges: &[std::ops::Range<u64>]) -> Vec<u64> {
    let mut memory = vec![POISON; argument.len.div_ceil(8) as usize];
    let bytes: &mut [u8] = bytemuck::cast_slice_mut(&mut memory);
    for range in ranges {
        let (start, end) = (range.start as usize, range.end as usize);
        // SAFETY: ranges lie inside the argument, whose bytes are valid for reads during the call.
        let host = unsafe { std::slice::from_raw_parts(argument.ptr.add(start), end - start) };
        bytes[start..end].copy_from_slice(host);
    }
    memory
}

struct FakeRun<'a> {
    device: &'a FakeGpu,
    chunk: Chunk<'a>,
    memory: Vec<Vec<u64>>,
    lost: bool,
    up_bytes: u64,
    upload_ns: f64,
}

impl Started for FakeRun<'_> {
    fn finish(mut self: Box<Self>) -> Result<ChunkRun> {
        let chunk = self.chunk;
        let start = Instant::now();
        let buffers: Vec<Buffer<'_>> = self
            .memory
            .iter_mut()
            .zip(chunk.arguments)
            .map(|(memory, argument)| {
                let bytes: &mut [u8] = bytemuck::cast_slice_mut(memory);
                Buffer::write(&mut bytes[..argument.len as usize])
            })
            .collect();
        chunk.kernel.program.run(&buffers, chunk.grid, chunk.range)?;
        drop(buffers);
        let run_ns = start.elapsed().as_nanos() as f64;
        if self.lost {
            return Err(self.device.lose());
        }
        let start = Instant::now();
        for ((memory, argument), transfer) in self.memory.iter().zip(chunk.arguments).zip(chunk.transfers) {
            let bytes: &[u8] = bytemuck::cast_slice(memory);
            for set in &transfer.download {
                set.for_each_run(|run| {
                    let (at, len) = (run.start as usize, (run.end - run.start) as usize);
                    // SAFETY: the run lies inside the argument, which is writable and no other device's to write.
                    unsafe { std::ptr::copy_nonoverlapping(bytes[at..at + len].as_ptr(), argument.ptr.add(at), len) };
                });
            }
        }
        Ok(ChunkRun {
            upload_ns: self.upload_ns,
            run_ns,
            download_ns: start.elapsed().as_nanos() as f64,
            up_bytes: self.up_bytes,
            down_bytes: chunk.transfers.iter().flat_map(|t| &t.download).map(Strided::bytes).sum(),
        })
    }
}
