//! What a chunk costs on a device: calibrated rates, a roofline over them, and the saved profile.
//!
//! `launch + max over resources(work / rate) + bytes up / link + bytes down / link`, in ns.

pub mod calibrate;
pub mod curve;
pub mod learn;
pub mod profile;
pub mod roofline;
pub mod separate;

use std::{
    fmt,
    iter::Sum,
    ops::{Add, Mul},
};

/// Time in nanoseconds: never negative, never NaN, infinite for "cannot run here".
#[derive(Clone, Copy, PartialEq, PartialOrd, Default)]
pub struct Cost(f64);

impl Cost {
    /// Nothing.
    pub const ZERO: Cost = Cost(0.0);
    /// Cannot run here.
    pub const INFINITE: Cost = Cost(f64::INFINITY);

    /// A cost of `ns` nanoseconds; negative is zero, NaN is infinite.
    pub fn from_ns(ns: f64) -> Self {
        if ns.is_nan() { Cost::INFINITE } else { Cost(ns.max(0.0)) }
    }

    /// `amount / rate_per_s` as time; infinite where the rate is zero and something is to be done.
    pub fn of(amount: f64, rate_per_s: f64) -> Self {
        if amount <= 0.0 { Cost::ZERO } else { Cost::from_ns(amount / rate_per_s.max(0.0) * 1e9) }
    }

    /// Nanoseconds.
    pub fn ns(self) -> f64 {
        self.0
    }

    /// Whether the device can do it at all.
    pub fn is_finite(self) -> bool {
        self.0.is_finite()
    }

    /// The larger.
    pub fn max(self, other: Self) -> Self {
        Cost(self.0.max(other.0))
    }
}

impl Add for Cost {
    type Output = Cost;
    fn add(self, other: Cost) -> Cost {
        Cost(self.0 + other.0)
    }
}

impl Mul<f64> for Cost {
    type Output = Cost;
    /// Scaled; zero times infinite is zero, since nothing is to be done.
    fn mul(self, factor: f64) -> Cost {
        if factor <= 0.0 { Cost::ZERO } else { Cost::from_ns(self.0 * factor) }
    }
}

impl Sum for Cost {
    fn sum<I: Iterator<Item = Cost>>(iter: I) -> Cost {
        iter.fold(Cost::ZERO, Cost::add)
    }
}

impl fmt::Debug for Cost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Cost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            ns if ns.is_infinite() => f.write_str("impossible"),
            ns if ns < 1e3 => write!(f, "{ns:.0} ns"),
            ns if ns < 1e6 => write!(f, "{:.1} us", ns / 1e3),
            ns if ns < 1e9 => write!(f, "{:.2} ms", ns / 1e6),
            ns => write!(f, "{:.2} s", ns / 1e9),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_work_costs_nothing_even_at_rate_zero() {
        assert_eq!(Cost::of(0.0, 0.0), Cost::ZERO);
        assert_eq!(Cost::of(1.0, 0.0), Cost::INFINITE);
        assert_eq!(Cost::INFINITE * 0.0, Cost::ZERO);
    }

    #[test]
    fn nan_is_infinite_and_negative_is_zero() {
        assert_eq!(Cost::from_ns(f64::NAN), Cost::INFINITE);
        assert_eq!(Cost::from_ns(-1.0), Cost::ZERO);
    }

    #[test]
    fn time_is_shown_in_the_unit_that_fits() {
        assert_eq!(Cost::from_ns(4_100_000.0).to_string(), "4.10 ms");
        assert_eq!(Cost::from_ns(12.0).to_string(), "12 ns");
    }
}
