//! How the lanes of a block are laid over invocations.

use super::class::{Class, UNIFORM};
use crate::{
    analysis::uniformity::BatchShape,
    ir::{Builtin, Kernel},
};

/// The layout of a block of `parts` vectors of `lanes` lanes: [`columns`](Shape::columns) of them a row.
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
    Affine { divide: u32, modulo: Option<u32>, lane: i32, part: i32, row: i32 },
    /// Read from a table.
    Table,
}

impl Shape {
    /// The same with another number of parts.
    pub(super) fn with_parts(self, parts: usize) -> Self {
        Shape { parts, ..self }
    }

    /// Vectors of a row of a work-group that has several, if they fill it.
    fn row_vectors(&self) -> Option<usize> {
        let [x, y, z] = self.size.map(|s| s as usize);
        let stacks = self.batch == BatchShape::Group && y * z > 1 && x.is_multiple_of(self.lanes);
        stacks.then_some(x / self.lanes)
    }

    /// Parts of a block that lie side by side: the others are in rows above.
    pub(super) fn columns(&self) -> usize {
        self.row_vectors().map_or(self.parts, |most| most.min(self.parts))
    }

    /// Rows of a block.
    pub(super) fn rows(&self) -> usize {
        self.parts / self.columns()
    }

    /// Whether blocks start at multiples of their size only: where they start in a row tells where the row ends.
    pub(super) fn is_aligned(&self) -> bool {
        self.row_vectors().is_some()
    }

    /// Row and column of a part.
    pub(super) fn place(&self, part: usize) -> [i64; 2] {
        [part / self.columns(), part % self.columns()].map(|n| n as i64)
    }

    /// Whether blocks may stack rows.
    pub(super) fn may_stack(&self) -> bool {
        self.row_vectors().is_some()
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
        let fits = |parts: usize| match self.row_vectors() {
            // Whole rows of one plane, or equal pieces of a row.
            Some(row) if parts > row => parts.is_multiple_of(row) && y.is_multiple_of(parts / row),
            Some(row) => row.is_multiple_of(parts),
            None => {
                let vectors = if y * z == 1 { x } else { kernel.group_invocations() as usize } / self.lanes;
                vectors.is_multiple_of(parts) && vectors > 0
            }
        };
        (1..=wanted).rev().find(|parts| fits(*parts)).unwrap_or(1)
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
            return Local::Affine { divide: 1, modulo: None, lane: 1, part: lanes as i32, row: 0 };
        }
        if !x.is_multiple_of(lanes) {
            return Local::Table;
        }
        let stacked = i32::from(self.rows() > 1);
        match axis {
            0 => Local::Affine { divide: 1, modulo: Some(x), lane: 1, part: lanes as i32, row: 0 },
            1 => Local::Affine { divide: x, modulo: (z > 1).then_some(y), lane: 0, part: 0, row: stacked },
            _ => Local::Affine { divide: x * y, modulo: None, lane: 0, part: 0, row: 0 },
        }
    }

    /// The class of a built-in.
    pub(super) fn builtin(&self, builtin: Builtin) -> Class {
        let lanes = self.lanes as i32;
        let stride = if self.rows() > 1 { lanes * self.columns() as i32 } else { 0 };
        let row = Class::Affine { lane: 1, part: lanes, row: stride };
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
                Local::Affine { lane, part, row, .. } => Class::Affine { lane, part, row },
                Local::Table => Class::Varying,
            },
            _ => Class::Varying,
        }
    }

    /// Whether the lanes of some blocks may agree on a comparison of a value with these gains.
    pub(super) fn may_agree(&self, gains: [i32; 3]) -> bool {
        self.batch == BatchShape::Row || gains != [0; 3]
    }
}
