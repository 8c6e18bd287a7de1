//! What reads untrusted bytes, as functions that must return whatever they are given: the fuzz targets and
//! the deterministic test `mutated.rs` share them.

use evener::cost::profile::Profile;
use evener_cli::npy;
use evener_lanes::{
    Analysis, Buffer, Grid, GroupRange, Module, Program, Settings,
    analysis::CallShape,
    ir::{Kernel, Space},
};
use std::collections::BTreeMap;

/// Largest buffer made for a kernel, in bytes.
const MAX_BUFFER: u64 = 1 << 20;
/// Loop iterations granted to a kernel.
const FUEL: u64 = 20_000;

/// WGSL: parse, resolve overrides, lower, analyse, and run two work-groups where that is small.
pub fn wgsl(source: &str) {
    let Ok(module) = Module::parse(source) else { return };
    let Ok(module) = module.specialize(&BTreeMap::new()) else { return };
    let entries: Vec<String> = module.entries().take(4).map(str::to_owned).collect();
    for entry in entries {
        if let Ok(kernel) = module.lower(&entry) {
            analyse(&kernel);
            run(kernel);
        }
    }
}

/// An npy file.
pub fn npy_file(bytes: &[u8]) {
    let Ok(array) = npy::decode(bytes) else { return };
    assert_eq!(array.len() * array.dtype.bytes(), array.bytes.len() as u64);
    let mut written = Vec::new();
    npy::write(&mut written, &array).expect("a vector takes all");
    assert_eq!(npy::decode(&written).expect("what was written reads back"), array);
}

/// A machine profile.
pub fn profile(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Ok(profile) = Profile::parse(text) {
        assert_eq!(Profile::parse(&profile.to_text()).as_ref(), Ok(&profile));
    }
}

fn grid() -> Grid {
    Grid { groups: [2, 1, 1] }
}

/// Buffers of 37 elements each, zeroed; `None` where they are large.
fn buffers(kernel: &Kernel) -> Option<Vec<Vec<u8>>> {
    let size = |b: &evener_lanes::ir::Binding| u64::from(b.fixed_bytes) + 37 * u64::from(b.runtime_stride.unwrap_or(0));
    let sizes: Vec<u64> = kernel.bindings.iter().map(size).collect();
    let small = sizes.iter().all(|s| *s <= MAX_BUFFER);
    small.then(|| sizes.iter().map(|s| vec![0; *s as usize]).collect())
}

fn analyse(kernel: &Kernel) {
    let analysis = Analysis::new(kernel);
    let Some(buffers) = buffers(kernel) else { return };
    let sizes: Vec<u64> = buffers.iter().map(|b| b.len() as u64).collect();
    let uniform = |(k, b): (usize, &Vec<u8>)| -> Vec<u8> {
        if kernel.bindings[k].space == Space::Uniform { b.clone() } else { Vec::new() }
    };
    let uniforms: Vec<Vec<u8>> = buffers.iter().enumerate().map(uniform).collect();
    let uniforms: Vec<&[u8]> = uniforms.iter().map(Vec::as_slice).collect();
    let call = CallShape { grid: grid(), sizes: &sizes, uniforms: &uniforms };
    let _ = analysis.split(&call);
    let _ = analysis.features(&call);
    let footprint = analysis.footprint(&call, &GroupRange::all(grid()));
    assert_eq!(footprint.bindings.len(), sizes.len());
    for (binding, size) in footprint.bindings.iter().zip(&sizes) {
        for run in binding.reads.iter().chain(&binding.writes).chain(&binding.certain) {
            let last = run.levels.iter().map(|(stride, count)| stride * count.saturating_sub(1)).sum::<u64>();
            assert!(run.start + last + run.run <= *size, "{run:?} outside of {size} bytes");
        }
    }
}

fn run(kernel: Kernel) {
    if kernel.workgroup_size.iter().map(|n| u64::from(*n)).product::<u64>() > 1024 {
        return;
    }
    let Some(mut bytes) = buffers(&kernel) else { return };
    let Ok(program) = Program::with(kernel, &Settings::default().fuel(FUEL)) else { return };
    let bound: Vec<Buffer<'_>> = bytes.iter_mut().map(|b| Buffer::write(b)).collect();
    let _ = program.run(&bound, grid(), GroupRange::all(grid()));
}
