//! Lowers every program of the conformance data: what naga accepts must lower and verify.

mod conformance;

use evener_lanes::{ErrorKind, ir::verify::verify};
use std::collections::BTreeMap;

#[derive(Default, Debug)]
struct Counts {
    lowered: usize,
    rejected: usize,
    unsupported: usize,
}

#[test]
fn every_program_that_naga_accepts_lowers() {
    let mut counts = Counts::default();
    let mut failures: BTreeMap<String, usize> = BTreeMap::new();
    let seen = conformance::each_program(|file, program| {
        for op in program.dispatches() {
            let outcome = program.lower(op);
            let failure = match &outcome {
                Ok(kernel) => {
                    counts.lowered += 1;
                    verify(kernel).err().map(|e| format!("{e}\n{kernel}"))
                }
                Err(e) if e.kind() == ErrorKind::InvalidWgsl => {
                    counts.rejected += 1;
                    let ours = e.message().contains("front end failed") || e.message().contains("inconsistent");
                    ours.then(|| e.to_string())
                }
                Err(e) => {
                    counts.unsupported += 1;
                    Some(e.to_string())
                }
            };
            failure.into_iter().for_each(|f| *failures.entry(format!("{file}: {f}")).or_default() += 1);
        }
    });
    if !seen {
        println!("skipped: the conformance data is not there");
        return;
    }
    println!("{counts:?}");
    failures.iter().for_each(|(what, n)| println!("{n} x {what}"));
    assert!(counts.lowered > 1000);
    assert!(failures.is_empty());
}
