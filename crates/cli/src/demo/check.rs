//! A property that a demo's result must have, and whether it does.

use serde::Serialize;
use std::fmt;

/// One checked property.
#[derive(Clone, Debug, Serialize)]
pub struct Check {
    /// What must hold.
    pub name: String,
    /// Whether it does.
    pub passed: bool,
    /// The measured figure (for a comparison: the largest error).
    pub value: f64,
    /// What it must stay under, or not exceed where that is zero.
    pub limit: f64,
}

impl Check {
    /// A figure that must be under `limit`, or zero where that is zero. NaN fails.
    pub fn below(name: impl Into<String>, value: f64, limit: f64) -> Self {
        Check { name: name.into(), passed: value < limit || (value == 0.0 && limit == 0.0), value, limit }
    }

    /// A count of wrong things, which must be zero.
    pub fn none(name: impl Into<String>, count: usize) -> Self {
        Check::below(name, count as f64, 0.0)
    }

    /// The largest |got - want| / max(|want|, floor) of two slices, which must be under `limit`.
    pub fn close(name: impl Into<String>, pairs: impl IntoIterator<Item = (f64, f64)>, floor: f64, limit: f64) -> Self {
        let error = |(got, want): (f64, f64)| (got - want).abs() / want.abs().max(floor);
        // Written so that NaN stays.
        let worst = pairs
            .into_iter()
            .map(error)
            .fold(0.0, |worst: f64, e| if worst.is_nan() || e <= worst { worst } else { e });
        Check::below(name, worst, limit)
    }
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verdict = if self.passed { "ok    " } else { "FAILED" };
        write!(f, "{verdict} {}: {}", self.name, figure(self.value))?;
        if self.limit > 0.0 { write!(f, " (limit {})", figure(self.limit)) } else { Ok(()) }
    }
}

/// A figure for people: short, in scientific notation where it is small.
fn figure(x: f64) -> String {
    if x == 0.0 || (x.abs() >= 0.01 && x.abs() < 1e6) {
        let text = format!("{x:.3}");
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        format!("{x:.1e}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nan_fails_every_check() {
        assert!(!Check::below("x", f64::NAN, 1.0).passed);
        assert!(!Check::close("x", [(1.0, 1.0), (f64::NAN, 1.0), (1.0, 1.0)], 1.0, 1e-3).passed);
        assert!(Check::close("x", [(1.0, 1.0), (2.0, 2.0001)], 1.0, 1e-3).passed);
    }

    #[test]
    fn a_count_must_be_zero() {
        assert!(Check::none("negative depths", 0).passed);
        assert!(!Check::none("negative depths", 1).passed);
        assert_eq!(Check::none("negative depths", 0).to_string(), "ok     negative depths: 0");
    }
}
