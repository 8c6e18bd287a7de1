//! What the benchmark found: the object of `--json`, from which table, page and CSV are written.

use evener::{backend::DeviceInfo, backend::throttled::Throttle, prelude::Report};
use serde::Serialize;
use std::collections::BTreeMap;

/// All of it. Times are in ns.
#[derive(Clone, Debug, Serialize)]
pub struct Results {
    /// What it ran on.
    pub machine: Machine,
    /// One per kernel, size and residency, in that order.
    pub cells: Vec<Cell>,
    /// Geometric mean regret of fixed choices over all cells, by name: a device, `half`, `static` (the best placement of
    /// each kernel).
    pub baselines: BTreeMap<String, f64>,
    /// The same over contested cells.
    pub baselines_contested: BTreeMap<String, f64>,
    /// Sizes at which another device becomes the fastest alone.
    pub crossovers: Vec<Crossover>,
    /// Of the scheduler.
    pub summary: Summary,
    /// Cells that were not measured, and why.
    pub left_out: Vec<LeftOut>,
    /// Seconds allowed and taken.
    pub seconds: Seconds,
}

/// The machine.
#[derive(Clone, Debug, Serialize)]
pub struct Machine {
    /// The devices measured.
    pub devices: Vec<DeviceInfo>,
    /// Their calibrated peaks by id.
    pub peaks: BTreeMap<String, Peaks>,
    /// Hardware threads.
    pub threads: usize,
    /// `linux`, ...
    pub os: &'static str,
    /// `x86_64`, ...
    pub arch: &'static str,
    /// Of evener.
    pub version: &'static str,
    /// `release`, or `debug`: then kernels by hand are slower than they need be, and so is what a call adds.
    pub build: &'static str,
    /// Where the devices are a test setup and not the machine's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub throttled: Option<Throttle>,
}

/// Calibrated rates of a device.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Peaks {
    /// f32 operations per second (an FMA counts 1).
    pub flops: f64,
    /// Bytes per second through memory.
    pub memory_bytes: f64,
    /// Bytes per second in cache.
    pub cache_bytes: f64,
    /// Bytes per second to the device and back; 0 where nothing moves.
    pub link_bytes: [f64; 2],
    /// Fixed time of a kernel.
    pub launch_ns: f64,
}

/// A kernel at a size with its data at a place.
#[derive(Clone, Debug, Serialize)]
pub struct Cell {
    /// The kernel or function.
    pub kernel: String,
    /// Elements.
    pub size: u64,
    /// Invocations of a kernel on each axis.
    pub items: [u64; 3],
    /// Bytes of all buffers.
    pub bytes: u64,
    /// `host`: slices. `resident`: arrays on `home`.
    pub residency: &'static str,
    /// The device that has the arrays before each call.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub home: Option<String>,
    /// Whether the best single device is within 4x of the second.
    pub contested: bool,
    /// By name: `cpu`, `gpu:0`, `split=0.25` (the CPU's share).
    pub placements: BTreeMap<String, Timing>,
    /// The best of them by one half of the runs.
    pub oracle: String,
    /// Its median over the other half.
    pub oracle_ns: f64,
    /// The scheduler's choice.
    pub auto: Auto,
    /// The scheduler's time over the oracle's, less one.
    pub regret: Regret,
    /// Where the last calls ran: `cpu`, `gpu:0`, `split`.
    pub chose: String,
    /// Why.
    pub reason: String,
    /// Share of the work by device in the last call.
    pub shares: BTreeMap<String, f64>,
    /// The same by hand on the CPU, where there is one: host slices only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub baseline: Option<Baseline>,
    /// Why it cannot be split, if it cannot.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub whole: Option<String>,
    /// Devices that cannot run it, and why.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub refused: BTreeMap<String, String>,
    /// By device alone, its kernel against the device's peaks; of functions the bytes of their arguments.
    pub roofline: BTreeMap<String, Position>,
    /// The report of the last call, for the trace.
    #[serde(skip)]
    pub last: Report,
}

/// Runs of a fixed placement.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Timing {
    /// End to end.
    pub median_ns: f64,
    /// Median absolute deviation.
    pub mad_ns: f64,
    /// Timed runs.
    pub runs: usize,
    /// Median of the host-to-device copies.
    pub upload_ns: f64,
    /// Median of the kernel on the device.
    pub run_ns: f64,
    /// Median of the copies back.
    pub download_ns: f64,
}

/// The same written by hand.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Baseline {
    /// What it is written with.
    pub with: &'static str,
    /// End to end.
    pub median_ns: f64,
    /// Median absolute deviation.
    pub mad_ns: f64,
    /// Timed runs.
    pub runs: usize,
    /// Its median over the scheduler's at the tenth to twelfth call: above 1, evener is the faster one.
    pub ratio: f64,
}

/// The scheduler's calls, over fresh histories.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Auto {
    /// The first call: nothing is known of the kernel but what its analysis says.
    pub cold_ns: f64,
    /// The third.
    pub run3_ns: f64,
    /// The tenth to twelfth.
    pub run10_ns: f64,
    /// Predicted time of the last.
    pub predicted_ns: f64,
    /// Histories.
    pub histories: usize,
}

/// Time over the oracle's, less one.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Regret {
    /// Of the first call.
    pub cold: f64,
    /// Of the third.
    pub run3: f64,
    /// Of the tenth to twelfth.
    pub run10: f64,
    /// 95 % interval of `run10`.
    pub interval: [f64; 2],
}

/// A kernel alone on a device.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Position {
    /// Floating-point operations per second, as the analysis counts them; a lower bound where loops depend on data.
    pub flops: f64,
    /// Bytes per second: each byte touched counted once.
    pub bytes_per_s: f64,
    /// Operations a byte.
    pub intensity: f64,
    /// The larger of the two over its calibrated peak (memory, or cache where the data fit).
    pub of_peak: f64,
    /// Whether trip counts depend on data, so that operations are a lower bound.
    pub at_least: bool,
}

/// Two devices change places.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Crossover {
    /// The kernel.
    pub kernel: String,
    /// `host` or `resident`.
    pub residency: &'static str,
    /// Fastest alone below.
    pub below: String,
    /// Fastest alone above.
    pub above: String,
    /// Elements, interpolated between two measured sizes.
    pub size: f64,
}

/// Regrets over cells.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Row {
    /// Cells.
    pub cells: usize,
    /// Geometric mean.
    pub regret_geomean: f64,
    /// 95th percentile.
    pub regret_p95: f64,
    /// Largest.
    pub regret_max: f64,
}

/// Regrets of the tenth to twelfth calls, and of earlier ones.
#[derive(Clone, Debug, Serialize)]
pub struct Summary {
    /// Over all cells.
    #[serde(flatten)]
    pub all: Row,
    /// 95 % interval of the geometric mean.
    pub interval: [f64; 2],
    /// Over contested cells.
    pub contested: Row,
    /// Of all cells, those whose last calls ran where the oracle does: what is left there is the cost of deciding, and noise.
    pub same_placement: Row,
    /// Those that ran elsewhere.
    pub other_placement: Row,
    /// First calls.
    pub cold: Pair,
    /// Third calls.
    pub run3: Pair,
    /// Cells where a device alone is the fastest one, by device.
    pub wins: BTreeMap<String, usize>,
}

/// All cells and contested ones.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Pair {
    /// Over all cells.
    #[serde(flatten)]
    pub all: Row,
    /// Over contested cells.
    pub contested: Row,
}

/// A cell that was not measured.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LeftOut {
    /// The kernel.
    pub kernel: String,
    /// Elements.
    pub size: u64,
    /// `host` or `resident`.
    pub residency: &'static str,
    /// Why.
    pub why: String,
}

/// Of the whole benchmark.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Seconds {
    /// `--budget`.
    pub budget: f64,
    /// Taken.
    pub took: f64,
}

impl Cell {
    /// Devices alone, in the order of their names: the CPU first.
    pub fn alone(&self) -> impl Iterator<Item = (&str, &Timing)> {
        self.placements.iter().filter(|(name, _)| !is_split(name)).map(|(name, t)| (name.as_str(), t))
    }

    /// The split with the least median, if any was tried.
    pub fn best_split(&self) -> Option<(&str, &Timing)> {
        let splits = self.placements.iter().filter(|(name, _)| is_split(name));
        splits.min_by(|a, b| a.1.median_ns.total_cmp(&b.1.median_ns)).map(|(name, t)| (name.as_str(), t))
    }

    /// Whether the last calls ran where the oracle does: on the device, or split by nearly its share.
    pub fn is_placed_like_oracle(&self) -> bool {
        /// Splits are tried in steps; shares that differ by no more are alike.
        const STEP: f64 = 0.13;
        let share = |id: &str| self.shares.get(id).copied().unwrap_or(0.0);
        match self.oracle.strip_prefix("split=").and_then(|share| share.parse::<f64>().ok()) {
            Some(cpu) => self.shares.len() > 1 && (share("cpu") - cpu).abs() <= STEP,
            None => self.chose == self.oracle,
        }
    }

    /// The device that is the fastest alone.
    pub fn fastest(&self) -> Option<(&str, &Timing)> {
        self.alone().min_by(|a, b| a.1.median_ns.total_cmp(&b.1.median_ns))
    }
}

/// Whether a placement is a split and not a device.
pub fn is_split(name: &str) -> bool {
    name.starts_with("split")
}
