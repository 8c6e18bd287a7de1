//! Random integer programs on the software device, rewritten, against the CPU interpreter: whole grids with the
//! driver's bounds, halves with naga's clamping ones, quarters in windows of what each touches.
#![cfg(feature = "gpu")]

#[path = "../crates/lanes/tests/differential/ast.rs"]
mod ast;
#[path = "../crates/lanes/tests/differential/generate/mod.rs"]
#[allow(dead_code, reason = "shared with tests that use more of it")]
mod generate;
#[path = "../crates/lanes/tests/differential/layout.rs"]
mod layout;
#[path = "../crates/lanes/tests/differential/rng.rs"]
mod rng;
mod support;

use evener::{
    backend::{
        Argument, Backend, MAX_PIECES, Window,
        gpu::{GpuDevice, Job},
    },
    kernel::rewrite::{GpuModule, rewrite_for_windows},
};
use evener_lanes::{Buffer, Engine, Grid, GroupRange, Level, Module, Settings, analysis::Analysis, ir::Kernel};
use generate::{Options, generate};
use std::collections::BTreeMap;

/// Programs: a pipeline takes the software device tens of milliseconds.
const PROGRAMS: u64 = 40;

/// A program, lowered and rewritten, with its buffers in the order of the bindings.
struct Prepared {
    kernel: Kernel,
    gpu: GpuModule,
    windowed: GpuModule,
    analysis: Analysis,
    grid: Grid,
    contents: Vec<Vec<u8>>,
}

fn prepare(program: &ast::Program) -> Prepared {
    let source = program.source();
    let overrides: BTreeMap<String, f64> =
        program.overrides.iter().filter_map(|(name, value)| Some((name.clone(), (*value)?))).collect();
    let module =
        Module::parse(&source).and_then(|m| m.specialize(&overrides)).unwrap_or_else(|e| panic!("{e}\n{source}"));
    let kernel = module.lower("main").unwrap_or_else(|e| panic!("{e}\n{source}"));
    let rewritten = |pieces| {
        rewrite_for_windows(module.naga(), module.info(), "main", &kernel.bindings, pieces)
            .unwrap_or_else(|e| panic!("{e}\n{source}"))
    };
    let (gpu, windowed, analysis) = (rewritten(0), rewritten(MAX_PIECES), Analysis::new(&kernel));
    let contents = |binding: u32| {
        let buffer = program.buffers.iter().find(|b| b.binding == binding).expect("a declared buffer");
        layout::contents(buffer)
    };
    let contents = kernel.bindings.iter().map(|b| contents(b.binding)).collect();
    Prepared { kernel, gpu, windowed, analysis, grid: Grid { groups: program.groups }, contents }
}

impl Prepared {
    fn on_cpu(&self) -> Vec<Vec<u8>> {
        let mut results = self.contents.clone();
        let settings = Settings::default().engine(Engine::Interpreter(Level::Baseline)).contract(false);
        let program = evener_lanes::Program::with(self.kernel.clone(), &settings).expect("compiles");
        let buffers: Vec<Buffer<'_>> = results.iter_mut().map(|b| Buffer::write(b)).collect();
        program.run(&buffers, self.grid, GroupRange::all(self.grid)).expect("runs");
        results
    }

    fn on_gpu(
        &self,
        device: &GpuDevice,
        id: u64,
        ranges: &[GroupRange],
        windows: bool,
    ) -> Result<Vec<Vec<u8>>, String> {
        let mut results = self.contents.clone();
        let arguments: Vec<Argument> = results.iter_mut().map(|b| support::argument(b)).collect();
        let lengths: Vec<u64> = arguments.iter().map(|a| a.byte_len()).collect();
        let bindings = self.kernel.bindings.as_slice();
        let written = bindings.iter().map(|b| b.access.write || b.access.atomic);
        let transfers: Vec<_> =
            written.zip(&lengths).map(|(written, &n)| support::whole(n as usize, written)).collect();
        for range in ranges.iter().filter(|r| !r.is_empty()) {
            let limit = device.info().limits.groups_per_axis;
            let moved = match windows {
                true => support::in_windows(&self.analysis, bindings, self.grid, &arguments, range),
                false => transfers.clone(),
            };
            let bound: Vec<Option<&Window>> = moved.iter().map(|t| t.window.as_ref()).collect();
            let module = if windows { &self.windowed } else { &self.gpu };
            let dispatch = module.dispatch_in(self.grid, range, &lengths, &bound, limit).map_err(|e| e.to_string())?;
            let job = Job {
                kernel: id,
                shader: module.into(),
                bindings,
                dispatch,
                arguments: &arguments,
                transfers: &moved,
                carry: None,
                repeat: None,
                counted: None,
                alone: true,
            };
            device.start_job(&job).map_err(|e| e.to_string())?.finish().map_err(|e| e.to_string())?;
        }
        drop(arguments);
        Ok(results)
    }
}

#[test]
fn random_integer_programs_are_the_same_on_the_software_device() {
    let (Some(plain), Some(clamping)) = (support::software_gpu(), support::clamping_gpu()) else { return };
    let options = Options { size: 12, invocations: 64, portable: true };
    let mut wrong = Vec::new();
    for seed in 1..=PROGRAMS {
        let program = generate(seed, options);
        let prepared = prepare(&program);
        let expected = prepared.on_cpu();
        let all = GroupRange::all(prepared.grid);
        let axis = (0..3).max_by_key(|a| prepared.grid.groups[*a]).unwrap_or(0);
        let (front, back) = all.split_at(axis, prepared.grid.groups[axis].div_ceil(2));
        let quarters: Vec<GroupRange> = [front, back]
            .iter()
            .flat_map(|r| {
                let (a, b) = r.split_at(axis, r.start[axis].midpoint(r.end[axis]));
                [a, b]
            })
            .collect();
        let runs = [
            (&plain, vec![all], false, "whole"),
            (&clamping, vec![front, back], false, "in halves, clamping"),
            (&plain, quarters.clone(), true, "in windows"),
            (&clamping, quarters, true, "in windows, clamping"),
        ];
        for (i, (device, ranges, windows, how)) in runs.into_iter().enumerate() {
            match prepared.on_gpu(device, 4 * seed + i as u64, &ranges, windows) {
                Ok(results) if results == expected => {}
                Ok(_) => wrong.push(format!("seed {seed} differs, {how}:\n{}", program.source())),
                Err(why) => wrong.push(format!("seed {seed} fails, {how}: {why}\n{}", program.source())),
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {} runs: {}", wrong.len(), 4 * PROGRAMS, wrong.join("\n"));
}
