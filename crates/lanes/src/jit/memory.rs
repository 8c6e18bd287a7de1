//! Memory for machine code: written first, executable afterwards, never both.

use std::io;

use memmap2::{Mmap, MmapMut};

/// Machine code that can be called, unmapped when dropped.
///
/// It is mapped at the start of a page, so at a multiple of 64. Whoever calls into it keeps it alive for that long.
pub(crate) struct ExecutableMemory {
    map: Mmap,
}

impl ExecutableMemory {
    /// Copies `code` into pages of its own and makes them executable.
    pub(crate) fn new(code: &[u8]) -> io::Result<Self> {
        let mut map = MmapMut::map_anon(code.len())?;
        map.copy_from_slice(code);
        Ok(Self { map: map.make_exec()? })
    }

    /// The first byte of the code.
    pub(crate) fn ptr(&self) -> *const u8 {
        self.map.as_ptr()
    }
}

#[cfg(test)]
mod tests {
    use super::ExecutableMemory;

    /// `lea eax, [rcx + rdx]` or `[rdi + rsi]`, whichever registers hold the first two arguments here; `ret`.
    const ADD: &[u8] = if cfg!(windows) { &[0x8D, 0x04, 0x11, 0xC3] } else { &[0x8D, 0x04, 0x37, 0xC3] };

    fn assert_shareable<T: Send + Sync>(_: &T) {}

    #[test]
    fn code_runs() {
        let code = ExecutableMemory::new(ADD).unwrap();
        assert_shareable(&code);
        // SAFETY: the bytes are a function of two registers that touches no memory but its return address, and `code`
        // lives until after the calls.
        let add: extern "C" fn(u32, u32) -> u32 = unsafe { std::mem::transmute(code.ptr()) };
        assert_eq!(add(40, 2), 42);
        assert_eq!(std::thread::scope(|scope| scope.spawn(|| add(u32::MAX, 1)).join().unwrap()), 0);
    }

    #[test]
    fn code_starts_a_cache_line_and_is_copied_whole() {
        let bytes: Vec<u8> = (0..10_000).map(|i| i as u8).collect();
        let code = ExecutableMemory::new(&bytes).unwrap();
        assert_eq!(code.ptr() as usize % 64, 0);
        // SAFETY: as many bytes were mapped and are readable.
        assert_eq!(unsafe { std::slice::from_raw_parts(code.ptr(), bytes.len()) }, &bytes[..]);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn pages_are_executable_and_not_writable() {
        let code = ExecutableMemory::new(ADD).unwrap();
        let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
        let address = code.ptr() as usize;
        let access = maps.lines().find_map(|line| {
            // "start-end access ..."; neighbours of the same access are one line.
            let (range, rest) = line.split_once(' ')?;
            let (start, end) = range.split_once('-')?;
            let hex = |text| usize::from_str_radix(text, 16).ok();
            (hex(start)?..hex(end)?).contains(&address).then(|| rest[..4].to_string())
        });
        assert_eq!(access.as_deref(), Some("r-xp"));
    }
}
