//! Measures a device's rates with WGSL microkernels, through the same path as real kernels.
//!
//! Each microkernel repeats one kind of work. Its size doubles until a run takes long enough to time; the rate is that of
//! the lower quartile with the launch time and what its other work takes ([`separate`]) taken off, and it carries its
//! count and spread. About a second a device.

use super::{
    roofline::{BEYOND_SET, CLASSES, FAR_GATHER_SET, GATHER_SET, MEMORY_SET, MIDDLE_SET, Rate, Rates, amounts, class},
    separate::{Sample, separate},
};
use crate::{
    backend::{Argument, Backend, Chunk, ChunkRun, DeviceInfo, DeviceKind, Transfer},
    clock::ns_since,
    device::typical,
    error::Result,
    kernel::Compiled,
    schedule::transfers,
};
use evener_lanes::{
    Grid, GroupRange,
    analysis::{CallShape, Features},
};
use std::{collections::BTreeMap, time::Instant};

/// How long to measure.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Effort {
    /// A run shorter than this is doubled, in ns.
    pub run_ns: f64,
    /// Timed runs of each kernel.
    pub repeats: u32,
    /// Timed runs over buffers that fit no cache: filling them takes longer than the runs.
    pub memory_repeats: u32,
}

impl Effort {
    /// About a second a device.
    pub const FULL: Effort = Effort { run_ns: 4e6, repeats: 5, memory_repeats: 5 };
    /// Under 0.3 s a device.
    pub const QUICK: Effort = Effort { run_ns: 1e6, repeats: 3, memory_repeats: 2 };
}

/// Elements of the buffers that fit a cache.
const CACHE_ELEMENTS: usize = 1 << 16;
/// Invocations of one work-group of the microkernels.
const GROUP: usize = 64;
/// Rounds are not raised past this: software devices cut long loops short.
const MAX_ROUNDS: u32 = 4096;

/// Measures a device. `progress` is told what is measured and the fraction done.
///
/// # Errors
/// Any failure of the device.
pub fn calibrate(device: &dyn Backend, effort: Effort, progress: &mut dyn FnMut(&str, f64)) -> Result<Rates> {
    measure(&mut DeviceBed { device, out: Vec::new(), source: Vec::new() }, effort, progress)
}

/// Measures what microkernels take on a testbed.
///
/// # Errors
/// Any failure of the testbed.
pub fn measure(bed: &mut dyn Testbed, effort: Effort, progress: &mut dyn FnMut(&str, f64)) -> Result<Rates> {
    let is_cpu = bed.info().kind == DeviceKind::Cpu;
    let mut bench = Bench { bed, effort, launch_ns: 0.0, parallel: 1.0, done: 0, progress };
    let (setup_ns, compile_ns) = bench.first_use()?;
    let (launch_ns, link_ns) = bench.launch()?;
    bench.launch_ns = launch_ns;
    bench.parallel = bench.parallel_invocations()?;
    let (mut middle_bytes, _) = bench.fresh("memory bandwidth", MIDDLE_SET, effort.repeats)?;
    let (memory_bytes, link) = bench.fresh("memory bandwidth, large", MEMORY_SET, effort.memory_repeats)?;
    let beyond_bytes = bench.beyond(middle_bytes, memory_bytes)?;
    let (mut kinds, far_gather_bytes) = bench.kinds()?;
    let cache_bytes = &mut kinds[class::CACHE];
    if is_cpu {
        // No cache is slower than what lies behind it: other programs had the cores for a moment.
        cache_bytes.per_s = cache_bytes.per_s.max(memory_bytes.per_s);
    }
    if middle_bytes.count == 0 {
        // Hidden behind the launch: as between the sets that are not.
        let between = (cache_bytes.per_s * memory_bytes.per_s).sqrt();
        middle_bytes.per_s = between.clamp(memory_bytes.per_s, cache_bytes.per_s.max(memory_bytes.per_s));
    }
    let (up_bytes, down_bytes) = if is_cpu { (Rate::assumed(0.0), Rate::assumed(0.0)) } else { link };
    Ok(Rates {
        setup_ns,
        compile_ns: if is_cpu { 0.0 } else { compile_ns },
        launch_ns,
        link_ns: if is_cpu { 0.0 } else { link_ns },
        parallel_invocations: bench.parallel,
        float: kinds[class::FLOAT],
        double: kinds[class::DOUBLE],
        divide: kinds[class::DIVIDE],
        transcendental: kinds[class::TRANSCENDENTAL],
        integer: kinds[class::INTEGER],
        branch: kinds[class::BRANCH],
        atomic: kinds[class::ATOMIC],
        barrier: kinds[class::BARRIER],
        group_bytes: kinds[class::GROUP],
        cache_bytes: kinds[class::CACHE],
        middle_bytes,
        memory_bytes,
        beyond_bytes,
        gather_bytes: kinds[class::GATHER],
        far_gather_bytes,
        up_bytes,
        down_bytes,
    })
}

/// A microkernel that does one kind of work for the most part: its name for people, its source, the kind, and the elements
/// of its output and of what it reads.
struct Kind(&'static str, &'static str, usize, usize, usize);

/// Large enough for either element width.
const MANY: usize = 2 * CACHE_ELEMENTS;

/// One for each kind of work.
const KINDS: [Kind; CLASSES] = [
    Kind("float", include_str!("micro/float.wgsl"), class::FLOAT, MANY, 0),
    Kind("double", include_str!("micro/double.wgsl"), class::DOUBLE, MANY, 0),
    Kind("divide", include_str!("micro/divide.wgsl"), class::DIVIDE, MANY, 0),
    Kind("transcendental", include_str!("micro/transcendental.wgsl"), class::TRANSCENDENTAL, MANY, 0),
    Kind("integer", include_str!("micro/integer.wgsl"), class::INTEGER, MANY, 0),
    Kind("branch", include_str!("micro/branch.wgsl"), class::BRANCH, MANY, 0),
    Kind("atomic", include_str!("micro/atomic.wgsl"), class::ATOMIC, MANY, 0),
    Kind("barrier", include_str!("micro/barrier.wgsl"), class::BARRIER, MANY, 0),
    Kind("group", include_str!("micro/group.wgsl"), class::GROUP, MANY, 0),
    Kind(
        "cache bandwidth",
        include_str!("micro/cache.wgsl"),
        class::CACHE,
        CACHE_ELEMENTS,
        CACHE_ELEMENTS + GROUP * MAX_ROUNDS as usize,
    ),
    Kind("gather", include_str!("micro/gather.wgsl"), class::GATHER, CACHE_ELEMENTS, GATHER_SET as usize / 4),
];

/// A run of a microkernel to be timed.
#[derive(Clone, Copy, Debug)]
pub struct MicroRun<'a> {
    /// Its bindings are 0 `rounds` (uniform), 1 the output and, in some, 2 the source.
    pub kernel: &'a Compiled,
    /// How often each invocation does its work.
    pub rounds: u32,
    /// Elements of the output, in f32.
    pub elements: usize,
    /// Elements of the source, in f32.
    pub source: usize,
    /// On buffers that were just filled and are used for the first time.
    pub fresh: bool,
}

impl MicroRun<'_> {
    /// Bytes of each binding.
    pub fn sizes(&self) -> Vec<u64> {
        let of = |b: u32| match b {
            0 => 4,
            1 => 4 * self.elements as u64,
            _ => 4 * self.source as u64,
        };
        self.kernel.bindings().iter().map(|b| of(b.binding)).collect()
    }

    /// Its work-groups.
    pub fn grid(&self) -> Grid {
        let groups = invocations_of(self.kernel, self.elements) as u32 / GROUP as u32;
        Grid { groups: [groups.max(1), 1, 1] }
    }

    /// What a device with its own memory moves for it.
    pub fn transfers(&self) -> Vec<Transfer> {
        self.shaped(|shape| {
            let footprint = self.kernel.analysis.footprint(shape, &GroupRange::all(shape.grid));
            transfers::of_footprint(&footprint, self.kernel.bindings(), shape.sizes)
        })
    }

    /// What each invocation does.
    pub fn features(&self) -> Features {
        self.shaped(|shape| self.kernel.analysis.features(shape))
    }

    fn shaped<T>(&self, of: impl Fn(&CallShape<'_>) -> T) -> T {
        let rounds = self.rounds.to_ne_bytes();
        let bytes = |b: u32| if b == 0 { &rounds[..] } else { &[] };
        let uniforms: Vec<&[u8]> = self.kernel.bindings().iter().map(|b| bytes(b.binding)).collect();
        of(&CallShape { grid: self.grid(), sizes: &self.sizes(), uniforms: &uniforms })
    }
}

/// One run: wall time and what the back end says of it.
#[derive(Clone, Copy, Debug)]
pub struct Timed {
    /// From before the start to after the end, in ns.
    pub wall_ns: f64,
    /// Its phases.
    pub run: ChunkRun,
}

impl Timed {
    /// The kernel with its launch, without the copies.
    fn kernel_ns(&self) -> f64 {
        (self.wall_ns - self.run.upload_ns - self.run.download_ns).max(self.run.run_ns)
    }
}

/// Where microkernels are timed: a device on the real clock, or a simulated one on its own.
pub trait Testbed {
    /// The device.
    fn info(&self) -> &DeviceInfo;

    /// Whether the device was in use before in this process.
    fn is_warm(&self, kernel: &Compiled) -> bool;

    /// Runs a microkernel once.
    ///
    /// # Errors
    /// Any failure of the device.
    fn run(&mut self, run: &MicroRun<'_>) -> Result<Timed>;
}

/// A device on the real clock.
struct DeviceBed<'a> {
    device: &'a dyn Backend,
    // f64 for the alignment of both element widths.
    out: Vec<f64>,
    source: Vec<f64>,
}

impl Testbed for DeviceBed<'_> {
    fn info(&self) -> &DeviceInfo {
        self.device.info()
    }

    fn is_warm(&self, kernel: &Compiled) -> bool {
        self.device.warmth(kernel).device
    }

    fn run(&mut self, run: &MicroRun<'_>) -> Result<Timed> {
        // Not zeros: pages of zeros are made at first touch.
        let filled = |elements: usize| vec![0.5f64; elements.div_ceil(2)];
        if run.fresh {
            return time(self.device, run, &mut filled(run.elements), &filled(run.source));
        }
        for (buffer, elements) in [(&mut self.out, run.elements), (&mut self.source, run.source)] {
            if 2 * buffer.len() < elements {
                *buffer = filled(elements);
            }
        }
        time(self.device, run, &mut self.out, &self.source)
    }
}

/// Times a run on buffers that hold at least its elements.
fn time(device: &dyn Backend, run: &MicroRun<'_>, out: &mut [f64], source: &[f64]) -> Result<Timed> {
    let mut rounds = run.rounds;
    let sizes = run.sizes();
    let arguments: Vec<Argument> = run
        .kernel
        .bindings()
        .iter()
        .zip(&sizes)
        .map(|(b, &len)| match b.binding {
            0 => Argument { ptr: (&raw mut rounds).cast(), len, writable: false, array: None },
            1 => Argument { ptr: out.as_mut_ptr().cast(), len, writable: true, array: None },
            _ => Argument { ptr: source.as_ptr().cast_mut().cast(), len, writable: false, array: None },
        })
        .collect();
    let (grid, moved) = (run.grid(), run.transfers());
    let range = GroupRange::all(grid);
    let chunk = Chunk {
        kernel: run.kernel,
        grid,
        range,
        arguments: &arguments,
        transfers: &moved,
        carry: None,
        repeat: None,
        counted: None,
        alone: true,
        watch: None,
    };
    let start = Instant::now();
    let run = device.start(&chunk)?.finish()?;
    Ok(Timed { wall_ns: ns_since(start), run })
}

struct Bench<'a> {
    bed: &'a mut dyn Testbed,
    effort: Effort,
    launch_ns: f64,
    /// Invocations that fill the device.
    parallel: f64,
    done: u32,
    progress: &'a mut dyn FnMut(&str, f64),
}

impl Bench<'_> {
    fn step(&mut self, what: &str) {
        const STEPS: f64 = 17.0;
        (self.progress)(what, f64::from(self.done) / STEPS);
        self.done += 1;
    }

    /// What the first use of the device in a process adds, and the first run of a kernel, in ns.
    fn first_use(&mut self) -> Result<(f64, f64)> {
        self.step("first use");
        let kernels = [compile(include_str!("micro/stream.wgsl"))?, compile(include_str!("micro/integer.wgsl"))?];
        let was_warm = self.bed.is_warm(&kernels[0]);
        if self.bed.info().kind == DeviceKind::Cpu {
            // Loads the interpreter's code, which other processes find in memory: what is left is starting threads.
            self.run(&kernels[0], 1, GROUP, GROUP)?;
        }
        // Large enough that a CPU starts its threads for it.
        let elements = 8 * CACHE_ELEMENTS;
        let mut excess = [0.0; 2];
        for (kernel, excess) in kernels.iter().zip(&mut excess) {
            let first = self.run(kernel, 1, elements, elements)?.wall_ns;
            let times = (0..3).map(|_| Ok(self.run(kernel, 1, elements, elements)?.wall_ns));
            *excess = (first - median(times.collect::<Result<_>>()?).0).max(0.0);
        }
        let compile_ns = excess[1];
        let setup_ns = (excess[0] - compile_ns).max(0.0);
        // A device that was in use before shows no first use: a usual one is assumed.
        let usual = typical(self.bed.info()).setup_ns;
        Ok((if was_warm { usual } else { setup_ns }, compile_ns))
    }

    /// Fixed costs: of a launch and of a transfer, in ns.
    fn launch(&mut self) -> Result<(f64, f64)> {
        self.step("launch");
        let kernel = compile(include_str!("micro/float.wgsl"))?;
        self.run(&kernel, 1, GROUP, 0)?; // the pipeline is made here
        let runs = (0..4 * self.effort.repeats).map(|_| self.run(&kernel, 1, GROUP, 0)).collect::<Result<Vec<_>>>()?;
        let launch = median(runs.iter().map(Timed::kernel_ns).collect()).0;
        let link = median(runs.iter().map(|t| 0.5 * (t.run.upload_ns + t.run.download_ns)).collect()).0;
        Ok((launch, link))
    }

    /// Rates of every kind of work, and of gathers over [`FAR_GATHER_SET`].
    fn kinds(&mut self) -> Result<([Rate; CLASSES], Rate)> {
        let f64_there = self.bed.info().capabilities.f64;
        let mut rates = [Rate::assumed(0.0); CLASSES];
        let mut samples = Vec::with_capacity(CLASSES);
        for kind in KINDS.iter().filter(|k| f64_there || k.2 != class::DOUBLE) {
            let (rate, sample) = self.kind(kind)?;
            rates[kind.2] = rate;
            samples.push(sample);
        }
        let units_ns = separate(&samples);
        for sample in &samples {
            rates[sample.class].per_s = 1e9 / units_ns[sample.class];
        }
        let near = rates[class::GATHER].per_s;
        let (far, sample) = self.far_gather(near)?;
        let per_s = (1e9 / sample.unit_ns(&units_ns)).min(near);
        Ok((rates, Rate { per_s, ..far }))
    }

    /// Runs a microkernel with as many rounds as it takes long enough with: the rate of its kind of work as if it did no
    /// other, and the sample.
    fn kind(&mut self, &Kind(what, source, class, elements, input): &Kind) -> Result<(Rate, Sample)> {
        self.step(what);
        let kernel = compile(source)?;
        let mut rounds = 4;
        self.run(&kernel, rounds, elements, input)?;
        loop {
            let t = self.run(&kernel, rounds, elements, input)?;
            if t.kernel_ns() >= self.effort.run_ns || rounds >= MAX_ROUNDS {
                break;
            }
            let factor = (self.effort.run_ns / t.kernel_ns().max(1.0)).clamp(2.0, 16.0);
            rounds = ((f64::from(rounds) * factor) as u32).min(MAX_ROUNDS);
        }
        let times = self.repeat(|b| Ok(b.run(&kernel, rounds, elements, input)?.kernel_ns()))?;
        let run = MicroRun { kernel: &kernel, rounds, elements, source: input, fresh: false };
        Ok(self.sampled(&run, class, times))
    }

    fn sampled(&self, run: &MicroRun<'_>, class: usize, times: Vec<f64>) -> (Rate, Sample) {
        let features = run.features();
        let own = amounts(&features)[class];
        let rate = self.rate(self.full(invocations_of(run.kernel, run.elements)) * own, times);
        (rate, Sample { class, features, each_ns: own / rate.per_s.max(1e-3) * 1e9 })
    }

    /// Whether the launch takes so much of the time that what is left is no measurement.
    fn is_hidden(&self, times: &[f64]) -> bool {
        median(times.to_vec()).0 < 3.0 * self.launch_ns
    }

    /// Contiguous bytes per second out of cache, and the link's rates.
    ///
    /// Each run has buffers that another part of the program has just filled, as most calls do: on buffers used again and
    /// again caches and page tables are warm and the rate is up to twice as high (2-core AVX-512 Xeon).
    fn fresh(&mut self, what: &str, working_set: f64, repeats: u32) -> Result<(Rate, (Rate, Rate))> {
        self.step(what);
        let elements = working_set as usize / 8;
        let kernel = compile(include_str!("micro/stream.wgsl"))?;
        let (mut kernel_ns, mut up_ns, mut down_ns, mut moved) = (vec![], vec![], vec![], ChunkRun::default());
        self.run(&kernel, 1, GROUP, GROUP)?; // the pipeline is made here
        for _ in 0..repeats {
            let t = self.bed.run(&MicroRun { kernel: &kernel, rounds: 1, elements, source: elements, fresh: true })?;
            kernel_ns.push(t.kernel_ns());
            up_ns.push(t.run.upload_ns);
            down_ns.push(t.run.download_ns);
            moved = t.run;
        }
        // Memory sees each touched byte once, however often it is accessed.
        let hidden = self.is_hidden(&kernel_ns);
        let memory = self.rate(8.0 * elements as f64, kernel_ns);
        let memory = if hidden { Rate::assumed(memory.per_s) } else { memory };
        let up = rate(moved.up_bytes as f64, up_ns);
        let down = rate(moved.down_bytes as f64, down_ns);
        Ok((memory, (up, down)))
    }

    /// Contiguous bytes per second over a set so large that no cache holds it, where the smaller one may lie in a cache: that
    /// it hardly slowed down says so. Only the CPU has such caches.
    fn beyond(&mut self, middle: Rate, memory: Rate) -> Result<Rate> {
        const SLOWED_DOWN: f64 = 0.5;
        let in_doubt = memory.per_s > SLOWED_DOWN * middle.per_s;
        let is_cpu = self.bed.info().kind == DeviceKind::Cpu;
        if !is_cpu || !in_doubt || self.effort.memory_repeats < Effort::FULL.memory_repeats {
            return Ok(memory);
        }
        let (beyond, _) = self.fresh("memory bandwidth, beyond caches", BEYOND_SET, 2)?;
        Ok(Rate { per_s: beyond.per_s.min(memory.per_s), ..beyond })
    }

    /// Gathers over [`FAR_GATHER_SET`], with as many rounds as tell, where `near` is the rate of the smaller set: filling and
    /// copying the larger one takes longer than the runs.
    fn far_gather(&mut self, near: f64) -> Result<(Rate, Sample)> {
        self.step("gather, large");
        let kernel = compile(include_str!("micro/gather.wgsl"))?;
        let (elements, input) = (CACHE_ELEMENTS, FAR_GATHER_SET as usize / 4);
        let each_ns = 4.0 * self.full(elements as f64) / near.max(1.0) * 1e9;
        let rounds = (self.effort.run_ns / each_ns).clamp(4.0, f64::from(MAX_ROUNDS)) as u32;
        let once = |b: &mut Self| Ok(b.run(&kernel, rounds, elements, input)?.kernel_ns());
        once(self)?;
        let times = (0..self.effort.memory_repeats).map(|_| once(self)).collect::<Result<Vec<_>>>()?;
        let run = MicroRun { kernel: &kernel, rounds, elements, source: input, fresh: false };
        Ok(self.sampled(&run, class::GATHER, times))
    }

    /// How many invocations run in the time of one work-group: where the time of few, which is flat, would meet the line
    /// of many.
    fn parallel_invocations(&mut self) -> Result<f64> {
        self.step("occupancy");
        let kernel = compile(include_str!("micro/float.wgsl"))?;
        const ROUNDS: u32 = 1024;
        const GROUPS: usize = 8192;
        let time = |b: &mut Self, groups: usize| -> Result<f64> {
            let times = b.repeat(|b| Ok(b.run(&kernel, ROUNDS, groups * GROUP, 0)?.kernel_ns()))?;
            Ok((median(times).0 - b.launch_ns).max(1.0))
        };
        let (one, many) = (time(self, 1)?, time(self, GROUPS)?);
        Ok(((GROUPS * GROUP) as f64 * one / many).clamp(GROUP as f64, (GROUPS * GROUP) as f64))
    }

    fn repeat(&mut self, mut once: impl FnMut(&mut Self) -> Result<f64>) -> Result<Vec<f64>> {
        once(self)?; // warms caches and pipelines
        (0..self.effort.repeats).map(|_| once(self)).collect()
    }

    /// So many invocations would have taken the same time: rates are those of a full device.
    fn full(&self, invocations: f64) -> f64 {
        invocations.max(self.parallel)
    }

    /// The rate of `amount` in the median of `times`, the launch taken off (at most half of the time).
    fn rate(&self, amount: f64, times: Vec<f64>) -> Rate {
        rate(amount, times.into_iter().map(|t| (t - self.launch_ns).max(0.5 * t)).collect())
    }

    fn run(&mut self, kernel: &Compiled, rounds: u32, elements: usize, source: usize) -> Result<Timed> {
        self.bed.run(&MicroRun { kernel, rounds, elements, source, fresh: false })
    }
}

/// Invocations of a microkernel over a buffer of so many f32: one per element of its own type.
fn invocations_of(kernel: &Compiled, elements: usize) -> f64 {
    let stride = kernel.bindings().iter().find(|b| b.binding == 1).and_then(|b| b.runtime_stride).unwrap_or(4);
    (4 * elements / stride as usize) as f64
}

fn compile(source: &str) -> Result<std::sync::Arc<Compiled>> {
    Compiled::new(&[source], None, &BTreeMap::new())
}

fn rate(amount: f64, times_ns: Vec<f64>) -> Rate {
    let count = times_ns.len() as u32;
    // The lower quartile: other programs only ever make a run longer.
    let (time, spread) = quantile(times_ns, 4);
    Rate { per_s: amount / time.max(1.0) * 1e9, count, spread }
}

/// Median and relative spread.
fn median(values: Vec<f64>) -> (f64, f64) {
    quantile(values, 2)
}

/// The value at 1/`part` of the sorted values, and the spread of all relative to it.
fn quantile(mut values: Vec<f64>, part: usize) -> (f64, f64) {
    values.sort_by(f64::total_cmp);
    match values.len() {
        0 => (0.0, 0.0),
        n => {
            let value = values[n / part];
            (value, (values[n - 1] - values[0]) / value.max(1.0))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_is_that_of_the_lower_quartile() {
        let r = rate(100.0, vec![100.0, 50.0, 900.0, 800.0, 850.0]);
        assert_eq!((r.per_s, r.count), (1e9, 5));
        assert_eq!(r.spread, 8.5);
    }
}
