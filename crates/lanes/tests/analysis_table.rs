//! The table of what splits: each kernel's axis or the reason against, its footprint against its true accesses, the
//! chunks of random cuts against each other, and what need not be uploaded.

mod analysis_support;
#[path = "../../../tests/split_table/mod.rs"]
mod split_table;

use analysis_support::{Case as Checked, words};
use evener_lanes::{Module, analysis::Split, ir::Space, run::GroupRange};
use split_table::{Case, Expect, cases};
use std::panic::{AssertUnwindSafe, catch_unwind};

fn checked(case: &Case) -> Checked {
    let wgsl = case.wgsl();
    let module = Module::parse(&wgsl).unwrap_or_else(|e| panic!("{e}\n{wgsl}"));
    let kernel = module.lower("main").unwrap_or_else(|e| panic!("{e}\n{wgsl}"));
    let mut uniforms: Vec<u32> = case.uniforms.iter().map(|u| u.1).collect();
    uniforms.resize(uniforms.len().next_multiple_of(4), 0);
    let buffers = (kernel.bindings.iter())
        .map(|b| match case.buffers.iter().find(|d| d.name == b.name) {
            Some(data) => words(&data.before),
            None => words(&uniforms)[..b.fixed_bytes as usize].to_vec(),
        })
        .collect();
    Checked { kernel, groups: case.groups, buffers }
}

/// What the analysis says differently from the table.
fn disagreement(case: &Case, checked: &Checked) -> Option<String> {
    match (case.expect, checked.split()) {
        (Expect::Axis(a), Split::Axis(b)) if a == b => {}
        (Expect::Whole(part), Split::Whole(reason)) if reason.contains(part) => {}
        (_, got) => return Some(format!("{got:?} for {:?}", case.expect)),
    }
    checked.with(|analysis, call| {
        let footprint = analysis.footprint(call, &GroupRange::all(call.grid));
        let named = |name: &str| checked.kernel.bindings.iter().position(|b| b.name == name);
        case.buffers.iter().find_map(|buffer| {
            let f = &footprint.bindings[named(buffer.name)?];
            let bytes = |sets: &[evener_lanes::analysis::Strided]| sets.iter().map(|s| s.bytes()).sum::<u64>();
            let fresh = !f.writes.is_empty() && bytes(&f.certain) == bytes(&f.writes);
            let writable = buffer.after.is_some() && fresh != buffer.fresh;
            writable.then(|| format!("`{}`: certain is {:?} of {:?}", buffer.name, f.certain, f.writes))
        })
    })
}

#[test]
fn the_table_and_the_analysis_agree() {
    let all = cases();
    assert!(all.len() >= 40, "{} kernels", all.len());
    let mut failures = Vec::new();
    for case in &all {
        let checked = checked(case);
        assert!(checked.kernel.bindings.iter().filter(|b| b.space == Space::Storage).count() == case.buffers.len());
        let cuts = [1, 2, 5, 11, 17, 22];
        let sound = catch_unwind(AssertUnwindSafe(|| checked.verify(&cuts)));
        let forms = || checked.with(|a, call| a.describe(call).join("\n    "));
        if sound.is_err() {
            failures.push(format!("{}: not sound\n    {}", case.name, forms()));
        } else if let Some(what) = disagreement(case, &checked) {
            failures.push(format!("{}: {what}\n    {}", case.name, forms()));
        }
    }
    assert!(failures.is_empty(), "{} of {}:\n{}", failures.len(), all.len(), failures.join("\n"));
}
