//! Every program of the conformance data, rewritten and written by every back end.

mod rewrite_support;

use rewrite_support::data::{files, read, root};
use serde_json::Value;
use std::collections::BTreeMap;

/// What became of the sources.
#[derive(Debug, Default)]
struct Tally {
    rejected: usize,
    rewritten: usize,
    /// By reason: how often, and one program.
    refused: BTreeMap<String, (usize, String)>,
    unwritten: BTreeMap<String, (usize, String)>,
}

#[test]
fn every_conformance_program_is_rewritten() {
    let found = files();
    if found.is_empty() {
        eprintln!("skipped: no conformance data in {}", root().display());
        return;
    }
    // Writers of naga panic on some programs, with or without the rewrite: the list is at the end.
    std::panic::set_hook(Box::new(|_| {}));
    let mut tally = Tally::default();
    for file in &found {
        let data = read(file);
        for program in data["programs"].as_array().into_iter().flatten() {
            let name = format!("{} {}", file.strip_prefix(root()).unwrap().display(), program["name"]);
            for source in program["wgsl"].as_array().into_iter().flatten().filter_map(Value::as_str) {
                one(source, &name, &mut tally);
            }
        }
    }
    let _ = std::panic::take_hook();
    eprintln!("{tally:#?}");
    assert!(tally.rewritten > 1000, "too few programs: {tally:#?}");
    assert!(tally.refused.is_empty(), "{:#?}", tally.refused);
}

/// Every other source is rewritten for windows.
fn one(source: &str, name: &str, tally: &mut Tally) {
    let pieces = [0, 2][(tally.rewritten + tally.rejected) % 2];
    if rewrite_support::parse(source).is_err() {
        tally.rejected += 1;
        return;
    }
    let count = |map: &mut BTreeMap<String, (usize, String)>, reason: String| {
        map.entry(reason).or_insert_with(|| (0, name.to_owned())).0 += 1;
    };
    match std::panic::catch_unwind(|| rewrite_support::rewrite_as_lowered(source, pieces)) {
        Ok(Ok(modules)) => {
            tally.rewritten += 1;
            for failure in modules.iter().flat_map(rewrite_support::write_everywhere) {
                count(&mut tally.unwritten, failure.chars().take(120).collect());
            }
        }
        Ok(Err(reason)) => count(&mut tally.refused, reason),
        Err(_) => count(&mut tally.refused, "panicked".into()),
    }
}
