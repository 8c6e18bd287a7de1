//! Times in ns.

use std::time::{Duration, Instant};

/// Since an instant.
#[inline]
pub(crate) fn ns_since(since: Instant) -> f64 {
    ns(since.elapsed())
}

/// In two words: to convert all of it, 128 bits, takes as long as to read the clock.
#[inline]
pub(crate) fn ns(time: Duration) -> f64 {
    time.as_secs() as f64 * 1e9 + f64::from(time.subsec_nanos())
}
