//! A scripted device for tests: lanes behind a memory of its own, with failures on order.
//!
//! It has what a GPU has and the CPU lacks: only uploaded bytes arrive (the rest is poison), only downloaded
//! bytes come back, and it can be lost at any point. So splits, footprints and recovery are tested without a driver.

use super::{
    Argument, ArrayRef, Backend, Capabilities, Chunk, ChunkRun, DeviceInfo, DeviceKind, GiveUp, Limits, Room, Started,
    Transfer, Warmth,
};
use crate::{
    clock::ns_since,
    error::{Error, ErrorKind, Result},
    kernel::Compiled,
    memory::{segments::Segments, staging::readable},
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
    arrays: HeldArrays,
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

/// Memory of arrays by segment. Words, so that 8-byte atomics are aligned.
#[derive(Debug, Default)]
pub(super) struct HeldArrays(HashMap<u64, Segments<Arc<Words>>>);

impl HeldArrays {
    pub(super) fn bytes(&self) -> u64 {
        self.0.values().flat_map(Segments::iter).map(|(_, words)| words.bytes()).sum()
    }

    pub(super) fn reserve(&mut self, array: u64, part: &Range<u64>) {
        let segments = self.0.entry(array).or_default();
        if segments.covering(part).is_none() {
            segments.insert(part.clone(), Words::poisoned(part.end - part.start));
        }
    }

    pub(super) fn release(&mut self, array: u64, part: &Range<u64>) {
        if let Some(segments) = self.0.get_mut(&array) {
            drop(segments.remove(part));
        }
    }

    /// Where an argument that is a part of an array is bound.
    pub(super) fn place(&self, argument: &Argument, part: ArrayRef) -> Result<Place> {
        let range = part.offset..part.offset + argument.len;
        let found = self.0.get(&part.id).and_then(|segments| segments.covering(&range));
        let (segment, words) = found.ok_or_else(no_memory)?;
        Ok(Place::Array(words.clone(), part.offset - segment.start))
    }

    /// Where ranges of an argument, a part of an array, are in its segments.
    pub(super) fn pieces(&self, argument: &Argument, ranges: &[Range<u64>]) -> Result<Vec<Piece>> {
        let part = argument.array.ok_or_else(no_memory)?;
        let mut pieces = Vec::new();
        for range in ranges {
            let segments = self.0.get(&part.id).ok_or_else(no_memory)?;
            let range = part.offset + range.start..part.offset + range.end.min(argument.len);
            let mut bytes = 0;
            for (found, segment, words) in segments.within(&range) {
                bytes += found.end - found.start;
                let inside = (found.start - part.offset, found.start - segment.start);
                pieces.push(Piece { words: words.clone(), inside, bytes: found.end - found.start });
            }
            if bytes < range.end - range.start {
                return Err(no_memory());
            }
        }
        Ok(pieces)
    }
}

fn no_memory() -> Error {
    Error::new(ErrorKind::Device, "an array without memory on the device")
}

/// Bytes of an argument in a segment of its array.
pub(super) struct Piece {
    words: Arc<Words>,
    /// First byte in the argument and in the segment.
    inside: (u64, u64),
    bytes: u64,
}

impl Piece {
    /// From the argument's bytes at `own` to the segment, or from there.
    pub(super) fn copy(&self, own: *mut u8, to_segment: bool) {
        let (own, there) = (own.wrapping_add(self.inside.0 as usize), self.words.first());
        let there = there.wrapping_add(self.inside.1 as usize);
        let (from, to) = if to_segment { (own, there) } else { (there, own) };
        // SAFETY: the bytes lie inside the argument and the segment, and are nobody else's to write meanwhile.
        unsafe { std::ptr::copy_nonoverlapping(from.cast_const(), to, self.bytes as usize) };
    }
}

/// What a chunk takes from pages before it runs, and leaves there: by binding.
#[derive(Default)]
pub(super) struct PageMoves {
    loads: Vec<(usize, Piece)>,
    stores: Vec<(usize, Piece)>,
}

impl PageMoves {
    /// Those of a chunk.
    ///
    /// # Errors
    /// A page that is not there.
    pub(super) fn new(held: &HeldArrays, chunk: &Chunk<'_>) -> Result<Self> {
        let mut moves = PageMoves::default();
        for (k, (argument, transfer)) in chunk.arguments.iter().zip(chunk.transfers).enumerate() {
            if let Some(copies) = &transfer.pages {
                moves.loads.extend(held.pieces(argument, &copies.load)?.into_iter().map(|p| (k, p)));
                moves.stores.extend(held.pieces(argument, &copies.store)?.into_iter().map(|p| (k, p)));
            }
        }
        Ok(moves)
    }

    pub(super) fn load(&self, places: &[Place]) {
        self.loads.iter().for_each(|(k, piece)| piece.copy(places[*k].first(), false));
    }

    pub(super) fn store(&self, places: &[Place]) {
        self.stores.iter().for_each(|(k, piece)| piece.copy(places[*k].first(), true));
    }
}

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
        self.state().arrays.bytes()
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
                staged.push(staged_upload(argument, transfer));
                Place::new(&self.live()?.arrays, chunk, binding)
            })
            .collect::<Result<_>>()?;
        let pages = PageMoves::new(&self.live()?.arrays, chunk)?;
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
            pages,
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
            state.arrays = HeldArrays::default();
        }
        Ok(())
    }

    fn generation(&self) -> u64 {
        self.state().generation
    }

    fn array_reserve(&self, array: u64, part: &Range<u64>) -> Result<()> {
        let mut state = self.live()?;
        let (used, bytes) = (state.arrays.bytes(), part.end - part.start);
        if used.saturating_add(bytes) > state.array_bytes {
            let why = format!("{} has no memory left for {bytes} bytes beside {used}", self.info.id);
            return Err(Error::new(ErrorKind::OutOfMemory, why));
        }
        state.arrays.reserve(array, part);
        Ok(())
    }

    fn array_write(&self, host: &Argument, ranges: &[Range<u64>]) -> Result<()> {
        let pieces = self.live()?.arrays.pieces(host, ranges)?;
        pieces.iter().for_each(|piece| piece.copy(host.ptr, true));
        Ok(())
    }

    fn array_read(&self, host: &Argument, ranges: &[Range<u64>]) -> Result<()> {
        let pieces = self.live()?.arrays.pieces(host, ranges)?;
        pieces.iter().for_each(|piece| piece.copy(host.ptr, false));
        Ok(())
    }

    fn array_release(&self, array: u64, part: &Range<u64>) {
        self.state().arrays.release(array, part);
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
    /// Where an argument of a chunk is.
    ///
    /// # Errors
    /// An array that has no memory on the device.
    pub(super) fn new(held: &HeldArrays, chunk: &Chunk<'_>, binding: usize) -> Result<Self> {
        let (argument, transfer) = (&chunk.arguments[binding], &chunk.transfers[binding]);
        let carry = chunk.carry.filter(|_| transfer.carried);
        let in_place = argument.array.filter(|_| transfer.pages.is_none());
        let place = match (in_place, carry.and_then(|c| c.get::<Words>(binding))) {
            (_, Some(kept)) => Place::Own(kept),
            (Some(part), _) => held.place(argument, part)?,
            (None, _) => Place::Own(Words::poisoned(argument.len)),
        };
        if let (Some(carry), Place::Own(words)) = (carry, &place) {
            carry.keep(binding, words.clone());
        }
        Ok(place)
    }

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
    pages: PageMoves,
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
        self.pages.load(&self.memory);
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
        self.pages.store(&self.memory);
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
