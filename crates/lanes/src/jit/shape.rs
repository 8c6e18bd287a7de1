//! How the lanes of a block are laid over invocations.

use super::class::{Class, UNIFORM};
use crate::{
    analysis::uniformity::BatchShape,
    ir::{Builtin, Kernel},
};

/// The layout of a block of `parts` vectors of `lanes` lanes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Shape {
    pub(super) batch: BatchShape,
    pub(super) lanes: usize,
    pub(super) parts: usize,
    pub(super) size: [u32; 3],
    /// Not a block but the whole batch: what is common to all its blocks.
    pub(super) whole: bool,
}

/// How a local id relates to the number of a lane in its work-group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Local {
    /// Always 0.
    Zero,
    /// `index / divide % modulo` of a block's first lane, with gains inside the block.
    Affine { divide: u32, modulo: Option<u32>, lane: i32, part: i32 },
    /// Read from a table.
    Table,
}

impl Shape {
    /// The same with another number of parts.
    pub(super) fn with_parts(self, parts: usize) -> Self {
        Shape { parts, ..self }
    }

    /// The most parts, at most `wanted`, for which the layout stays simple.
    pub(super) fn fitting_parts(&self, kernel: &Kernel, wanted: usize) -> usize {
        if self.batch == BatchShape::Linear {
            return 1;
        }
        if self.batch == BatchShape::Row {
            return wanted;
        }
        let [x, y, z] = self.size.map(|s| s as usize);
        let vectors = if y * z == 1 {
            x / self.lanes
        } else if x == self.lanes {
            // Rows one above the other: what a row multiplies would differ from part to part.
            1
        } else if x.is_multiple_of(self.lanes) {
            x / self.lanes
        } else {
            kernel.group_invocations() as usize / self.lanes
        };
        (1..=wanted).rev().find(|u| vectors.is_multiple_of(*u) && vectors > 0).unwrap_or(1)
    }

    /// The local id on an axis, for batches of one work-group.
    pub(super) fn local(&self, axis: u8) -> Local {
        let [x, y, z] = self.size;
        let lanes = self.lanes as u32;
        if self.size[usize::from(axis)] == 1 {
            return Local::Zero;
        }
        if self.whole {
            return Local::Table;
        }
        if y * z == 1 {
            return Local::Affine { divide: 1, modulo: None, lane: 1, part: lanes as i32 };
        }
        if !x.is_multiple_of(lanes) {
            return Local::Table;
        }
        // Parts of a block lie on one row, or one above the other.
        let stacked = i32::from(x == lanes && self.parts > 1);
        match axis {
            0 => {
                Local::Affine { divide: 1, modulo: Some(x), lane: 1, part: if stacked == 1 { 0 } else { lanes as i32 } }
            }
            1 => Local::Affine { divide: x, modulo: (z > 1).then_some(y), lane: 0, part: stacked },
            _ => Local::Affine { divide: x * y, modulo: None, lane: 0, part: 0 },
        }
    }

    /// The class of a built-in.
    pub(super) fn builtin(&self, builtin: Builtin) -> Class {
        let row = Class::Affine { lane: 1, part: self.lanes as i32 };
        match (self.batch, builtin) {
            (_, Builtin::NumGroups(_)) => UNIFORM,
            (BatchShape::Row, Builtin::GlobalId(0)) => row,
            // A batch has rows of one plane.
            (BatchShape::Row, Builtin::GlobalId(1)) if self.whole => Class::Varying,
            (BatchShape::Row, Builtin::GlobalId(_)) => UNIFORM,
            (BatchShape::Group, Builtin::GroupId(_)) => UNIFORM,
            (BatchShape::Group, Builtin::LocalIndex) => row,
            (BatchShape::Group, Builtin::LocalId(axis)) => match self.local(axis) {
                Local::Zero => UNIFORM,
                Local::Affine { lane, part, .. } => Class::Affine { lane, part },
                Local::Table => Class::Varying,
            },
            _ => Class::Varying,
        }
    }

    /// Whether the lanes of some blocks may agree on a comparison of a value with these gains.
    pub(super) fn may_agree(&self, lane: i32, part: i32) -> bool {
        self.batch == BatchShape::Row || lane != 0 || part != 0
    }
}
