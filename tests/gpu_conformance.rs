//! The conformance programs, rewritten, on the software device: whole grids with the driver's bounds, halves in windows
//! of what each touches, and folded grids with naga's clamping bounds. By default every 16th program; `EVENER_CONFORMANCE_STEP=1` runs all.
#![cfg(feature = "gpu")]

mod rewrite_support;
mod support;

use evener::{
    backend::{
        Argument, Backend, MAX_PIECES, Transfer, Window,
        gpu::{GpuDevice, Job},
    },
    kernel::rewrite::{GpuModule, rewrite_for_windows},
};
use evener_lanes::{Grid, GroupRange, Module, analysis::Analysis, ir::Binding};
use rewrite_support::data::{base64, files, read, root};
use serde_json::Value;
use std::collections::{BTreeMap, HashSet};

/// Passed, wrong, rejected: programs; and what was wrong.
#[derive(Debug, Default)]
struct Tally {
    passed: usize,
    rejected: usize,
    skipped: usize,
    wrong: Vec<String>,
}

/// How a grid is dispatched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum How {
    Whole,
    Folded,
    Windowed,
}

#[test]
fn conformance_programs_are_right_whole_in_windows_and_folded_with_both_policies() {
    let (Some(plain), Some(clamping)) = (support::software_gpu(), support::clamping_gpu()) else { return };
    let step = std::env::var("EVENER_CONFORMANCE_STEP").ok().and_then(|s| s.parse().ok()).unwrap_or(16);
    let mut programs = Vec::new();
    for file in files() {
        let data = read(&file);
        let name = file.strip_prefix(root()).unwrap().display().to_string();
        let Some(list) = data["programs"].as_array() else { continue };
        programs.extend(list.iter().map(|p| (format!("{name} {}", p["name"]), p.clone())));
    }
    if programs.is_empty() {
        eprintln!("skipped: no conformance data in {}", root().display());
        return;
    }
    for (device, how) in [(&clamping, How::Folded), (&plain, How::Whole), (&plain, How::Windowed)] {
        let mut tally = Tally::default();
        for (id, (name, program)) in programs.iter().enumerate().step_by(step) {
            // naga's polyfill zeroes work-group memory by one store of the whole, which this driver compiles for minutes.
            if how == How::Folded && name.contains("zero_init") {
                tally.skipped += 1;
                continue;
            }
            match run(device, id as u64 + 1_000_000 * (1 + how as u64), program, how) {
                Outcome::Buffers(buffers) => match check(program, &buffers) {
                    Ok(()) => tally.passed += 1,
                    Err(what) => tally.wrong.push(format!("{name}: {what}")),
                },
                Outcome::Rejected(_) => tally.rejected += 1,
                Outcome::Skipped => tally.skipped += 1,
                Outcome::Failed(e) => tally.wrong.push(format!("{name}: {e}")),
            }
        }
        eprintln!("{how:?}: {tally:#?}");
        assert!(tally.passed > 0);
        assert!(tally.wrong.is_empty(), "{how:?}: {:#?}", tally.wrong);
    }
}

enum Outcome {
    Buffers(Vec<Vec<u8>>),
    Rejected(#[allow(dead_code, reason = "for a debugger")] String),
    Skipped,
    Failed(String),
}

fn run(device: &GpuDevice, id: u64, program: &Value, how: How) -> Outcome {
    let mut buffers: Vec<Vec<u8>> = program["buffers"].as_array().unwrap().iter().map(buffer).collect();
    for (step, op) in program["ops"].as_array().unwrap().iter().enumerate() {
        let source = program["wgsl"][op["wgsl"].as_u64().unwrap() as usize].as_str().unwrap();
        let constants: BTreeMap<String, f64> = match &op["constants"] {
            Value::Object(map) => map.iter().filter_map(|(k, v)| Some((k.clone(), v.as_f64()?))).collect(),
            _ => BTreeMap::new(),
        };
        let module = match Module::parse(source).and_then(|m| m.specialize(&constants)) {
            Ok(module) => module,
            Err(e) => return Outcome::Rejected(e.to_string()),
        };
        let Some(entry) = op["entry"].as_str().or(module.entries().next()) else { return Outcome::Skipped };
        let kernel = module.lower(entry).ok();
        let analysis = kernel.as_ref().filter(|_| how == How::Windowed).map(Analysis::new);
        if how == How::Windowed && analysis.is_none() {
            return Outcome::Skipped;
        }
        let bindings =
            kernel.map_or_else(|| rewrite_support::bindings(module.naga(), module.info(), entry), |k| k.bindings);
        let pieces = if how == How::Windowed { MAX_PIECES } else { 0 };
        let gpu = match rewrite_for_windows(module.naga(), module.info(), entry, &bindings, pieces) {
            Ok(gpu) => gpu,
            Err(e) => return Outcome::Failed(e),
        };
        let Some(arguments) = arguments(&mut buffers, &bindings, op) else { return Outcome::Skipped };
        let groups = groups(&buffers, op);
        let shader = Rewritten { kernel: id * 16 + step as u64, gpu, bindings };
        let ran = match &analysis {
            None => shader.whole(device, &arguments, Grid { groups }, how == How::Folded),
            Some(analysis) => shader.in_windows(device, &arguments, Grid { groups }, analysis),
        };
        if let Err(e) = ran {
            return Outcome::Failed(e);
        }
    }
    Outcome::Buffers(buffers)
}

/// The work-groups of a dispatch, given or read from a buffer.
fn groups(buffers: &[Vec<u8>], op: &Value) -> [u32; 3] {
    let from = &op["indirect"];
    std::array::from_fn(|a| match (from["buffer"].as_u64(), from["offset"].as_u64()) {
        (Some(buffer), Some(offset)) => {
            let at = offset as usize + 4 * a;
            u32::from_le_bytes(buffers[buffer as usize][at..at + 4].try_into().unwrap())
        }
        _ => op["workgroups"][a].as_u64().unwrap_or(1) as u32,
    })
}

fn buffer(buffer: &Value) -> Vec<u8> {
    let mut bytes = buffer["data"].as_str().map(base64).unwrap_or_default();
    bytes.resize(buffer["size"].as_u64().unwrap() as usize, 0);
    bytes
}

/// The bound parts of the buffers in the order of the bindings; `None` where one buffer is bound twice.
fn arguments(buffers: &mut [Vec<u8>], bindings: &[Binding], op: &Value) -> Option<Vec<Argument>> {
    let mut seen = HashSet::new();
    let bound = op["bindings"].as_array().unwrap();
    let one = |b: &Binding| {
        let at = |v: &Value| (v["group"].as_u64().unwrap_or(0), v["binding"].as_u64().unwrap_or(0));
        let value = bound.iter().find(|v| at(v) == (b.group.into(), b.binding.into()))?;
        let index = value["buffer"].as_u64().unwrap() as usize;
        let offset = value["offset"].as_u64().unwrap_or(0) as usize;
        let end = value["size"].as_u64().map_or(buffers[index].len(), |s| offset + s as usize);
        seen.insert(index).then(|| support::argument(&mut buffers[index][offset..end]))
    };
    bindings.iter().map(one).collect()
}

/// A program's module for GPUs.
struct Rewritten {
    kernel: u64,
    gpu: GpuModule,
    bindings: Vec<Binding>,
}

impl Rewritten {
    /// Runs the whole grid, folded or as it is.
    fn whole(&self, device: &GpuDevice, arguments: &[Argument], grid: Grid, fold: bool) -> Result<(), String> {
        let range = GroupRange::all(grid);
        let folded = (range.count() as f64).cbrt().ceil() as u32;
        let limit = if fold { folded } else { device.info().limits.groups_per_axis };
        let written = self.bindings.iter().map(|b| b.access.write || b.access.atomic);
        let transfers: Vec<_> =
            written.zip(arguments).map(|(written, a)| support::whole(a.byte_len() as usize, written)).collect();
        self.run(device, arguments, &transfers, (grid, range), limit)
    }

    /// Runs half after half of the longest axis, each in windows.
    fn in_windows(
        &self,
        device: &GpuDevice,
        arguments: &[Argument],
        grid: Grid,
        analysis: &Analysis,
    ) -> Result<(), String> {
        let axis = (0..3).max_by_key(|&a| grid.groups[a]).unwrap_or(0);
        let (front, back) = GroupRange::all(grid).split_at(axis, grid.groups[axis].div_ceil(2));
        let limit = device.info().limits.groups_per_axis;
        for range in [front, back].into_iter().filter(|r| !r.is_empty()) {
            let transfers = support::in_windows(analysis, &self.bindings, grid, arguments, &range);
            self.run(device, arguments, &transfers, (grid, range), limit)?;
        }
        Ok(())
    }

    fn run(
        &self,
        device: &GpuDevice,
        arguments: &[Argument],
        transfers: &[Transfer],
        (grid, range): (Grid, GroupRange),
        limit: u32,
    ) -> Result<(), String> {
        let lengths: Vec<u64> = arguments.iter().map(Argument::byte_len).collect();
        let windows: Vec<Option<&Window>> = transfers.iter().map(|t| t.window.as_ref()).collect();
        let dispatch = self.gpu.dispatch_in(grid, &range, &lengths, &windows, limit).map_err(|e| e.to_string())?;
        let job = Job {
            kernel: self.kernel,
            shader: (&self.gpu).into(),
            bindings: &self.bindings,
            dispatch,
            arguments,
            transfers,
            carry: None,
            repeat: None,
            counted: None,
            alone: false,
        };
        let started = device.start_job(&job).map_err(|e| format!("start: {e}"))?;
        started.finish().map_err(|e| format!("finish: {e}"))?;
        Ok(())
    }
}

fn check(program: &Value, buffers: &[Vec<u8>]) -> Result<(), String> {
    for check in program["checks"].as_array().unwrap() {
        let bytes = &buffers[check["buffer"].as_u64().unwrap() as usize];
        let bytes = &bytes[check["offset"].as_u64().unwrap_or(0) as usize..];
        let expected = match check["kind"].as_str().unwrap() {
            "bytes" => base64(check["expect"].as_str().unwrap()),
            "golden" => base64(check["observed"].as_str().unwrap()),
            "words" => {
                let words = check["expect"].as_array().unwrap();
                let wrong = words
                    .iter()
                    .enumerate()
                    .find(|(i, w)| w.as_i64().is_some_and(|w| bytes[4 * i..4 * i + 4] != (w as u32).to_le_bytes()));
                match wrong {
                    None => continue,
                    Some((i, w)) => return Err(format!("word {i} is {:?}, not {w}", &bytes[4 * i..4 * i + 4])),
                }
            }
            _ => {
                check_cases(check, bytes)?;
                continue;
            }
        };
        if let Some(i) = (0..expected.len()).find(|&i| bytes.get(i) != Some(&expected[i])) {
            return Err(format!("byte {i} is {:?}, not {}", bytes.get(i), expected[i]));
        }
    }
    Ok(())
}

fn check_cases(check: &Value, bytes: &[u8]) -> Result<(), String> {
    let stride = check["stride"].as_u64().unwrap() as usize;
    let ty = check["type"].as_str().unwrap();
    for (i, case) in check["cases"].as_array().unwrap().iter().enumerate() {
        let value = &bytes[i * stride..(i + 1) * stride];
        if !accepts(&case["ok"], value, ty) {
            return Err(format!("case {i} of {}: {value:?} is not in {}", case["in"], case["ok"]));
        }
    }
    Ok(())
}

/// Whether the value at the start of `bytes` is allowed.
fn accepts(ok: &Value, bytes: &[u8], ty: &str) -> bool {
    match ok {
        Value::String(any) => any == "any",
        Value::Array(parts) => {
            let nested = parts.iter().any(Value::is_array);
            let width = if nested { bytes.len() / parts.len() } else { 4 };
            parts.iter().enumerate().all(|(i, part)| accepts(part, &bytes[i * width..(i + 1) * width], ty))
        }
        Value::Object(map) => {
            if let Some(options) = map.get("any_of") {
                return options.as_array().unwrap().iter().any(|o| accepts(o, bytes, ty));
            }
            let value = number(bytes[..4].try_into().unwrap(), ty);
            match map.get("i") {
                Some(range) => (bound(&range[0])..=bound(&range[1])).contains(&value),
                None => value == bound(&map["v"]) || (value.is_nan() && bound(&map["v"]).is_nan()),
            }
        }
        _ => false,
    }
}

fn number(word: [u8; 4], ty: &str) -> f64 {
    match ty {
        _ if ty.contains("f32") || ty.starts_with("mat") => f32::from_le_bytes(word).into(),
        _ if ty.contains("i32") => i32::from_le_bytes(word).into(),
        _ => u32::from_le_bytes(word).into(),
    }
}

fn bound(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| value.as_str().and_then(|s| s.parse().ok()).unwrap_or(f64::NAN))
}
