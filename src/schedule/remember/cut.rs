//! Plans whose parts are cut once, by the figures that they were made from: where arrays are changes what calls move.

use crate::schedule::{
    feedback::Together,
    placement::Placement,
    plan::{Candidate, Plan, Question, plan},
};
use crate::{cost::Cost, error::Result};
use evener_lanes::analysis::Split;
use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

/// Plans kept; a program that makes more starts anew.
const MAX_PLANS: usize = 1024;
/// Figures that differ by less than this part are the same.
const TOLERANCE: f64 = 0.05;
/// Figures of one candidate.
const FIGURES: usize = 7;

/// What must be the same.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Key {
    kernel: u64,
    groups: [u32; 3],
    /// The axis that it may be cut on, or why it runs whole: that may depend on the uniforms.
    split: Split,
    /// The placement, with the number or the bits that it has.
    placement: (u8, u64),
    adaptive: bool,
    strict: bool,
}

impl Key {
    fn new(kernel: u64, question: &Question<'_>) -> Self {
        let placement = match question.placement {
            Placement::Auto => (0, 0),
            Placement::Cpu => (1, 0),
            Placement::Gpu(None) => (2, 0),
            Placement::Gpu(Some(number)) => (3, number as u64),
            Placement::Split(share) => (4, share.to_bits()),
        };
        let (groups, split) = (question.grid.groups, question.split.clone());
        Key { kernel, groups, split, placement, adaptive: question.adaptive, strict: question.strict }
    }
}

/// By key: the figures of the candidates that it was made for, and the plan.
type Plans = HashMap<Key, (Vec<[f64; FIGURES]>, Plan)>;

/// Plans by kernel, with what they were made from.
#[derive(Debug, Default)]
pub(super) struct CutOnce {
    plans: Mutex<Plans>,
}

impl CutOnce {
    /// The plan of a kernel's call, made now or earlier from nearly the same figures. Whether it was made now comes with it.
    ///
    /// # Errors
    /// See [`plan`].
    pub(super) fn plan(&self, kernel: u64, question: &Question<'_>) -> Result<(Plan, bool)> {
        let key = Key::new(kernel, question);
        let mut figures: Vec<[f64; FIGURES]> = question.candidates.iter().map(figures).collect();
        figures.extend(question.together.iter().map(figures_together));
        if let Some((made_from, known)) = self.lock().get(&key) {
            let same = made_from.len() == figures.len() && made_from.iter().zip(&figures).all(|(a, b)| alike(a, b));
            if same && question.explore < known.tempting {
                return Ok((known.clone(), false));
            }
        }
        let made = plan(question)?;
        // What explores or races is decided anew each time.
        if made.explored == Cost::ZERO && made.rival.is_none() && made.lost.is_none() {
            let mut plans = self.lock();
            if plans.len() >= MAX_PLANS {
                plans.clear();
            }
            plans.insert(key, (figures, made.clone()));
        }
        Ok((made, true))
    }

    fn lock(&self) -> MutexGuard<'_, Plans> {
        self.plans.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a plan depends on.
fn figures(c: &Candidate) -> [f64; FIGURES] {
    let whole = c.predict(1.0);
    [
        whole.upload.ns(),
        whole.run.ns(),
        whole.download.ns(),
        c.together.factor / c.learned.factor,
        // Small doubts are alike.
        c.learned.spread.max(0.08),
        c.one_time.ns() - c.credit.ns().min(c.one_time.ns()),
        f64::from(u8::from(c.refusal.is_some())),
    ]
}

/// The same of calls on several devices.
fn figures_together(seen: &Together) -> [f64; FIGURES] {
    let mut figures = [0.0; FIGURES];
    figures[..3].copy_from_slice(&[f64::from(seen.devices), seen.log_ns.mean.exp(), seen.log_ns.variance.max(0.01)]);
    figures
}

fn alike(a: &[f64; FIGURES], b: &[f64; FIGURES]) -> bool {
    a.iter().zip(b).all(|(a, b)| (a - b).abs() <= TOLERANCE * a.abs().max(b.abs()))
}
