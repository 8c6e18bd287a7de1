//! The passes: from text to text, and what they must not change.

#[path = "../interp_ir/build.rs"]
#[allow(dead_code, reason = "other tests use the rest")]
mod build;
#[path = "../conformance/mod.rs"]
mod conformance;
#[path = "../interp_ir/generate.rs"]
mod generate;
#[path = "../lockstep/mod.rs"]
mod lockstep;
#[path = "../random_flow/mod.rs"]
#[allow(dead_code, reason = "the statements are only printed")]
mod random_flow;
#[path = "../interp_ir/rng.rs"]
mod rng;

mod round_trip;
mod semantics;
mod texts;

use evener_lanes::{Module, ir::Kernel};
use std::path::Path;

/// The kernels of the library's shaders.
fn shaders() -> Vec<Kernel> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shaders/src");
    let mut kernels = Vec::new();
    for file in std::fs::read_dir(&dir).expect("the shaders").map(|f| f.expect("a file").path()) {
        if file.extension().is_some_and(|e| e == "wgsl") {
            let source = std::fs::read_to_string(&file).expect("WGSL");
            // Some are parts of programs, without an entry point or with names from elsewhere.
            let Ok(module) = Module::parse(&source) else { continue };
            kernels.extend(module.entries().map(|e| module.lower(e).unwrap_or_else(|e| panic!("{e}"))));
        }
    }
    assert!(kernels.len() >= 6, "the shaders are somewhere else");
    kernels
}

/// Kernels of random IR, with the sizes of their grids in work-groups.
fn random_kernels(count: u64, mut f: impl FnMut(Kernel, [u32; 3])) {
    let shapes = [([32, 1, 1], [3, 1, 1]), ([8, 4, 1], [2, 2, 1]), ([3, 5, 1], [2, 3, 1]), ([1, 1, 1], [7, 3, 1])];
    for case in 0..count {
        let (size, groups) = shapes[case as usize % shapes.len()];
        let rng = rng::Random(0x1234_5678_9abc + case * 0x9e37_79b9);
        f(generate::kernel(rng, size, 1 + case as usize % 97), groups);
    }
}

/// Kernels of random WGSL.
fn random_flow(count: u64, mut f: impl FnMut(Kernel)) {
    for seed in 1000..1000 + count {
        let source = random_flow::source(&random_flow::program(seed));
        let module = Module::parse(&source).unwrap_or_else(|e| panic!("{e}\n{source}"));
        f(module.lower("main").unwrap_or_else(|e| panic!("{e}\n{source}")));
    }
}
