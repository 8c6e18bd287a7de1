//! evener's own uniform: which chunk of which grid a dispatch runs, and the logical array lengths.
//!
//! One layout, written by [`GpuModule::dispatch`] on the host and declared by [`declare`] in the module:
//!
//! | bytes   | field     | meaning                                                               |
//! |---------|-----------|-----------------------------------------------------------------------|
//! | 0..12   | `base`    | first work-group of the chunk                                         |
//! | 16..28  | `grid`    | logical `num_workgroups`                                              |
//! | 32..44  | `count`   | work-groups of the chunk on each axis                                 |
//! | 48..64  | `fold`    | row length (0: not folded), rows a plane, last row, last column in it |
//! | 64..    | `lengths` | elements of each runtime-sized array, four to a vector                |
//! | then    | `windows` | base, count and offset of each piece, array by array                  |
//!
//! `windows` is there only in a module made for windows. All are counted in elements, so byte offsets past 2^32
//! need no wide arithmetic on the device.

use super::GpuModule;
use crate::{
    error::{Error, ErrorKind, Result},
    memory::window::{Piece, Window},
};
use evener_lanes::{Grid, GroupRange};
use naga::{
    AddressSpace, ArraySize, GlobalVariable, Handle, Module, ResourceBinding, Scalar, Span, StructMember, Type,
    TypeInner, VectorSize,
};

/// Index of each member of the uniform.
pub(super) mod member {
    pub const BASE: u32 = 0;
    pub const GRID: u32 = 1;
    pub const COUNT: u32 = 2;
    pub const FOLD: u32 = 3;
    pub const LENGTHS: u32 = 4;
    pub const WINDOWS: u32 = 5;
}

/// A runtime-sized array whose logical length the uniform holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Length {
    /// Index of its binding in the order of arguments.
    pub binding: usize,
    /// Bytes before the array.
    pub fixed_bytes: u32,
    /// Bytes an element.
    pub stride: u32,
}

impl Length {
    /// Elements of a binding of so many bytes.
    fn elements(&self, bytes: u64) -> u32 {
        let array = bytes.saturating_sub(self.fixed_bytes.into());
        u32::try_from(array / u64::from(self.stride)).unwrap_or(u32::MAX)
    }
}

/// A dispatch of a chunk: physical work-groups and the contents of the params uniform.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dispatch {
    /// Work-groups to dispatch on each axis, each within the device's limit.
    pub groups: [u32; 3],
    /// Bytes of the uniform.
    pub params: Vec<u8>,
}

impl GpuModule {
    /// Bytes of the params uniform, a multiple of 16.
    pub fn params_bytes(&self) -> u64 {
        let arrays = self.lengths.len();
        64 + 16 * (arrays.div_ceil(4) + arrays * self.pieces) as u64
    }

    /// The dispatch for a chunk: `lengths` are the logical sizes in bytes of the bindings in the order of
    /// arguments, `limit` the device's work-groups an axis.
    ///
    /// # Errors
    /// `Limit`: the chunk must be folded and has 2^32 work-groups or more in all, or more than three axes of
    /// `limit` can hold, or the module takes no folded grids.
    pub fn dispatch(&self, grid: Grid, range: &GroupRange, lengths: &[u64], limit: u32) -> Result<Dispatch> {
        self.dispatch_in(grid, range, lengths, &[], limit)
    }

    /// The same where bindings are in windows, in the order of arguments; one without a window is bound whole. The module
    /// is made for at least as many pieces as they have.
    ///
    /// # Errors
    /// As [`GpuModule::dispatch`].
    pub fn dispatch_in(
        &self,
        grid: Grid,
        range: &GroupRange,
        lengths: &[u64],
        windows: &[Option<&Window>],
        limit: u32,
    ) -> Result<Dispatch> {
        let count = std::array::from_fn(|a| range.end[a].saturating_sub(range.start[a]));
        let fold = Fold::new(count, limit)?;
        if fold.row > 0 && !self.folded {
            let why = format!("{count:?} work-groups for a module that takes {limit} an axis");
            return Err(Error::new(ErrorKind::Limit, why));
        }
        let mut params: Vec<u32> = Vec::with_capacity(self.params_bytes() as usize / 4);
        [range.start, grid.groups, count].into_iter().for_each(|[x, y, z]| params.extend([x, y, z, 0]));
        params.extend([fold.row, fold.rows, fold.last_row, fold.last_column]);
        let elements = |l: &Length| l.elements(lengths.get(l.binding).copied().unwrap_or(0));
        params.extend(self.lengths.iter().map(elements));
        params.resize(16 + 4 * self.lengths.len().div_ceil(4), 0);
        for length in &self.lengths {
            let whole = [Piece { base: 0, count: elements(length), offset: 0 }];
            let pieces = windows.get(length.binding).copied().flatten().map_or(&whole[..], Window::pieces);
            let none = Piece { base: 0, count: 0, offset: 0 };
            let padded = pieces.iter().copied().chain(std::iter::repeat(none)).take(self.pieces);
            params.extend(padded.flat_map(|p| [p.base, p.count, p.offset, 0]));
        }
        Ok(Dispatch { groups: fold.groups, params: bytes_of(&params) })
    }
}

/// Words as devices take them.
fn bytes_of(words: &[u32]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(4 * words.len());
    words.iter().for_each(|word| bytes.extend(word.to_le_bytes()));
    bytes
}

/// How a chunk's work-groups map to a dispatch.
///
/// Folded, work-group `(px, py, pz)` of the dispatch is number `px + row * (py + rows * pz)` of the chunk, x
/// fastest; those past `(last_row, last_column)` are in excess and return at once. Comparing row and column
/// apart needs no product that could wrap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Fold {
    groups: [u32; 3],
    row: u32,
    rows: u32,
    last_row: u32,
    last_column: u32,
}

impl Fold {
    fn new(count: [u32; 3], limit: u32) -> Result<Self> {
        if count.iter().all(|&n| n <= limit) {
            return Ok(Fold { groups: count, row: 0, rows: 0, last_row: 0, last_column: 0 });
        }
        let total: u128 = count.iter().map(|&n| u128::from(n)).product();
        let fits = u64::from(limit).saturating_pow(3);
        let total = u64::try_from(total).ok().filter(|&t| t <= u64::from(u32::MAX).min(fits)).ok_or_else(|| {
            let most = u64::from(u32::MAX).min(fits);
            Error::new(
                ErrorKind::Limit,
                format!("{total} work-groups in one dispatch of {count:?}: a device that takes {limit} an axis runs at most {most}; use fewer or larger work-groups, or several calls"),
            )
        })?;
        let row = total.min(u64::from(limit));
        let all_rows = total.div_ceil(row);
        let planes = all_rows.div_ceil(u64::from(limit));
        let rows = all_rows.div_ceil(planes);
        Ok(Fold {
            groups: [row as u32, rows as u32, planes as u32],
            row: row as u32,
            rows: rows as u32,
            last_row: ((total - 1) / row) as u32,
            last_column: ((total - 1) % row) as u32,
        })
    }
}

/// Adds the uniform to a module at a free binding of group 0, with `pieces` of a window for each length.
pub(super) fn declare(module: &mut Module, lengths: usize, pieces: usize) -> (Handle<GlobalVariable>, (u32, u32)) {
    let mut add =
        |name: Option<&str>, inner| module.types.insert(Type { name: name.map(str::to_owned), inner }, Span::UNDEFINED);
    let vec4 = add(None, TypeInner::Vector { size: VectorSize::Quad, scalar: Scalar::U32 });
    let member = |name: &str, ty, offset| StructMember { name: Some(name.into()), ty, binding: None, offset };
    let mut members =
        vec![member("base", vec4, 0), member("grid", vec4, 16), member("count", vec4, 32), member("fold", vec4, 48)];
    let mut span = 64;
    for (name, vectors) in [("lengths", lengths.div_ceil(4)), ("windows", lengths * pieces)] {
        if let Some(n) = std::num::NonZeroU32::new(vectors as u32) {
            let array = add(None, TypeInner::Array { base: vec4, size: ArraySize::Constant(n), stride: 16 });
            members.push(member(name, array, span));
            span += 16 * n.get();
        }
    }
    let ty = add(Some("EvenerParams"), TypeInner::Struct { members, span });
    let used: std::collections::BTreeSet<u32> = module
        .global_variables
        .iter()
        .filter_map(|(_, v)| v.binding.as_ref().filter(|b| b.group == 0).map(|b| b.binding))
        .collect();
    let binding = (0..).find(|b| !used.contains(b)).expect("fewer than 2^32 bindings");
    let variable = GlobalVariable {
        name: Some("evener_params".into()),
        space: AddressSpace::Uniform,
        binding: Some(ResourceBinding { group: 0, binding }),
        ty,
        init: None,
        memory_decorations: naga::MemoryDecorations::empty(),
    };
    (module.global_variables.append(variable, Span::UNDEFINED), (0, binding))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::HashSet;

    /// The decoding as the rewritten entry point does it, in wrapping 32-bit arithmetic.
    fn decode(fold: &Fold, count: [u32; 3], id: [u32; 3]) -> Option<[u32; 3]> {
        if fold.row == 0 {
            return Some(id);
        }
        let row = id[1].wrapping_add(fold.rows.wrapping_mul(id[2]));
        if row > fold.last_row || (row == fold.last_row && id[0] > fold.last_column) {
            return None;
        }
        let linear = id[0].wrapping_add(fold.row.wrapping_mul(row));
        let rest = linear / count[0];
        Some([linear % count[0], rest % count[1], rest / count[1]])
    }

    fn check_all(count: [u32; 3], limit: u32) {
        let fold = Fold::new(count, limit).unwrap();
        assert!(fold.groups.iter().all(|&g| g <= limit && g > 0), "{fold:?}");
        let mut seen = HashSet::new();
        for z in 0..fold.groups[2] {
            for y in 0..fold.groups[1] {
                for x in 0..fold.groups[0] {
                    if let Some(id) = decode(&fold, count, [x, y, z]) {
                        assert!((0..3).all(|a| id[a] < count[a]), "{id:?} outside {count:?}");
                        assert!(seen.insert(id), "{id:?} twice");
                    }
                }
            }
        }
        assert_eq!(seen.len() as u64, count.iter().map(|&n| u64::from(n)).product::<u64>());
    }

    proptest! {
        #[test]
        fn each_group_of_a_chunk_runs_exactly_once(x in 1u32..60, y in 1u32..12, z in 1u32..9, limit in 18u32..40) {
            check_all([x, y, z], limit);
        }

        #[test]
        fn large_folds_decode_their_border_groups(total in 65_536u64..u64::from(u32::MAX), limit in 1_626u32..=65_535) {
            border(total as u32, limit);
        }
    }

    /// First, last and first excess group of a long x axis.
    fn border(total: u32, limit: u32) {
        let count = [total, 1, 1];
        let fold = Fold::new(count, limit).unwrap();
        assert!(fold.groups.iter().all(|&g| g <= limit && g > 0), "{fold:?}");
        let physical = |linear: u64| {
            let (row, rows) = (u64::from(fold.row), u64::from(fold.rows));
            [(linear % row) as u32, (linear / row % rows) as u32, (linear / row / rows) as u32]
        };
        let size: u64 = fold.groups.iter().map(|&g| u64::from(g)).product();
        assert!(size >= u64::from(total));
        for linear in [0, 1, u64::from(total) / 2, u64::from(total) - 1] {
            assert_eq!(decode(&fold, count, physical(linear)), Some([linear as u32, 0, 0]));
        }
        for linear in [u64::from(total), size - 1].into_iter().filter(|&l| l >= u64::from(total) && l < size) {
            assert_eq!(decode(&fold, count, physical(linear)), None);
        }
    }

    #[test]
    fn the_longest_axis_folds_into_three() {
        for total in [65_536, 65_535 * 65_535, u32::MAX - 1, u32::MAX] {
            border(total, 65_535);
        }
        assert_eq!(Fold::new([65_535, 65_535, 65_535], 65_535).unwrap().row, 0);
        let error = Fold::new([u32::MAX, 2, 1], 65_535).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Limit);
    }
}
