//! The runs and the table.

use crate::{
    clock::cpu_ns,
    resident::{Resident, Software},
    work::{self, Data, Number, Work},
};
use evener::prelude::*;
use evener_lanes::Module;

/// Aim for one sample of each version, in ns of CPU time.
const SAMPLE_NS: f64 = 2e7;
const TURNS: usize = 15;
/// Where the kernels of the two runtimes run.
const PLACEMENTS: [Placement; 2] = [Placement::Cpu, Placement::Gpu(None)];

pub fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let timed = words.iter().any(|w| w == "--bench");
    let only = words.iter().position(|w| w == "--only").and_then(|k| words.get(k + 1)).map(|w| w.to_lowercase());
    let Some(software) = Software::open() else {
        println!("skipped: no software Vulkan device");
        return;
    };
    let runtimes = [false, true].map(|gpu| {
        let builder = Runtime::builder().threads(1).gpu(gpu).software_gpu(gpu);
        builder.profile(None).build().expect("a CPU")
    });
    if timed {
        println!("CPU time of a call; lavapipe / evener on one CPU thread, the same from call to call with copies:");
        println!("{:16}{:>14}{:>20}{:>20}", "kernel", "evener ms", "resident", "with copies");
    }
    for new in work::all!(Box<dyn Work>) {
        let mut work = new();
        if only.as_ref().is_none_or(|only| work.name().to_lowercase().contains(only)) {
            one(&mut *work, &runtimes, &software, timed);
        }
    }
}

/// Checks all versions of a kernel, and times them. The runtimes are one without GPUs and one with the software device.
fn one(work: &mut dyn Work, runtimes: &[Runtime; 2], software: &Software, timed: bool) {
    let kernels = runtimes.each_ref().map(|r| r.kernel(work.source()).expect("valid WGSL"));
    let lowered = Module::parse(work.source()).and_then(|m| m.lower("main")).expect("valid WGSL");
    work.reset();
    let resident = software.load(work, lowered.workgroup_size);
    software.run(&resident, 1);
    software.read_back(&resident, work);
    check(work, "wgpu");
    for (kernel, placement) in kernels.iter().zip(PLACEMENTS) {
        work.reset();
        call(kernel, work, placement);
        check(work, &placement.to_string());
    }
    if timed {
        compete(work, &kernels, software, &resident);
    } else {
        println!("{}: 3 versions are right", work.name());
    }
}

fn check(work: &dyn Work, on: &str) {
    if let Err(wrong) = work.check() {
        panic!("{} on {on}: {wrong}", work.name());
    }
}

fn compete(work: &mut dyn Work, kernels: &[Kernel; 2], software: &Software, resident: &Resident) {
    let mut time = |version: usize, repeats: u32| {
        let start = cpu_ns();
        match version {
            0 => (0..repeats).for_each(|_| call(&kernels[0], work, PLACEMENTS[0])),
            1 => software.run(resident, repeats),
            _ => (0..repeats).for_each(|_| call(&kernels[1], work, PLACEMENTS[1])),
        }
        (cpu_ns() - start) / f64::from(repeats)
    };
    let repeats = [0, 1, 2].map(|version| {
        let first = time(version, 1);
        let few = ((SAMPLE_NS / 10.0 / first) as u32).clamp(1, 1000);
        ((SAMPLE_NS / time(version, few)) as u32).clamp(1, 10_000)
    });
    let turns: Vec<[f64; 3]> = (0..TURNS).map(|_| [0, 1, 2].map(|version| time(version, repeats[version]))).collect();
    let figure = |f: &dyn Fn(&[f64; 3]) -> f64| spread(turns.iter().map(f).collect());
    let ratio = |k: usize| {
        let (median, mad) = figure(&|t| t[k] / t[0]);
        format!("{median:>12.2} ± {mad:4.2}")
    };
    println!("{:16}{:>14.4}{:>20}{:>20}", work.name(), figure(&|t| t[0]).0 / 1e6, ratio(1), ratio(2));
}

/// Median, and median distance from it.
fn spread(mut values: Vec<f64>) -> (f64, f64) {
    let middle = |v: &mut Vec<f64>| {
        v.sort_by(f64::total_cmp);
        v[v.len() / 2]
    };
    let median = middle(&mut values);
    (median, middle(&mut values.iter().map(|v| (v - median).abs()).collect()))
}

fn call(kernel: &Kernel, work: &mut dyn Work, placement: Placement) {
    let (params, items) = (work.params(), work.items());
    let mut call = kernel.call();
    for (path, number) in params {
        call = match number {
            Number::U32(v) => call.set(path, v),
            Number::F32(v) => call.set(path, v),
            Number::Vec2u(v) => call.set(path, v),
        };
    }
    for (name, data) in work.storage() {
        call = match data {
            Data::U32(v) => call.arg(name, v),
            Data::F32(v) => call.arg(name, v),
            Data::Vec4(v) => call.arg(name, v),
            Data::WriteU32(v) => call.arg(name, v),
            Data::WriteF32(v) => call.arg(name, v),
            Data::WriteVec4(v) => call.arg(name, v),
            Data::WriteVec4u(v) => call.arg(name, v),
        };
    }
    call.items(items).on(placement).strict(true).run().expect("runs");
}
