//! A scripted device for tests: lanes behind a memory of its own, with failures on order.
//!
//! It has what a GPU has and the CPU lacks: only uploaded bytes arrive (the rest is poison), only downloaded
//! bytes come back, and it can be lost at any point. So splits, footprints and recovery are tested without a driver.

use super::{
    Argument, Backend, Capabilities, Chunk, ChunkRun, DeviceInfo, DeviceKind, GiveUp, Limits, Room, Started, Transfer,
    Warmth,
};
use crate::{
    clock::ns_since,
    error::{Error, ErrorKind, Result},
    kernel::Compiled,
    memory::staging::readable,
};
use evener_lanes::{Buffer, analysis::Strided, ir::Space};
use std::{
    cell::UnsafeCell,
    collections::{HashMap, VecDeque},
    ops::Range,
    sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError},
    time::{Duration, Instant},
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
    /// Runs it, but begins so late.
    Late(Duration),
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
    generation: u64,
    /// Memory of arrays. Words, so that 8-byte atomics are aligned.
    arrays: HashMap<u64, Arc<Words>>,
    /// Bytes of arrays that fit; an allocation beyond them fails.
    array_bytes: u64,
    /// Chunks started.
    chunks: usize,
}

/// Memory of an array on the device, shared by the runs that use it.
#[derive(Debug)]
pub(super) struct Words(Box<[UnsafeCell<u64>]>);

// SAFETY: runs that are under way at once touch disjoint bytes, or only read, by the rules of calls.
unsafe impl Send for Words {}
// SAFETY: as above.
unsafe impl Sync for Words {}

impl Words {
    pub(super) fn poisoned(bytes: u64) -> Arc<Self> {
        Arc::new(Words((0..bytes.div_ceil(8)).map(|_| UnsafeCell::new(POISON)).collect()))
    }

    pub(super) fn bytes(&self) -> u64 {
        8 * self.0.len() as u64
    }

    pub(super) fn first(&self) -> *mut u8 {
        self.0.as_ptr().cast_mut().cast()
    }
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
        let script = script.into_iter().collect();
        let room = Room { binding_bytes: info.limits.storage_binding_bytes, memory_bytes: u64::MAX };
        FakeGpu { info, room, state: Mutex::new(State { script, array_bytes: u64::MAX, ..State::default() }) }
    }

    /// The same device with little storage.
    pub fn with_room(self, room: Room) -> Self {
        FakeGpu { room, ..self }
    }

    /// Adds to the script.
    pub fn follow(&self, script: impl IntoIterator<Item = Script>) {
        self.state().script.extend(script);
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

    /// The same device with memory for so many bytes of arrays.
    pub fn with_array_bytes(self, bytes: u64) -> Self {
        self.state().array_bytes = bytes;
        self
    }

    /// Loses the device now, with all that it holds.
    pub fn lose_now(&self) {
        drop(self.lose());
    }

    /// Bytes of arrays on the device.
    pub fn array_bytes(&self) -> u64 {
        self.state().arrays.values().map(|memory| memory.bytes()).sum()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn live(&self) -> Result<MutexGuard<'_, State>> {
        let state = self.state();
        if state.lost {
            return Err(Error::new(ErrorKind::DeviceLost, format!("{} is lost", self.info.id)));
        }
        Ok(state)
    }

    fn lose(&self) -> Error {
        self.state().lost = true;
        Error::new(ErrorKind::DeviceLost, format!("{} was lost", self.info.id))
    }
}

impl Backend for FakeGpu {
    fn gives_up(&self) -> bool {
        true
    }

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
            let mut state = self.live()?;
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
            Script::Run | Script::LostInRun | Script::Late(_) => {}
        }
        let start = Instant::now();
        let mut staged = Vec::new();
        let memory = (chunk.arguments.iter().zip(chunk.transfers))
            .enumerate()
            .map(|(binding, (argument, transfer))| {
                let carry = chunk.carry.filter(|_| transfer.carried);
                let place = match (argument.array, carry.and_then(|c| c.get::<Words>(binding))) {
                    (_, Some(kept)) => Place::Own(kept),
                    (Some(part), _) => Place::Array(self.live()?.memory(argument)?, part.offset),
                    (None, _) => Place::Own(Words::poisoned(argument.len)),
                };
                staged.push(staged_upload(argument, transfer));
                if let (Some(carry), Place::Own(words)) = (carry, &place) {
                    carry.keep(binding, words.clone());
                }
                Ok(place)
            })
            .collect::<Result<_>>()?;
        // Uniforms travel with the launch and are not counted.
        let storage = chunk.kernel.bindings().iter().zip(chunk.transfers).filter(|(b, _)| b.space == Space::Storage);
        let up_bytes = storage.map(|(_, t)| t.bytes().0).sum();
        let upload_ns = ns_since(start);
        Ok(Box::new(FakeRun {
            claim: Arc::default(),
            device: self,
            chunk: *chunk,
            memory,
            staged,
            step,
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
        let mut state = self.state();
        if state.lost {
            state.lost = false;
            state.generation += 1;
            state.arrays.clear();
        }
        Ok(())
    }

    fn generation(&self) -> u64 {
        self.state().generation
    }

    fn array_reserve(&self, array: u64, bytes: u64) -> Result<()> {
        let mut state = self.live()?;
        let used: u64 = state.arrays.values().map(|memory| memory.bytes()).sum();
        if used.saturating_add(bytes) > state.array_bytes {
            let why = format!("{} has no memory left for {bytes} bytes beside {used}", self.info.id);
            return Err(Error::new(ErrorKind::OutOfMemory, why));
        }
        state.arrays.entry(array).or_insert_with(|| Words::poisoned(bytes));
        Ok(())
    }

    fn array_write(&self, host: &Argument, ranges: &[Range<u64>]) -> Result<()> {
        let memory = self.live()?.memory(host)?;
        ranges.iter().for_each(|range| copy(host.ptr, memory.first(), range));
        Ok(())
    }

    fn array_read(&self, host: &Argument, ranges: &[Range<u64>]) -> Result<()> {
        let memory = self.live()?.memory(host)?;
        ranges.iter().for_each(|range| copy(memory.first(), host.ptr, range));
        Ok(())
    }

    fn array_release(&self, array: u64) {
        self.state().arrays.remove(&array);
    }
}

impl State {
    /// The memory of the array that an argument is a part of.
    fn memory(&self, argument: &Argument) -> Result<Arc<Words>> {
        let memory = argument.array.and_then(|a| self.arrays.get(&a.id)).cloned();
        memory.ok_or_else(|| Error::new(ErrorKind::Device, "an array without memory on the device"))
    }
}

/// Copies a range of an argument between the host's bytes of it and the device's.
pub(super) fn copy(from: *const u8, to: *mut u8, range: &Range<u64>) {
    let (at, len) = (range.start as usize, (range.end - range.start) as usize);
    // SAFETY: the range lies inside the argument, as long as both memories, and is nobody else's to write meanwhile.
    unsafe { std::ptr::copy_nonoverlapping(from.add(at), to.add(at), len) };
}

/// The threads of all scripted devices: their own, so that a thread of the caller's pool may wait for them.
fn cores() -> &'static rayon::ThreadPool {
    static CORES: OnceLock<rayon::ThreadPool> = OnceLock::new();
    CORES.get_or_init(|| rayon::ThreadPoolBuilder::new().num_threads(1).build().expect("the system gives a thread"))
}

/// Bytes on their way to a place: where they go, and what they are.
pub(super) type Staged = Vec<(u64, Vec<u8>)>;

/// Copies of a transfer's uploads with their places. What may not be read arrives as zeros.
pub(super) fn staged_upload(argument: &Argument, transfer: &Transfer) -> Staged {
    let one = |range: &Range<u64>| {
        let mut bytes = vec![0; (range.end - range.start) as usize];
        for part in readable(transfer.exact.as_deref(), range).1 {
            let (at, len) = ((part.start - range.start) as usize, (part.end - part.start) as usize);
            // SAFETY: uploads lie inside the argument, and nobody writes what may be read of them.
            let host = unsafe { std::slice::from_raw_parts(argument.ptr.add(part.start as usize), len) };
            bytes[at..at + len].copy_from_slice(host);
        }
        (range.start, bytes)
    };
    transfer.upload.iter().filter(|range| !range.is_empty()).map(one).collect()
}

/// Where an argument is on the device.
pub(super) enum Place {
    /// Memory of this run alone.
    Own(Arc<Words>),
    /// From this byte of an array's memory.
    Array(Arc<Words>, u64),
}

impl Place {
    /// Writes bytes at a place.
    pub(super) fn fill(&self, at: u64, bytes: &[u8]) {
        // SAFETY: uploads lie inside the argument, as long as the memory, and no other run is under way there.
        unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), self.first().add(at as usize), bytes.len()) };
    }

    /// Its first byte.
    pub(super) fn first(&self) -> *mut u8 {
        match self {
            Place::Own(words) => words.first(),
            // Inside the array, or at its end.
            Place::Array(words, offset) => words.first().wrapping_add(*offset as usize),
        }
    }
}

/// Whose results reach the host.
#[derive(Debug, Default)]
pub(super) struct Claim {
    results: Mutex<Results>,
    given_up: Condvar,
}

/// What becomes of a run's results. The last two never change again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Results {
    #[default]
    Open,
    Landing,
    GivenUp,
}

impl Claim {
    fn lock(&self) -> MutexGuard<'_, Results> {
        self.results.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sleeps, if the results are wanted for so long.
    fn sleep(&self, time: Duration) {
        let wanted = |results: &mut Results| *results != Results::GivenUp;
        drop(self.given_up.wait_timeout_while(self.lock(), time, wanted));
    }

    /// Decides that the results land.
    pub(super) fn land(&self) -> Result<()> {
        let mut results = self.lock();
        if *results == Results::GivenUp {
            return Err(Error::new(ErrorKind::Device, "its results were given up"));
        }
        *results = Results::Landing;
        Ok(())
    }
}

impl GiveUp for Claim {
    fn before_landing(&self, look: &mut dyn FnMut()) -> bool {
        let results = self.lock();
        let early = *results == Results::Open;
        if early {
            look();
        }
        early
    }

    fn give_up(&self) -> bool {
        let mut results = self.lock();
        if *results == Results::Landing {
            return false;
        }
        *results = Results::GivenUp;
        self.given_up.notify_all();
        true
    }
}

struct FakeRun<'a> {
    claim: Arc<Claim>,
    device: &'a FakeGpu,
    chunk: Chunk<'a>,
    memory: Vec<Place>,
    /// By binding, what goes to its memory before the run, as in a queue: chunks before this one may not have run yet.
    staged: Vec<Staged>,
    step: Script,
    up_bytes: u64,
    upload_ns: f64,
}

impl Started for FakeRun<'_> {
    fn give_up(&self) -> Option<Arc<dyn GiveUp>> {
        Some(self.claim.clone())
    }

    fn finish(self: Box<Self>) -> Result<ChunkRun> {
        let chunk = self.chunk;
        if let Script::Late(by) = self.step {
            self.claim.sleep(by);
        }
        let start = Instant::now();
        for (place, staged) in self.memory.iter().zip(&self.staged) {
            staged.iter().for_each(|(at, bytes)| place.fill(*at, bytes));
        }
        let buffers: Vec<Buffer<'_>> = (self.memory.iter().zip(chunk.arguments))
            // SAFETY: the memory holds the argument; arguments that share some only read it, by the rules of calls.
            .map(|(place, argument)| unsafe { Buffer::from_raw(place.first(), argument.len, true) })
            .collect();
        for step in 0..chunk.repeat.map_or(1, |r| r.steps) {
            let places = |k: usize| chunk.repeat.filter(|_| step % 2 == 1).map_or(k, |r| r.swapped(k));
            let buffers: Vec<Buffer<'_>> = (0..buffers.len()).map(|k| buffers[places(k)]).collect();
            cores().install(|| chunk.kernel.program.run(&buffers, chunk.grid, chunk.range))?;
        }
        let run_ns = ns_since(start);
        if self.step == Script::LostInRun {
            return Err(self.device.lose());
        }
        self.claim.land()?;
        let start = Instant::now();
        for ((place, argument), transfer) in self.memory.iter().zip(chunk.arguments).zip(chunk.transfers) {
            for set in &transfer.download {
                set.for_each_run(|run| copy(place.first(), argument.ptr, &run));
            }
        }
        Ok(ChunkRun {
            upload_ns: self.upload_ns,
            run_ns,
            download_ns: ns_since(start),
            up_bytes: self.up_bytes,
            down_bytes: chunk.transfers.iter().flat_map(|t| &t.download).map(Strided::bytes).sum(),
        })
    }
}
