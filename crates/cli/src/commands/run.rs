//! `evener run FILE.wgsl`: one kernel on npy files.

use super::{in_options, kernel, runtime};
use crate::{
    args::CallArgs,
    buffers::{self, Buffer, Outputs},
    failure::bad_input,
    npy,
    output::{self, Progress},
    trace,
};
use anyhow::Result;
use evener::{
    call::args::HostArg,
    prelude::{Call, Kernel, Report},
};
use serde::Serialize;
use std::path::PathBuf;

/// Options of `run`.
#[derive(clap::Args, Debug)]
pub struct Args {
    #[command(flatten)]
    call: CallArgs,
    /// Fail where `--on split=F` cannot be followed, instead of running whole
    #[arg(long)]
    strict: bool,
    /// Run N times, each from the original inputs, and report the run of median time
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    repeat: u32,
    /// Also run on the CPU with every access recorded, and fail on one outside the predicted footprint
    #[arg(long)]
    check_footprint: bool,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
    /// Write a trace of the run for Chrome's about:tracing or Perfetto
    #[arg(long, value_name = "FILE.json")]
    trace: Option<PathBuf>,
}

/// What `run --json` prints: the report of the median run, and all times.
#[derive(Serialize)]
struct Outcome<'a> {
    #[serde(flatten)]
    report: &'a Report,
    /// Runs made.
    repeats: u32,
    /// Time of each run in ns, in order.
    times_ns: &'a [f64],
    /// Whether `--check-footprint` ran, and held.
    #[serde(skip_serializing_if = "Option::is_none")]
    footprint: Option<&'static str>,
}

/// Runs a kernel.
///
/// # Errors
/// Invalid input (nothing was run or written), or a run that failed (nothing was written).
pub fn run(args: &Args) -> Result<()> {
    if args.call.extent.items.is_none() && args.call.extent.groups.is_none() {
        return Err(bad_input("how many invocations? Give --items N[,M[,L]] or --groups X[,Y[,Z]]"));
    }
    if let Some(file) = &args.trace {
        buffers::check_target(file)?;
    }
    let runtime = runtime(args.call.place.software_gpu)?;
    let kernel = kernel(&runtime, &args.call.kernel)?;
    let mut buffers = buffers::load(&args.call.buffers)?;
    if args.check_footprint {
        prepare(&kernel, &args.call, &mut buffers)?.check_footprint().map_err(in_options)?;
    }
    let reports = repeat(args, &kernel, &mut buffers)?;
    let times: Vec<f64> = reports.iter().map(|r| r.actual_ns).collect();
    let report = &reports[median(&times)];
    write(args, &buffers, report)?;
    if args.json {
        let footprint = args.check_footprint.then_some("held");
        return output::json(&Outcome { report, repeats: args.repeat, times_ns: &times, footprint });
    }
    output::say(&text(args, report, &times))
}

fn text(args: &Args, report: &Report, times: &[f64]) -> String {
    let mut text = report.explain().trim_end().to_owned();
    if args.repeat > 1 {
        let (least, most) = times.iter().fold((f64::INFINITY, 0f64), |(a, b), t| (a.min(*t), b.max(*t)));
        let (least, most) = (output::time(least), output::time(most));
        text.push_str(&format!("\n  {} runs: {least} to {most}; above is the median one", args.repeat));
    }
    if args.check_footprint {
        text.push_str("\n  footprint: every access was inside it");
    }
    text
}

/// The call that the options describe, without a placement.
pub(super) fn prepare<'a>(kernel: &'a Kernel, args: &'a CallArgs, buffers: &'a mut [Buffer]) -> Result<Call<'a>> {
    let mut call = kernel.call();
    for (name, value) in &args.buffers.set {
        call = call.set_text(name, value);
    }
    for buffer in buffers {
        let (kind, shape) = buffer.elements(kernel)?;
        let bytes = &mut buffer.array.bytes;
        let argument = match buffer.to {
            Some(_) => HostArg::from_bytes_mut(kind, &shape, bytes),
            None => HostArg::from_bytes(kind, &shape, bytes),
        };
        call = call.arg(&buffer.name, argument);
    }
    if let Some(items) = args.extent.items {
        call = call.items(items.0);
    }
    if let Some(groups) = args.extent.groups {
        call = call.groups(groups.0);
    }
    Ok(call)
}

/// Runs as often as asked, each time from the original inputs.
fn repeat(args: &Args, kernel: &Kernel, buffers: &mut [Buffer]) -> Result<Vec<Report>> {
    let written = |b: &Buffer| b.to.is_some() && args.repeat > 1;
    let originals: Vec<Option<Vec<u8>>> = buffers.iter().map(|b| written(b).then(|| b.array.bytes.clone())).collect();
    let progress = Progress::new(args.json || args.repeat == 1);
    let mut reports = Vec::new();
    for i in 0..args.repeat {
        progress.set("running", f64::from(i) / f64::from(args.repeat));
        for (buffer, original) in buffers.iter_mut().zip(&originals) {
            if let Some(original) = original.as_ref().filter(|_| i > 0) {
                buffer.array.bytes.copy_from_slice(original);
            }
        }
        let call = prepare(kernel, &args.call, buffers)?;
        reports.push(call.on(args.call.place.on).strict(args.strict).run().map_err(in_options)?);
    }
    Ok(reports)
}

/// Index of the (lower) median.
fn median(times: &[f64]) -> usize {
    let mut order: Vec<usize> = (0..times.len()).collect();
    order.sort_by(|a, b| times[*a].total_cmp(&times[*b]));
    order[(order.len() - 1) / 2]
}

fn write(args: &Args, buffers: &[Buffer], report: &Report) -> Result<()> {
    let mut outputs = Outputs::default();
    for buffer in buffers {
        if let Some(to) = &buffer.to {
            outputs.add(to, |mut w| npy::write(&mut w, &buffer.array))?;
        }
    }
    if let Some(file) = &args.trace {
        outputs.add(file, |w| Ok(serde_json::to_writer(w, &trace::chrome(report))?))?;
    }
    outputs.commit()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_run_is_one_that_happened() {
        assert_eq!(median(&[5.0]), 0);
        assert_eq!(median(&[9.0, 1.0, 5.0]), 2);
        assert_eq!(median(&[2.0, 1.0]), 1);
    }
}
