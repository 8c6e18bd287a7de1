//! What the parts of a call took, taken in by [`Learned`]: the only way back from runs to predictions.

use super::plan::Candidate;
use crate::cost::learn::{Direction, Key, Learned, Observation};

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

/// Takes in the parts of a call of a kernel.
pub fn teach(learned: &Learned, kernel: u64, candidates: &[Candidate], parts: &[PartRun]) {
    // Shorter runs measure the clock, not the kernel.
    const MIN_NS: f64 = 3e3;
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
            continue;
        }
        // What was fetched first is measured with the upload: each takes its part of what was predicted.
        let (fetching, up_ns) = (candidate.fetching(part.share, chunks).ns(), prior.upload.ns() * candidate.link[0]);
        let fetched = fetching * candidate.link[2] / (fetching * candidate.link[2] + up_ns).max(1e-9);
        if fetching > 0.0 && part.up.1 > 0.0 {
            let whole_ns = candidate.fetching(1.0, 1.0).ns();
            learned.observe_link(part.device, Direction::Fetch, whole_ns, fetching, fetched * part.up.1);
        }
        // Transfers in pieces have other rates than whole ones.
        let up = (part.up.0, (1.0 - fetched) * part.up.1);
        let copies = [(Direction::Up, up, prior.upload), (Direction::Down, part.down, prior.download)];
        for (direction, (bytes, took_ns), predicted) in copies.into_iter().filter(|c| c.1.0 > 0.0 && part.chunks == 1) {
            learned.observe_link(part.device, direction, bytes, predicted.ns(), took_ns);
        }
    }
}
