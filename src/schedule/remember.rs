//! Decisions that still hold: the same call asked again gets the same answer, as long as nothing that it depends on has moved.
//!
//! What a call moves and computes follows from its kernel, grid, sizes and uniforms, and from where its arrays are, so a
//! decision is found by those, before anything of it is worked out again. What was learned since is compared with what the
//! decision was made from.

mod cut;

use super::{
    adaptive::Crew,
    feedback::{Together, seen_together},
    placement::Placement,
    plan::{Assignment, Candidate, Plan, Question},
};
use crate::{
    backend::{Argument, ArrayRef},
    call::args::Pinned,
    cost::{
        Cost,
        learn::{Key, Known, Learned},
    },
    error::Result,
    hash::Quick,
    memory::array::Standing,
    schedule::movement::Needs,
};
use evener_lanes::analysis::CallShape;
use std::{
    collections::{HashMap, HashSet},
    hash::{BuildHasherDefault, Hasher},
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
};

/// Decisions kept; a program that makes more starts anew.
const MAX_KEPT: usize = 1024;
/// A device's time may differ by this part.
const TOLERANCE: f64 = 0.05;
/// Where the device was named, by this: the plan is the same, and what it promises is told near enough.
const TOLD: f64 = 0.25;
/// Smaller doubts are alike.
const NO_DOUBT: f64 = 0.08;

/// A plan, with what it was made from.
#[derive(Debug)]
pub struct Decision {
    /// Where the call runs.
    pub plan: Plan,
    /// The devices as the plan saw them.
    pub candidates: Vec<Candidate>,
    /// Who takes part, where its parts are handed out in chunks.
    pub crew: Option<Crew>,
    /// What was known of calls like it on several devices.
    pub together: Vec<Together>,
    /// What its calls have in common.
    pub(crate) calls: Calls,
}

/// What the calls of one decision have in common.
#[derive(Debug, Default)]
pub(crate) struct Calls {
    /// What moves, where one device other than the CPU runs them.
    pub(crate) needs: OnceLock<Arc<Needs>>,
    /// How many there were, those of earlier decisions on the same call among them.
    count: Arc<AtomicU32>,
}

impl Calls {
    /// Counts a call that took so long, and whether it is to be learned from. Of short calls that are made again and again
    /// each adds little, and takes longer to learn from than to decide on.
    pub(crate) fn teaches(&self, took_ns: f64) -> bool {
        /// Calls that all teach; of those after, one of so many.
        const ALL: u32 = 32;
        const ONE_OF: u32 = 8;
        const SHORT_NS: f64 = 1e6;
        // A number, ordering nothing.
        let count = self.count.fetch_add(1, Ordering::Relaxed);
        count < ALL || took_ns > SHORT_NS || count.is_multiple_of(ONE_OF)
    }
}

impl Decision {
    /// A plan, with what it was made from.
    pub fn new(plan: Plan, candidates: Vec<Candidate>, crew: Option<Crew>) -> Self {
        Decision { plan, candidates, crew, together: Vec::new(), calls: Calls::default() }
    }

    /// Where what a call moves is kept for the next one: where one device other than the CPU runs it. On the CPU that
    /// depends on where arrays are just now.
    pub(crate) fn kept_needs(&self) -> Option<&OnceLock<Arc<Needs>>> {
        let alone = matches!(self.plan.assignments[..], [Assignment { device: 1.., .. }]);
        (alone && self.crew.is_none()).then_some(&self.calls.needs)
    }

    /// Whether it depends on nothing but the call and what was learned: what explores, races or avoids one-time costs is
    /// decided anew each time.
    fn lasts(&self) -> bool {
        self.plan.explored == Cost::ZERO && self.plan.rival.is_none() && self.plan.lost.is_none()
    }
}

/// The call that is decided on.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    kernel: u64,
    shape: CallShape<'a>,
    placement: Placement,
    strict: bool,
    /// One per binding, as are the arrays.
    arguments: &'a [Argument],
    arrays: &'a [Option<Pinned>],
}

impl<'a> Asked<'a> {
    /// A call of host slices, for the plan to place.
    pub fn of_slices(kernel: u64, shape: CallShape<'a>) -> Self {
        Asked { kernel, shape, placement: Placement::Auto, strict: false, arguments: &[], arrays: &[] }
    }

    /// The same call with the caller's wishes.
    pub(crate) fn placed(self, placement: Placement, strict: bool) -> Self {
        Asked { placement, strict, ..self }
    }

    /// The same call over arrays: the arguments that are parts of any, and these.
    pub(crate) fn over(self, arguments: &'a [Argument], arrays: &'a [Option<Pinned>]) -> Self {
        Asked { arguments, arrays, ..self }
    }

    /// Which part of which array each argument is.
    fn parts(&self) -> impl Iterator<Item = Option<ArrayRef>> + '_ {
        self.arguments.iter().map(|a| a.array)
    }

    /// Where the arrays' bytes are; `None` where that is not worth keeping.
    fn standings(&self) -> Option<Box<[Option<Standing>]>> {
        self.arrays.iter().map(|array| array.as_ref().map_or(Some(None), |a| a.standing().map(Some))).collect()
    }

    fn hash(&self) -> u64 {
        let mut hash = Quick(self.kernel);
        self.shape.grid.groups.iter().for_each(|g| hash.write_u64(u64::from(*g)));
        self.shape.sizes.iter().for_each(|s| hash.write_u64(*s));
        self.shape.uniforms.iter().for_each(|u| hash.write(u));
        self.parts().flatten().for_each(|part| [part.id, part.offset].into_iter().for_each(|w| hash.write_u64(w)));
        hash.finish()
    }
}

/// A decision with the call that it is for.
#[derive(Debug)]
struct Kept {
    kernel: u64,
    groups: [u32; 3],
    placement: Placement,
    strict: bool,
    sizes: Box<[u64]>,
    uniforms: Box<[Box<[u8]>]>,
    parts: Box<[Option<ArrayRef>]>,
    /// Where the arrays' bytes were.
    standings: Box<[Option<Standing>]>,
    /// The kernel's part of each device's predicted time: how much its factor weighs.
    weights: Box<[f64]>,
    /// Of what was learned, when the decision last held.
    epoch: u64,
    decision: Arc<Decision>,
}

impl Kept {
    fn is_of(&self, asked: &Asked<'_>) -> bool {
        let shape = &asked.shape;
        self.kernel == asked.kernel
            && self.groups == shape.grid.groups
            && (self.placement, self.strict) == (asked.placement, asked.strict)
            && *self.sizes == *shape.sizes
            && self.uniforms.len() == shape.uniforms.len()
            && self.uniforms.iter().zip(shape.uniforms).all(|(own, other)| **own == **other)
            && self.parts.iter().copied().eq(asked.parts())
    }

    /// Whether the arrays' bytes are where they were.
    fn stands(&self, asked: &Asked<'_>) -> bool {
        self.standings.iter().zip(asked.arrays).all(|(was, array)| match (was, array) {
            (Some(was), Some(array)) => array.stands(was),
            (was, array) => was.is_none() && array.is_none(),
        })
    }
}

/// Decisions by what their calls are made of.
#[derive(Debug, Default)]
pub struct Remembered {
    kept: Mutex<HashMap<u64, Kept, BuildHasherDefault<Quick>>>,
    cut: cut::CutOnce,
    /// Kernels that were decided on.
    met: Mutex<HashSet<u64, BuildHasherDefault<Quick>>>,
}

impl Remembered {
    /// The decision on an earlier call like this one, where it still holds by what was learned since. `key` is what a
    /// device, by its number, has learned of the call under; `unchanged` says whether it is as the decision saw it.
    pub fn recall(
        &self,
        asked: &Asked<'_>,
        learned: &Learned,
        key: impl Fn(usize) -> Key,
        unchanged: impl Fn(usize, &Candidate) -> bool,
    ) -> Option<Arc<Decision>> {
        let epoch = learned.epoch();
        let mut all = self.lock();
        let kept = all.get_mut(&asked.hash()).filter(|k| k.is_of(asked) && k.stands(asked))?;
        if kept.epoch != epoch {
            let tolerance = if asked.placement.device().is_some() { TOLD } else { TOLERANCE };
            let alike = |(device, (c, weight)): (usize, (&Candidate, &f64))| {
                let now = learned.known(key(device), c.moved());
                alike(c, &now, *weight, tolerance)
            };
            let Decision { candidates, together, .. } = &*kept.decision;
            if !candidates.iter().zip(&kept.weights).enumerate().all(alike)
                || !alike_together(together, &seen_together(learned, key(0).kernel, candidates))
            {
                return None;
            }
            kept.epoch = epoch;
        }
        if !kept.decision.candidates.iter().enumerate().all(|(device, c)| unchanged(device, c)) {
            return None;
        }
        let tempting = kept.decision.plan.tempting;
        let tempted = tempting.is_finite() && learned.budget_ns() >= tempting.ns();
        (!tempted).then(|| kept.decision.clone())
    }

    /// Keeps a decision for calls to come, if it lasts.
    /// `epoch` is that of what it was made from.
    pub fn keep(&self, asked: &Asked<'_>, mut decision: Decision, epoch: u64) -> Arc<Decision> {
        let Some(standings) = asked.standings().filter(|_| decision.lasts()) else { return Arc::new(decision) };
        let hash = asked.hash();
        if let Some(before) = self.lock().get(&hash).filter(|k| k.is_of(asked)) {
            decision.calls.count = before.decision.calls.count.clone();
        }
        let decision = Arc::new(decision);
        let weight = |c: &Candidate| {
            let whole = c.predict(1.0);
            (whole.run.ns() - c.rates.launch_ns) / whole.total().ns().max(1.0)
        };
        let kept = Kept {
            kernel: asked.kernel,
            groups: asked.shape.grid.groups,
            placement: asked.placement,
            strict: asked.strict,
            sizes: asked.shape.sizes.into(),
            uniforms: asked.shape.uniforms.iter().map(|u| Box::from(*u)).collect(),
            parts: asked.parts().collect(),
            standings,
            weights: decision.candidates.iter().map(weight).collect(),
            epoch,
            decision: decision.clone(),
        };
        let mut all = self.lock();
        if all.len() >= MAX_KEPT {
            all.clear();
        }
        all.insert(hash, kept);
        decision
    }

    /// The plan of a kernel's call whose parts are cut once, made now or earlier from nearly the same figures. Whether it was
    /// made now comes with it.
    ///
    /// # Errors
    /// See [`plan`](super::plan::plan).
    pub fn plan(&self, kernel: u64, question: &Question<'_>) -> Result<(Plan, bool)> {
        self.cut.plan(kernel, question)
    }

    /// Whether this is the first decision on a kernel.
    pub fn meets(&self, kernel: u64) -> bool {
        let mut met = self.met.lock().unwrap_or_else(PoisonError::into_inner);
        if met.len() >= MAX_KEPT {
            met.clear();
        }
        met.insert(kernel)
    }

    /// Forgets all: devices were measured again.
    pub fn clear(&self) {
        self.lock().clear();
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<u64, Kept, BuildHasherDefault<Quick>>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether calls on several devices are known as they were.
fn alike_together(was: &[Together], now: &[Together]) -> bool {
    let near = |(a, b): (&Together, &Together)| {
        let doubt = |t: &Together| t.log_ns.variance.sqrt().max(NO_DOUBT);
        let means = (a.log_ns.mean - b.log_ns.mean).abs() <= TOLERANCE;
        a.devices == b.devices && means && (doubt(a) - doubt(b)).abs() <= TOLERANCE
    };
    was.len() == now.len() && was.iter().zip(now).all(near)
}

/// Whether a device is known as it was, as far as that changes its time by more than `tolerance` of it; `weight` is the
/// kernel's part of it.
fn alike(was: &Candidate, now: &Known, weight: f64, tolerance: f64) -> bool {
    let near = |a: f64, b: f64, weight: f64| weight * (a - b).abs() <= tolerance * a.max(b);
    near(was.learned.factor, now.alone.factor, weight)
        && near(was.together.factor / was.learned.factor, now.together.factor / now.alone.factor, 1.0)
        && near(was.learned.spread.max(NO_DOUBT), now.alone.spread.max(NO_DOUBT), 1.0)
        && was.link.iter().zip(now.link).all(|(a, b)| near(*a, b, 1.0))
}
