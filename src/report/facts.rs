//! What a call leaves for its report, and the details made of it.

use super::{Bytes, ChunkReport, Considered, Details, Move, Phase, Phases};
use crate::{
    backend::{ChunkRun, QueuedRun},
    clock::ns,
    cost::{Cost, roofline::Prediction},
    kernel::Compiled,
    schedule::{
        coexec::{Outcome, Ran},
        plan::{Assignment, Plan},
        remember::Decision,
    },
};
use std::{collections::BTreeMap, sync::Arc, time::Instant};

/// What a call leaves. Times are in ns.
#[derive(Clone, Debug)]
pub(crate) struct Facts {
    pub(crate) kernel: Arc<Compiled>,
    /// The kernel's name, where that is not its entry point.
    pub(crate) name: Option<&'static str>,
    /// Where it ran and why; one of a call that did nothing has no candidates.
    pub(crate) decision: Arc<Decision>,
    /// Why, where another reason than the plan's own.
    pub(crate) because: Option<&'static str>,
    pub(crate) outcome: Outcome,
    pub(crate) steps: u32,
    /// Calls of the submission that it ran in.
    pub(crate) shared: u32,
    pub(crate) calibration_ns: f64,
    pub(crate) decide_ns: f64,
    pub(crate) actual_ns: f64,
}

impl Facts {
    /// Takes in what a recorded call took that began at `since`.
    pub(crate) fn ended(&mut self, run: &QueuedRun, since: Instant) {
        self.outcome.ran.iter_mut().for_each(|ran| ran.run.run_ns = run.run_ns);
        self.shared = run.calls;
        self.actual_ns = ns(run.done.saturating_duration_since(since));
    }

    fn id(&self, device: usize) -> String {
        self.decision.candidates[device].id.to_string()
    }

    /// The part of the call that so many work-groups are.
    fn share(&self, groups: u64) -> f64 {
        let total: u64 = self.decision.plan.groups.iter().map(|g| u64::from(*g)).product();
        groups as f64 / total.max(1) as f64
    }

    pub(super) fn details(&self) -> Details {
        let Facts { kernel, decision, outcome, .. } = self;
        let (plan, candidates) = (&decision.plan, &decision.candidates);
        let entry = &kernel.reflection.entry;
        let placement = self.placement();
        let moves = self.moves();
        let sum = |of: fn(&Move) -> u64| moves.iter().map(of).sum();
        Details {
            kernel: self.name.unwrap_or(entry).into(),
            entry: entry.clone(),
            groups: plan.groups,
            steps: self.steps,
            shared: self.shared,
            chose: self.chose(),
            reason: self.because.unwrap_or(&plan.reason).into(),
            interpreted: kernel.interpreted().filter(|_| placement.contains_key("cpu")).map(str::to_string),
            placement,
            predicted_ns: if plan.predicted.is_finite() { plan.predicted.ns() } else { 0.0 },
            actual_ns: self.actual_ns,
            first_use: plan.assignments.iter().any(|a| candidates[a.device].one_time != Cost::ZERO),
            calibration_ns: self.calibration_ns,
            phases: self.phases(),
            bytes: Bytes { up: sum(|m| m.up), down: sum(|m| m.down) },
            moves,
            recoveries: outcome.recoveries.clone(),
            windows: outcome.windows.clone(),
            repeated: outcome.given_up.iter().map(|late| self.repeated(late)).collect(),
            refused: candidates.iter().filter_map(|c| Some(format!("{}: {}", c.id, c.refusal.as_ref()?))).collect(),
            candidates: considered(plan),
            chunks: self.chunks(),
        }
    }

    fn placement(&self) -> BTreeMap<String, f64> {
        let mut placement = BTreeMap::new();
        for ran in &self.outcome.ran {
            *placement.entry(self.id(ran.assignment.device)).or_insert(0.0) += self.share(ran.assignment.range.count());
        }
        placement
    }

    fn chose(&self) -> String {
        let plan = &self.decision.plan;
        match plan.assignments.as_slice() {
            [] => "none".into(),
            // Of a race, the one that was there first.
            [one] if plan.rival.is_some() => {
                self.id(self.outcome.ran.first().map_or(one.device, |r| r.assignment.device))
            }
            [one] => self.id(one.device),
            _ => "split".into(),
        }
    }

    fn repeated(&self, (late, had_ns): &(Assignment, f64)) -> String {
        let (id, groups, had) = (self.id(late.device), late.range.count(), Cost::from_ns(*had_ns));
        format!("{id} had not ended {groups} work-groups after {had}: the cpu ran them once more")
    }

    fn chunks(&self) -> Vec<ChunkReport> {
        let chunk = |ran: &Ran| ChunkReport {
            device: self.id(ran.assignment.device),
            start: ran.assignment.range.start,
            end: ran.assignment.range.end,
            upload_ns: ran.run.upload_ns,
            run_ns: ran.run.run_ns,
            download_ns: ran.run.download_ns,
            up_bytes: ran.run.up_bytes,
            down_bytes: ran.run.down_bytes,
        };
        self.outcome.ran.iter().map(chunk).collect()
    }

    /// Of each phase the longest over the devices.
    fn phases(&self) -> Phases {
        let plan = &self.decision.plan;
        let mut phases = Phases {
            decide: Phase { predicted_ns: 0.0, actual_ns: self.decide_ns },
            merge: Phase { predicted_ns: plan.merge.ns(), actual_ns: self.outcome.merge_ns },
            ..Phases::default()
        };
        for a in &plan.assignments {
            phases.predict(&self.decision.candidates[a.device].predict(self.share(a.range.count())));
        }
        let devices = 0..self.decision.candidates.len();
        for device in devices {
            let ran = self.outcome.ran.iter().filter(|r| r.assignment.device == device);
            let mut all = ChunkRun::default();
            ran.for_each(|r| all.add(&r.run));
            let longest = |phase: &mut Phase, ns: f64| phase.actual_ns = phase.actual_ns.max(ns);
            longest(&mut phases.upload, all.upload_ns);
            longest(&mut phases.run, all.run_ns);
            longest(&mut phases.download, all.download_ns);
        }
        phases
    }

    /// What moved, summed by device and argument.
    fn moves(&self) -> Vec<Move> {
        let mut sums: BTreeMap<(usize, Option<usize>, bool, bool), Bytes> = BTreeMap::new();
        for m in self.outcome.moved.iter().filter(|m| m.moves_bytes()) {
            let sum = sums.entry((m.moved.device, m.binding, m.array, m.moved.mapped)).or_default();
            sum.up += m.moved.up;
            sum.down += m.moved.down;
        }
        let bindings = self.kernel.bindings();
        let name = |binding: Option<usize>| binding.map_or(String::new(), |b| bindings[b].name.clone());
        sums.into_iter()
            .map(|((device, binding, array, mapped), Bytes { up, down })| Move {
                device: self.id(device),
                argument: name(binding),
                array,
                up,
                down,
                mapped,
            })
            .collect()
    }
}

impl Phases {
    fn predict(&mut self, prediction: &Prediction) {
        let longest = |phase: &mut Phase, cost: Cost| phase.predicted_ns = phase.predicted_ns.max(cost.ns());
        longest(&mut self.upload, prediction.upload);
        longest(&mut self.run, prediction.run);
        longest(&mut self.download, prediction.download);
    }
}

/// The placements that are possible, best first.
fn considered(plan: &Plan) -> Vec<Considered> {
    let possible = plan.considered.iter().filter(|(_, cost)| cost.is_finite());
    let mut considered: Vec<Considered> = possible
        .map(|(placement, cost)| Considered { placement: placement.to_string(), predicted_ns: cost.ns() })
        .collect();
    considered.sort_by(|a, b| a.predicted_ns.total_cmp(&b.predicted_ns));
    considered
}
