//! The calls that a function of the library is made of, one after the other.

use crate::reports::{Done, Reports};
use evener::{Result, call::Call, kernel::native::NativeChunk, prelude::*};

/// Calls one after the other.
pub(crate) struct Passes<'r> {
    pub(crate) runtime: &'r Runtime,
    reports: Reports,
}

impl<'r> Passes<'r> {
    pub(crate) fn new(runtime: &'r Runtime) -> Self {
        Passes { runtime, reports: Reports::none() }
    }

    pub(crate) fn kernel(&self, sources: &[&str]) -> Result<Kernel> {
        self.runtime.kernel(sources)
    }

    /// A kernel whose work the CPU does by `body`.
    pub(crate) fn native(
        &self,
        sources: &[&str],
        body: impl Fn(&mut NativeChunk<'_>) -> Result<()> + Send + Sync + 'static,
    ) -> Result<Kernel> {
        self.runtime.kept_kernel_with_native(&sources.concat(), body)
    }

    pub(crate) fn run(&mut self, call: Call<'_>) -> Result<()> {
        self.reports.push(call.run()?);
        Ok(())
    }

    pub(crate) fn last(&self) -> Option<&Report> {
        self.reports.last()
    }

    #[cfg(feature = "linalg")]
    pub(crate) fn reports(self) -> Reports {
        self.reports
    }

    pub(crate) fn done<V>(self, value: V) -> Done<V> {
        Done { value, reports: self.reports }
    }
}
