//! Runs every program of the conformance data on the interpreter and on machine code.

mod conformance;
mod engines;

use evener_lanes::{Buffer, Engine, Grid, GroupRange, Program, Settings};
use serde_json::Value as Json;

/// Runs a program; `None` if naga rejects it, else what is wrong.
fn run(program: &conformance::Program, engine: Engine, native: &mut usize) -> Option<Result<(), String>> {
    let mut buffers = program.buffers();
    for op in program.json["ops"].as_array().expect("ops") {
        match op["op"].as_str().unwrap_or_default() {
            "dispatch" => {
                let kernel = program.lower(op).ok()?;
                let grid = Grid { groups: program.groups(op, &buffers) };
                let ran = dispatch(kernel, op, &mut buffers, grid, engine, native);
                if let Err(e) = ran {
                    return Some(Err(e));
                }
            }
            _ => conformance::other(op, &mut buffers),
        }
    }
    let checks = program.json["checks"].as_array().expect("checks");
    let wrong = checks.iter().find_map(|c| {
        let buffer = c["buffer"].as_u64().unwrap_or(0) as usize;
        conformance::check(c, &buffers[buffer]).err()
    });
    Some(wrong.map_or(Ok(()), Err))
}

fn dispatch(
    kernel: evener_lanes::ir::Kernel,
    op: &Json,
    buffers: &mut [Vec<u8>],
    grid: Grid,
    engine: Engine,
    native: &mut usize,
) -> Result<(), String> {
    let bindings = op["bindings"].as_array().expect("bindings");
    let ranges: Vec<(usize, usize, usize)> = kernel
        .bindings
        .iter()
        .map(|b| {
            let at = |k: &Json, name: &str| k[name].as_u64().unwrap_or(0) as u32;
            let found = bindings.iter().find(|k| at(k, "group") == b.group && at(k, "binding") == b.binding);
            let found = found.expect("a binding of the program");
            let i = found["buffer"].as_u64().expect("a buffer") as usize;
            let offset = found["offset"].as_u64().unwrap_or(0) as usize;
            let size = found["size"].as_u64().map_or(buffers[i].len() - offset, |s| s as usize);
            (i, offset, size)
        })
        .collect();
    let bound: Vec<Buffer<'_>> = ranges
        .iter()
        .map(|(i, offset, size)| {
            let bytes = &mut buffers[*i][*offset..*offset + *size];
            // SAFETY: the buffers outlive the run, and nothing else uses them meanwhile.
            unsafe { Buffer::from_raw(bytes.as_mut_ptr(), *size as u64, true) }
        })
        .collect();
    let settings = Settings::default().engine(engine);
    let program = Program::with(kernel, &settings).map_err(|e| e.to_string())?;
    *native += usize::from(program.is_native());
    if let (Engine::Jit(_), Some(why)) = (engine, program.fallback()) {
        println!("interpreted: {why}");
    }
    program.run(&bound, grid, GroupRange::all(grid)).map_err(|e| e.to_string())
}

#[test]
fn every_program_is_right_on_every_engine() {
    for engine in engines::best_engines() {
        let (mut passed, mut rejected, mut native) = (0, 0, 0);
        let mut wrong = Vec::new();
        let seen = conformance::each_program(|file, program| match run(program, engine, &mut native) {
            None => rejected += 1,
            Some(Ok(())) => passed += 1,
            Some(Err(why)) => wrong.push(format!("{file} {}: {why}", program.json["name"])),
        });
        if !seen {
            println!("skipped: the conformance data is not there");
            return;
        }
        println!("{engine:?}: {passed} passed, {} wrong, {rejected} rejected, {native} dispatches native", wrong.len());
        wrong.iter().take(40).for_each(|w| println!("{}", w.chars().take(300).collect::<String>()));
        assert!(wrong.is_empty());
    }
}
