//! What the parts of a call took, taken in by [`Learned`]: the only way back from runs to predictions.

use super::plan::{Candidate, Plan};
use crate::{
    backend::ChunkRun,
    cost::learn::{Belief, Direction, Key, Learned, Observation},
};

/// A device's part in a call.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PartRun {
    /// Index of the device.
    pub device: usize,
    /// Of the call's work-groups, 0 to 1.
    pub share: f64,
    /// Chunks it was run in.
    pub chunks: u32,
    /// Whether other devices worked at the same time.
    pub together: bool,
    /// Whether it has ended: otherwise it takes at least so long.
    pub ended: bool,
    /// Kernel and launches of all of them, in ns.
    pub run_ns: f64,
    /// Copies to the device and back: bytes, and time in ns.
    pub up: (f64, f64),
    /// See `up`.
    pub down: (f64, f64),
}

impl PartRun {
    /// Adds a further chunk.
    pub(crate) fn add(&mut self, chunk: &PartRun) {
        self.share += chunk.share;
        self.chunks += chunk.chunks;
        self.ended &= chunk.ended;
        self.run_ns += chunk.run_ns;
        self.up = (self.up.0 + chunk.up.0, self.up.1 + chunk.up.1);
        self.down = (self.down.0 + chunk.down.0, self.down.1 + chunk.down.1);
    }
}

/// What calls on a set of devices took.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Together {
    /// The devices, a bit for each.
    pub devices: u32,
    /// Logarithm of the whole call's time in ns.
    pub log_ns: Belief,
}

impl Together {
    /// How much longer than predicted such a call is expected to take: the prediction is drawn to what was seen, the more
    /// the surer that is, and not at all where they differ by no more than the doubt: what is thought better than it is
    /// will be seen again, what is thought worse will not. `spread` is the doubt about the devices' rates.
    pub fn over(&self, predicted_ns: f64, spread: f64) -> f64 {
        /// Least doubt about what several devices take together where each of them is known.
        const MODEL: f64 = 0.1;
        let off = self.log_ns.mean - predicted_ns.ln();
        let beyond = off.signum() * (off.abs() - self.log_ns.variance.sqrt()).max(0.0);
        // What is seen to be far off says how much the prediction may be: what waiting for each other costs is in no rate.
        let model = beyond.abs().max(MODEL);
        let predicted = Belief { mean: 0.0, variance: spread * spread + model * model };
        let factor = predicted.and(Belief { mean: beyond, ..self.log_ns }).mean.exp();
        if factor.is_finite() { factor } else { 1.0 }
    }
}

/// What past calls of a kernel, of this size, took on several devices.
pub fn seen_together(learned: &Learned, kernel: u64, candidates: &[Candidate]) -> Vec<Together> {
    let invocations = candidates.first().map_or(0.0, |c| c.work.invocations);
    let seen = learned.together(kernel, candidates.len(), invocations);
    let whole = |(devices, factor): (u32, Belief)| {
        let mean = factor.mean + unlearned_ns(candidates, devices).ln();
        Together { devices, log_ns: Belief { mean, ..factor } }
    };
    seen.into_iter().map(whole).filter(|t| t.log_ns.mean.is_finite()).collect()
}

/// The whole call on a set of devices at the rates that they have without anything learned, if nothing but their speeds
/// counted: what measured times are kept relative to.
fn unlearned_ns(candidates: &[Candidate], devices: u32) -> f64 {
    let own = candidates.iter().enumerate().filter(|(d, _)| devices >> d & 1 == 1);
    own.map(|(_, c)| c.prior(1.0).total().ns().max(1.0).recip()).sum::<f64>().recip()
}

/// Takes in what a call took as a whole, if several devices shared it: not where one of them was given up, as its part
/// says what is to be known of that.
pub fn teach_whole(
    learned: &Learned,
    kernel: u64,
    candidates: &[Candidate],
    plan: &Plan,
    parts: &[PartRun],
    took_ns: f64,
) {
    let devices = plan.devices();
    if plan.rival.is_none() && devices.count_ones() > 1 && parts.iter().all(|p| p.ended) {
        let factor = took_ns / unlearned_ns(candidates, devices);
        // With rates in doubt they shared it badly: next time they will not.
        let spreads = plan.assignments.iter().map(|a| candidates[a.device].together.spread);
        let spread = spreads.fold(0.0, f64::max);
        learned.observe_together(kernel, devices, candidates[0].work.invocations, factor, spread);
    }
}

/// Shorter runs in ns measure the clock, not the kernel.
const MIN_NS: f64 = 3e3;

/// Whether anything is to be learned from a chunk's run.
pub(crate) fn is_telling(run: &ChunkRun) -> bool {
    run.run_ns >= MIN_NS || run.upload_ns + run.download_ns > 0.0
}

/// Takes in the parts of a call of a kernel.
pub fn teach(learned: &Learned, kernel: u64, candidates: &[Candidate], parts: &[PartRun]) {
    for part in parts {
        let candidate = &candidates[part.device];
        let prior = candidate.prior(part.share);
        // Each chunk takes at least what fills the device.
        let chunks = f64::from(part.chunks.max(1));
        let in_chunks = candidate.prior(part.share / chunks);
        let launch_ns = candidate.rates.launch_ns;
        if part.run_ns >= MIN_NS {
            let key = Key { kernel, device: part.device, invocations: candidate.work.invocations };
            let seen = Observation {
                prior_ns: (in_chunks.run.ns() - launch_ns) * chunks,
                launch_ns: launch_ns * chunks,
                took_ns: part.run_ns,
                together: part.together,
                ended: part.ended,
            };
            learned.observe(key, seen);
        }
        if !part.ended {
            let ns = prior.upload.ns() + candidate.fetching(part.share, chunks).ns();
            if part.chunks == 1 && part.up.1 > 2.0 * ns * candidate.link[0] {
                // Given up while it was still copying.
                learned.observe_link(part.device, Direction::Up, part.up.0, ns, part.up.1, false);
            }
            continue;
        }
        // What was fetched first is measured with the upload: each takes its part of what was predicted.
        let (fetching, up_ns) = (candidate.fetching(part.share, chunks).ns(), prior.upload.ns() * candidate.link[0]);
        let fetched = fetching * candidate.link[2] / (fetching * candidate.link[2] + up_ns).max(1e-9);
        if fetching > 0.0 && part.up.1 > 0.0 {
            let whole_ns = candidate.fetching(1.0, 1.0).ns();
            learned.observe_link(part.device, Direction::Fetch, whole_ns, fetching, fetched * part.up.1, true);
        }
        // Transfers in pieces have other rates than whole ones.
        let up = (part.up.0, (1.0 - fetched) * part.up.1);
        let copies = [(Direction::Up, up, prior.upload), (Direction::Down, part.down, prior.download)];
        for (direction, (bytes, took_ns), predicted) in copies.into_iter().filter(|c| c.1.0 > 0.0 && part.chunks == 1) {
            learned.observe_link(part.device, direction, bytes, predicted.ns(), took_ns, true);
        }
    }
}
