//! A chunk run once more: on copies of what it writes, so that the results of only one of its runs reach the host.

use super::{copy::ArgumentCopy, transfers};
use crate::backend::Argument;
use evener_lanes::analysis::{BindingFootprint, Footprint, Strided};

/// Bytes of all copies at most. A chunk of larger bindings is waited for.
const MOST_BYTES: u64 = 1 << 28;

/// The arguments of a chunk, those that it writes replaced by copies.
#[derive(Debug)]
pub(super) struct Shadow<'a> {
    arguments: Vec<Argument>,
    copies: Vec<Copied<'a>>,
}

/// A copy of one argument: as long, and filled where the chunk needs it.
#[derive(Debug)]
struct Copied<'a> {
    binding: usize,
    memory: ArgumentCopy,
    writes: &'a [Strided],
}

/// Bytes that running all of a call on copies copies, there and back; `None` where the copies would take too much memory.
/// `sizes` are those of the bindings.
pub(crate) fn copied_bytes(footprint: &Footprint, sizes: &[u64]) -> Option<f64> {
    let written = || footprint.bindings.iter().zip(sizes).filter(|(touched, _)| !touched.writes.is_empty());
    let held = written().fold(0u64, |sum, (_, size)| sum.saturating_add(*size));
    let bytes = |touched: &BindingFootprint| {
        transfers::needed(touched).chain(&touched.writes).map(Strided::bytes).fold(0u64, u64::saturating_add) as f64
    };
    (held <= MOST_BYTES).then(|| written().map(|(touched, _)| bytes(touched)).sum())
}

impl<'a> Shadow<'a> {
    /// Copies what a chunk of this footprint needs of the arguments that it writes. `None`: it would take too much memory.
    ///
    /// # Safety
    /// The arguments are valid for reads, and nobody writes what the chunk needs: bytes that it may read, or may leave as
    /// they are.
    pub(super) unsafe fn new(arguments: &[Argument], footprint: &'a Footprint) -> Option<Self> {
        let written = || footprint.bindings.iter().enumerate().filter(|(_, touched)| !touched.writes.is_empty());
        let bytes = written().map(|(k, _)| arguments[k].len).fold(0u64, u64::saturating_add);
        if bytes > MOST_BYTES {
            return None;
        }
        let mut shadow = Shadow { arguments: arguments.to_vec(), copies: Vec::new() };
        for (binding, touched) in written() {
            let original = arguments[binding];
            let mut memory = ArgumentCopy::of(&original);
            for set in transfers::needed(touched) {
                // SAFETY: footprints lie inside the argument, and nobody writes what is needed.
                set.for_each_run(|run| unsafe { memory.take(&original, run) });
            }
            shadow.arguments[binding].ptr = memory.as_mut_ptr();
            shadow.copies.push(Copied { binding, memory, writes: &touched.writes });
        }
        Some(shadow)
    }

    /// What the chunk is run on.
    pub(super) fn arguments(&self) -> &[Argument] {
        &self.arguments
    }

    /// Writes the chunk's results to the originals.
    ///
    /// # Safety
    /// `arguments` are those that the copies were made of, what the chunk writes of them is writable, and nobody else
    /// touches it meanwhile.
    pub(super) unsafe fn commit(&self, arguments: &[Argument]) {
        for copied in &self.copies {
            // SAFETY: footprints lie inside the argument; as the caller says.
            unsafe { copied.memory.give(&arguments[copied.binding], copied.writes) };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_the_chunk_writes_is_committed() {
        let mut host: Vec<u32> = (0..8).collect();
        // SAFETY: the vector outlives the argument, and nothing else uses it meanwhile.
        let argument = unsafe { Argument::new(host.as_mut_ptr().cast(), 32, true) };
        let (reads, writes) = (vec![Strided::range(0, 4)], vec![Strided::range(8, 16)]);
        let footprint = Footprint { bindings: vec![BindingFootprint { reads, writes, ..BindingFootprint::default() }] };
        // SAFETY: nobody writes the vector.
        let shadow = unsafe { Shadow::new(&[argument], &footprint) }.expect("it is small");
        // SAFETY: a copy of 32 bytes that only this test uses.
        let copy = unsafe { std::slice::from_raw_parts_mut(shadow.arguments()[0].as_ptr().cast::<u32>(), 8) };
        assert_eq!(copy, [0, 0, 2, 3, 0, 0, 0, 0]);
        copy.fill(9);
        // SAFETY: as above.
        unsafe { shadow.commit(&[argument]) };
        assert_eq!(host, [0, 1, 9, 9, 4, 5, 6, 7]);
    }

    #[test]
    fn what_takes_too_much_memory_is_not_copied() {
        // SAFETY: never read: the copy is refused by its size.
        let argument = unsafe { Argument::new(std::ptr::null_mut(), MOST_BYTES + 1, true) };
        let touched = BindingFootprint { writes: vec![Strided::range(0, 4)], ..BindingFootprint::default() };
        let footprint = Footprint { bindings: vec![touched] };
        // SAFETY: as above.
        assert!(unsafe { Shadow::new(&[argument], &footprint) }.is_none());
    }
}
