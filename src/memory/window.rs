//! The part of a binding that a chunk touches, and where each byte of it lies in a device buffer that holds no more.
//!
//! A [`Window`] is the bytes before a runtime-sized array and a few far-apart pieces of the array, packed one after
//! the other. Host byte and device byte of a piece differ by a constant, so kernels find an element with one
//! subtraction a piece (`kernel::rewrite`), and copies find their target with the same table.

use evener_lanes::ir::Binding;
use std::ops::Range;

/// Pieces of one window: sites further apart than these are covered by the hull of the nearest.
pub const MAX_PIECES: usize = 4;

/// Consecutive elements of a binding's runtime-sized array.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Piece {
    /// First element.
    pub base: u32,
    /// Elements.
    pub count: u32,
    /// Where the first one is in the device's array, in elements.
    pub offset: u32,
}

/// What of one binding is on a device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Window {
    /// Bytes before the array: always there.
    fixed: u64,
    /// Bytes an element.
    stride: u64,
    /// Logical length of the binding in bytes.
    len: u64,
    /// Least bytes of a buffer.
    least: u64,
    /// Ascending and disjoint, in the binding and on the device.
    pieces: Vec<Piece>,
}

impl Window {
    /// The window of the elements in `touched`, in at most [`MAX_PIECES`] pieces and as few as cost little more memory.
    /// `None` where the array cannot be moved: it has a fixed size, more than 2^32 elements, or starts at a byte that
    /// devices cannot copy to.
    pub fn new(binding: &Binding, len: u64, touched: impl IntoIterator<Item = Range<u64>>) -> Option<Self> {
        let (fixed, stride) = (u64::from(binding.fixed_bytes), u64::from(binding.runtime_stride?));
        let elements = len.saturating_sub(fixed) / stride.max(1);
        if stride == 0 || !fixed.is_multiple_of(4) || !stride.is_multiple_of(2) || elements > u64::from(u32::MAX) {
            return None;
        }
        // Devices copy whole words: two elements where one is half a word.
        let unit = if stride.is_multiple_of(4) { 1 } else { 2 };
        let aligned = touched.into_iter().filter_map(|bytes| {
            let first = bytes.start.saturating_sub(fixed) / stride;
            let last = bytes.end.saturating_sub(fixed).div_ceil(stride);
            let range = first / unit * unit..last.next_multiple_of(unit).min(elements);
            (range.start < range.end).then_some(range)
        });
        let mut offset = 0;
        let pieces = joined(aligned.collect()).into_iter().map(|range| {
            let count = (range.end - range.start) as u32;
            let piece = Piece { base: range.start as u32, count, offset };
            offset += count;
            piece
        });
        Some(Window { fixed, stride, len, least: least_bytes(binding), pieces: pieces.collect() })
    }

    /// The pieces, ascending.
    pub fn pieces(&self) -> &[Piece] {
        &self.pieces
    }

    /// Bytes of the device's buffer: at least one element, which the rewritten kernel may read in vain.
    pub fn device_bytes(&self) -> u64 {
        let elements = self.pieces.last().map_or(0, |p| u64::from(p.offset) + u64::from(p.count));
        (self.fixed + elements * self.stride).max(self.least).next_multiple_of(4)
    }

    /// The parts of a range of the binding that are on the device, each with its first byte there, ascending. The last
    /// word of the binding counts as whole.
    pub fn map(&self, range: Range<u64>) -> impl Iterator<Item = (Range<u64>, u64)> + '_ {
        let header = (0..self.fixed, 0);
        let pieces = self.pieces.iter().map(|p| {
            let (base, count, offset) = (u64::from(p.base), u64::from(p.count), u64::from(p.offset));
            let start = self.fixed + base * self.stride;
            let end = start + count * self.stride;
            // A tail shorter than an element is reached by no access; what pads the last word is.
            let end = if end + self.stride > self.len { end.next_multiple_of(4) } else { end };
            (start..end, self.fixed + offset * self.stride)
        });
        std::iter::once(header).chain(pieces).filter_map(move |(there, at)| {
            let part = range.start.max(there.start)..range.end.min(there.end);
            let at = at + part.start.saturating_sub(there.start);
            (part.start < part.end).then_some((part, at))
        })
    }
}

/// The least bytes that devices bind: the type with one element. A struct's size is a multiple of its alignment, which
/// is at most 32.
pub(crate) fn least_bytes(binding: &Binding) -> u64 {
    let bytes = u64::from(binding.fixed_bytes) + u64::from(binding.runtime_stride.unwrap_or(0));
    if binding.fixed_bytes > 0 { bytes.next_multiple_of(32) } else { bytes }
}

/// Sorted, with near ranges joined: the smallest gaps first, until there are at most [`MAX_PIECES`] ranges and every
/// further gap would add more than an eighth.
fn joined(mut ranges: Vec<Range<u64>>) -> Vec<Range<u64>> {
    ranges.sort_unstable_by_key(|r| r.start);
    let mut out: Vec<Range<u64>> = Vec::new();
    for r in ranges {
        match out.last_mut() {
            Some(last) if r.start <= last.end => last.end = last.end.max(r.end),
            _ => out.push(r),
        }
    }
    let total = |ranges: &[Range<u64>]| ranges.iter().map(|r| r.end - r.start).sum::<u64>();
    while out.len() > 1 {
        let gap = |k: &usize| out[k + 1].start - out[*k].end;
        let Some(k) = (0..out.len() - 1).min_by_key(gap) else { break };
        if out.len() <= MAX_PIECES && gap(&k) > total(&out) / 8 {
            break;
        }
        out[k].end = out[k + 1].end;
        out.remove(k + 1);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use evener_lanes::ir::{Access, Space};
    use proptest::prelude::*;

    fn binding(fixed_bytes: u32, stride: u32) -> Binding {
        Binding {
            name: "x".into(),
            group: 0,
            binding: 0,
            space: Space::Storage,
            access: Access { read: true, write: true, atomic: false },
            fixed_bytes,
            runtime_stride: Some(stride),
        }
    }

    fn window(fixed: u32, stride: u32, len: u64, touched: &[Range<u64>]) -> Window {
        Window::new(&binding(fixed, stride), len, touched.iter().cloned()).expect("it can be moved")
    }

    #[test]
    fn far_apart_pieces_are_packed_and_near_ones_joined() {
        let far = window(0, 4, 8_000_000, &[4_000_000..4_000_400, 400..800]);
        assert_eq!(
            far.pieces(),
            [Piece { base: 100, count: 100, offset: 0 }, Piece { base: 1_000_000, count: 100, offset: 100 }]
        );
        assert_eq!(far.device_bytes(), 800);
        let near = window(0, 4, 8_000_000, &[400..800, 804..1200]);
        assert_eq!(near.pieces(), [Piece { base: 100, count: 200, offset: 0 }]);
        let many: Vec<Range<u64>> = (0..9).map(|k| k * 800_000..k * 800_000 + 4).collect();
        assert_eq!(window(0, 4, 8_000_000, &many).pieces().len(), MAX_PIECES);
    }

    #[test]
    fn a_range_is_mapped_part_by_part() {
        let w = window(16, 4, 16 + 4000, &[1016..1116, 3016..3116]);
        let parts: Vec<_> = w.map(0..4016).collect();
        assert_eq!(parts, [(0..16, 0), (1016..1116, 16), (3016..3116, 116)]);
        assert_eq!(w.map(1100..3020).collect::<Vec<_>>(), [(1100..1116, 100), (3016..3020, 116)]);
        assert!(w.map(16..1016).next().is_none());
        assert_eq!(w.device_bytes(), 216);
    }

    #[test]
    fn nothing_touched_still_has_an_element_to_read_in_vain() {
        assert_eq!(window(0, 16, 1600, &[]).device_bytes(), 16);
        assert_eq!(window(8, 4, 8, std::slice::from_ref(&(0..8))).device_bytes(), 32);
    }

    #[test]
    fn what_devices_cannot_copy_is_no_window() {
        let fixed_size = Binding { runtime_stride: None, ..binding(64, 4) };
        assert_eq!(Window::new(&fixed_size, 64, []), None);
        assert_eq!(Window::new(&binding(2, 2), 100, []), None);
        assert_eq!(Window::new(&binding(0, 4), 17 << 32, []), None);
        assert!(Window::new(&binding(0, 4), 6 << 30, []).is_some());
    }

    proptest! {
        #[test]
        fn each_touched_byte_has_one_place(
            fixed in 0u32..4, stride in prop::sample::select(vec![2u32, 4, 6, 8, 12, 16, 20]), elements in 1u64..500,
            touched in prop::collection::vec((0u64..9000, 1u64..300), 0..8),
        ) {
            let (fixed, stride_bytes) = (fixed * 4, u64::from(stride));
            let len = u64::from(fixed) + elements * stride_bytes;
            let touched: Vec<Range<u64>> =
                touched.into_iter().map(|(a, n)| a.min(len)..(a + n).min(len)).filter(|r| r.start < r.end).collect();
            let w = window(fixed, stride, len, &touched);
            let (mut host, mut device) = (0, 0);
            for (range, at) in w.map(0..len.next_multiple_of(4)) {
                prop_assert!(range.start >= host && at >= device && at % 4 == 0 && range.start % 4 == 0);
                (host, device) = (range.end, at + range.end - range.start);
            }
            prop_assert!(device <= w.device_bytes());
            for byte in touched.iter().flat_map(Clone::clone) {
                prop_assert_eq!(w.map(byte..byte + 1).count(), 1);
            }
        }
    }
}
