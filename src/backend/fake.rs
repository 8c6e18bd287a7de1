//! A scripted device for tests: lanes behind a memory of its own, with failures on order.
//!
//! It has what a GPU has and the CPU lacks: only uploaded bytes arrive (the rest is poison), only downloaded
//! bytes come back, and it can be lost at any point. So splits, footprints and recovery are tested without a driver.

use super::{
    Argument, Backend, Capabilities, Chunk, ChunkRun, DeviceInfo, DeviceKind, Limits, Room, Started, Transfer, Warmth,
};
use crate::{
    error::{Error, ErrorKind, Result},
    kernel::Compiled,
};
use evener_lanes::{Buffer, analysis::Strided};
use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
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
    room: Room,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// What to do with the next chunks; then [`Script::Run`].
    script: VecDeque<Script>,
    lost: bool,
    /// Chunks started.
    chunks: usize,
}

/// Memory of one argument.
type Memory = Mutex<Vec<u64>>;

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
        let room = Room { binding_bytes: info.limits.storage_binding_bytes, memory_bytes: u64::MAX };
        let state = State { script: script.into_iter().collect(), ..State::default() };
        FakeGpu { info, room, state: Mutex::new(state) }
    }

    /// The same with little storage.
    pub fn with_room(self, room: Room) -> Self {
        FakeGpu { room, ..self }
    }

    /// Chunks started so far.
    pub fn chunks(&self) -> usize {
        self.state().chunks
    }

    /// What of a chunk does not fit or does not keep its own contract.
    fn complaint(&self, chunk: &Chunk<'_>) -> Option<String> {
        let sizes = chunk.arguments.iter().zip(chunk.transfers);
        let bound = |(a, t): (&Argument, &Transfer)| t.window.as_ref().map_or(a.len, |w| w.device_bytes());
        let (most, all) = sizes.map(bound).fold((0, 0u64), |(most, sum), n| (n.max(most), sum + n));
        let windowed = chunk.transfers.iter().any(|t| t.window.is_some());
        if windowed && (most > self.room.binding_bytes || all > self.room.memory_bytes) {
            return Some(format!("bindings of {most} bytes, {all} in all: {:?}", self.room));
        }
        let outside = |t: &&Transfer| {
            let Some(window) = &t.window else { return false };
            let mut missing = false;
            for set in t.exact.iter().flatten().chain(&t.download) {
                set.for_each_run(|run| {
                    let there: u64 = window.map(run.clone()).map(|(part, _)| part.end - part.start).sum();
                    missing |= there < run.end - run.start;
                });
            }
            missing
        };
        chunk.transfers.iter().find(outside).map(|t| format!("bytes outside the window: {t:?}"))
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

    fn room(&self) -> Option<Room> {
        Some(self.room)
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
            state.chunks += 1;
            state.script.pop_front().unwrap_or(Script::Run)
        };
        if let Some(complaint) = self.complaint(chunk) {
            return Err(Error::new(ErrorKind::Unsupported, complaint));
        }
        match step {
            Script::LostAtStart => return Err(self.lose()),
            Script::OutOfMemory => {
                return Err(Error::new(ErrorKind::OutOfMemory, format!("{} has no memory left", self.info.id)));
            }
            Script::Run | Script::LostInRun => {}
        }
        let start = Instant::now();
        let memory = (0..chunk.arguments.len()).map(|k| memory(chunk, k)).collect();
        let up_bytes = chunk.transfers.iter().map(|t| t.bytes().0).sum();
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

/// A chunk's memory of one argument, uploaded to: the chunk's own or that of the chunk before.
fn memory(chunk: &Chunk<'_>, binding: usize) -> Arc<Memory> {
    let (argument, transfer) = (&chunk.arguments[binding], &chunk.transfers[binding]);
    let carry = chunk.carry.filter(|_| transfer.carried);
    if let Some(kept) = carry.and_then(|c| c.get::<Memory>(binding)) {
        return kept;
    }
    // Words, so that 8-byte atomics are aligned.
    let mut words = vec![POISON; argument.len.div_ceil(8) as usize];
    upload(argument, transfer, bytemuck::cast_slice_mut(&mut words));
    let memory = Arc::new(Mutex::new(words));
    if let Some(carry) = carry {
        carry.keep(binding, memory.clone());
    }
    memory
}

fn upload(argument: &Argument, transfer: &Transfer, bytes: &mut [u8]) {
    let mut copy = |range: std::ops::Range<u64>| {
        let (start, end) = (range.start as usize, range.end as usize);
        // SAFETY: ranges lie inside the argument, whose bytes are valid for reads during the call.
        let host = unsafe { std::slice::from_raw_parts(argument.ptr.add(start), end - start) };
        bytes[start..end].copy_from_slice(host);
    };
    match &transfer.exact {
        Some(sets) if !transfer.upload.is_empty() => sets.iter().for_each(|s| s.for_each_run(&mut copy)),
        Some(_) => {}
        None => transfer.upload.iter().cloned().for_each(copy),
    }
}

struct FakeRun<'a> {
    device: &'a FakeGpu,
    chunk: Chunk<'a>,
    memory: Vec<Arc<Memory>>,
    lost: bool,
    up_bytes: u64,
    upload_ns: f64,
}

impl Started for FakeRun<'_> {
    fn finish(self: Box<Self>) -> Result<ChunkRun> {
        let chunk = self.chunk;
        let start = Instant::now();
        let mut held: Vec<_> = self.memory.iter().map(|m| m.lock().unwrap_or_else(PoisonError::into_inner)).collect();
        let buffers: Vec<Buffer<'_>> = held
            .iter_mut()
            .zip(chunk.arguments)
            .map(|(memory, argument)| {
                let bytes: &mut [u8] = bytemuck::cast_slice_mut(&mut memory[..]);
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
        for ((memory, argument), transfer) in held.iter().zip(chunk.arguments).zip(chunk.transfers) {
            let bytes: &[u8] = bytemuck::cast_slice(&memory[..]);
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
