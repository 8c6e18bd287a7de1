//! Building blocks: reductions, scans, compaction, histograms, sorts, rearrangements, convolutions, random numbers.
//!
//! The functions of [`Blocks`] take slices, vectors, [`Array`](evener::Array)s and views of them alike. Between the passes of one
//! function everything stays in arrays, on the device that made it.

mod api;
mod bins;
mod compact;
mod convolve;
mod host;
mod number;
mod random;
mod rearrange;
mod reduce;
mod scan;
mod sort;

pub use api::Blocks;
pub use number::Number;
pub use random::Stream;
pub use sort::Order;

/// The axis of a matrix that a reduction is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Axis {
    /// Over the rows: one result for each column (axis 0 of NumPy).
    Rows,
    /// Over the columns: one result for each row (axis 1 of NumPy).
    Columns,
}

impl Axis {
    /// Elements along it.
    fn inner(self, [rows, columns]: [usize; 2]) -> usize {
        if self == Axis::Rows { rows } else { columns }
    }

    /// Results.
    fn outer(self, [rows, columns]: [usize; 2]) -> usize {
        if self == Axis::Rows { columns } else { rows }
    }

    fn why(self) -> &'static str {
        if self == Axis::Rows { "one for each column" } else { "one for each row" }
    }
}
