//! The sizes of chunks while a call is co-executed: pure, asked whenever a device is free.
//!
//! Devices with their own memory take chunks from the front, the CPU from the back. Each is offered its fair part of
//! what is left (all end together, as far as their rates are known), times a caution that falls with the doubt about its
//! rate: the less is known, the smaller the chunk. What a chunk took corrects the rate within the call. So chunks
//! shrink towards the end, a device that is known well gets one chunk, or a few where they cost nothing to speak of, and a
//! change of speed in the middle of the call is absorbed. No chunk is so small that its fixed cost would outweigh its
//! work. When nothing is left, the CPU runs a chunk of a straggler once more: one of the two results is taken.

use std::ops::Range;

/// A worker is given this power of e to the doubt of its fair part: the first where there is hardly any, the other from
/// the doubt `DOUBTFUL` on.
const CAUTION: [f64; 2] = [1.2, 1.5];
const DOUBTFUL: f64 = 0.1;
/// Where chunks cost next to nothing, no worker is given more of its fair part at once, however well it is known: a
/// straggler, or a load that comes meanwhile, then costs a part of a call and not all of it, and copies overlap with work.
const AT_ONCE: f64 = 0.4;
/// They do where the rest takes so many times as long as their fixed cost,
const CHEAP: f64 = 25.0;
/// and fills the device so many times: throughput falls before a device is empty, and the last wave of work-groups may be.
const FULL: f64 = 20.0;
/// A chunk fills its device so many times, for the same reason,
const FILLED: f64 = 2.0;
/// unless the doubt is larger than that: then a small one that tells is worth more.
const KNOWN: f64 = 0.2;
/// A chunk's work takes at least this multiple of its fixed cost.
const WORTH: f64 = 3.0;
/// Relative noise of one chunk's time.
const NOISE: f64 = 0.06;
/// Relative noise of a launch.
const JITTER: f64 = 0.3;
/// Doubt that is always left: the load of a machine changes.
const LEAST_DOUBT: f64 = 0.03;
/// Running a chunk once more must promise this gain.
const REPEAT_GAIN: f64 = 1.25;
/// A chunk that takes so many times as long as expected is a straggler: it is run once more where a worker is idle.
const OVERDUE: f64 = 1.3;

/// The part of its fair share that a device is given at once, by the doubt about its rate (the standard deviation of
/// the logarithm).
pub fn caution(spread: f64) -> f64 {
    let [least, most] = CAUTION;
    (-(least + (most - least) * (spread / DOUBTFUL).min(1.0)) * spread).exp()
}

/// What is predicted of a device in a call, work counted in slices: work-groups on the axis of the cut.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Worker {
    /// Time of a chunk beside its work, in ns: launch, latency of the link.
    pub chunk_ns: f64,
    /// Of it, the launch of the kernel.
    pub launch_ns: f64,
    /// What a chunk's work takes at least, in ns: fewer slices do not fill the device.
    pub filling_ns: f64,
    /// Time before its first chunk, in ns: what it needs however small its part is.
    pub first_ns: f64,
    /// Transfers of a slice, in ns.
    pub link_ns: f64,
    /// The kernel of a slice, in ns.
    pub slice_ns: f64,
    /// Doubt about it: the standard deviation of its logarithm.
    pub spread: f64,
    /// How much slices differ from each other, as far as known: the standard deviation of the logarithm.
    pub uneven: f64,
    /// Whether it works in place on the host's bytes: it takes chunks from the back, and may repeat others'.
    pub in_place: bool,
}

/// What a chunk took.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Took {
    /// The kernel with its launch, in ns. Copies are not in it: those of several chunks may overlap.
    pub run_ns: f64,
}

/// What a worker does next.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// Run these slices.
    Run(Range<u64>),
    /// Run slices that another worker has not finished; whichever ends first is taken.
    Repeat(Range<u64>),
    /// Nothing now; ask again when a chunk has ended, or at this time in ns.
    Wait(f64),
    /// Nothing more in this call.
    Done,
}

#[derive(Clone, Debug)]
struct State {
    worker: Worker,
    /// Variance of the logarithm of `slice_ns`, and of the unevenness.
    variance: f64,
    uneven: f64,
    started: bool,
    /// Chunks under way with the time at which they were given.
    under_way: Vec<(Range<u64>, f64)>,
    /// It failed and does nothing more.
    retired: bool,
}

impl State {
    fn spread(&self) -> f64 {
        (self.variance + self.uneven).sqrt().max(LEAST_DOUBT)
    }

    fn expected_ns(&self, slices: &Range<u64>) -> f64 {
        self.worker.chunk_ns + self.work_ns((slices.end - slices.start) as f64)
    }

    fn first_ns(&self) -> f64 {
        if self.started { 0.0 } else { self.worker.first_ns }
    }

    fn work_ns(&self, slices: f64) -> f64 {
        self.worker.link_ns * slices + (self.worker.slice_ns * slices).max(self.worker.filling_ns)
    }

    /// When its chunks under way will have ended. What is overdue takes half as long again as it took so far.
    fn busy_until(&self, now_ns: f64) -> f64 {
        let Some((_, since)) = self.under_way.first() else { return now_ns };
        let end = since + self.first_ns() + self.under_way.iter().map(|(r, _)| self.expected_ns(r)).sum::<f64>();
        if end > now_ns { end } else { now_ns + 0.5 * (now_ns - since) }
    }
}

/// The chunks of one call.
#[derive(Clone, Debug)]
pub struct Chunks {
    left: Range<u64>,
    workers: Vec<State>,
    /// All of it is one chunk, which the worker in place runs as well from the beginning.
    race: bool,
}

impl Chunks {
    /// A call of so many slices.
    pub fn new(slices: u64, workers: &[Worker]) -> Self {
        let state = |w: &Worker| State {
            worker: Worker {
                slice_ns: w.slice_ns.max(1e-6),
                chunk_ns: w.chunk_ns.max(0.0),
                first_ns: w.first_ns.max(0.0),
                ..*w
            },
            variance: w.spread * w.spread,
            uneven: w.uneven * w.uneven,
            started: false,
            under_way: Vec::new(),
            retired: false,
        };
        Chunks { left: 0..slices, workers: workers.iter().map(state).collect(), race: false }
    }

    /// A call that a worker runs whole, and the one in place once more meanwhile: the results that are there first are
    /// taken.
    pub fn race(slices: u64, workers: &[Worker]) -> Self {
        Chunks { race: true, ..Self::new(slices, workers) }
    }

    /// How many slices no worker was given.
    pub fn left(&self) -> u64 {
        self.left.end - self.left.start
    }

    /// The slices that no worker was given.
    pub fn rest(&self) -> Range<u64> {
        self.left.clone()
    }

    /// What a worker that is free does next.
    pub fn next(&mut self, worker: usize, now_ns: f64) -> Step {
        if self.left() == 0 {
            return self.at_the_end(worker, now_ns);
        }
        if self.race && self.workers.iter().any(|s| !s.retired && !s.worker.in_place) {
            let waits = self.workers[worker].worker.in_place;
            return if waits { Step::Wait(f64::INFINITY) } else { self.give(worker, self.left(), now_ns) };
        }
        if self.workers.iter().filter(|s| !s.retired).count() == 1 {
            return self.give(worker, self.left(), now_ns);
        }
        let fair = self.fair(worker, now_ns);
        let state = &self.workers[worker];
        let w = &state.worker;
        let filled = w.filling_ns / w.slice_ns;
        let times = if state.spread() < KNOWN { FILLED } else { 1.0 };
        let least = (WORTH * w.chunk_ns / (w.slice_ns + w.link_ns)).max(times * filled).max(1.0);
        let rest = self.left() as f64;
        if fair < 0.5 {
            // Others end the rest before this one could help.
            let others = self.workers.iter().enumerate().filter(|(k, _)| *k != worker);
            let first = others.map(|(_, s)| s.busy_until(now_ns)).filter(|t| *t > now_ns).fold(f64::INFINITY, f64::min);
            if first.is_finite() {
                return Step::Wait(first);
            }
        }
        let rest_ns = (1.0 - AT_ONCE) * fair * (w.slice_ns + w.link_ns);
        let full = (1.0 - AT_ONCE) * fair > FULL * filled;
        let at_once = if full && rest_ns > CHEAP * w.chunk_ns { AT_ONCE } else { 1.0 };
        let careful = (fair * caution(state.spread()).min(at_once)).max(least).min(fair);
        // A remainder that is not worth a chunk of its own is taken along.
        let size = if fair - careful < least { fair } else { careful };
        let size = if rest - size < 1.0 { rest } else { size };
        self.give(worker, (size.round() as u64).clamp(1, self.left()), now_ns)
    }

    fn give(&mut self, worker: usize, size: u64, now_ns: f64) -> Step {
        let chunk = if self.workers[worker].worker.in_place {
            self.left.end -= size;
            self.left.end..self.left.end + size
        } else {
            self.left.start += size;
            self.left.start - size..self.left.start
        };
        self.workers[worker].under_way.push((chunk.clone(), now_ns));
        Step::Run(chunk)
    }

    /// The slices that a worker can do until all that is left is done by all, each from when it is free.
    fn fair(&self, worker: usize, now_ns: f64) -> f64 {
        let side = |s: &State| {
            let first = if s.started || !s.under_way.is_empty() { 0.0 } else { s.worker.first_ns };
            let start = s.busy_until(now_ns) + first + s.worker.chunk_ns;
            Side { start, link: s.worker.link_ns, kernel: s.worker.slice_ns, least: s.worker.filling_ns }
        };
        let at_work = || self.workers.iter().enumerate().filter(|(_, s)| !s.retired);
        let sides: Vec<Side> = at_work().map(|(_, s)| side(s)).collect();
        let place = at_work().position(|(k, _)| k == worker);
        place.map_or(0.0, |place| divide(&sides, self.left() as f64).1[place])
    }

    fn at_the_end(&mut self, worker: usize, now_ns: f64) -> Step {
        let me = &self.workers[worker];
        let mut wait = f64::INFINITY;
        for (k, other) in self.workers.iter().enumerate() {
            let Some((slices, since)) = other.under_way.first() else { continue };
            if k == worker || !me.worker.in_place || !me.under_way.is_empty() {
                continue;
            }
            let again = REPEAT_GAIN * me.expected_ns(slices);
            let overdue_ns = since + OVERDUE * (other.expected_ns(slices) + other.first_ns());
            if self.race || now_ns >= overdue_ns || other.busy_until(now_ns) - now_ns > again {
                return Step::Repeat(slices.clone());
            }
            wait = wait.min(overdue_ns);
        }
        if wait.is_finite() { Step::Wait(wait) } else { Step::Done }
    }

    /// A worker has failed: nothing more is expected of it, and its chunks under way are lost.
    pub fn retire(&mut self, worker: usize) {
        let state = &mut self.workers[worker];
        state.retired = true;
        state.under_way.clear();
    }

    /// A worker's chunk has ended and took so long; or another result of it was taken, and it is no longer waited for.
    pub fn done(&mut self, worker: usize, chunk: &Range<u64>, took: Option<Took>) {
        let state = &mut self.workers[worker];
        state.under_way.retain(|(c, _)| c != chunk);
        state.started = true;
        let Some(Took { run_ns }) = took else { return };
        let slices = (chunk.end - chunk.start).max(1) as f64;
        let work_ns = (run_ns - state.worker.launch_ns).max(0.05 * run_ns);
        if state.worker.slice_ns * slices < state.worker.filling_ns {
            // Not full: it says nothing of full chunks.
            return;
        }
        let unexpected = (work_ns / slices / state.worker.slice_ns).ln();
        if !unexpected.is_finite() {
            return;
        }
        // A chunk hidden behind its launch is seen badly.
        let noise = ((NOISE * run_ns).powi(2) + (JITTER * state.worker.launch_ns).powi(2)) / (work_ns * work_ns);
        let variance = state.variance + state.uneven;
        let gain = variance / (variance + noise);
        state.worker.slice_ns *= (gain * unexpected).exp();
        state.variance = (1.0 - gain) * variance;
        let excess = (unexpected * unexpected - variance - noise).clamp(0.0, 1.0);
        state.uneven = 0.7 * state.uneven + 0.3 * excess;
    }
}

/// A device over its part `x` of the work: `start + link * x + max(least, kernel * x)`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Side {
    /// When its work begins.
    pub start: f64,
    /// Transfers of each unit.
    pub link: f64,
    /// Kernel of each unit.
    pub kernel: f64,
    /// The kernel of any part at least.
    pub least: f64,
}

impl Side {
    /// From when on it does anything, and what it has done a moment later: as much as fits in its least time, where that
    /// needs no transfers.
    fn begins(&self) -> (f64, f64) {
        (self.start + self.least, if self.link > 0.0 { 0.0 } else { self.filled() })
    }

    /// Units whose kernel takes the least time.
    fn filled(&self) -> f64 {
        self.least / self.kernel.max(1e-12)
    }

    /// When it has done as much as its kernel does in the least time.
    fn full(&self) -> f64 {
        self.start + self.least + self.link * self.filled()
    }

    /// What it has done until then.
    fn room(&self, end: f64) -> f64 {
        let (begins, at_once) = self.begins();
        if end < begins {
            0.0
        } else if end < self.full() {
            at_once + (end - begins) / self.link.max(1e-12)
        } else {
            self.filled() + (end - self.full()) / (self.link + self.kernel).max(1e-12)
        }
    }

    /// How much it does in each ns after that.
    fn rate(&self, end: f64) -> f64 {
        if end < self.begins().0 {
            0.0
        } else if end < self.full() {
            self.link.max(1e-12).recip()
        } else {
            (self.link + self.kernel).max(1e-12).recip()
        }
    }
}

/// Devices that [`divide`] looks at.
pub const MAX_SIDES: usize = 16;

/// Divides `amount` so that the last device ends as early as possible: the end, and the part of each.
///
/// Devices that would be late even with nothing to speak of are left out; one whose least time is longer than the others
/// need takes as much as fits in it.
pub fn divide(sides: &[Side], amount: f64) -> (f64, [f64; MAX_SIDES]) {
    let sides = &sides[..sides.len().min(MAX_SIDES)];
    let mut parts = [0.0; MAX_SIDES];
    let mut bends = [f64::INFINITY; 2 * MAX_SIDES];
    for (k, side) in sides.iter().enumerate() {
        (bends[2 * k], bends[2 * k + 1]) = (side.begins().0, side.full());
    }
    let bends = &mut bends[..2 * sides.len()];
    bends.sort_unstable_by(f64::total_cmp);
    // What all have done by a time only grows, in straight lines between the bends.
    let mut end = f64::INFINITY;
    for (k, &bend) in bends.iter().enumerate() {
        let (done, rate) = sides.iter().fold((0.0, 0.0), |(d, r), s| (d + s.room(bend), r + s.rate(bend)));
        end = if done >= amount { bend } else { bend + (amount - done) / rate };
        if bends.get(k + 1).is_none_or(|next| end <= *next) {
            break;
        }
    }
    let mut order: [usize; MAX_SIDES] = std::array::from_fn(|k| k);
    let order = &mut order[..sides.len()];
    // First those whose least time sets the end.
    order.sort_unstable_by(|a, b| sides[*b].least.total_cmp(&sides[*a].least));
    let mut rest = amount;
    for &k in order.iter() {
        parts[k] = sides[k].room(end).min(rest);
        rest -= parts[k];
    }
    (end, parts)
}

/// When all of `amount` is done by workers that begin at `start` and take `slope` for each unit: `(start, slope)`.
pub fn end_together(lines: &[(f64, f64)], amount: f64) -> f64 {
    let mut end = f64::INFINITY;
    // Those that begin late may not take part: the end only falls as long as they do.
    let (mut rate, mut weighted) = (0.0, 0.0);
    let mut last = f64::NEG_INFINITY;
    for _ in lines {
        let next = lines.iter().filter(|l| l.0 > last).map(|l| l.0).fold(f64::INFINITY, f64::min);
        if next >= end || !next.is_finite() {
            break;
        }
        for &(start, slope) in lines.iter().filter(|l| l.0 == next) {
            rate += slope.recip();
            weighted += start / slope;
        }
        end = (amount + weighted) / rate;
        last = next;
    }
    end
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn worker(slice_ns: f64, spread: f64, in_place: bool) -> Worker {
        Worker {
            chunk_ns: 10.0,
            launch_ns: 10.0,
            filling_ns: 0.0,
            link_ns: 0.0,
            first_ns: 0.0,
            slice_ns,
            spread,
            uneven: 0.0,
            in_place,
        }
    }

    #[test]
    fn devices_that_are_known_get_one_chunk_each_where_chunks_are_dear() {
        let mut chunks = Chunks::new(600, &[worker(1.0, 0.0, true), worker(1.0, 0.0, false)]);
        let (Step::Run(back), Step::Run(front)) = (chunks.next(0, 0.0), chunks.next(1, 0.0)) else { panic!() };
        assert_eq!(back.end, 600);
        assert_eq!(front.start, 0);
        assert!(chunks.left() <= 24, "{}", chunks.left());
    }

    #[test]
    fn doubt_makes_chunks_small() {
        let first = |slices, spread| {
            let mut chunks = Chunks::new(slices, &[worker(1.0, spread, true), worker(1.0, spread, false)]);
            match chunks.next(1, 0.0) {
                Step::Run(r) => r.end - r.start,
                _ => 0,
            }
        };
        assert!(first(600, 1.0) < first(600, 0.5) && first(600, 0.5) < first(600, 0.1));
        // Cheap chunks are no larger than a part of what is left, however little is in doubt.
        assert!(first(100_000, 1.0) < first(100_000, 0.5) && first(100_000, 0.5) <= first(100_000, 0.0));
        assert!((first(100_000, 0.0) as f64) < 1.01 * AT_ONCE * 50_000.0);
    }

    #[test]
    fn in_a_race_both_have_all_of_the_call() {
        let mut chunks = Chunks::race(64, &[worker(1.0, 0.5, true), worker(1.0, 0.5, false)]);
        assert!(matches!(chunks.next(0, 0.0), Step::Wait(_)), "until the other one has begun");
        assert_eq!(chunks.next(1, 0.0), Step::Run(0..64));
        assert_eq!(chunks.next(0, 1.0), Step::Repeat(0..64));
        assert_eq!(chunks.next(1, 2.0), Step::Done);
        chunks.done(1, &(0..64), None);
        assert_eq!(chunks.next(0, 3.0), Step::Done);
    }

    #[test]
    fn where_the_other_one_fails_to_start_a_race_is_run_in_place() {
        let mut chunks = Chunks::race(64, &[worker(1.0, 0.5, true), worker(1.0, 0.5, false)]);
        chunks.retire(1);
        assert_eq!(chunks.next(0, 0.0), Step::Run(0..64));
    }

    #[test]
    fn a_straggler_s_chunk_is_run_once_more() {
        let mut chunks = Chunks::new(600, &[worker(1.0, 0.0, true), worker(1.0, 0.0, false)]);
        let (Step::Run(back), Step::Run(_)) = (chunks.next(0, 0.0), chunks.next(1, 0.0)) else { panic!() };
        chunks.done(0, &back, Some(Took { run_ns: 320.0 }));
        let mut now = 320.0;
        loop {
            match chunks.next(0, now) {
                Step::Run(r) => {
                    now += 10.0 + (r.end - r.start) as f64;
                    chunks.done(0, &r, Some(Took { run_ns: now }));
                }
                Step::Wait(until) => now = until.max(now + 1.0),
                Step::Repeat(r) => break assert!(r.start == 0 && now < 4000.0, "{now}"),
                Step::Done => panic!("the straggler is waited for"),
            }
        }
    }

    proptest! {
        #[test]
        fn every_slice_is_given_once(
            slices in 1u64..100_000,
            rates in prop::collection::vec((0.1f64..100.0, 0.0f64..1.5, 0.0f64..1e4), 1..4),
            speeds in prop::collection::vec(0.05f64..20.0, 4),
        ) {
            let workers: Vec<Worker> = rates.iter().enumerate().map(|(k, r)| Worker {
                chunk_ns: r.2, launch_ns: r.2, filling_ns: r.2, link_ns: 0.1 * r.0, first_ns: r.2, slice_ns: r.0, spread: r.1, uneven: 0.1, in_place: k == 0,
            }).collect();
            let mut chunks = Chunks::new(slices, &workers);
            let mut free = vec![0.0f64; workers.len()];
            let mut given = vec![0u32; slices as usize];
            let mut running: Vec<Option<(Range<u64>, f64)>> = vec![None; workers.len()];
            for _ in 0..100_000 {
                let w = (0..free.len()).min_by(|a, b| free[*a].total_cmp(&free[*b])).unwrap();
                let now = free[w];
                if !now.is_finite() { break }
                if let Some((r, since)) = running[w].take() {
                    chunks.done(w, &r, Some(Took { run_ns: now - since }));
                }
                match chunks.next(w, now) {
                    Step::Run(r) => {
                        r.clone().for_each(|s| given[s as usize] += 1);
                        free[w] = now + workers[w].chunk_ns + workers[w].slice_ns * speeds[w] * (r.end - r.start) as f64;
                        running[w] = Some((r, now));
                    }
                    Step::Wait(until) => {
                        prop_assert!(until > now);
                        free[w] = until.min(now + 1e9);
                    }
                    Step::Repeat(_) | Step::Done => free[w] = f64::INFINITY,
                }
            }
            prop_assert!(given.iter().all(|n| *n == 1));
        }
    }
}
