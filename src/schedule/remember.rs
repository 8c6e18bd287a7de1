//! Plans that still hold: the same call asked again gets the same answer, as long as nothing that it depends on has moved.

use super::plan::{Candidate, Plan, Question, plan};
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

/// Kernel, grid and the axis that it may be cut on: calls of other sizes or uniforms may have to run whole.
type Key = (u64, [u32; 3], Option<u8>);
/// By key: the figures of the candidates that it was made for, and the plan.
type Plans = HashMap<Key, (Vec<[f64; FIGURES]>, Plan)>;

/// Plans by kernel, with what they were made from.
#[derive(Debug, Default)]
pub struct Remembered {
    plans: Mutex<Plans>,
}

impl Remembered {
    /// The plan of a kernel's call, made now or earlier from nearly the same figures. Whether it was made now comes with it.
    ///
    /// # Errors
    /// See [`plan`].
    pub fn plan(&self, kernel: u64, question: &Question<'_>) -> Result<(Plan, bool)> {
        let axis = match question.split {
            Split::Axis(axis) => Some(*axis),
            Split::Whole(_) => None,
        };
        let key = (kernel, question.grid.groups, axis);
        let figures: Vec<[f64; FIGURES]> = question.candidates.iter().map(figures).collect();
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

fn alike(a: &[f64; FIGURES], b: &[f64; FIGURES]) -> bool {
    a.iter().zip(b).all(|(a, b)| (a - b).abs() <= TOLERANCE * a.abs().max(b.abs()))
}
