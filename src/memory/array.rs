//! The memory of one array: host bytes, memory on devices, what is valid where, and the copies between them.
//!
//! # Who may touch what
//! - The host bytes are read and written through the pointer. The borrow checker orders the host's own accesses: a shared
//!   borrow of the array reads, an exclusive one writes, for as long as a guard or a call has it.
//! - A *transfer* (under `state`) writes only host bytes that are not valid there, so none that a guard or a call's CPU
//!   part may look at, and reads only valid ones.
//! - A *call* pins the array first. A pinned array is not evicted, so what the call brought to its devices stays there. One
//!   that has [`Held`] segments of it keeps them from being exchanged for others.
//!
//! # Memory ordering
//! `pins` is raised before the call takes `state`, and an eviction looks at it under `state`: either it sees the pin, or the
//! call sees what the eviction did. The same goes for `keepers` and [`ArrayMemory::give_up`].

use super::{
    intervals::Intervals,
    places::{Moved, Places},
    residency::{HOST, Residency},
    staging::ALIGN,
};
use crate::{
    backend::{Argument, ArrayRef, Transfer},
    error::{Error, ErrorKind, Result},
    schedule::plan::Assignment,
};
use evener_lanes::Grid;
use memmap2::MmapMut;
use std::{
    alloc::{Layout, alloc_zeroed, dealloc},
    fmt,
    ops::Range,
    ptr::NonNull,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, TryLockError,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
};

/// Alignment of host bytes: a cache line, and the widest vector of a CPU.
const HOST_ALIGN: usize = 64;

/// Bytes from which on zeros are pages that the system fills as they are touched.
const MAPPED_BYTES: usize = 4 << 20;

/// An array's memory on all places of a runtime.
pub(crate) struct ArrayMemory {
    id: u64,
    host: NonNull<u8>,
    bytes: u64,
    owned: Owned,
    places: Arc<Places>,
    pins: AtomicUsize,
    /// Per place: uses of segments of it that must stay.
    keepers: Vec<AtomicUsize>,
    state: Mutex<State>,
}

/// How the host bytes were allocated.
enum Owned {
    /// There are none.
    Nothing,
    /// By the global allocator.
    Allocated(Layout),
    /// Pages of their own.
    Mapped { _pages: MmapMut },
}

#[derive(Debug)]
struct State {
    residency: Residency,
    /// Per place: the device's generation that the residency is of.
    generations: Vec<u64>,
    /// Who wrote it last, for messages: "`v` of `step`".
    writer: String,
    /// The parts of the last call that it was split over.
    owners: Option<Owners>,
}

/// A call's parts: where a call of the same grid finds its bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Owners {
    pub(crate) grid: Grid,
    pub(crate) parts: Vec<Assignment>,
}

/// What of an array a decision on a call depends on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Standing {
    residency: Residency,
    owners: Option<Owners>,
}

/// Segments of an array that a call has on a device: they stay as long as this lives.
#[derive(Debug)]
pub(crate) struct Held {
    array: Arc<ArrayMemory>,
    place: usize,
    held: Intervals,
}

impl Held {
    fn new(array: &Arc<ArrayMemory>, place: usize) -> Self {
        // Before it is asked what is there: from then on that stays.
        array.keepers[place].fetch_add(1, Ordering::SeqCst);
        Held { array: array.clone(), place, held: Intervals::default() }
    }

    /// Memory for pages of an array on a device, as far as there is room beside `spare` bytes.
    pub(crate) fn pages(
        array: &Arc<ArrayMemory>,
        place: usize,
        (wanted, spare): (&Intervals, u64),
        moved: &mut Vec<Moved>,
    ) -> Self {
        let mut held = Held::new(array, place);
        held.held = array.places.admit_pages(place, array, (wanted, spare), moved);
        held
    }

    /// Memory for a part of an array on a device, in one piece. `pins` are those of the call, which has nothing of the array
    /// there yet but this piece.
    ///
    /// # Errors
    /// As [`Places::admit`].
    pub(crate) fn piece(
        array: &Arc<ArrayMemory>,
        place: usize,
        (part, pins): (&Range<u64>, usize),
        moved: &mut Vec<Moved>,
    ) -> Result<Self> {
        let mut held = Held::new(array, place);
        array.places.admit(place, array, (part, pins), moved)?;
        held.held = std::iter::once(part.clone()).collect();
        Ok(held)
    }

    /// The bytes of the array that have memory there.
    pub(crate) fn bytes(&self) -> &Intervals {
        &self.held
    }

    /// Makes runs of them valid there.
    ///
    /// # Errors
    /// As [`ArrayMemory::acquire`].
    pub(crate) fn acquire(&self, runs: &[Range<u64>], moved: &mut Vec<Moved>) -> Result<()> {
        self.array.acquire_there(self.place, runs, moved)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.array.keepers[self.place].fetch_sub(1, Ordering::SeqCst);
    }
}

/// Runs of a standing: to compare more takes as long as to decide.
const MAX_STANDING_RUNS: usize = 32;

// SAFETY: the pointer is to memory that the value owns; who may access it when is said at the top of the module.
unsafe impl Send for ArrayMemory {}
// SAFETY: as above.
unsafe impl Sync for ArrayMemory {}

impl ArrayMemory {
    /// Zeros, all valid on the host. Large zeroed memory is not backed by pages until it is touched, so an array that
    /// lives on a device takes none of the host's.
    ///
    /// # Errors
    /// `OutOfMemory`.
    pub(crate) fn zeroed(places: &Arc<Places>, bytes: u64) -> Result<Arc<Self>> {
        let none =
            || Error::new(ErrorKind::OutOfMemory, format!("the host has no memory for an array of {bytes} bytes"));
        let size = usize::try_from(bytes).map_err(|_| none())?;
        let layout = Layout::from_size_align(size, HOST_ALIGN).map_err(|_| none())?;
        if size == 0 {
            return Ok(Self::over(places, NonNull::dangling(), 0, Owned::Nothing));
        }
        if size >= MAPPED_BYTES {
            let mut pages = MmapMut::map_anon(size).map_err(|e| none().with_source(e))?;
            // Far fewer faults where the system has such pages; else nothing is lost.
            #[cfg(target_os = "linux")]
            let _ = pages.advise(memmap2::Advice::HugePage);
            let host = NonNull::from(&mut pages[..]).cast();
            return Ok(Self::over(places, host, bytes, Owned::Mapped { _pages: pages }));
        }
        // SAFETY: the layout has a size.
        let host = NonNull::new(unsafe { alloc_zeroed(layout) }).ok_or_else(none)?;
        Ok(Self::over(places, host, bytes, Owned::Allocated(layout)))
    }

    /// Takes a vector's memory.
    pub(crate) fn of_vec<T: Copy>(places: &Arc<Places>, vec: Vec<T>) -> Arc<Self> {
        let mut vec = std::mem::ManuallyDrop::new(vec);
        let layout = Layout::array::<T>(vec.capacity()).ok().filter(|l| l.size() > 0);
        let host = NonNull::new(vec.as_mut_ptr().cast()).unwrap_or(NonNull::dangling());
        let owned = layout.map_or(Owned::Nothing, Owned::Allocated);
        Self::over(places, host, std::mem::size_of_val(vec.as_slice()) as u64, owned)
    }

    /// `host` was allocated as is said and is this value's from now on.
    fn over(places: &Arc<Places>, host: NonNull<u8>, bytes: u64, owned: Owned) -> Arc<Self> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let state = State {
            residency: Residency::on_host(bytes, places.count()),
            generations: (0..places.count()).map(|p| places.device(p).generation()).collect(),
            writer: String::new(),
            owners: None,
        };
        Arc::new(ArrayMemory {
            id: NEXT.fetch_add(1, Ordering::Relaxed), // a number, ordering nothing
            host,
            bytes,
            owned,
            places: places.clone(),
            pins: AtomicUsize::new(0),
            keepers: (0..places.count()).map(|_| AtomicUsize::new(0)).collect(),
            state: Mutex::new(state),
        })
    }

    /// Its number in this process.
    pub(crate) fn id(&self) -> u64 {
        self.id
    }

    /// First host byte.
    pub(crate) fn host(&self) -> *mut u8 {
        self.host.as_ptr()
    }

    /// Whether it belongs to the runtime of these places.
    pub(crate) fn is_of(&self, places: &Arc<Places>) -> bool {
        Arc::ptr_eq(&self.places, places)
    }

    /// The part `range` of the array as a call's argument.
    pub(crate) fn argument(&self, range: &Range<u64>, writable: bool) -> Argument {
        let ptr = self.host.as_ptr().wrapping_add(range.start as usize);
        Argument { ptr, len: range.end - range.start, writable, array: Some(self.part(range.start)) }
    }

    /// A part of it that starts at this byte.
    pub(crate) fn part(&self, offset: u64) -> ArrayRef {
        ArrayRef { id: self.id, offset, bytes: self.bytes }
    }

    fn whole(&self) -> Argument {
        self.argument(&(0..self.bytes), true)
    }

    /// Keeps it where it is until [`ArrayMemory::unpin`].
    pub(crate) fn pin(&self) {
        self.pins.fetch_add(1, Ordering::SeqCst);
    }

    pub(crate) fn unpin(&self) {
        self.pins.fetch_sub(1, Ordering::SeqCst);
    }

    /// Makes runs valid at a place: copies what is missing there, through the host.
    ///
    /// # Errors
    /// Bytes that only a lost device had (the message names the array); a lost device, memory.
    pub(crate) fn acquire(self: &Arc<Self>, place: usize, runs: &[Range<u64>], moved: &mut Vec<Moved>) -> Result<()> {
        if place == HOST {
            return self.fetch(&mut self.state(), runs, moved);
        }
        self.places.admit(place, self, (&(0..self.bytes), 0), moved)?;
        self.acquire_there(place, runs, moved)
    }

    /// Makes runs valid on a device that has memory for them.
    ///
    /// # Errors
    /// As [`ArrayMemory::acquire`].
    fn acquire_there(&self, place: usize, runs: &[Range<u64>], moved: &mut Vec<Moved>) -> Result<()> {
        let mut state = self.state();
        if state.residency.has(place, runs) {
            return Ok(());
        }
        let missing = self.missing_words(&state.residency, place, runs);
        self.fetch(&mut state, &missing, moved)?;
        self.places.device(place).array_write(&self.whole(), &missing)?;
        state.residency.copied(place, &missing);
        moved.push(self.places.moved(place, super::intervals::bytes(&missing), 0));
        Ok(())
    }

    /// Makes a run valid on the host.
    ///
    /// # Errors
    /// As [`ArrayMemory::acquire`].
    pub(crate) fn bring(self: &Arc<Self>, run: Range<u64>) -> Result<()> {
        self.acquire(HOST, std::slice::from_ref(&run), &mut Vec::new())
    }

    /// What is missing at a place, in whole words: a word that is valid in part goes whole.
    fn missing_words(&self, residency: &Residency, place: usize, runs: &[Range<u64>]) -> Vec<Range<u64>> {
        let missing = residency.missing(place, runs);
        let word = |r: Range<u64>| r.start / ALIGN * ALIGN..r.end.next_multiple_of(ALIGN).min(self.bytes);
        let words: Intervals = missing.into_iter().map(word).collect();
        words.runs().to_vec()
    }

    /// Bytes that [`ArrayMemory::acquire`] would move to a place, and which devices they would come from.
    pub(crate) fn missing(&self, place: usize, runs: &[Range<u64>]) -> (u64, Vec<(usize, u64)>) {
        let state = self.state();
        let missing = match place {
            HOST => state.residency.missing(HOST, runs),
            _ => self.missing_words(&state.residency, place, runs),
        };
        let sources = state.residency.sources(&missing).unwrap_or_default();
        let by_device = sources.iter().map(|(d, runs)| (*d, super::intervals::bytes(runs))).collect();
        (super::intervals::bytes(&missing), by_device)
    }

    /// Bytes that a call's transfer of a part of the array that starts at `offset` need not move, up and down, because a
    /// device has pages of them.
    pub(crate) fn kept(&self, place: usize, offset: u64, transfer: &Transfer) -> (u64, u64) {
        let held = self.places.held(place, self.id);
        let inside =
            |r: Range<u64>| held.within(&(r.start + offset..r.end + offset)).map(|r| r.end - r.start).sum::<u64>();
        let up = transfer.upload.iter().cloned().map(inside).sum();
        (up, transfer.download.iter().map(|set| inside(set.start..set.end())).sum())
    }

    /// Copies what the host lacks of `runs` from the devices that have it.
    fn fetch(&self, state: &mut State, runs: &[Range<u64>], moved: &mut Vec<Moved>) -> Result<()> {
        let sources = state.residency.sources(runs).map_err(|lost| self.lost(state, &lost))?;
        for (place, runs) in sources {
            let device = self.places.device(place);
            if let Err(error) = device.array_read(&self.whole(), &runs) {
                if error.kind() == ErrorKind::DeviceLost {
                    state.residency.clear(place);
                    return Err(self.lost(state, &runs[0]).with_source(error));
                }
                return Err(error);
            }
            state.residency.copied(HOST, &runs);
            moved.push(self.places.moved(place, 0, super::intervals::bytes(&runs)));
        }
        Ok(())
    }

    fn lost(&self, state: &State, run: &Range<u64>) -> Error {
        let writer =
            if state.writer.is_empty() { String::new() } else { format!(", last written as {},", state.writer) };
        let why = format!(
            "an array of {} bytes{writer} lost bytes {}..{}: only a device that was lost had them; write the array again",
            self.bytes, run.start, run.end
        );
        Error::new(ErrorKind::DeviceLost, why)
    }

    /// A kernel's writes at a place: valid there alone. `writer` is the argument and the kernel.
    pub(crate) fn written(&self, place: usize, runs: impl Iterator<Item = Range<u64>>, writer: (&str, &str)) {
        let mut state = self.state();
        for run in runs.filter(|r| !r.is_empty()) {
            state.residency.written(place, run);
        }
        let (argument, kernel) = writer;
        state.writer.clear();
        state.writer.extend(["`", argument, "` of `", kernel, "`"]);
    }

    /// Notes how the last call that used it was split, if it was.
    pub(crate) fn set_owners(&self, owners: Option<&Owners>) {
        let mut state = self.state();
        if state.owners.as_ref() != owners {
            state.owners = owners.cloned();
        }
    }

    /// How the last call of this grid that used it was split, while devices have any of it.
    pub(crate) fn owners(&self, grid: Grid) -> Option<Vec<Assignment>> {
        let state = self.state();
        let owners = state.owners.as_ref().filter(|o| o.grid == grid && state.residency.is_on_devices());
        owners.map(|o| o.parts.clone())
    }

    /// Where its bytes are, and how the last call was split; `None` where that is in many runs.
    pub(crate) fn standing(&self) -> Option<Standing> {
        let state = self.state();
        let few = state.residency.runs() <= MAX_STANDING_RUNS;
        few.then(|| Standing { residency: state.residency.clone(), owners: state.owners.clone() })
    }

    /// Whether all that is as it was.
    pub(crate) fn stands(&self, was: &Standing) -> bool {
        let state = self.state();
        state.residency == was.residency && state.owners == was.owners
    }

    /// A kernel failed at a place: what it may have written there is not known.
    pub(crate) fn forget(&self, place: usize, runs: impl Iterator<Item = Range<u64>>) {
        let mut state = self.state();
        runs.for_each(|run| state.residency.forget(place, run));
    }

    /// The host writes a run: valid there alone.
    pub(crate) fn overwritten(&self, run: Range<u64>) {
        self.state().residency.written(HOST, run);
    }

    /// Whether the host has all and no device has anything: then a call on the CPU changes nothing of the residency.
    pub(crate) fn is_on_host_alone(&self) -> bool {
        let state = self.state();
        !state.residency.is_on_devices() && state.residency.valid(HOST).contains(&(0..self.bytes))
    }

    /// The devices that have any of it: a bit for each place.
    pub(crate) fn homes(&self) -> u64 {
        let state = self.state();
        let devices = (HOST + 1)..self.places.count().min(64);
        devices.filter(|place| !state.residency.valid(*place).runs().is_empty()).fold(0, |set, place| set | 1 << place)
    }

    /// Gives a segment of its memory on a device back, unless more than `pins` calls use the array, or it is dirty and
    /// `dirty` ones stay. Whether it did.
    ///
    /// # Errors
    /// What only the device has could not be copied to the host.
    pub(crate) fn evict(
        &self,
        place: usize,
        segment: &Range<u64>,
        (dirty, pins): (bool, usize),
        moved: &mut Vec<Moved>,
    ) -> Result<bool> {
        // One that somebody moves just now is in use; waiting for it could be waiting in a circle.
        let mut state = match self.state.try_lock() {
            Ok(state) => state,
            Err(TryLockError::Poisoned(e)) => e.into_inner(),
            Err(TryLockError::WouldBlock) => return Ok(false),
        };
        self.refresh(&mut state);
        let only_there = state.residency.dirty(place, segment);
        if self.pins.load(Ordering::SeqCst) > pins || (!dirty && !only_there.is_empty()) {
            return Ok(false);
        }
        let mut copied = Vec::new();
        let result = self.fetch(&mut state, &only_there, &mut copied);
        moved.extend(copied.into_iter().map(|m| Moved { evicted: true, ..m }));
        result?;
        state.residency.forget(place, segment.clone());
        self.places.release(place, self.id, segment);
        Ok(true)
    }

    /// Gives up segments on a device that overlap a part, so that the part can be there in one piece.
    ///
    /// # Errors
    /// `OutOfMemory`: more than `own` calls keep segments; what only the device has could not be copied to the host.
    pub(crate) fn give_up(
        &self,
        place: usize,
        (part, own): (&Range<u64>, usize),
        moved: &mut Vec<Moved>,
    ) -> Result<()> {
        let mut state = self.state();
        for segment in self.places.overlapping(place, self.id, part) {
            if self.keepers[place].load(Ordering::SeqCst) > own {
                let why = format!("another call uses a part of an array of {} bytes there", self.bytes);
                return Err(Error::new(ErrorKind::OutOfMemory, why));
            }
            let only_there = state.residency.dirty(place, &segment);
            self.fetch(&mut state, &only_there, moved)?;
            state.residency.forget(place, segment.clone());
            self.places.release(place, self.id, &segment);
        }
        Ok(())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        self.refresh(&mut state);
        state
    }

    /// Notes which devices lost what they held.
    fn refresh(&self, state: &mut State) {
        for place in HOST + 1..self.places.count() {
            let device = self.places.device(place);
            let generation = device.generation();
            if generation != state.generations[place] || device.is_lost() {
                state.generations[place] = generation;
                state.residency.clear(place);
            }
        }
    }
}

impl Drop for ArrayMemory {
    fn drop(&mut self) {
        for place in HOST + 1..self.places.count() {
            self.places.forget(place, self.id);
        }
        if let Owned::Allocated(layout) = self.owned {
            // SAFETY: allocated by this layout, and nobody else has it: guards, views and calls hold the value.
            unsafe { dealloc(self.host.as_ptr(), layout) };
        }
    }
}

impl fmt::Debug for ArrayMemory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ArrayMemory({} bytes)", self.bytes)
    }
}
