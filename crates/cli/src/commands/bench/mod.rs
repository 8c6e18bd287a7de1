//! `evener bench`: what should run where on this machine, and how near the scheduler comes to it.
//!
//! [`kernels`] says what is measured, [`functions`] calls what is no single kernel, [`shapes`] gives the arguments and
//! [`data`] holds them, [`measure`] times a cell in interleaved turns
//! beside [`peers`], [`judge`] computes the oracle, regrets and baselines, [`results`] is what `--json` prints; `print`
//! shows it and [`report`] writes it as a page.

use super::runtime;
use crate::{
    failure::bad_input,
    output::{self, Progress},
};
use anyhow::Result;
use clap::builder::PossibleValuesParser;
use data::Home;
use evener::{
    backend::{DeviceInfo, throttled::Throttle},
    cost::profile::device_key,
    prelude::Runtime,
};
use kernels::{MAX_SIZE, NAMES, Shape, Spec};
use measure::{Lab, Outcome};
use results::{LeftOut, Machine, Peaks, Results, Seconds};
use std::{
    path::PathBuf,
    time::{Duration, Instant},
};

pub mod data;
pub mod functions;
pub mod judge;
pub mod kernels;
pub mod measure;
pub mod peers;
mod print;
pub mod report;
pub mod results;
pub mod shapes;
pub mod stats;

/// Seconds without `--budget`.
const BUDGET: f64 = 120.0;
/// The same with `--quick`.
const QUICK_BUDGET: f64 = 10.0;
/// What `--quick` measures unless kernels are named.
const QUICK: [&str; 4] = ["saxpy", "stencil5", "mandelbrot", "nbody"];

/// Options of `bench`.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// Kernels to measure, divided by commas; all without it
    #[arg(value_name = "KERNEL,...", value_delimiter = ',', value_parser = PossibleValuesParser::new(NAMES), hide_possible_values = true)]
    names: Vec<String>,
    /// A kernel to measure; may be repeated
    #[arg(long = "kernel", value_name = "NAME", value_parser = PossibleValuesParser::new(NAMES))]
    kernels: Vec<String>,
    /// Sizes in elements, instead of each kernel's own; kernels over squares take the nearest square
    #[arg(long, value_name = "N,N", value_delimiter = ',', value_parser = clap::value_parser!(u64).range(1..=MAX_SIZE))]
    sizes: Vec<u64>,
    /// A few kernels and sizes, in about 10 s
    #[arg(long)]
    quick: bool,
    /// About how many seconds it may take (default 120, with --quick 10); what does not fit is left out and named
    #[arg(long, value_name = "SECONDS", value_parser = parse_budget)]
    budget: Option<f64>,
    /// Devices to measure beside the CPU, such as gpu:0; all without it, `cpu` for none
    #[arg(long, value_name = "ID,ID", value_delimiter = ',')]
    on_devices: Vec<String>,
    /// Take software devices (lavapipe, WARP) for GPUs
    #[arg(long)]
    software_gpu: bool,
    /// Measure a made-up machine: a slowed CPU, and a device of one core behind a link. For tests of evener, no benchmark
    /// of this machine. SPEC is like launch=30,link=10,up=2,down=2,device=1,cpu=3 (us, us, GB/s, GB/s, times slower)
    #[arg(long, value_name = "SPEC", num_args = 0..=1, require_equals = true, default_missing_value = "", value_parser = parse_throttle, conflicts_with = "software_gpu")]
    throttled: Option<Throttle>,
    /// Write report.html, cells.csv, bench.json and trace.json to this folder
    #[arg(long, value_name = "DIR")]
    report: Option<PathBuf>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

fn parse_budget(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(seconds) if (0.1..=1e5).contains(&seconds) => Ok(seconds),
        _ => Err("it is no number of seconds from 0.1 to 100000".into()),
    }
}

fn parse_throttle(text: &str) -> Result<Throttle, String> {
    text.parse::<Throttle>().map_err(|e| e.to_string())
}

/// Measures, prints, and writes the report.
///
/// # Errors
/// A device that is not there, a folder that cannot be written, a device that fails.
pub fn run(args: &Args) -> Result<()> {
    let started = Instant::now();
    if let Some(folder) = &args.report {
        report::check(folder)?;
    }
    let budget = Duration::from_secs_f64(args.budget.unwrap_or(if args.quick { QUICK_BUDGET } else { BUDGET }));
    let all = devices(args)?;
    let progress = Progress::new(args.json);
    measure_devices(&all, args, &progress)?;
    // What the benchmark's calls teach is not kept in the profile.
    let runtime = all.with_devices(|d| is_wanted(d, args));
    let machine = machine(&runtime, args);
    let (judged, left_out) =
        measure_all(args, &machine, Lab::new(runtime, args.throttled.is_none())?, started, budget, &progress)?;
    drop(progress);
    let [baselines, baselines_contested] = judge::baselines(&judged);
    let results = Results {
        machine,
        baselines,
        baselines_contested,
        crossovers: judge::crossovers(&judged),
        summary: judge::summary(&judged),
        left_out,
        seconds: Seconds { budget: budget.as_secs_f64(), took: started.elapsed().as_secs_f64() },
        cells: judged.into_iter().map(|j| j.cell).collect(),
    };
    let written = args.report.as_ref().map(|folder| report::write(folder, &results)).transpose()?;
    if args.json {
        return output::json(&results);
    }
    print::print(&results)?;
    written.map_or(Ok(()), |page| output::say(&format!("\nreport: {}", page.display())))
}

/// The runtime with all devices, among them those asked for.
fn devices(args: &Args) -> Result<Runtime> {
    let all = match args.throttled {
        Some(throttle) => throttle.install(Runtime::builder())?.build()?,
        None => runtime(args.software_gpu)?,
    };
    let known: Vec<String> = all.devices().into_iter().map(|d| d.id).collect();
    if let Some(missing) = args.on_devices.iter().find(|id| !known.contains(id)) {
        let hint = "`evener devices` lists what is there, `--software-gpu` takes software devices too";
        return Err(bad_input(format!("--on-devices {missing}: there is {}; {hint}", known.join(", "))));
    }
    Ok(all)
}

fn is_wanted(device: &DeviceInfo, args: &Args) -> bool {
    device.id == "cpu" || args.on_devices.is_empty() || args.on_devices.contains(&device.id)
}

/// Measures the devices if one that is asked for was not, and saves that.
fn measure_devices(all: &Runtime, args: &Args, progress: &Progress) -> Result<()> {
    let profile = all.profile();
    let is_known = |d: &DeviceInfo| profile.devices.contains_key(&device_key(d));
    if !all.devices().iter().filter(|d| is_wanted(d, args)).all(is_known) {
        all.calibrate(args.quick, &mut |what, done| progress.set(what, done))?;
    }
    Ok(())
}

fn machine(runtime: &Runtime, args: &Args) -> Machine {
    let (devices, profile) = (runtime.devices(), runtime.profile());
    let peaks = |d: &DeviceInfo| {
        let r = profile.devices.get(&device_key(d))?;
        let peaks = Peaks {
            flops: r.float.per_s,
            memory_bytes: r.memory_bytes.per_s,
            cache_bytes: r.cache_bytes.per_s,
            link_bytes: [r.up_bytes.per_s, r.down_bytes.per_s],
            launch_ns: r.launch_ns,
        };
        Some((d.id.clone(), peaks))
    };
    Machine {
        peaks: devices.iter().filter_map(peaks).collect(),
        threads: std::thread::available_parallelism().map_or(1, usize::from),
        os: std::env::consts::OS,
        arch: std::env::consts::ARCH,
        version: env!("CARGO_PKG_VERSION"),
        build: if cfg!(debug_assertions) { "debug" } else { "release" },
        throttled: args.throttled,
        devices,
    }
}

/// A cell to be measured.
struct Task {
    spec: Spec,
    shape: Shape,
    home: Home,
    /// Place of its size among those of its kernel.
    step: usize,
}

/// All cells: small ones first, so that the time they leave goes to the large ones.
fn tasks(args: &Args, devices: usize) -> Vec<Task> {
    let named = || args.names.iter().chain(&args.kernels).map(String::as_str);
    let all: &[&str] = if args.quick { &QUICK } else { &NAMES };
    let names = NAMES
        .into_iter()
        .filter(|name| if named().count() > 0 { named().any(|n| n == *name) } else { all.contains(name) });
    let homes = if devices > 1 { vec![Home::Host, Home::Device(1)] } else { vec![Home::Host] };
    let mut tasks = Vec::new();
    for spec in names.filter_map(kernels::spec) {
        let own = if args.quick { &spec.sizes[..3] } else { &spec.sizes[..] };
        let mut shapes: Vec<Shape> =
            (if args.sizes.is_empty() { own } else { &args.sizes }).iter().map(|n| (spec.shape)(*n)).collect();
        shapes.sort_by_key(|s| s.size);
        shapes.dedup_by_key(|s| s.size);
        for (step, shape) in shapes.into_iter().enumerate() {
            tasks.extend(homes.iter().map(|home| Task { spec, shape: shape.clone(), home: *home, step }));
        }
    }
    tasks.sort_by_key(|t| t.step);
    tasks
}

fn measure_all(
    args: &Args,
    machine: &Machine,
    lab: Lab,
    started: Instant,
    budget: Duration,
    progress: &Progress,
) -> Result<(Vec<judge::Judged>, Vec<LeftOut>)> {
    let tasks = tasks(args, machine.devices.len());
    let (count, mut judged, mut left_out) = (tasks.len(), Vec::new(), Vec::new());
    for (k, Task { spec, shape, home, .. }) in tasks.into_iter().enumerate() {
        let left = budget.saturating_sub(started.elapsed());
        // Setting a cell up takes time, too.
        let share = left.mul_f64(0.8) / (count - k) as u32;
        progress.set(&format!("{} {}", spec.name, print::count(shape.size)), k as f64 / count as f64);
        let at_home = match home {
            Home::Host => None,
            Home::Device(d) => machine.devices.get(d).map(|info| info.id.clone()),
        };
        let residency = if at_home.is_some() { "resident" } else { "host" };
        let mut leave = |why| left_out.push(LeftOut { kernel: spec.name.into(), size: shape.size, residency, why });
        if left.is_zero() {
            leave("the time was up (--budget)".into());
            continue;
        }
        match lab.measure(&spec, shape.clone(), home, share)? {
            Outcome::Measured(m) => judged.push(judge::judge(spec.name, &shape, at_home, *m, &machine.peaks)),
            Outcome::LeftOut(why) => leave(why),
        }
    }
    let place = |kernel: &str| NAMES.iter().position(|n| *n == kernel);
    judged.sort_by_key(|j| (place(&j.cell.kernel), j.cell.residency, j.cell.size));
    Ok((judged, left_out))
}
