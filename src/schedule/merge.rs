//! Private copies for atomics that merge: each GPU of a split call updates its own copy of the bytes, which starts at
//! the identity of the operation; when all parts are done, the copies are combined with the original, once each.
//!
//! A copy is host memory that stands for the argument in one part: what the part uploads comes from it, and what it
//! downloads lands in it. So devices know nothing of merging, and a part that fails leaves the original as it was. The
//! CPU updates the original in place.

use super::copy::ArgumentCopy;
use crate::{
    backend::{Argument, Transfer},
    cost::Cost,
};
use evener_lanes::{
    analysis::{Footprint, MergeRegion, Strided},
    ir::{BinaryOp, Ty},
};

/// Bytes of memory traffic for each byte that merges: the identity is written, copy and original are read, the copy is
/// written, and goes to the original.
const TRAFFIC: f64 = 6.0;

/// What one part's copies add to a split of a call with this footprint: memory for all of each binding that merges, and
/// the traffic of what merges. `sizes` are the bindings' bytes; the host moves so many bytes a second.
pub fn cost(footprint: &Footprint, sizes: &[u64], bytes_per_s: f64) -> Cost {
    let merging = footprint.bindings.iter().zip(sizes).filter(|(touched, _)| !touched.merges.is_empty());
    let bytes = merging.map(|(touched, &size)| {
        let merged: u64 = touched.merges.iter().flat_map(|m| &m.bytes).map(Strided::bytes).sum();
        size as f64 + TRAFFIC * merged as f64
    });
    // A sum of nothing may be -0.
    match bytes.sum::<f64>() {
        none if none <= 0.0 => Cost::ZERO,
        bytes => Cost::of(bytes, bytes_per_s),
    }
}

/// The arguments of one part, some of them private copies.
#[derive(Debug)]
pub struct Private<'a> {
    arguments: Vec<Argument>,
    copies: Vec<Copied<'a>>,
}

/// A private copy of one argument.
#[derive(Debug)]
struct Copied<'a> {
    binding: usize,
    memory: ArgumentCopy,
    regions: &'a [MergeRegion],
    download: &'a [Strided],
}

impl<'a> Private<'a> {
    /// Makes the copies that a part needs: of what it uploads, with the identity where it merges.
    ///
    /// # Safety
    /// Nobody writes the arguments meanwhile.
    pub unsafe fn new(arguments: &[Argument], footprint: &'a Footprint, transfers: &'a [Transfer]) -> Self {
        let mut private = Private { arguments: arguments.to_vec(), copies: Vec::new() };
        for (binding, (touched, transfer)) in footprint.bindings.iter().zip(transfers).enumerate() {
            if touched.merges.is_empty() {
                continue;
            }
            let original = arguments[binding];
            let mut memory = ArgumentCopy::of(&original);
            for range in &transfer.upload {
                // SAFETY: uploads lie inside the argument, which is valid for reads and not written meanwhile.
                unsafe { memory.take(&original, range.clone()) };
            }
            for region in &touched.merges {
                fill(memory.bytes_mut(), region);
            }
            private.arguments[binding].ptr = memory.as_mut_ptr();
            private.copies.push(Copied { binding, memory, regions: &touched.merges, download: &transfer.download });
        }
        private
    }

    /// What the part binds.
    pub fn arguments(&self) -> &[Argument] {
        &self.arguments
    }

    /// Combines the copies with the originals, after the part and all others ended.
    ///
    /// # Safety
    /// `arguments` are those that the copies were made of, the merged bindings are writable, and nobody else uses them
    /// meanwhile.
    pub unsafe fn merge(mut self, arguments: &[Argument]) {
        for copied in &mut self.copies {
            let original = arguments[copied.binding];
            for region in copied.regions {
                // SAFETY: regions lie inside the argument, which is valid for reads.
                unsafe { combine(copied.memory.bytes_mut(), original.ptr, region) };
            }
            // SAFETY: downloads lie inside the argument, which is writable and nobody else's now.
            unsafe { copied.memory.give(&original, copied.download) };
        }
    }
}

/// Sets the elements of a region to the identity.
fn fill(bytes: &mut [u8], region: &MergeRegion) {
    let identity = region.identity().to_le_bytes();
    let element = &identity[..region.ty.bytes() as usize];
    for set in &region.bytes {
        set.for_each_run(|run| {
            for place in bytes[run.start as usize..run.end as usize].chunks_exact_mut(element.len()) {
                place.copy_from_slice(element);
            }
        });
    }
}

/// Replaces the elements of a region in a private copy by what they are combined with the original's.
///
/// # Safety
/// `original` is valid for reads of every byte of the region.
unsafe fn combine(copy: &mut [u8], original: *const u8, region: &MergeRegion) {
    for set in &region.bytes {
        set.for_each_run(|run| {
            let (start, end) = (run.start as usize, run.end as usize);
            // SAFETY: as the caller says.
            let original = unsafe { std::slice::from_raw_parts(original.add(start), end - start) };
            combine_run(&mut copy[start..end], original, region.op, region.ty);
        });
    }
}

/// Combines elements of a type with those of another slice.
macro_rules! combine_as {
    ($ty:ty, $copy:expr, $original:expr, $op:expr) => {
        for (a, b) in $copy.chunks_exact_mut(size_of::<$ty>()).zip($original.chunks_exact(size_of::<$ty>())) {
            let (x, y): ($ty, $ty) = (bytemuck::pod_read_unaligned(a), bytemuck::pod_read_unaligned(b));
            let both = match $op {
                BinaryOp::Min => x.min(y),
                BinaryOp::Max => x.max(y),
                BinaryOp::And => x & y,
                BinaryOp::Or => x | y,
                BinaryOp::Xor => x ^ y,
                _ => x.wrapping_add(y),
            };
            a.copy_from_slice(&both.to_ne_bytes());
        }
    };
}

fn combine_run(copy: &mut [u8], original: &[u8], op: BinaryOp, ty: Ty) {
    match ty {
        Ty::I32 => combine_as!(i32, copy, original, op),
        Ty::I64 => combine_as!(i64, copy, original, op),
        Ty::U64 => combine_as!(u64, copy, original, op),
        _ => combine_as!(u32, copy, original, op),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use evener_lanes::analysis::BindingFootprint;

    fn region(op: BinaryOp, ty: Ty, start: u64, count: u64, stride: u64) -> MergeRegion {
        let run = ty.bytes().into();
        MergeRegion { op, ty, bytes: vec![Strided { start, run, levels: vec![(stride, count)] }] }
    }

    #[test]
    fn two_copies_add_to_the_original_once_each() {
        // Pairs of a counter that merges and a value that the part writes.
        let mut host: Vec<u32> = vec![10, 1, 20, 2, 30, 3];
        // SAFETY: the vector outlives the argument, and nothing else uses it meanwhile.
        let argument = unsafe { Argument::new(host.as_mut_ptr().cast(), 24, true) };
        let merges = vec![region(BinaryOp::Add, Ty::U32, 0, 3, 8)];
        let part = |k: u64| {
            let value = Strided::range(8 * k + 4, 8 * k + 8);
            let writes = vec![Strided { start: 0, run: 4, levels: vec![(8, 3)] }, value];
            let transfer =
                Transfer { upload: std::iter::once(0..24).collect(), download: writes.clone(), ..Transfer::default() };
            let touched = BindingFootprint { writes, merges: merges.clone(), ..BindingFootprint::default() };
            (Footprint { bindings: vec![touched] }, vec![transfer])
        };
        let parts = [part(0), part(2)];
        // SAFETY: nobody writes the vector.
        let privates = parts.each_ref().map(|(f, t)| unsafe { Private::new(&[argument], f, t) });
        for (k, private) in privates.iter().enumerate() {
            // SAFETY: a copy of 24 bytes that only this test uses.
            let copy = unsafe { std::slice::from_raw_parts_mut(private.arguments()[0].as_ptr().cast::<u32>(), 6) };
            assert_eq!(copy, [0, 1, 0, 2, 0, 3]);
            (0..3).for_each(|c| copy[2 * c] += 100 * (k as u32 + 1));
            copy[4 * k + 1] = 77;
        }
        // SAFETY: as above.
        privates.into_iter().for_each(|p| unsafe { p.merge(&[argument]) });
        assert_eq!(host, [310, 77, 320, 2, 330, 77]);
    }

    #[test]
    fn every_operation_has_its_identity() {
        use BinaryOp::*;
        for ty in [Ty::I32, Ty::U32, Ty::I64, Ty::U64] {
            for op in [Add, Min, Max, And, Or, Xor] {
                let bytes = 8 * usize::from(ty.bytes() == 8) + 8;
                let before: Vec<u8> = (0..bytes as u8).map(|b| b.wrapping_mul(91) ^ 0x85).collect();
                let region = region(op, ty, 0, 2, ty.bytes().into());
                let mut copy = vec![0xcc; bytes];
                fill(&mut copy, &region);
                // SAFETY: the region is the vector.
                unsafe { combine(&mut copy, before.as_ptr(), &region) };
                assert_eq!(copy, before, "{op:?} {ty:?}");
            }
        }
    }
}
