//! The calls that a building block is made of, and what it gives back.

use evener::{Result, call::Call, kernel::native::NativeChunk, prelude::*};

/// A value, and the reports of the calls that made it.
///
/// ```
/// use evener::prelude::*;
/// use evener_kernels::Blocks;
///
/// # fn main() -> evener::Result<()> {
/// # let rt = Runtime::builder().gpu(false).profile(None).build()?;
/// let done = rt.sum(&[1.0f32, 2.0, 3.5])?;
/// assert_eq!(done.value, 6.5);
/// println!("{}", done.reports[0]); // where it ran, and why
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Done<V> {
    /// The result; `()` where it is in an argument.
    pub value: V,
    /// One a call, in their order; none where there was nothing to do.
    pub reports: Vec<Report>,
}

/// Calls one after the other.
pub(super) struct Passes<'r> {
    pub(super) runtime: &'r Runtime,
    reports: Vec<Report>,
}

impl<'r> Passes<'r> {
    pub(super) fn new(runtime: &'r Runtime) -> Self {
        Passes { runtime, reports: Vec::new() }
    }

    pub(super) fn kernel(&self, sources: &[&str]) -> Result<Kernel> {
        self.runtime.kernel(sources)
    }

    /// A kernel whose work the CPU does by `body`.
    pub(super) fn native(
        &self,
        sources: &[&str],
        body: impl Fn(&mut NativeChunk<'_>) -> Result<()> + Send + Sync + 'static,
    ) -> Result<Kernel> {
        self.runtime.kept_kernel_with_native(&sources.concat(), body)
    }

    pub(super) fn run(&mut self, call: Call<'_>) -> Result<()> {
        self.reports.push(call.run()?);
        Ok(())
    }

    pub(super) fn last(&self) -> Option<&Report> {
        self.reports.last()
    }

    pub(super) fn done<V>(self, value: V) -> Done<V> {
        Done { value, reports: self.reports }
    }
}

/// A count as WGSL's 32-bit indices hold it, with room for the last work-group's tile.
pub(super) fn indexable(name: &str, count: usize) -> Result<u32> {
    const MOST: u32 = u32::MAX - 0xffff;
    u32::try_from(count).ok().filter(|n| *n <= MOST).ok_or_else(|| {
        let why = format!("`{name}` has {count} elements; the kernel's indices count up to {MOST}: pass it in parts");
        Error::new(ErrorKind::ItemCount, why)
    })
}

/// An argument that must have so many elements.
pub(super) fn expect_length(name: &str, count: usize, expected: usize, because: &str) -> Result<()> {
    if count == expected {
        return Ok(());
    }
    let why = format!("`{name}` has {count} elements and must have {expected}: {because}");
    Err(Error::new(ErrorKind::ArgumentSize, why))
}

/// The rows of a row-major matrix of so many columns.
pub(super) fn expect_shape(name: &str, count: usize, shape: [usize; 2]) -> Result<()> {
    let [rows, columns] = shape;
    match rows.checked_mul(columns) {
        Some(all) => expect_length(name, count, all, &format!("{rows} rows of {columns} columns")),
        None => {
            let why = format!("`{name}`: {rows} rows of {columns} columns are more elements than memory has bytes");
            Err(Error::new(ErrorKind::ItemCount, why))
        }
    }
}
