//! `evener conformance DIR`: runs the WGSL programs of a folder and judges what they leave in their buffers.
//!
//! A program that is refused with an error of its input counts as *rejected*; one that gives a wrong value,
//! fails otherwise or panics as *wrong*.

use super::runtime;
use crate::{
    args::PlaceArgs,
    buffers::raw_elements,
    failure::{BadInput, bad_input},
    output::{self, Progress},
};
use anyhow::Result;
use evener::{
    call::args::HostArg,
    prelude::{Kernel, KernelOptions, Runtime},
};
use serde::Serialize;
use std::{
    collections::HashMap,
    panic::{AssertUnwindSafe, catch_unwind},
    path::PathBuf,
};

mod data;
mod judge;

/// Options of `conformance`.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// Folder with MANIFEST.json
    dir: PathBuf,
    #[command(flatten)]
    place: PlaceArgs,
    /// Only programs whose `spec name` contains this text
    #[arg(long, value_name = "TEXT")]
    only: Option<String>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// What `--json` prints.
#[derive(Debug, Default, Serialize)]
struct Score {
    passed: u64,
    wrong: u64,
    rejected: u64,
    failures: Vec<Failure>,
    rejections: Vec<Failure>,
}

/// A program that did not pass.
#[derive(Debug, Serialize)]
struct Failure {
    spec: String,
    program: String,
    params: serde_json::Value,
    why: String,
}

/// How one program failed.
enum Fault {
    /// Refused as invalid or unsupported input.
    Rejected(String),
    /// Everything else.
    Wrong(String),
}

/// Runs the programs.
///
/// # Errors
/// A folder that holds no conformance data; wrong results (exit code 1).
pub fn run(args: &Args) -> Result<()> {
    let runtime = runtime(args.place.software_gpu)?;
    let manifest = data::manifest(&args.dir).map_err(|e| bad_input(format!("{e:#}")))?;
    let progress = Progress::new(args.json);
    let mut score = Score::default();
    for (i, entry) in manifest.iter().enumerate() {
        progress.set(&entry.file, i as f64 / manifest.len() as f64);
        let spec = data::spec(&args.dir, entry).map_err(|e| BadInput(format!("{e:#}")))?;
        for program in &spec.programs {
            let wanted = |text: &String| format!("{} {}", spec.spec, program.name).contains(text.as_str());
            if args.only.as_ref().is_none_or(wanted) {
                score.add(&spec.spec, program, attempt(&runtime, args, program));
            }
        }
    }
    drop(progress);
    if score.passed + score.wrong + score.rejected == 0 {
        return Err(bad_input("no program was found"));
    }
    if args.json {
        output::json(&score)?
    } else {
        output::say(&score.text())?
    }
    match score.wrong {
        0 => Ok(()),
        n => Err(anyhow::anyhow!("{n} programs gave wrong results")),
    }
}

impl Score {
    fn add(&mut self, spec: &str, program: &data::Program, result: Result<(), Fault>) {
        let failure =
            |why| Failure { spec: spec.into(), program: program.name.clone(), params: program.params.clone(), why };
        match result {
            Ok(()) => self.passed += 1,
            Err(Fault::Wrong(why)) => {
                self.wrong += 1;
                self.failures.push(failure(why));
            }
            Err(Fault::Rejected(why)) => {
                self.rejected += 1;
                self.rejections.push(failure(why));
            }
        }
    }

    fn text(&self) -> String {
        let mut reasons: HashMap<&str, u64> = HashMap::new();
        for r in &self.rejections {
            *reasons.entry(r.why.lines().next().unwrap_or_default()).or_default() += 1;
        }
        let mut reasons: Vec<(&str, u64)> = reasons.into_iter().collect();
        reasons.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(b.0)));
        let mut text = String::new();
        for f in self.failures.iter().take(50) {
            text.push_str(&format!("wrong: {} {} {}: {}\n", f.spec, f.program, f.params, f.why));
        }
        for (why, count) in reasons.iter().take(20) {
            text.push_str(&format!("rejected {count} times: {why}\n"));
        }
        text + &format!("{} passed, {} wrong, {} rejected", self.passed, self.wrong, self.rejected)
    }
}

fn attempt(runtime: &Runtime, args: &Args, program: &data::Program) -> Result<(), Fault> {
    let run = catch_unwind(AssertUnwindSafe(|| execute(runtime, args, program)));
    let buffers = run.unwrap_or_else(|_| Err(Fault::Wrong("it panicked".into())))?;
    judge::judge(&program.checks, &buffers).map_err(Fault::Wrong)
}

impl From<evener::Error> for Fault {
    fn from(e: evener::Error) -> Self {
        if e.is_invalid_input() { Fault::Rejected(e.to_string()) } else { Fault::Wrong(e.to_string()) }
    }
}

fn malformed(what: &str) -> Fault {
    Fault::Wrong(format!("malformed data: {what}"))
}

/// Runs a program's operations over fresh buffers and gives what is in them afterwards.
fn execute(runtime: &Runtime, args: &Args, program: &data::Program) -> Result<Vec<Vec<u8>>, Fault> {
    let fresh = |b: &data::Initial| {
        let mut bytes = b.data.as_ref().map(|d| d.0.clone()).unwrap_or_default();
        (b.size <= 1 << 30).then(|| {
            bytes.resize(b.size as usize, 0);
            bytes
        })
    };
    let mut buffers: Vec<Vec<u8>> =
        program.buffers.iter().map(fresh).collect::<Option<_>>().ok_or_else(|| malformed("a huge buffer"))?;
    for op in &program.ops {
        match op {
            data::Op::Dispatch(d) => dispatch(runtime, args, program, d, &mut buffers)?,
            data::Op::Write { buffer, offset, data } => {
                slice(&mut buffers, *buffer, *offset, Some(data.0.len() as u64))?.copy_from_slice(&data.0);
            }
            data::Op::Clear { buffer, offset, size } => {
                slice(&mut buffers, *buffer, offset.unwrap_or(0), *size)?.fill(0);
            }
            data::Op::Copy { .. } => return Err(malformed("an operation `copy`, which no published data has")),
        }
    }
    Ok(buffers)
}

fn slice(buffers: &mut [Vec<u8>], index: usize, offset: u64, size: Option<u64>) -> Result<&mut [u8], Fault> {
    let whole = buffers.get_mut(index).ok_or_else(|| malformed("a buffer that is not there"))?;
    let end = size.map_or(Some(whole.len() as u64), |s| offset.checked_add(s));
    let range = usize::try_from(offset).ok().zip(end.and_then(|e| usize::try_from(e).ok()));
    range.and_then(|(a, b)| whole.get_mut(a..b)).ok_or_else(|| malformed("a range outside its buffer"))
}

fn dispatch(
    runtime: &Runtime,
    args: &Args,
    program: &data::Program,
    d: &data::Dispatch,
    buffers: &mut [Vec<u8>],
) -> Result<(), Fault> {
    let source = program.wgsl.get(d.wgsl).ok_or_else(|| malformed("a source that is not there"))?;
    let options = KernelOptions { entry: d.entry.clone(), overrides: d.constants.clone() };
    let kernel = runtime.kernel_with(source.as_str(), &options)?;
    let groups = match (&d.workgroups, &d.indirect) {
        (Some(groups), _) => *groups,
        (None, Some(at)) => {
            let bytes = slice(buffers, at.buffer, at.offset, Some(12))?;
            std::array::from_fn(|i| {
                u32::from_le_bytes([bytes[4 * i], bytes[4 * i + 1], bytes[4 * i + 2], bytes[4 * i + 3]])
            })
        }
        (None, None) => return Err(malformed("a dispatch without a size")),
    };
    if groups.contains(&0) {
        return Ok(()); // WebGPU allows it and runs nothing.
    }
    call(args, &kernel, d, groups, buffers)
}

/// WebGPU lets a binding have bytes that its type cannot reach; evener takes whole elements.
fn usable(binding: &evener_lanes::ir::Binding, bytes: usize) -> usize {
    let fixed = binding.fixed_bytes as usize;
    match binding.runtime_stride {
        Some(stride) if bytes >= fixed => bytes - (bytes - fixed) % stride.max(1) as usize,
        Some(_) => bytes,
        None => bytes.min(fixed),
    }
}

/// Runs on copies of the bound ranges: bindings may be views of one buffer. What is written goes back.
fn call(
    args: &Args,
    kernel: &Kernel,
    d: &data::Dispatch,
    groups: [u32; 3],
    buffers: &mut [Vec<u8>],
) -> Result<(), Fault> {
    let mut bound = Vec::new();
    for parameter in &kernel.reflection().parameters {
        let p = &parameter.binding;
        let binding = d.bindings.iter().find(|b| b.group == p.group && b.binding == p.binding);
        let binding = binding.ok_or_else(|| malformed("a binding that the dispatch does not set"))?;
        let mut bytes = slice(buffers, binding.buffer, binding.offset, binding.size)?.to_vec();
        bytes.truncate(usable(p, bytes.len()));
        let elements = raw_elements(parameter, bytes.len());
        bound.push((binding, p.access.write || p.access.atomic, elements, bytes));
    }
    let mut call = kernel.call().groups(groups).on(args.place.on);
    for (binding, written, (kind, shape), bytes) in &mut bound {
        let name = (binding.group, binding.binding);
        let argument = match *written {
            true => HostArg::from_bytes_mut(*kind, shape, bytes),
            false => HostArg::from_bytes(*kind, shape, bytes),
        };
        call = call.arg(name, argument);
    }
    call.run()?;
    for (binding, written, _, bytes) in &bound {
        if *written {
            slice(buffers, binding.buffer, binding.offset, Some(bytes.len() as u64))?.copy_from_slice(bytes);
        }
    }
    Ok(())
}
