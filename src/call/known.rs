//! What the analysis says of a call, kept for the next call of the same shape.
//!
//! A loop calls a kernel again and again with the same sizes and often the same uniforms. The analysis of a small kernel
//! takes tens of microseconds, as long as the call itself.

use crate::kernel::Compiled;
use evener_lanes::{
    Grid, GroupRange,
    analysis::{CallShape, Features, Footprint, Split},
};
use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, OnceLock, PoisonError},
};

/// Shapes kept for each kernel.
const SHAPES: usize = 8;
/// Ranges of work-groups kept for each shape.
const RANGES: usize = 16;

/// Everything that the analysis of a call depends on.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Shape {
    grid: Grid,
    sizes: Vec<u64>,
    uniforms: Vec<Vec<u8>>,
}

/// What is known of calls of one shape.
#[derive(Debug)]
pub(crate) struct Known {
    shape: Shape,
    features: Features,
    split: OnceLock<Split>,
    footprints: Mutex<VecDeque<(GroupRange, Arc<Footprint>)>>,
}

/// The shapes that a kernel was called with last.
#[derive(Debug, Default)]
pub(crate) struct Shapes {
    kept: Mutex<VecDeque<Arc<Known>>>,
}

impl Shapes {
    /// What is known of a call of this shape.
    pub(crate) fn of(kernel: &Compiled, grid: Grid, sizes: &[u64], uniforms: &[Vec<u8>]) -> Arc<Known> {
        let lock = || kernel.shapes.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let same = |k: &&Arc<Known>| k.shape.grid == grid && k.shape.sizes == sizes && k.shape.uniforms == uniforms;
        if let Some(known) = lock().iter().find(same) {
            return known.clone();
        }
        let shape = Shape { grid, sizes: sizes.to_vec(), uniforms: uniforms.to_vec() };
        let features = shape.with(|shape| kernel.analysis.features(shape));
        let known = Arc::new(Known { shape, features, split: OnceLock::new(), footprints: Mutex::default() });
        let mut kept = lock();
        kept.truncate(SHAPES - 1);
        kept.push_front(known.clone());
        known
    }
}

impl Shape {
    fn with<T>(&self, f: impl FnOnce(&CallShape<'_>) -> T) -> T {
        let uniforms: Vec<&[u8]> = self.uniforms.iter().map(Vec::as_slice).collect();
        f(&CallShape { grid: self.grid, sizes: &self.sizes, uniforms: &uniforms })
    }
}

impl Known {
    /// Work per invocation.
    pub(crate) fn features(&self) -> Features {
        self.features
    }

    /// What the analysis is evaluated for.
    pub(crate) fn with_shape<T>(&self, f: impl FnOnce(&CallShape<'_>) -> T) -> T {
        self.shape.with(f)
    }

    /// Whether and where the call may be cut.
    pub(crate) fn split(&self, kernel: &Compiled) -> &Split {
        self.split.get_or_init(|| self.shape.with(|shape| kernel.analysis.split(shape)))
    }

    /// What a range of work-groups touches.
    pub(crate) fn footprint(&self, kernel: &Compiled, range: &GroupRange) -> Arc<Footprint> {
        let lock = || self.footprints.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, footprint)) = lock().iter().find(|(r, _)| r == range) {
            return footprint.clone();
        }
        let footprint = Arc::new(self.shape.with(|shape| kernel.analysis.footprint(shape, range)));
        let mut kept = lock();
        kept.truncate(RANGES - 1);
        kept.push_front((*range, footprint.clone()));
        footprint
    }
}
