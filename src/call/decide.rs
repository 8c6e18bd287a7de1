//! Where a call runs: the plan, and who takes part where its parts adapt while they run.

use super::{Call, Ready};
use crate::{
    cost::Cost,
    error::Result,
    schedule::{
        adaptive::{self, Crew},
        chunks::Worker,
        feedback::seen_together,
        merge,
        placement::Placement,
        plan::{Assignment, Candidate, Plan, Question, is_cut_on, plan, stick},
        remember::{Asked, Decision},
        shadow, windows,
    },
};
use evener_lanes::{GroupRange, analysis::Split};
use std::{sync::Arc, time::Duration};

impl Call<'_> {
    /// The plan, and the crew where its parts are handed out in chunks; the one of an earlier call where that still holds.
    /// Time spent on measuring devices first comes with it: that is no part of the call's own.
    pub(super) fn decide(&self, ready: &Ready) -> Result<(Arc<Decision>, Duration)> {
        let uniforms = ready.uniform_slices();
        let asked = Asked::of_slices(self.kernel.id, ready.shape(&uniforms))
            .placed(self.placement, self.strict)
            .over(&ready.arguments, &ready.arrays);
        let (remembered, learned) = (self.runtime.remembered(), self.runtime.learned());
        let given = self.assignments.is_some() || self.workers.is_some();
        let unchanged = |device: usize, c: &Candidate| self.is_as_it_was(device, c);
        let key = |device| self.key(ready, device);
        if let Some(decision) = remembered.recall(&asked, learned, key, unchanged).filter(|_| !given) {
            return Ok((decision, Duration::ZERO));
        }
        let calibration = self.measure(ready);
        let epoch = learned.epoch();
        let decision = self.decide_anew(ready, self.is_open(ready))?;
        let decision = if given { Arc::new(decision) } else { remembered.keep(&asked, decision, epoch) };
        Ok((decision, calibration))
    }

    /// Whether all of it is for the plan to choose, and follows from the call alone: no array is anywhere yet.
    fn is_open(&self, ready: &Ready) -> bool {
        self.placement == Placement::Auto
            && self.assignments.is_none()
            && self.workers.is_none()
            && ready.arrays.iter().all(Option::is_none)
    }

    fn decide_anew(&self, ready: &Ready, open: bool) -> Result<Decision> {
        if open {
            let (cpu, others_begin) = self.cpu_first(ready);
            if let Some(plan) = adaptive::tiny(&cpu, others_begin, ready.grid) {
                // Whatever else there is to say of a kernel, such as which devices cannot run it, is said once.
                let once = self.runtime.slots().len() > 1 && self.runtime.remembered().meets(self.kernel.id);
                let candidates = if once { self.candidates(ready) } else { vec![cpu] };
                return Ok(Decision::new(plan, candidates, None));
            }
        }
        let candidates = self.candidates(ready);
        if let Some(plan) = self.given(ready) {
            return Ok(Decision::new(plan, candidates, None));
        }
        // With nothing to split over, the analysis is not asked: it takes longer than a small call.
        let alone = Split::Whole("the CPU is the only device".into());
        let split = if candidates.len() == 1 { &alone } else { ready.split(self.kernel) };
        let adaptive = self.adapts(ready, split, &candidates);
        if let Some(crew) = self.hires(ready, split, &candidates, adaptive) {
            return Ok(Decision::new(hired(ready, &crew), candidates, Some(crew)));
        }
        let question = self.question(ready, split, &candidates, adaptive);
        if !adaptive {
            let plan = self.plan_once(ready, &question)?;
            let together = question.together;
            return Ok(Decision { together, ..Decision::new(plan, candidates, None) });
        }
        let plan = plan(&question)?;
        let crew = adaptive::crew(&question, &plan);
        let together = question.together;
        Ok(Decision { together, ..Decision::new(plan, candidates, crew) })
    }

    /// The plan of many steps: no device is idle long enough between them for a split of every one to be considered.
    pub(super) fn decide_steps(&self, ready: &Ready, candidates: &[Candidate]) -> Result<Plan> {
        if let Some(plan) = self.given(ready) {
            return Ok(plan);
        }
        let together = Split::Whole("its steps run one after the other on one device".into());
        let split = match self.placement {
            Placement::Auto => &together,
            _ => ready.split(self.kernel),
        };
        self.plan_once(ready, &self.question(ready, split, candidates, false))
    }

    /// The plan of parts that are cut once, at the boundaries of an earlier call where moving them does not pay.
    fn plan_once(&self, ready: &Ready, question: &Question<'_>) -> Result<Plan> {
        let (decided, _) = self.runtime.remembered().plan(self.kernel.id, question)?;
        Ok(match self.earlier(ready, question) {
            Some(earlier) => stick(question, decided, earlier, |part| self.moves(ready, part)),
            None => decided,
        })
    }

    /// The plan of parts that the caller gave.
    fn given(&self, ready: &Ready) -> Option<Plan> {
        let assignments = self.assignments.clone()?;
        Some(Plan { assignments, groups: ready.grid.groups, ..Plan::nothing("the parts were given") })
    }

    pub(super) fn question<'q>(
        &self,
        ready: &Ready,
        split: &'q Split,
        candidates: &'q [Candidate],
        adaptive: bool,
    ) -> Question<'q> {
        let explore = if adaptive { Cost::from_ns(self.runtime.learned().budget_ns()) } else { Cost::ZERO };
        // The copies that an adaptive call would need are the reason why it is not one.
        let merge = match (candidates, split) {
            ([cpu, _, ..], Split::Axis(_)) if !adaptive => merge::cost(
                &ready.footprint(self.kernel, &GroupRange::all(ready.grid)),
                &ready.sizes,
                cpu.rates.memory_bytes.per_s,
            ),
            _ => Cost::ZERO,
        };
        let together = seen_together(self.runtime.learned(), self.kernel.fingerprint, candidates);
        Question {
            grid: ready.grid,
            split,
            candidates,
            adaptive,
            merge,
            race: if adaptive { self.race_copies(ready, candidates) } else { None },
            together,
            explore,
            placement: self.placement,
            strict: self.strict,
        }
    }

    /// Whether the parts of the call, if it has several, are handed out while it runs. Arrays stay where they are, so
    /// their boundaries are fixed; what goes through windows is cut by what fits; and copies of what merges are made once
    /// for each part.
    pub(super) fn adapts(&self, ready: &Ready, split: &Split, candidates: &[Candidate]) -> bool {
        if self.placement != Placement::Auto || ready.arrays.iter().any(Option::is_some) {
            return false;
        }
        if candidates.len() == 1 || matches!(split, Split::Whole(_)) {
            return true;
        }
        self.is_plain(ready, candidates)
    }

    /// Whether nothing of the call merges, and it fits every device.
    fn is_plain(&self, ready: &Ready, candidates: &[Candidate]) -> bool {
        let bindings = self.kernel.bindings();
        let whole = ready.footprint(self.kernel, &GroupRange::all(ready.grid));
        let merges = whole.bindings.iter().any(|b| !b.merges.is_empty());
        let windowed = self.runtime.slots().iter().zip(candidates).any(|(slot, candidate)| {
            let fits = |room| windows::whole_misfit(bindings, &ready.sizes, &room).is_none();
            candidate.refusal.is_none() && !slot.backend.room().is_none_or(fits)
        });
        !merges && !windowed
    }

    /// Copying what the call writes, and back, where the CPU may run all of it beside another device: what runs there can be
    /// given up, and so can what runs here, which other people's code cannot.
    fn race_copies(&self, ready: &Ready, candidates: &[Candidate]) -> Option<Cost> {
        // One thread copies.
        const OF_THE_RATE: f64 = 0.25;
        let gpus = || self.runtime.slots().iter().zip(candidates).skip(1).filter(|(_, c)| c.refusal.is_none());
        let can = self.kernel.native.is_none()
            && gpus().next().is_some()
            && gpus().all(|(slot, _)| slot.backend.gives_up())
            && ready.arrays.iter().all(Option::is_none)
            && self.is_plain(ready, candidates);
        if !can {
            return None;
        }
        let whole = ready.footprint(self.kernel, &GroupRange::all(ready.grid));
        let bytes = shadow::copied_bytes(&whole, &ready.sizes)?;
        Some(Cost::of(bytes, OF_THE_RATE * candidates[0].rates.memory_bytes.per_s))
    }

    /// The crew of workers that the caller gave.
    fn hires(&self, ready: &Ready, split: &Split, candidates: &[Candidate], adaptive: bool) -> Option<Crew> {
        let workers = self.workers.clone().filter(|_| adaptive)?;
        let axis = match split {
            Split::Axis(axis) => usize::from(*axis),
            Split::Whole(_) => 0,
        };
        let may =
            if self.race { self.race_copies(ready, candidates).is_some() } else { matches!(split, Split::Axis(_)) };
        may.then_some(Crew { axis, workers, race: self.race })
    }

    /// How an earlier call of this grid was split over the arrays of this one, if this one may be split like it.
    fn earlier(&self, ready: &Ready, question: &Question<'_>) -> Option<Vec<Assignment>> {
        let Split::Axis(axis) = question.split else { return None };
        if self.placement != Placement::Auto {
            return None;
        }
        let earlier = ready.arrays.iter().flatten().find_map(|a| a.owners(ready.grid))?;
        let usable = |a: &Assignment| question.candidates[a.device].refusal.is_none();
        (is_cut_on(&earlier, ready.grid, usize::from(*axis)) && earlier.iter().all(usable)).then_some(earlier)
    }
}

/// A plan for workers that the caller gave.
fn hired(ready: &Ready, crew: &Crew) -> Plan {
    let part = |(device, _): &(usize, Worker)| Assignment { device: *device, range: GroupRange::all(ready.grid) };
    let assignments = crew.workers.iter().map(part).collect();
    Plan { assignments, groups: ready.grid.groups, ..Plan::nothing("the workers were given") }
}
