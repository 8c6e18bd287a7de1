//! What was found for the last few shapes of a kernel's calls, so that a call like an earlier one costs a look-up.
//!
//! A shape is the grid, the sizes, and those words of the uniforms that the analysis has looked at: a loop that changes
//! a time step from call to call is analysed once.

use super::{Analysis, CallShape, Features, Footprint, MergeRegion, Split, domain::Domain, sites::Site};
use crate::run::{Grid, GroupRange};
use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
};

/// Shapes kept for one kernel.
const MAX_SHAPES: usize = 8;
/// Footprints of parts kept for one shape.
const MAX_PARTS: usize = 16;

/// A word of a uniform binding that was looked at: binding, first byte, and the bytes if they are there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct UniformWord {
    pub binding: u32,
    pub at: usize,
    pub len: usize,
    pub value: Option<[u8; 8]>,
}

impl UniformWord {
    /// Looks at the bytes of a call.
    pub fn read(call: &CallShape<'_>, binding: u32, at: usize, len: usize) -> Self {
        let bytes = call.uniforms.get(binding as usize).and_then(|u| u.get(at..at + len));
        let value = bytes.map(|bytes| {
            let mut word = [0u8; 8];
            word[..len].copy_from_slice(bytes);
            word
        });
        UniformWord { binding, at, len, value }
    }

    fn holds(&self, call: &CallShape<'_>) -> bool {
        *self == UniformWord::read(call, self.binding, self.at, self.len)
    }
}

/// What is known of calls of one shape.
#[derive(Debug)]
pub(super) struct Known {
    grid: Grid,
    sizes: Vec<u64>,
    looked_at: Vec<UniformWord>,
    pub sites: Vec<Site>,
    pub domain: Domain,
    /// The regions that merge, or why atomics do not.
    pub merges: Result<Vec<(u32, MergeRegion)>, String>,
    split: OnceLock<Split>,
    features: OnceLock<Features>,
    /// The latest last.
    parts: Mutex<Vec<(GroupRange, Arc<Footprint>)>>,
}

impl Known {
    fn is_of(&self, call: &CallShape<'_>) -> bool {
        self.grid == call.grid && self.sizes == call.sizes && self.looked_at.iter().all(|w| w.holds(call))
    }

    /// The split decision, found once.
    pub fn split(&self, find: impl FnOnce() -> Split) -> Split {
        self.split.get_or_init(find).clone()
    }

    /// The features, counted once.
    pub fn features(&self, count: impl FnOnce() -> Features) -> Features {
        *self.features.get_or_init(count)
    }

    /// The footprint of a part, if it was asked for lately.
    pub fn part(&self, range: &GroupRange) -> Option<Arc<Footprint>> {
        lock(&self.parts).iter().find(|p| p.0 == *range).map(|p| p.1.clone())
    }

    /// Keeps the footprint of a part, found from these words of the uniforms.
    pub fn keep_part(&self, range: &GroupRange, footprint: &Arc<Footprint>, looked_at: &[UniformWord]) {
        if !looked_at.iter().all(|w| self.looked_at.contains(w)) {
            return;
        }
        let mut parts = lock(&self.parts);
        if parts.len() == MAX_PARTS {
            parts.remove(0);
        }
        parts.push((*range, footprint.clone()));
    }
}

/// The shapes of the last calls, the latest first.
#[derive(Debug, Default)]
pub(super) struct Memo {
    shapes: Mutex<VecDeque<Arc<Known>>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // What is kept is whole at any time.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Analysis {
    /// What is known of calls of this shape, found now if it is new.
    pub(super) fn known(&self, call: &CallShape<'_>) -> Arc<Known> {
        let mut shapes = lock(&self.memo.shapes);
        let at = shapes.iter().position(|k| k.is_of(call));
        if let Some(known) = at.and_then(|at| shapes.remove(at)) {
            shapes.push_front(known.clone());
            return known;
        }
        drop(shapes);
        let walk = self.walk(call, &GroupRange::all(call.grid));
        let (sites, domain, looked_at) = (walk.sites, walk.domain, walk.looked_at.into_inner());
        let known = Arc::new(Known {
            grid: call.grid,
            sizes: call.sizes.to_vec(),
            looked_at,
            merges: self.merge_regions(&sites, &domain),
            sites,
            domain,
            split: OnceLock::new(),
            features: OnceLock::new(),
            parts: Mutex::default(),
        });
        let mut shapes = lock(&self.memo.shapes);
        shapes.truncate(MAX_SHAPES - 1);
        shapes.push_front(known.clone());
        known
    }
}
