//! What a call would cost on each device: rates, past calls and one-time costs put together for the plan, and what the
//! call teaches afterwards.

use super::{Call, Ready};
use crate::{
    backend::ChunkRun,
    cost::{
        Cost,
        learn::{Key, Known},
        roofline::{Rates, Work},
    },
    device::{Slot, typical},
    schedule::{
        coexec::{Beaten, Outcome},
        feedback::{PartRun, is_telling, teach, teach_whole},
        movement::{self, ArgumentMoved, WouldMove},
        placement::Placement,
        plan::{Assignment, Candidate, Moves, Plan},
        remember::Decision,
        transfers,
        windows::{self, Cutter},
    },
};
use evener_lanes::{
    GroupRange,
    analysis::{Footprint, Split},
    ir::Space,
};
use std::time::{Duration, Instant};

impl Call<'_> {
    pub(super) fn candidates(&self, ready: &Ready) -> Vec<Candidate> {
        let slots = self.runtime.slots();
        if slots.len() == 1 {
            return vec![self.candidate(0, &slots[0], ready, &WouldMove::default())];
        }
        let whole = ready.footprint(self.kernel, &GroupRange::all(ready.grid));
        let moved = |place| {
            let (bindings, places) = (self.kernel.bindings(), self.runtime.places());
            movement::would_move(places, place, &whole, bindings, &ready.arguments, &ready.arrays)
        };
        let shared_input = self.shared_input(ready, &whole);
        let one = |(k, slot)| Candidate { shared_input, ..self.candidate(k, slot, ready, &moved(k)) };
        slots.iter().enumerate().map(one).collect()
    }

    /// The CPU, and when another device could begin at the earliest and bring anything back: infinite where there is none.
    pub(super) fn cpu_first(&self, ready: &Ready) -> (Candidate, Cost) {
        let slots = self.runtime.slots();
        let begins = |slot: &Slot| {
            let rates = self.runtime.known_rates(slot).unwrap_or_else(|| typical(slot.backend.info()).into());
            rates.launch_ns + rates.link_ns
        };
        let others = slots[1..].iter().map(begins).fold(f64::INFINITY, f64::min);
        (self.candidate(0, &slots[0], ready, &WouldMove::default()), Cost::from_ns(others))
    }

    /// Whether a device still is as a decision saw it, but for what was learned since.
    pub(super) fn is_as_it_was(&self, device: usize, candidate: &Candidate) -> bool {
        let slot = &self.runtime.slots()[device];
        let one_time = self.one_time(slot, &candidate.rates);
        !slot.backend.is_lost()
            && one_time == candidate.one_time
            && (one_time == Cost::ZERO || slot.credit() == candidate.credit)
    }

    /// What a device's first use in this process and the kernel's first run add.
    fn one_time(&self, slot: &Slot, rates: &Rates) -> Cost {
        let warmth = slot.backend.warmth(self.kernel);
        let device_ns = if warmth.device { 0.0 } else { rates.setup_ns };
        Cost::from_ns(device_ns + if warmth.kernel { 0.0 } else { rates.compile_ns })
    }

    /// The part of the input, 0 to 1, that every part of the call needs: what two halves need both.
    fn shared_input(&self, ready: &Ready, whole: &Footprint) -> f64 {
        if self.placement != Placement::Auto || ready.arrays.iter().any(Option::is_some) {
            return 0.0;
        }
        let Split::Axis(axis) = ready.split(self.kernel) else { return 0.0 };
        let uploaded = |footprint: &Footprint| {
            let moved = transfers::of_footprint(footprint, self.kernel.bindings(), &ready.sizes);
            let storage = self.kernel.bindings().iter().zip(moved).filter(|(b, _)| b.space == Space::Storage);
            storage.map(|(_, t)| t.bytes().0).sum::<u64>() as f64
        };
        let axis = usize::from(*axis);
        let (front, back) = GroupRange::all(ready.grid).split_at(axis, ready.grid.groups[axis] / 2);
        if front.is_empty() || back.is_empty() {
            return 0.0;
        }
        let parts: f64 = [front, back].iter().map(|half| uploaded(&ready.footprint(self.kernel, half))).sum();
        let all = uploaded(whole);
        if all > 0.0 { ((parts - all) / all).clamp(0.0, 1.0) } else { 0.0 }
    }

    /// What one part of the call would move.
    pub(super) fn moves(&self, ready: &Ready, part: &Assignment) -> Moves {
        let footprint = ready.footprint(self.kernel, &part.range);
        let (bindings, places) = (self.kernel.bindings(), self.runtime.places());
        let moved = movement::would_move(places, part.device, &footprint, bindings, &ready.arguments, &ready.arrays);
        let (bytes, latency) = self.fetch(&moved);
        Moves { up: moved.up as f64, down: moved.down as f64, fetch: bytes + latency }
    }

    /// Time to copy what other devices have to the host: of the bytes, and the latency.
    fn fetch(&self, moved: &WouldMove) -> (Cost, Cost) {
        let one = |(device, bytes): &(usize, u64)| {
            let slot = &self.runtime.slots()[*device];
            let rates = self.runtime.known_rates(slot).unwrap_or_else(|| typical(slot.backend.info()).into());
            (Cost::of(*bytes as f64, rates.down_bytes.per_s), Cost::from_ns(rates.link_ns))
        };
        let sum = |sum: (Cost, Cost), cost: (Cost, Cost)| (sum.0 + cost.0, sum.1 + cost.1);
        moved.fetched.iter().map(one).fold((Cost::ZERO, Cost::ZERO), sum)
    }

    /// Whether the placement leaves a choice that this device takes part in.
    fn in_question(&self, number: usize) -> bool {
        self.assignments.is_none()
            && self.workers.is_none()
            && match self.placement {
                Placement::Cpu | Placement::Gpu(Some(_)) => self.placement.device() == Some(number),
                Placement::Gpu(None) => number > 0,
                Placement::Auto | Placement::Split(_) => true,
            }
    }

    /// Measures the devices in question whose rates are not known yet. Returns the time that took: it is no part of the
    /// call's own.
    pub(super) fn measure(&self, ready: &Ready) -> Duration {
        let start = Instant::now();
        let mut measured = false;
        for (number, slot) in self.runtime.slots().iter().enumerate() {
            if self.in_question(number)
                && self.runtime.known_rates(slot).is_none()
                && self.refusal(slot, ready).is_none()
            {
                measured = true;
                // A failure is met again, and reported, when the candidate is looked at.
                let _ = self.runtime.rates(slot);
            }
        }
        if measured { start.elapsed() } else { Duration::ZERO }
    }

    /// An automatic placement becomes the preferred device, if that can run the call.
    pub(super) fn settle(&mut self, ready: &Ready) {
        let Some(device) = self.preferred.filter(|_| self.placement == Placement::Auto) else { return };
        if self.runtime.slots().get(device).is_some_and(|slot| self.refusal(slot, ready).is_none()) {
            self.placement = Placement::on(device);
        }
    }

    /// Why a device cannot run the call, whole or in windows.
    fn refusal(&self, slot: &Slot, ready: &Ready) -> Option<String> {
        if let Err(why) = slot.revive().and_then(|()| slot.backend.accepts(self.kernel, &ready.sizes)) {
            return Some(why);
        }
        let room = slot.backend.room()?;
        let whole = windows::whole_misfit(self.kernel.bindings(), &ready.sizes, &room)?;
        let uniforms = ready.uniform_slices();
        let (shape, all) = (ready.shape(&uniforms), GroupRange::all(ready.grid));
        let cutter = Cutter::new(self.kernel, shape, ready.split(self.kernel), room, all);
        cutter.misfit().map(|in_windows| format!("{whole}; in windows: {in_windows}"))
    }

    /// A device as the plan sees it.
    fn candidate(&self, number: usize, slot: &Slot, ready: &Ready, moved: &WouldMove) -> Candidate {
        let info = slot.backend.info();
        let mut refusal = self.refusal(slot, ready);
        let rates = match self.runtime.known_rates(slot) {
            Some(rates) => Ok((rates, true)),
            None if self.in_question(number) && refusal.is_none() => self.runtime.rates(slot).map(|r| (r, true)),
            None => Ok((typical(info).into(), false)),
        };
        let (rates, known) = rates.unwrap_or_else(|why| {
            refusal = Some(why);
            (typical(info).into(), false)
        });
        let work = Work {
            features: ready.features(self.kernel),
            invocations: ready.invocations(self.kernel),
            working_set: ready.sizes.iter().sum::<u64>() as f64,
            up_bytes: moved.up as f64,
            down_bytes: moved.down as f64,
        };
        let (one_time, credit) = (self.one_time(slot, &rates), slot.credit());
        let (fetch, fetch_latency) = self.fetch(moved);
        let moved = [work.up_bytes, work.down_bytes, (fetch + fetch_latency).ns()];
        let Known { alone, together, link } = self.runtime.learned().known(self.key(ready, number), moved);
        Candidate {
            id: slot.id.clone(),
            refusal,
            work,
            rates,
            learned: alone,
            together,
            link,
            fetch,
            fetch_latency,
            steps: 1.0,
            shared_input: 0.0,
            one_time,
            credit,
            known,
        }
    }

    pub(super) fn key(&self, ready: &Ready, device: usize) -> Key {
        Key { kernel: self.kernel.fingerprint, device, invocations: ready.invocations(self.kernel) }
    }

    /// The only feedback: what the parts of a call that took so long teaches the next prediction.
    pub(super) fn observe(&self, ready: &Ready, decision: &Decision, outcome: &Outcome, took_ns: f64) {
        let Decision { plan, candidates, calls, .. } = decision;
        let cold = plan.assignments.iter().any(|a| candidates[a.device].one_time > Cost::ZERO);
        if cold || !outcome.recoveries.is_empty() || self.assignments.is_some() || self.workers.is_some() {
            return;
        }
        if let [only] = &outcome.ran[..]
            && plan.rival.is_none()
            && !is_telling(&only.run)
        {
            return;
        }
        let again = decision.kept_needs().is_some() && !outcome.moved.iter().any(ArgumentMoved::moves_bytes);
        if again && !calls.teaches(took_ns) {
            return;
        }
        let (learned, kernel) = (self.runtime.learned(), self.kernel.fingerprint);
        let parts = parts_of(ready, plan, outcome);
        learned.spend(took_ns, plan.explored.ns());
        teach(learned, kernel, candidates, &parts);
        teach_whole(learned, kernel, candidates, plan, &parts, took_ns);
        self.runtime.keep_learned();
    }
}

/// What the devices did, each with all of its chunks. One that was late with a chunk takes at least the time that it had.
/// One that was stopped tells its rate as far as it came.
fn parts_of(ready: &Ready, decided: &Plan, outcome: &Outcome) -> Vec<PartRun> {
    let Outcome { ran, given_up, beaten, .. } = outcome;
    let total = GroupRange::all(ready.grid).count() as f64;
    let chunk = |assignment: &Assignment, run: &ChunkRun, ended: bool| PartRun {
        device: assignment.device,
        share: assignment.range.count() as f64 / total,
        chunks: 1,
        together: decided.assignments.len() > 1 || decided.rival.is_some(),
        ended,
        run_ns: run.run_ns,
        up: (run.up_bytes as f64, run.upload_ns),
        down: (run.down_bytes as f64, run.download_ns),
    };
    let late = |(assignment, had_ns): &(Assignment, f64)| {
        chunk(assignment, &ChunkRun { run_ns: *had_ns, ..ChunkRun::default() }, false)
    };
    let stopped = |b: &Beaten| {
        let all = chunk(&b.ran.assignment, &b.ran.run, true);
        PartRun { share: all.share * b.part, ..all }
    };
    let mut parts: Vec<PartRun> = Vec::new();
    let ran = ran.iter().map(|r| chunk(&r.assignment, &r.run, true));
    for chunk in ran.chain(given_up.iter().map(late)).chain(beaten.iter().filter(|b| b.part > 0.0).map(stopped)) {
        match parts.iter_mut().find(|p| p.device == chunk.device) {
            Some(part) => part.add(&chunk),
            None => parts.push(chunk),
        }
    }
    if let [only] = &mut parts[..] {
        // Whoever was to help came too late to get anything.
        only.together = false;
    }
    parts
}
