//! Measures a device's rates with WGSL microkernels, through the same path as real kernels.
//!
//! Each microkernel repeats one kind of work. Its size doubles until a run takes long enough to time; the rate is that of
//! the lower quartile with the launch time taken off, and it carries its count and spread. About a second a device.

use super::roofline::{MEMORY_SET, MIDDLE_SET, Rate, Rates};
use crate::{
    backend::{Argument, Backend, Chunk, ChunkRun, DeviceKind},
    device::typical,
    error::Result,
    kernel::Compiled,
    schedule::transfers,
};
use evener_lanes::{Grid, GroupRange, analysis::CallShape};
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
    let mut bench = Bench { device, effort, launch_ns: 0.0, done: 0, progress };
    let (setup_ns, compile_ns) = bench.first_use()?;
    let (launch_ns, link_ns) = bench.launch()?;
    bench.launch_ns = launch_ns;
    let is_cpu = device.info().kind == DeviceKind::Cpu;
    let (middle_bytes, _) = bench.fresh("memory bandwidth", MIDDLE_SET, effort.repeats)?;
    let (memory_bytes, link) = bench.fresh("memory bandwidth, large", MEMORY_SET, effort.memory_repeats)?;
    let (up_bytes, down_bytes) = if is_cpu { (Rate::assumed(0.0), Rate::assumed(0.0)) } else { link };
    let f64_there = device.info().capabilities.f64;
    Ok(Rates {
        setup_ns,
        compile_ns: if is_cpu { 0.0 } else { compile_ns },
        launch_ns,
        link_ns: if is_cpu { 0.0 } else { link_ns },
        parallel_invocations: bench.parallel_invocations()?,
        float: bench.rounds("float", include_str!("micro/float.wgsl"), 16.0)?,
        double: if f64_there {
            bench.rounds("double", include_str!("micro/double.wgsl"), 16.0)?
        } else {
            Rate::assumed(0.0)
        },
        divide: bench.rounds("divide", include_str!("micro/divide.wgsl"), 8.0)?,
        transcendental: bench.rounds("transcendental", include_str!("micro/transcendental.wgsl"), 4.0)?,
        integer: bench.rounds("integer", include_str!("micro/integer.wgsl"), 16.0)?,
        atomic: bench.rounds("atomic", include_str!("micro/atomic.wgsl"), 1.0)?,
        barrier: bench.rounds("barrier", include_str!("micro/barrier.wgsl"), 2.0)?,
        group_bytes: bench.rounds("group", include_str!("micro/group.wgsl"), 32.0)?,
        cache_bytes: bench.stream(CACHE_ELEMENTS)?,
        middle_bytes,
        memory_bytes,
        gather_bytes: bench.gather()?,
        up_bytes,
        down_bytes,
    })
}

struct Bench<'a> {
    device: &'a dyn Backend,
    effort: Effort,
    launch_ns: f64,
    done: u32,
    progress: &'a mut dyn FnMut(&str, f64),
}

/// One run: wall time and what the back end says of it.
struct Timed {
    wall_ns: f64,
    run: ChunkRun,
}

impl Timed {
    /// The kernel with its launch, without the copies.
    fn kernel_ns(&self) -> f64 {
        (self.wall_ns - self.run.upload_ns - self.run.download_ns).max(self.run.run_ns)
    }
}

impl Bench<'_> {
    fn step(&mut self, what: &str) {
        const STEPS: f64 = 15.0;
        (self.progress)(what, f64::from(self.done) / STEPS);
        self.done += 1;
    }

    /// What the first use of the device in a process adds, and the first run of a kernel, in ns.
    fn first_use(&mut self) -> Result<(f64, f64)> {
        self.step("first use");
        let kernels = [compile(include_str!("micro/stream.wgsl"))?, compile(include_str!("micro/integer.wgsl"))?];
        let was_warm = self.device.warmth(&kernels[0]).device;
        // Large enough that a CPU starts its threads for it, and not zero: pages of zeros are made at first touch.
        let (mut out, source) = (vec![0.5f32; 8 * CACHE_ELEMENTS], vec![1f32; 8 * CACHE_ELEMENTS]);
        if self.device.info().kind == DeviceKind::Cpu {
            // Loads the interpreter's code, which other processes find in memory: what is left is starting threads.
            self.run(&kernels[0], 1, &mut out[..GROUP], Some(&source[..GROUP]))?;
        }
        let mut excess = [0.0; 2];
        for (kernel, excess) in kernels.iter().zip(&mut excess) {
            let first = self.run(kernel, 1, &mut out, Some(&source))?.wall_ns;
            let times = (0..3).map(|_| Ok(self.run(kernel, 1, &mut out, Some(&source))?.wall_ns));
            *excess = (first - median(times.collect::<Result<_>>()?).0).max(0.0);
        }
        let compile_ns = excess[1];
        let setup_ns = (excess[0] - compile_ns).max(0.0);
        // A device that was in use before shows no first use: a usual one is assumed.
        let usual = typical(self.device.info()).setup_ns;
        Ok((if was_warm { usual } else { setup_ns }, compile_ns))
    }

    /// Fixed costs: of a launch and of a transfer, in ns.
    fn launch(&mut self) -> Result<(f64, f64)> {
        self.step("launch");
        let kernel = compile(include_str!("micro/float.wgsl"))?;
        let mut data = vec![0f32; GROUP];
        self.run(&kernel, 1, &mut data, None)?; // the pipeline is made here
        let runs =
            (0..4 * self.effort.repeats).map(|_| self.run(&kernel, 1, &mut data, None)).collect::<Result<Vec<_>>>()?;
        let launch = median(runs.iter().map(Timed::kernel_ns).collect()).0;
        let link = median(runs.iter().map(|t| 0.5 * (t.run.upload_ns + t.run.download_ns)).collect()).0;
        Ok((launch, link))
    }

    /// A kernel that does `amount` of its kind of work a round in every invocation.
    fn rounds(&mut self, what: &str, source: &str, amount: f64) -> Result<Rate> {
        self.step(what);
        let kernel = compile(source)?;
        let mut data = vec![0f64; CACHE_ELEMENTS]; // large enough for either element width
        let invocations = CACHE_ELEMENTS;
        let elements = bytemuck::cast_slice_mut::<f64, f32>(&mut data);
        let mut rounds = 4;
        self.run(&kernel, rounds, &mut elements[..2 * invocations], None)?;
        loop {
            let t = self.run(&kernel, rounds, &mut elements[..2 * invocations], None)?;
            if t.kernel_ns() >= self.effort.run_ns || rounds >= MAX_ROUNDS {
                break;
            }
            let factor = (self.effort.run_ns / t.kernel_ns().max(1.0)).clamp(2.0, 16.0);
            rounds = ((f64::from(rounds) * factor) as u32).min(MAX_ROUNDS);
        }
        let times = self.repeat(|b| Ok(b.run(&kernel, rounds, &mut elements[..2 * invocations], None)?.kernel_ns()))?;
        Ok(self.rate(invocations_of(&kernel, 2 * invocations) * f64::from(rounds) * amount, times))
    }

    /// Contiguous bytes per second over buffers of that many elements.
    fn stream(&mut self, elements: usize) -> Result<Rate> {
        self.step("cache bandwidth");
        let kernel = compile(include_str!("micro/stream.wgsl"))?;
        let (mut out, source) = (vec![0.5f32; elements], vec![1f32; elements]);
        let times = self.repeat(|b| Ok(b.run(&kernel, 1, &mut out, Some(&source))?.kernel_ns()))?;
        Ok(self.rate(12.0 * elements as f64, times))
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
        self.run(&kernel, 1, &mut [0.5f32; GROUP], Some(&[1.0; GROUP]))?; // the pipeline is made here
        for _ in 0..repeats {
            let (mut out, source) = (vec![0.5f32; elements], vec![1f32; elements]);
            let t = self.run(&kernel, 1, &mut out, Some(&source))?;
            kernel_ns.push(t.kernel_ns());
            up_ns.push(t.run.upload_ns);
            down_ns.push(t.run.download_ns);
            moved = t.run;
        }
        // Memory sees each touched byte once, however often it is accessed.
        let memory = self.rate(8.0 * elements as f64, kernel_ns);
        let up = rate(moved.up_bytes as f64, up_ns);
        let down = rate(moved.down_bytes as f64, down_ns);
        Ok((memory, (up, down)))
    }

    /// Bytes per second of loads from unpredictable places.
    fn gather(&mut self) -> Result<Rate> {
        self.step("gather");
        let kernel = compile(include_str!("micro/gather.wgsl"))?;
        let (mut out, source) = (vec![0.5f32; CACHE_ELEMENTS], vec![1f32; 1 << 20]);
        const ROUNDS: u32 = 8;
        let times = self.repeat(|b| Ok(b.run(&kernel, ROUNDS, &mut out, Some(&source))?.kernel_ns()))?;
        Ok(self.rate(4.0 * CACHE_ELEMENTS as f64 * f64::from(ROUNDS), times))
    }

    /// How many invocations run in the time of one work-group: the size at which time starts to grow.
    fn parallel_invocations(&mut self) -> Result<f64> {
        self.step("occupancy");
        let kernel = compile(include_str!("micro/float.wgsl"))?;
        const ROUNDS: u32 = 1024;
        let mut data = vec![0.5f32; CACHE_ELEMENTS * 8];
        let mut time = |b: &mut Self, groups: usize| -> Result<f64> {
            let times = b.repeat(|b| Ok(b.run(&kernel, ROUNDS, &mut data[..groups * GROUP], None)?.kernel_ns()))?;
            Ok((median(times).0 - b.launch_ns).max(1.0))
        };
        let one = time(self, 1)?;
        let mut filled = 1;
        // Stop at the first doubling that takes clearly longer than one work-group does.
        for groups in [4, 16, 64, 256, 1024, 4096, 8192] {
            if time(self, groups)? > 1.6 * one {
                break;
            }
            filled = groups;
        }
        Ok((filled * GROUP) as f64)
    }

    fn repeat(&mut self, mut once: impl FnMut(&mut Self) -> Result<f64>) -> Result<Vec<f64>> {
        once(self)?; // warms caches and pipelines
        (0..self.effort.repeats).map(|_| once(self)).collect()
    }

    /// The rate of `amount` in the median of `times`, the launch taken off (at most half of the time).
    fn rate(&self, amount: f64, times: Vec<f64>) -> Rate {
        rate(amount, times.into_iter().map(|t| (t - self.launch_ns).max(0.5 * t)).collect())
    }

    fn run(&self, kernel: &Compiled, rounds: u32, out: &mut [f32], source: Option<&[f32]>) -> Result<Timed> {
        let mut rounds = rounds;
        let elements = out.len();
        let arguments: Vec<Argument> = kernel
            .bindings()
            .iter()
            .map(|b| match b.binding {
                0 => Argument { ptr: (&raw mut rounds).cast(), len: 4, writable: false, array: None },
                1 => Argument { ptr: out.as_mut_ptr().cast(), len: 4 * elements as u64, writable: true, array: None },
                _ => {
                    let source = source.unwrap_or(&[]);
                    let ptr = source.as_ptr().cast_mut().cast();
                    Argument { ptr, len: 4 * source.len() as u64, writable: false, array: None }
                }
            })
            .collect();
        let groups = invocations_of(kernel, elements) as u32 / GROUP as u32;
        let grid = Grid { groups: [groups.max(1), 1, 1] };
        let range = GroupRange::all(grid);
        let sizes: Vec<u64> = arguments.iter().map(|a| a.len).collect();
        let rounds_bytes = rounds.to_ne_bytes();
        let uniforms: Vec<&[u8]> =
            kernel.bindings().iter().map(|b| if b.binding == 0 { &rounds_bytes[..] } else { &[] }).collect();
        let footprint = kernel.analysis.footprint(&CallShape { grid, sizes: &sizes, uniforms: &uniforms }, &range);
        let moved = transfers::of_footprint(&footprint, kernel.bindings(), &sizes);
        let chunk = Chunk {
            kernel,
            grid,
            range,
            arguments: &arguments,
            transfers: &moved,
            carry: None,
            repeat: None,
            alone: true,
        };
        let start = Instant::now();
        let run = self.device.start(&chunk)?.finish()?;
        Ok(Timed { wall_ns: start.elapsed().as_nanos() as f64, run })
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
