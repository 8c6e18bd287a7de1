//! A copy of an argument in host memory, which stands for it where a part of a call runs on its own bytes.

use crate::backend::Argument;
use evener_lanes::analysis::Strided;
use std::ops::Range;

/// As long as the argument, and zero where nothing was copied.
#[derive(Debug)]
pub(super) struct ArgumentCopy {
    /// Words, so that 8-byte elements are aligned. Pages that nobody touches take no memory.
    memory: Vec<u64>,
}

impl ArgumentCopy {
    /// A copy of `original` with nothing in it yet.
    pub(super) fn of(original: &Argument) -> Self {
        ArgumentCopy { memory: vec![0; original.len.div_ceil(8) as usize] }
    }

    /// First byte: the heap memory stays where it is when the copy moves.
    pub(super) fn as_mut_ptr(&mut self) -> *mut u8 {
        self.memory.as_mut_ptr().cast()
    }

    /// All bytes.
    pub(super) fn bytes_mut(&mut self) -> &mut [u8] {
        bytemuck::cast_slice_mut(&mut self.memory)
    }

    /// Takes bytes from the original.
    ///
    /// # Safety
    /// The range lies inside the original, which is valid for reads there, and nobody writes it meanwhile.
    pub(super) unsafe fn take(&mut self, original: &Argument, range: Range<u64>) {
        let (start, end) = (range.start as usize, range.end as usize);
        // SAFETY: as the caller says.
        let host = unsafe { std::slice::from_raw_parts(original.ptr.add(start), end - start) };
        self.bytes_mut()[start..end].copy_from_slice(host);
    }

    /// Gives bytes to the original.
    ///
    /// # Safety
    /// The sets lie inside the original, which is writable there and nobody else's meanwhile.
    pub(super) unsafe fn give(&self, original: &Argument, sets: &[Strided]) {
        let bytes: &[u8] = bytemuck::cast_slice(&self.memory);
        for set in sets {
            set.for_each_run(|run| {
                let (at, len) = (run.start as usize, (run.end - run.start) as usize);
                // SAFETY: as the caller says.
                unsafe { std::ptr::copy_nonoverlapping(bytes[at..at + len].as_ptr(), original.ptr.add(at), len) };
            });
        }
    }
}
