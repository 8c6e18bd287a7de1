//! CPU time of kernels on one CPU thread beside lavapipe, Mesa's software Vulkan device, which runs the same WGSL.
//!
//! `cargo bench --bench lavapipe -- [--only NAME]`. lavapipe is timed twice: a plain dispatch through wgpu on buffers
//! that stay on the device, and evener's call with its copies. The clock is the CPU time of the whole process, so that
//! lavapipe's threads count. Versions take turns; a ratio is the median over the turns. Without `--bench` outputs are
//! checked and nothing is timed.

#[cfg(all(feature = "gpu", unix))]
#[path = "lavapipe/bench.rs"]
mod bench;
#[cfg(all(feature = "gpu", unix))]
#[path = "clock/mod.rs"]
mod clock;
#[cfg(all(feature = "gpu", unix))]
#[path = "lavapipe/resident.rs"]
mod resident;
#[cfg(all(feature = "gpu", unix))]
#[path = "../crates/lanes/benches/lanes/work/mod.rs"]
#[allow(dead_code, unused_imports, reason = "the versions by hand are not here")]
mod work;

#[cfg(all(feature = "gpu", unix))]
fn main() {
    bench::main();
}

#[cfg(not(all(feature = "gpu", unix)))]
fn main() {
    println!("needs the feature `gpu` and the clock of a Unix");
}
