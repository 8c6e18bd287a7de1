//! How the work-groups of a range are cut into batches of lanes.

use super::GroupRange;
use crate::{
    analysis::uniformity::BatchShape,
    error::{Error, ErrorKind},
    interp::machine::W,
};

/// The lanes of one batch.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Batch {
    /// Invocation (global id, not wrapped) of lane 0.
    pub(crate) first: [u64; 3],
    /// Lanes that exist (of each row).
    pub(crate) lanes: usize,
    /// Rows one above the other, each of `lanes` lanes.
    pub(crate) rows: u32,
    /// For [`BatchShape::Linear`]: the box of invocations and lane 0's number in it.
    start: [u64; 3],
    extent: [u64; 3],
    number: u64,
}

impl Batch {
    /// The invocation (not wrapped) of a lane; something harmless past the end.
    pub(crate) fn invocation(&self, shape: BatchShape, size: [u32; 3], lane: usize) -> [u64; 3] {
        let lane = lane as u64;
        match shape {
            BatchShape::Row => [self.first[0] + lane, self.first[1], self.first[2]],
            BatchShape::Group => {
                let [x, y] = [u64::from(size[0]), u64::from(size[1])];
                [self.first[0] + lane % x, self.first[1] + lane / x % y, self.first[2] + lane / (x * y)]
            }
            BatchShape::Linear => {
                let n = self.number + lane;
                let [x, y, _] = self.extent;
                [self.start[0] + n % x, self.start[1] + n / x % y, self.start[2] + n / x / y]
            }
        }
    }
}

/// All batches of a run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Batches {
    shape: BatchShape,
    size: [u64; 3],
    /// First invocation and number of invocations on each axis.
    start: [u64; 3],
    extent: [u64; 3],
    /// Lanes of a batch (the last of a row may have fewer), batches of a row.
    lanes: u64,
    per_row: u64,
    /// Rows of a batch (the last of a plane may have fewer), where batches are whole rows.
    rows: u64,
    /// Number of batches.
    pub(crate) count: u64,
}

/// Fewest lanes for which rows along x are worth their own batches.
const SHORT_ROW: u64 = 64;

/// The shape for a range: one work-group a batch if its invocations cooperate, else rows along x, else
/// (rows too short) any invocations.
pub(crate) fn shape(cooperative: bool, size: [u32; 3], range: &GroupRange) -> BatchShape {
    let extent = |a: usize| u64::from(range.end[a] - range.start[a]) * u64::from(size[a]);
    if cooperative {
        BatchShape::Group
    } else if extent(0) < SHORT_ROW && (extent(1) > 1 || extent(2) > 1) {
        BatchShape::Linear
    } else {
        BatchShape::Row
    }
}

impl Batches {
    /// Refuses a range of more invocations than can be counted.
    ///
    /// # Errors
    /// `TooLarge` where their number does not fit 64 bits.
    #[inline]
    pub(crate) fn check(size: [u32; 3], range: &GroupRange) -> Result<(), Error> {
        let extent = |a: usize| u64::from(range.end[a] - range.start[a]) * u64::from(size[a]);
        if extent(0).checked_mul(extent(1)).and_then(|n| n.checked_mul(extent(2))).is_some() {
            return Ok(());
        }
        let extent: [u64; 3] = std::array::from_fn(extent);
        Err(Error::new(ErrorKind::TooLarge, format!("{extent:?} invocations in one run are more than 2^64")))
    }

    /// Cuts a range that was [checked](Batches::check) into batches of at most `capacity` lanes; with `stack`, of several
    /// whole rows.
    #[inline]
    pub(crate) fn new(shape: BatchShape, size: [u32; 3], range: &GroupRange, capacity: usize, stack: bool) -> Self {
        let size = size.map(u64::from);
        let start = std::array::from_fn(|a| u64::from(range.start[a]) * size[a]);
        let groups: [u64; 3] = std::array::from_fn(|a| u64::from(range.end[a] - range.start[a]));
        let extent: [u64; 3] = std::array::from_fn(|a| groups[a] * size[a]);
        let product = |n: [u64; 3]| n[0] * n[1] * n[2];
        let capacity = capacity as u64;
        let (lanes, per_row, rows, count) = match shape {
            BatchShape::Group => (product(size), 1, 1, product(groups)),
            BatchShape::Linear => (capacity, 1, 1, product(extent).div_ceil(capacity)),
            BatchShape::Row => {
                // Rows are cut evenly, in whole blocks. Short calls should not wait for divisions.
                let pieces = if extent[0] <= capacity { 1 } else { extent[0].div_ceil(capacity) };
                let even = if pieces == 1 { extent[0] } else { extent[0].div_ceil(pieces) };
                let lanes = even.next_multiple_of(W as u64).clamp(W as u64, capacity);
                let per_row = if extent[0] <= lanes { 1 } else { extent[0].div_ceil(lanes) };
                let stack = stack && per_row == 1 && extent[1] > 1;
                let rows = if stack { (capacity / lanes).clamp(1, extent[1]) } else { 1 };
                let stacks = if rows == 1 { extent[1] } else { extent[1].div_ceil(rows) };
                (lanes, per_row, rows, per_row * stacks * extent[2])
            }
        };
        Batches { shape, size, start, extent, lanes, per_row, rows, count }
    }

    /// Lanes of a full batch.
    pub(crate) fn lanes(&self) -> u64 {
        self.lanes * self.rows
    }

    /// A batch by number.
    #[inline(always)]
    pub(crate) fn get(&self, i: u64) -> Batch {
        let Batches { size, start, extent, lanes, rows, .. } = *self;
        let mut batch = Batch { first: start, lanes: lanes as usize, rows: 1, start, extent, number: 0 };
        match self.shape {
            BatchShape::Group => {
                let groups: [u64; 3] = std::array::from_fn(|a| extent[a] / size[a]);
                let at = [i % groups[0], i / groups[0] % groups[1], i / groups[0] / groups[1]];
                batch.first = std::array::from_fn(|a| start[a] + at[a] * size[a]);
            }
            BatchShape::Linear => {
                batch.number = i * lanes;
                let total = extent[0] * extent[1] * extent[2];
                batch.lanes = (total - batch.number).min(lanes) as usize;
            }
            BatchShape::Row if self.count == 1 => {
                batch.rows = extent[1] as u32;
                batch.lanes = extent[0].min(lanes) as usize;
            }
            BatchShape::Row => {
                let (stack, column) = (i / self.per_row, i % self.per_row * lanes);
                let stacks = extent[1].div_ceil(rows);
                let row = stack % stacks * rows;
                batch.rows = rows.min(extent[1] - row) as u32;
                batch.first = [start[0] + column, start[1] + row, start[2] + stack / stacks];
                batch.lanes = (extent[0] - column).min(lanes) as usize;
            }
        }
        batch
    }
}
