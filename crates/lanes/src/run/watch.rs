//! A run that may be given up while it is under way, and how far it came.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

/// Ends a run early, from any thread.
///
/// Memory ordering: both sides are hints, relaxed. A run that sees the flag late does a batch more; how far it came is read
/// after it returned, by whoever waited for it.
///
/// ```
/// use evener_lanes::run::Watch;
/// let watch = Watch::default();
/// watch.stop();
/// assert!(watch.is_stopped() && !watch.is_complete());
/// ```
#[derive(Debug, Default)]
pub struct Watch {
    pub(crate) stop: AtomicBool,
    /// Batches that have ended, and all there are; 0 until the run begins.
    pub(crate) done: AtomicU64,
    all: AtomicU64,
}

impl Watch {
    /// The run ends as soon as it can.
    pub fn stop(&self) {
        self.stop.store(true, Relaxed);
    }

    /// Whether it was told to.
    pub fn is_stopped(&self) -> bool {
        self.stop.load(Relaxed)
    }

    /// The part of the run that has ended, 0 to 1.
    pub fn part(&self) -> f64 {
        match self.all.load(Relaxed) {
            0 => 0.0,
            all => (self.done.load(Relaxed) as f64 / all as f64).min(1.0),
        }
    }

    /// Whether all of it has ended well.
    pub fn is_complete(&self) -> bool {
        self.part() >= 1.0
    }

    /// States how far a run came that is not one of a [`Program`](crate::Program): 0 to 1.
    pub fn came(&self, part: f64) {
        const ALL: u64 = 1 << 32;
        self.done.store((part.clamp(0.0, 1.0) * ALL as f64) as u64, Relaxed);
        self.all.store(ALL, Relaxed);
    }

    pub(crate) fn begin(&self, batches: u64) {
        self.done.store(0, Relaxed);
        self.all.store(batches, Relaxed);
    }
}
