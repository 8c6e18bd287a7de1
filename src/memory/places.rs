//! The devices of a runtime as places for arrays, and room on them.

use super::{
    array::ArrayMemory,
    budget::{self, Ledger},
    intervals::Intervals,
    residency::HOST,
    segments::page_bytes,
};
use crate::{
    backend::Backend,
    error::{Error, ErrorKind, Result},
};
use std::{
    fmt,
    ops::Range,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
};

/// Bytes that moved between the host and a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Moved {
    /// The device.
    pub(crate) device: usize,
    /// Host to device.
    pub(crate) up: u64,
    /// Device to host.
    pub(crate) down: u64,
    /// Whether it is of an array that the call does not use and that made room.
    pub(crate) evicted: bool,
    /// Whether the host wrote or read the device's own memory, which it shares.
    pub(crate) mapped: bool,
}

/// The devices of a runtime. The first is the CPU: the host's memory.
pub(crate) struct Places {
    devices: Vec<Arc<dyn Backend>>,
    rooms: Vec<Mutex<Room>>,
}

/// Which segments may go.
struct Which {
    /// Those that were used before this time,
    before: u64,
    /// and of a call's own array, those that its pins alone hold.
    own: Option<(u64, usize)>,
}

impl Default for Which {
    fn default() -> Self {
        Which { before: u64::MAX, own: None }
    }
}

/// Arrays on one device.
struct Room {
    ledger: Ledger<Weak<ArrayMemory>>,
    /// The device that the ledger is of: one built again after a loss has nothing.
    generation: u64,
}

impl Places {
    /// `bytes` is the budget on every device, if the user gave one.
    pub(crate) fn new(devices: Vec<Arc<dyn Backend>>, bytes: Option<u64>) -> Arc<Self> {
        let room = |device: &Arc<dyn Backend>| {
            let limit = bytes.unwrap_or_else(|| budget::default_bytes(device.info().kind));
            Mutex::new(Room { ledger: Ledger::new(limit), generation: device.generation() })
        };
        Arc::new(Places { rooms: devices.iter().map(room).collect(), devices })
    }

    /// The CPU and the devices.
    pub(crate) fn count(&self) -> usize {
        self.devices.len()
    }

    pub(crate) fn device(&self, place: usize) -> &dyn Backend {
        &*self.devices[place]
    }

    /// Bytes of an array that went to a device or came from it.
    pub(crate) fn moved(&self, device: usize, up: u64, down: u64) -> Moved {
        Moved { device, up, down, evicted: false, mapped: self.device(device).maps_arrays() }
    }

    /// Bytes of arrays that a device may hold.
    pub(crate) fn limit(&self, place: usize) -> u64 {
        if place == HOST { u64::MAX } else { self.room(place).ledger.limit() }
    }

    /// Memory for a part of an array on a device, in one segment, as the last used there. Others are evicted for it, and
    /// segments of the array that overlap it are given up, unless another call has any. `pins` of the array are the call's
    /// own: of an array that nobody else uses, other segments may go, too.
    ///
    /// # Errors
    /// `OutOfMemory`: the budget or the device has no room, or another call uses segments of the array; a lost device.
    pub(crate) fn admit(
        &self,
        place: usize,
        array: &Arc<ArrayMemory>,
        (part, pins): (&Range<u64>, usize),
        moved: &mut Vec<Moved>,
    ) -> Result<()> {
        if self.room(place).ledger.touch(array.id(), part) {
            return Ok(());
        }
        array.give_up(place, (part, usize::from(pins > 0)), moved)?;
        let excess = self.room(place).ledger.excess(part.end - part.start);
        if excess > 0 {
            self.evict_some(place, excess, Which { own: Some((array.id(), pins)), ..Which::default() }, moved)?;
        }
        self.make_room(place, part.end - part.start, moved)?;
        let device = self.device(place);
        if let Err(error) = device.array_reserve(array.id(), part) {
            if error.kind() != ErrorKind::OutOfMemory || !self.evict(place, u64::MAX, moved)? {
                return Err(error);
            }
            device.array_reserve(array.id(), part)?;
        }
        self.room(place).ledger.enter(array.id(), part.clone(), Arc::downgrade(array));
        Ok(())
    }

    /// Memory for pages of an array on a device, as many as there is room for beside `spare` bytes, the first ones first;
    /// those that are there stay. What other arrays have goes for them only if it was not used since this array was: calls
    /// that take turns would else take each other's memory at every turn. Returns all of the array that is there then.
    pub(crate) fn admit_pages(
        &self,
        place: usize,
        array: &Arc<ArrayMemory>,
        (wanted, spare): (&Intervals, u64),
        moved: &mut Vec<Moved>,
    ) -> Intervals {
        let page = page_bytes(self.limit(place));
        let (before, held) = {
            let ledger = &mut self.room(place).ledger;
            (ledger.touch_runs(array.id(), wanted, Arc::downgrade(array)), ledger.held(array.id()))
        };
        let missing = wanted.runs().iter().flat_map(|run| held.missing(run));
        let pages = missing.flat_map(|run| (run.start / page..run.end.div_ceil(page)).map(move |k| (k, run.clone())));
        for (k, run) in pages {
            let part = (k * page).max(run.start)..((k + 1) * page).min(run.end);
            let excess = self.room(place).ledger.excess(part.end - part.start + spare);
            let fits = excess == 0 || {
                // What cannot be copied back stays.
                let _ = self.evict_some(place, excess, Which { before, own: None }, moved);
                self.room(place).ledger.excess(part.end - part.start + spare) == 0
            };
            if !fits || self.device(place).array_reserve(array.id(), &part).is_err() {
                break;
            }
            self.room(place).ledger.enter(array.id(), part, Arc::downgrade(array));
        }
        self.held(place, array.id())
    }

    /// The segment that holds all of a part of an array on a device.
    pub(crate) fn covering(&self, place: usize, array: u64, part: &Range<u64>) -> Option<Range<u64>> {
        self.room(place).ledger.covering(array, part)
    }

    /// The segments on a device that have any of a part of an array.
    pub(crate) fn overlapping(&self, place: usize, array: u64, part: &Range<u64>) -> Vec<Range<u64>> {
        self.room(place).ledger.overlapping(array, part)
    }

    /// What of an array has memory on a device.
    pub(crate) fn held(&self, place: usize, array: u64) -> Intervals {
        self.room(place).ledger.held(array)
    }

    /// Evicts arrays until `bytes` more fit into a device's budget.
    ///
    /// # Errors
    /// `OutOfMemory`: not even then; a lost device.
    pub(crate) fn make_room(&self, place: usize, bytes: u64, moved: &mut Vec<Moved>) -> Result<()> {
        let excess = self.room(place).ledger.excess(bytes);
        if excess > 0 {
            self.evict(place, excess, moved)?;
        }
        let room = self.room(place);
        match room.ledger.excess(bytes) {
            0 => Ok(()),
            _ => {
                let (id, limit) = (&self.device(place).info().id, room.ledger.limit());
                let why = format!("{bytes} bytes do not fit beside what is in use into the {limit} bytes of {id}");
                Err(Error::new(ErrorKind::OutOfMemory, why))
            }
        }
    }

    /// Evicts at least `bytes` bytes of segments if there are so many not in use: the least recently used first, those that
    /// must be copied to the host last. Whether any was.
    pub(crate) fn evict(&self, place: usize, bytes: u64, moved: &mut Vec<Moved>) -> Result<bool> {
        self.evict_some(place, bytes, Which::default(), moved)
    }

    /// The same of some segments.
    fn evict_some(&self, place: usize, bytes: u64, which: Which, moved: &mut Vec<Moved>) -> Result<bool> {
        let oldest = self.room(place).ledger.oldest_first(which.before);
        let mut freed = 0;
        for dirty in [false, true] {
            for (array, segment) in oldest.iter().filter_map(|(array, s)| Some((array.upgrade()?, s))) {
                let pins = which.own.map_or(0, |(own, pins)| if own == array.id() { pins } else { 0 });
                if freed < bytes && array.evict(place, segment, (dirty, pins), moved)? {
                    freed += segment.end - segment.start;
                }
            }
        }
        Ok(freed > 0)
    }

    /// Gives an array's segments inside a range of it back.
    pub(crate) fn release(&self, place: usize, array: u64, range: &Range<u64>) {
        self.device(place).array_release(array, range);
        self.room(place).ledger.remove(array, range);
    }

    /// Gives all memory of an array that is no more back.
    pub(crate) fn forget(&self, place: usize, array: u64) {
        self.device(place).array_release(array, &(0..u64::MAX));
        self.room(place).ledger.forget(array);
    }

    fn room(&self, place: usize) -> MutexGuard<'_, Room> {
        let mut room = self.rooms[place].lock().unwrap_or_else(PoisonError::into_inner);
        let generation = self.device(place).generation();
        if room.generation != generation {
            *room = Room { ledger: Ledger::new(room.ledger.limit()), generation };
        }
        room
    }
}

impl fmt::Debug for Places {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Places({})", self.count())
    }
}
