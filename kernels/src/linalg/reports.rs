//! What functions give back beside their results.

use evener::Report;
use std::{fmt, ops::Deref};

/// Reports of the calls that a function made, in their order. Empty where there was nothing to do.
#[derive(Clone, Debug, Default)]
pub struct Reports(Vec<Report>);

impl Reports {
    pub(crate) fn none() -> Self {
        Reports::default()
    }

    pub(crate) fn push(&mut self, report: Report) {
        self.0.push(report);
    }

    /// Measured time of all calls, ns.
    pub fn actual_ns(&self) -> f64 {
        self.0.iter().map(|r| r.actual_ns).sum()
    }

    /// Why the CPU interpreted one of the kernels, if it did.
    pub fn interpreted(&self) -> Option<&str> {
        self.0.iter().find_map(|r| r.interpreted.as_deref())
    }
}

impl Deref for Reports {
    type Target = [Report];

    fn deref(&self) -> &[Report] {
        &self.0
    }
}

impl From<Report> for Reports {
    fn from(report: Report) -> Self {
        Reports(vec![report])
    }
}

impl fmt::Display for Reports {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (k, report) in self.0.iter().enumerate() {
            if k > 0 {
                writeln!(f)?;
            }
            write!(f, "{report}")?;
        }
        Ok(())
    }
}

/// A number and the calls that computed it.
#[derive(Clone, Debug)]
pub struct Scalar<T> {
    /// The number.
    pub value: T,
    /// The calls.
    pub reports: Reports,
}
