//! Calls on arrays that stay on the device, beside the same dispatches recorded by hand with wgpu.
//!
//! `cargo bench --bench resident` on the first hardware GPU, else on a software one. Two figures: a loop of 1,000 small
//! steps, and one call. Versions take turns; the median of the turns and of their ratios is printed, by the wall and by the
//! CPU time of the process, which on a software device has all of the work and hardly depends on what else the machine
//! does. Without `--bench` the outputs are compared and nothing is timed; names (`loop`, `call`, `submits`)
//! choose what is.

#[cfg(feature = "gpu")]
#[path = "resident/bench.rs"]
mod bench;
#[cfg(feature = "gpu")]
#[path = "clock/mod.rs"]
mod clock;
#[cfg(feature = "gpu")]
#[path = "resident/raw.rs"]
mod raw;

#[cfg(feature = "gpu")]
fn main() {
    bench::main();
}

#[cfg(not(feature = "gpu"))]
fn main() {
    println!("needs the feature `gpu`");
}
