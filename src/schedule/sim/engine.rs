//! A call on the virtual clock: chunks pass the link, the device and the link back, with noise and events.

use super::{
    machine::Noise,
    noise::Random,
    player::COPIES,
    truth::{Load, Speed, Truth, link_ns},
    workload::Case,
};
use crate::schedule::{
    chunks::{Chunks, Step, Took, Worker},
    feedback::PartRun,
};
use std::ops::Range;

/// A call on a machine.
#[derive(Clone, Debug)]
pub struct Scene<'a> {
    /// The machine.
    pub truth: &'a Truth,
    /// The call.
    pub case: &'a Case,
    /// The device that has all of the data; `None`: the host.
    pub home: Option<usize>,
    /// How the devices' speeds change.
    pub speeds: Vec<Speed>,
    /// Start of the call on the clock, in ns.
    pub start_ns: f64,
    /// For how long from then on each device is still busy with what nobody waits for any more, in ns.
    pub busy_ns: Vec<f64>,
}

/// Mean time of a chunk by phase, at full speed, in ns.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Phases {
    /// Copies to the device, and the bytes.
    pub up_ns: f64,
    /// See `up_ns`.
    pub up_bytes: f64,
    /// Launch.
    pub launch_ns: f64,
    /// Kernel.
    pub kernel_ns: f64,
    /// Copies back, and the bytes.
    pub down_ns: f64,
    /// See `down_ns`.
    pub down_bytes: f64,
}

impl Scene<'_> {
    /// A part of the call (a range from 0 to 1 of the split axis) on a device.
    pub fn phases(&self, device: usize, part: &Range<f64>, first: bool, together: bool) -> Phases {
        let case = self.case;
        let share = part.end - part.start;
        let work = case.profile.until(part.end) - case.profile.until(part.start);
        let load = Load {
            features: case.features,
            invocations: case.invocations * work,
            groups: (case.invocations * share / 64.0).max(1.0),
            working_set: case.working_set,
            touched: case.working_set / case.invocations,
        };
        let own = self.truth.device(device);
        let slowed = if together { 1.0 + own.interference } else { 1.0 };
        let kernel_ns = self.truth.kernel_ns(device, &case.name, &load) * slowed;
        let shared = if first { case.shared_up_bytes } else { 0.0 };
        let needed = shared + (case.up_bytes - case.shared_up_bytes) * share;
        let (up_bytes, up_ns, down_bytes, down_ns) = self.copies(device, needed, case.down_bytes * share);
        Phases { up_ns, up_bytes, launch_ns: own.launch_ns, kernel_ns, down_ns, down_bytes }
    }

    /// Bytes and times of the copies to a device and back.
    fn copies(&self, device: usize, needed: f64, returned: f64) -> (f64, f64, f64, f64) {
        let link = self.truth.device(device).link.as_ref();
        // What is computed from resident data stays where it was computed.
        let fetched = match self.home.and_then(|h| self.truth.device(h).link.as_ref()) {
            _ if self.home == Some(device) => return (0.0, 0.0, 0.0, 0.0),
            Some(home) => link_ns(home, needed, home.down_bytes),
            None => 0.0,
        };
        let Some(link) = link else { return (0.0, fetched, 0.0, 0.0) };
        let up_ns = link_ns(link, needed, link.up_bytes) + fetched;
        let down_bytes = if self.home.is_none() { returned } else { 0.0 };
        (needed, up_ns, down_bytes, link_ns(link, down_bytes, link.down_bytes))
    }

    /// Copying what the call writes aside and back, on one thread, in ns.
    pub fn copies_ns(&self) -> f64 {
        2.0 * self.case.down_bytes / (COPIES * self.truth.device(0).memory_bytes) * 1e9
    }

    /// Mean end of a static split, from the start, in ns: `(device, share)` in the order of the parts.
    pub fn mean_parts(&self, shares: &[(usize, f64)]) -> Vec<(usize, Phases)> {
        let mut at = 0.0;
        let several = shares.iter().filter(|s| s.1 > 0.0).count() > 1;
        let mut parts = Vec::with_capacity(shares.len());
        for &(device, share) in shares.iter().filter(|s| s.1 > 0.0) {
            let end = (at + share).min(1.0);
            parts.push((device, self.phases(device, &(at..end), true, several)));
            at = end;
        }
        parts
    }

    /// When phases that begin at the start of the call end, without noise.
    pub fn end_of(&self, device: usize, p: &Phases) -> f64 {
        let work = p.up_ns + p.launch_ns + p.kernel_ns + p.down_ns;
        self.speeds[device].end(self.start_ns, work) - self.start_ns
    }
}

/// A whole call on a device, as it would go.
#[derive(Clone, Copy, Debug)]
pub struct Whole {
    /// From the start of the call to its end, in ns.
    pub took_ns: f64,
    /// What is measured of it.
    pub part: PartRun,
}

impl Scene<'_> {
    /// The whole call in one piece on a device.
    pub fn whole(&self, device: usize, together: bool, noise: Noise, random: &mut Random) -> Whole {
        let p = self.phases(device, &(0.0..1.0), true, together);
        self.piece(device, 1.0, p, together, noise, random)
    }

    /// A share of the call in one piece on a device.
    fn piece(&self, device: usize, share: f64, p: Phases, together: bool, noise: Noise, random: &mut Random) -> Whole {
        let jitter = Noise { body: self.truth.device(device).launch_jitter, ..noise };
        let (up_ns, down_ns) = (p.up_ns * noise.draw(random), p.down_ns * noise.draw(random));
        let run_ns = p.launch_ns * jitter.draw(random) + p.kernel_ns * noise.draw(random);
        let speed = &self.speeds[device];
        let from = self.start_ns + self.busy_ns[device];
        let up_end = speed.end(from, up_ns);
        let run_end = speed.end(up_end, run_ns);
        let down_end = speed.end(run_end, down_ns);
        let part = PartRun {
            device,
            share,
            chunks: 1,
            together,
            ended: true,
            run_ns: run_end - up_end,
            up: (p.up_bytes, up_end - from),
            down: (p.down_bytes, down_end - run_end),
        };
        Whole { took_ns: down_end - self.start_ns, part }
    }

    /// The call in parts that are cut once: all start at once, and the last one ends it.
    pub fn cut_once(&self, shares: &[(usize, f64)], noise: Noise, random: &mut Random) -> Run {
        let (mut run, mut at) = (Run::default(), 0.0);
        for &(device, share) in shares {
            let end = (at + share).min(1.0);
            let p = self.phases(device, &(at..end), true, shares.len() > 1);
            let whole = self.piece(device, share, p, shares.len() > 1, noise, random);
            run.took_ns = run.took_ns.max(whole.took_ns);
            run.parts.push(whole.part);
            at = end;
        }
        run
    }
}

/// How a call went.
#[derive(Clone, Debug, Default)]
pub struct Run {
    /// From the start of the call to its end, in ns.
    pub took_ns: f64,
    /// What each device did.
    pub parts: Vec<PartRun>,
    /// What a device goes on with though nobody waits for it: until when, from the start of the call, and what is measured
    /// then.
    pub left_over: Vec<Whole>,
}

#[derive(Clone, Debug)]
enum What {
    Ask,
    End { slices: Range<u64>, since_ns: f64, repeats: bool, part: PartRun },
}

#[derive(Clone, Debug)]
struct Happening {
    at_ns: f64,
    worker: usize,
    what: What,
}

#[derive(Clone, Debug, Default)]
struct Lanes {
    up_free: f64,
    run_free: f64,
    down_free: f64,
    last_end: f64,
    chunks: u32,
}

/// Runs a call in chunks that the policy sizes.
pub struct Engine<'a> {
    scene: &'a Scene<'a>,
    noise: Noise,
    random: &'a mut Random,
    workers: &'a [(usize, Worker)],
    slices: u64,
    lanes: Vec<Lanes>,
    idle: Vec<bool>,
    queue: Vec<Happening>,
    parts: Vec<PartRun>,
    left_over: Vec<Whole>,
}

impl<'a> Engine<'a> {
    /// A call of so many slices on workers: device and prediction.
    pub fn new(
        scene: &'a Scene<'a>,
        noise: Noise,
        random: &'a mut Random,
        workers: &'a [(usize, Worker)],
        slices: u64,
    ) -> Self {
        let part = |(device, _): &(usize, Worker)| PartRun {
            device: *device,
            share: 0.0,
            chunks: 0,
            together: workers.len() > 1,
            ended: true,
            run_ns: 0.0,
            up: (0.0, 0.0),
            down: (0.0, 0.0),
        };
        Engine {
            scene,
            noise,
            random,
            workers,
            slices,
            lanes: workers.iter().map(|(d, _)| Lanes { up_free: scene.busy_ns[*d], ..Lanes::default() }).collect(),
            idle: vec![false; workers.len()],
            queue: Vec::new(),
            parts: workers.iter().map(part).collect(),
            left_over: Vec::new(),
        }
    }

    /// Runs it to the end.
    pub fn run(mut self) -> Run {
        let workers: Vec<Worker> = self.workers.iter().map(|w| w.1).collect();
        let mut chunks = Chunks::new(self.slices, &workers);
        let mut done = 0;
        for worker in (0..self.workers.len()).rev() {
            self.queue.push(Happening { at_ns: 0.0, worker, what: What::Ask });
        }
        let mut now = 0.0;
        while done < self.slices {
            let Some(next) = self.pop() else { break };
            now = next.at_ns;
            match next.what {
                What::Ask => self.ask(&mut chunks, next.worker, now),
                What::End { slices, repeats, part, .. } => {
                    done += slices.end - slices.start;
                    self.parts[next.worker].add(&part);
                    self.end(&mut chunks, next.worker, &slices, now, Took { run_ns: part.run_ns }, repeats);
                    for worker in 0..self.idle.len() {
                        if std::mem::take(&mut self.idle[worker]) {
                            self.queue.push(Happening { at_ns: now, worker, what: What::Ask });
                        }
                    }
                }
            }
        }
        self.parts.retain(|p| p.chunks > 0);
        let took_ns = if done < self.slices { f64::INFINITY } else { now };
        Run { took_ns, parts: self.parts, left_over: self.left_over }
    }

    /// The earliest happening; of several at a time the one that came first.
    fn pop(&mut self) -> Option<Happening> {
        let earliest = (0..self.queue.len()).min_by(|a, b| self.queue[*a].at_ns.total_cmp(&self.queue[*b].at_ns))?;
        let next = self.queue.remove(earliest);
        next.at_ns.is_finite().then_some(next)
    }

    fn ask(&mut self, chunks: &mut Chunks, worker: usize, now: f64) {
        match chunks.next(worker, now) {
            Step::Run(slices) => self.start(worker, slices, now, false),
            Step::Repeat(slices) => self.start(worker, slices, now, true),
            Step::Wait(until) => {
                self.idle[worker] = true;
                let at_ns = until.max(now + 100.0);
                let asked = self.queue.iter().any(|h| h.worker == worker && matches!(h.what, What::Ask));
                if !asked {
                    self.queue.push(Happening { at_ns, worker, what: What::Ask });
                }
            }
            Step::Done => self.idle[worker] = true,
        }
    }

    /// Sends a chunk through copies and kernel.
    fn start(&mut self, worker: usize, slices: Range<u64>, now: f64, repeats: bool) {
        let device = self.workers[worker].0;
        let total = self.slices as f64;
        let part = slices.start as f64 / total..slices.end as f64 / total;
        let first = self.lanes[worker].chunks == 0;
        let p = self.scene.phases(device, &part, first, self.workers.len() > 1);
        let own = self.scene.truth.device(device);
        let jitter = Noise { body: own.launch_jitter, ..self.noise };
        let (up, down) = (p.up_ns * self.noise.draw(self.random), p.down_ns * self.noise.draw(self.random));
        let run = p.launch_ns * jitter.draw(self.random) + p.kernel_ns * self.noise.draw(self.random);
        let speed = &self.scene.speeds[device];
        let start_ns = self.scene.start_ns;
        let end = |from: f64, work: f64| speed.end(start_ns + from, work) - start_ns;
        let lanes = &mut self.lanes[worker];
        let up_start = now.max(lanes.up_free);
        let up_end = end(up_start, up);
        let run_start = up_end.max(lanes.run_free);
        let run_end = end(run_start, run);
        let down_start = run_end.max(lanes.down_free);
        let down_end = end(down_start, down);
        let since_ns = now.max(lanes.last_end);
        *lanes = Lanes {
            up_free: up_end,
            run_free: run_end,
            down_free: down_end,
            last_end: down_end,
            chunks: lanes.chunks + 1,
        };
        let part = PartRun {
            device,
            share: part.end - part.start,
            chunks: 1,
            together: self.workers.len() > 1,
            ended: true,
            run_ns: run_end - run_start,
            up: (p.up_bytes, up_end - up_start),
            down: (p.down_bytes, down_end - down_start),
        };
        let what = What::End { slices, since_ns, repeats, part };
        self.queue.push(Happening { at_ns: down_end, worker, what });
        let overlap = own.link.is_some_and(|l| l.overlap);
        let free = if overlap { run_start } else { down_end };
        self.queue.push(Happening { at_ns: free, worker, what: What::Ask });
    }

    /// A chunk has ended. Its other run, if there is one, is of no interest any more.
    fn end(&mut self, chunks: &mut Chunks, worker: usize, slices: &Range<u64>, now: f64, took: Took, repeats: bool) {
        if !repeats {
            chunks.done(worker, slices, Some(took));
        }
        let same = |h: &Happening| matches!(&h.what, What::End { slices: s, .. } if s == slices);
        let Some(at) = self.queue.iter().position(same) else { return };
        let other = self.queue.swap_remove(at);
        let What::End { part, since_ns, .. } = other.what else { return };
        if !repeats {
            // The repeater stops and can be asked again.
            self.queue.retain(|h| h.worker != other.worker || !matches!(h.what, What::Ask));
            self.idle[other.worker] = true;
            return;
        }
        chunks.done(other.worker, slices, None);
        // Its copies may be all that it came to.
        let up = (part.up.0, part.up.1.min(now - since_ns));
        let so_far = now - since_ns - up.1;
        self.parts[other.worker].add(&PartRun { run_ns: so_far, up, ended: false, ..part });
        self.left_over.push(Whole { took_ns: other.at_ns, part });
    }
}
