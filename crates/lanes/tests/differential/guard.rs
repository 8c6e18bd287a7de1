//! Buffers between pages that must not be touched: an engine that reads or writes a byte outside its bindings crashes.
//!
//! A buffer lies flush against the page after its end or before its start; where the other side leaves room, and where
//! alignment does, a canary is written and checked. After [`announce`], a crash says which seed ran.

#![allow(dead_code, reason = "tests and the long run use different parts")]

use std::cell::RefCell;

/// What lies around a buffer where no guard page does.
const CANARY: u8 = 0xa5;
/// Bytes of canary at most on each side.
const MARGIN: usize = 256;
/// Bytes between the guard pages; larger buffers are not guarded.
const ROOM: usize = 1 << 20;
/// Where buffers start: what the widest atomic needs.
const ALIGN: usize = 8;

/// Memory between two guard pages.
struct Region {
    start: *mut u8,
}

/// Where a buffer lies in its region.
#[derive(Clone, Copy)]
struct Placed {
    offset: usize,
    len: usize,
}

/// The buffers of one run.
pub struct Guarded {
    regions: Vec<Region>,
    placed: Vec<Placed>,
}

thread_local! {
    /// Regions to be used again: mapping one costs more than most runs.
    static IDLE: RefCell<Vec<Region>> = const { RefCell::new(Vec::new()) };
}

impl Guarded {
    pub fn new() -> Self {
        Guarded { regions: Vec::new(), placed: Vec::new() }
    }

    /// Copies a buffer to the end or the start of a region; `None` if there is no room for it or no such memory.
    /// The pointer is good for `bytes.len()` bytes until this is dropped.
    pub fn place(&mut self, bytes: &[u8], at_end: bool) -> Option<*mut u8> {
        if bytes.len() > ROOM {
            return None;
        }
        let region = IDLE.with_borrow_mut(Vec::pop).or_else(Region::new)?;
        let offset = if at_end { (ROOM - bytes.len()) & !(ALIGN - 1) } else { 0 };
        let placed = Placed { offset, len: bytes.len() };
        for range in placed.margins() {
            region.bytes(range.start, range.len()).fill(CANARY);
        }
        region.bytes(offset, bytes.len()).copy_from_slice(bytes);
        // SAFETY: the offset is inside the region.
        let pointer = unsafe { region.start.add(offset) };
        self.regions.push(region);
        self.placed.push(placed);
        Some(pointer)
    }

    /// The bytes of a buffer, in the order they were placed; an error if something beside it was overwritten.
    pub fn bytes(&self, i: usize) -> Result<Vec<u8>, String> {
        let (region, placed) = (&self.regions[i], self.placed[i]);
        for range in placed.margins() {
            if let Some(at) = region.bytes(range.start, range.len()).iter().position(|b| *b != CANARY) {
                let at = (range.start + at) as i64 - placed.offset as i64;
                return Err(format!("byte {at} of a buffer of {} bytes was overwritten", placed.len));
            }
        }
        Ok(region.bytes(placed.offset, placed.len).to_vec())
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        IDLE.with_borrow_mut(|idle| idle.append(&mut self.regions));
    }
}

impl Placed {
    /// The canaries before and after.
    fn margins(self) -> [std::ops::Range<usize>; 2] {
        let end = self.offset + self.len;
        [self.offset.saturating_sub(MARGIN)..self.offset, end..(end + MARGIN).min(ROOM)]
    }
}

impl Region {
    #[allow(clippy::mut_from_ref, reason = "a region is one thread's, and its slices never outlive a statement")]
    fn bytes(&self, offset: usize, len: usize) -> &mut [u8] {
        assert!(offset + len <= ROOM);
        // SAFETY: inside the region; the engines that also write it have ended.
        unsafe { std::slice::from_raw_parts_mut(self.start.add(offset), len) }
    }

    #[cfg(unix)]
    fn new() -> Option<Region> {
        // SAFETY: a fresh mapping of its own; sizes are multiples of every page size up to ROOM.
        unsafe {
            let page = usize::try_from(libc::sysconf(libc::_SC_PAGESIZE)).ok()?;
            let flags = libc::MAP_PRIVATE | libc::MAP_ANON;
            let base = libc::mmap(std::ptr::null_mut(), ROOM + 2 * page, libc::PROT_NONE, flags, -1, 0);
            if base == libc::MAP_FAILED {
                return None;
            }
            let start = base.cast::<u8>().add(page);
            let opened = libc::mprotect(start.cast(), ROOM, libc::PROT_READ | libc::PROT_WRITE);
            (opened == 0).then_some(Region { start })
        }
    }

    #[cfg(not(unix))]
    fn new() -> Option<Region> {
        None
    }
}

#[cfg(unix)]
mod crash {
    use std::{cell::Cell, sync::Once};

    /// Whether `f` is not true, or does not come back at all: it runs in a process of its own.
    pub fn fails(f: impl FnOnce() -> bool) -> bool {
        // SAFETY: the child only calls `f` and leaves; the caller has no other threads that hold locks.
        unsafe {
            match libc::fork() {
                0 => libc::_exit(if f() { 0 } else { 1 }),
                child => {
                    let mut status = 0;
                    libc::waitpid(child, &mut status, 0);
                    status != 0
                }
            }
        }
    }

    thread_local! {
        static SEED: Cell<u64> = const { Cell::new(0) };
    }

    /// Says on standard error which seed a crash of this thread belongs to.
    pub fn announce(seed: u64) {
        static INSTALLED: Once = Once::new();
        INSTALLED.call_once(|| {
            for signal in [libc::SIGSEGV, libc::SIGBUS, libc::SIGILL, libc::SIGFPE] {
                // SAFETY: the handler only writes to standard error and ends the process.
                unsafe { libc::signal(signal, handler as extern "C" fn(i32) as libc::sighandler_t) };
            }
        });
        SEED.set(seed);
    }

    /// Allocates nothing and takes no lock: the interrupted code may hold any.
    extern "C" fn handler(signal: i32) {
        let mut text = *b"crash: signal 00, seed 00000000000000000000\n";
        let mut put = |mut at: usize, mut n: u64| {
            while n > 0 {
                text[at] = b'0' + (n % 10) as u8;
                (at, n) = (at - 1, n / 10);
            }
        };
        put(15, signal as u64);
        put(42, SEED.get());
        // SAFETY: both are async-signal-safe.
        unsafe {
            libc::write(2, text.as_ptr().cast(), text.len());
            libc::_exit(3);
        }
    }
}

#[cfg(unix)]
#[allow(unused_imports, reason = "not every user of the module runs in processes of its own")]
pub use crash::{announce, fails};

/// Crashes are not announced here.
#[cfg(not(unix))]
pub fn announce(_seed: u64) {}

/// Crashes cannot be caught here.
#[cfg(not(unix))]
pub fn fails(f: impl FnOnce() -> bool) -> bool {
    !f()
}
