//! Runs the conformance programs on a plain evaluator of the lane IR: the front end keeps the language's meaning.

mod conformance;
mod lockstep;

use conformance::{Program, base64};
use serde_json::Value as Json;

#[derive(Default, Debug)]
struct Counts {
    passed: usize,
    rejected: usize,
    wrong: usize,
}

#[test]
fn lowered_programs_compute_what_wgsl_says() {
    let mut counts = Counts::default();
    let mut wrong = Vec::new();
    let seen = conformance::each_program(|file, program| match run(program) {
        Ok(true) => counts.passed += 1,
        Ok(false) => counts.rejected += 1,
        Err(what) => {
            counts.wrong += 1;
            wrong.push(format!("{file} {}: {what}", program.json["params"]));
        }
    });
    if !seen {
        println!("skipped: the conformance data is not there");
        return;
    }
    println!("{counts:?}");
    wrong.iter().for_each(|w| println!("{w}"));
    assert!(counts.passed > 1000);
    assert!(wrong.is_empty());
}

/// Whether the program was accepted; an error says which check failed.
fn run(program: &Program) -> Result<bool, String> {
    let mut buffers: Vec<Vec<u8>> = program.buffers();
    for op in program.dispatches() {
        let Ok(kernel) = program.lower(op) else { return Ok(false) };
        let groups = program.groups(op, &buffers);
        let mut slots = Vec::new();
        for binding in &kernel.bindings {
            let bound = op["bindings"]
                .as_array()
                .and_then(|list| list.iter().find(|b| b["group"] == binding.group && b["binding"] == binding.binding));
            let bound = bound.ok_or_else(|| format!("no buffer for {}", binding.name))?;
            let index = bound["buffer"].as_u64().unwrap_or(0) as usize;
            let start = bound["offset"].as_u64().unwrap_or(0) as usize;
            let end = bound["size"].as_u64().map_or(buffers[index].len(), |n| start + n as usize);
            slots.push((index, start, end));
        }
        let mut bytes: Vec<Vec<u8>> = slots.iter().map(|&(i, a, b)| buffers[i][a..b].to_vec()).collect();
        lockstep::run(&kernel, &mut bytes, groups)?;
        for ((&(i, a, b), bytes), binding) in slots.iter().zip(bytes).zip(&kernel.bindings) {
            if binding.access.write || binding.access.atomic {
                buffers[i][a..b].copy_from_slice(&bytes);
            }
        }
    }
    for check in program.json["checks"].as_array().into_iter().flatten() {
        conformance::check(check, &buffers[check["buffer"].as_u64().unwrap_or(0) as usize])?;
    }
    Ok(true)
}

#[test]
fn base64_decodes() {
    assert_eq!(base64(&Json::from("AQIDBA==")), [1, 2, 3, 4]);
}
