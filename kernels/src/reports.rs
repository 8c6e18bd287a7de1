//! What functions give back beside their results.

use evener::Report;
use std::{fmt, ops::Deref};

/// Reports of the calls that a function made, in their order. Empty where there was nothing to do.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Reports(Vec<Report>);

impl Reports {
    pub(crate) fn none() -> Self {
        Reports::default()
    }

    pub(crate) fn push(&mut self, report: Report) {
        self.0.push(report);
    }

    #[cfg(feature = "linalg")]
    pub(crate) fn append(&mut self, mut others: Reports) {
        self.0.append(&mut others.0);
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

impl IntoIterator for Reports {
    type Item = Report;
    type IntoIter = std::vec::IntoIter<Report>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl<'a> IntoIterator for &'a Reports {
    type Item = &'a Report;
    type IntoIter = std::slice::Iter<'a, Report>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
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
    pub reports: Reports,
}
