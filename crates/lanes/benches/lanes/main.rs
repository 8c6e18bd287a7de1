//! WGSL on one CPU thread beside hand-written intrinsics and scalar Rust; then two threads against one, the time to
//! compile and the cost of a call.
//!
//! `cargo bench -p evener-lanes --bench lanes -- [--part kernels|threads|compile] [--only NAME] [--json FILE]`.
//! Each output is checked against an f64 reference first. Versions take turns, and a ratio is the median over the turns: compare only within a run.
//! Without `--bench` (which cargo gives to benchmarks only) outputs are checked and nothing is timed.

#[cfg(target_arch = "x86_64")]
mod bench;
#[cfg(target_arch = "x86_64")]
mod contest;
#[cfg(target_arch = "x86_64")]
mod extras;
#[cfg(target_arch = "x86_64")]
mod hand;
#[cfg(target_arch = "x86_64")]
mod measure;
#[cfg(target_arch = "x86_64")]
mod report;
#[cfg(target_arch = "x86_64")]
mod work;

#[cfg(target_arch = "x86_64")]
fn main() {
    bench::main();
}

#[cfg(not(target_arch = "x86_64"))]
fn main() {
    println!("the versions by hand are for x86-64");
}
