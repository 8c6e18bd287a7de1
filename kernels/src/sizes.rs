//! Checks of what functions are given: lengths that must agree, and counts that WGSL's indices hold.

use evener::{Error, ErrorKind, Result};

/// A count as WGSL's 32-bit indices hold it, with room for the last work-group's tile.
pub(crate) fn indexable(name: &str, count: usize) -> Result<u32> {
    const MOST: u32 = u32::MAX - 0xffff;
    u32::try_from(count).ok().filter(|n| *n <= MOST).ok_or_else(|| {
        let why = format!("`{name}` has {count} elements; the kernel's indices count up to {MOST}: pass it in parts");
        Error::new(ErrorKind::ItemCount, why)
    })
}

/// An argument that must have so many elements.
pub(crate) fn expect_length(name: &str, count: usize, expected: usize, because: &str) -> Result<()> {
    if count == expected {
        return Ok(());
    }
    let why = format!("`{name}` has {count} elements and must have {expected}: {because}");
    Err(Error::new(ErrorKind::ArgumentSize, why))
}

/// The rows of a row-major matrix of so many columns.
pub(crate) fn expect_shape(name: &str, count: usize, shape: [usize; 2]) -> Result<()> {
    let [rows, columns] = shape;
    match rows.checked_mul(columns) {
        Some(all) => expect_length(name, count, all, &format!("{rows} rows of {columns} columns")),
        None => {
            let why = format!("`{name}`: {rows} rows of {columns} columns are more elements than memory has bytes");
            Err(Error::new(ErrorKind::ItemCount, why))
        }
    }
}

/// Arguments of one length.
pub(crate) fn same_length(a: &str, len_a: usize, b: &str, len_b: usize) -> Result<()> {
    agree(a, "elements", len_a, b, "elements", len_b)
}

/// Columns and rows as WGSL counts them.
pub(crate) fn grid(columns: usize, rows: usize) -> Result<[u32; 2]> {
    let small = |n: usize| u32::try_from(n).ok();
    match (small(columns), small(rows), small(columns.saturating_mul(rows))) {
        (Some(columns), Some(rows), Some(_)) => Ok([columns, rows]),
        _ => Err(Error::new(
            ErrorKind::ItemCount,
            format!("{columns} by {rows} cells are more than the 2^32 that the kernel's indices count"),
        )),
    }
}

/// Two extents that must be the same.
pub(crate) fn agree(a: &str, what_a: &str, extent_a: usize, b: &str, what_b: &str, extent_b: usize) -> Result<()> {
    if extent_a == extent_b {
        return Ok(());
    }
    let why = format!("`{a}` has {extent_a} {what_a} and `{b}` has {extent_b} {what_b}; they must agree");
    Err(Error::new(ErrorKind::ArgumentSize, why))
}
