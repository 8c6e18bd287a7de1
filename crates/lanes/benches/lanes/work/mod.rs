//! The kernels of the benchmark: WGSL, input, and what the output must be, computed in f64.
//!
//! Nothing here knows how a kernel is run, so that several benchmarks use it.

mod black_scholes;
mod lines;
mod mandelbrot;
mod matmul;
mod nbody;
mod pcg;
mod philox;
mod saxpy;
mod spmv;
mod stencil;
mod triad;

pub use black_scholes::BlackScholes;
pub use lines::Lines;
pub use mandelbrot::Mandelbrot;
pub use matmul::{Matmul, TILE};
pub use nbody::NBody;
pub use pcg::{DRAWS, Pcg};
pub use philox::{MULTIPLY, Philox, ROUNDS, WEYL, block as philox_block};
pub use saxpy::Saxpy;
pub use spmv::{Parts, Spmv};
pub use stencil::Stencil;
pub use triad::Triad;

/// A kernel with its data.
pub trait Work: Send {
    /// Name in the table.
    fn name(&self) -> &'static str;
    /// WGSL with one entry point, `main`.
    fn source(&self) -> &'static str;
    /// Members of the uniform buffer at binding 0 in order, by their paths.
    fn params(&self) -> Vec<(&'static str, Number)> {
        Vec::new()
    }
    /// Storage buffers by name.
    fn storage(&mut self) -> Vec<(&'static str, Data<'_>)>;
    /// Invocations wanted on each axis.
    fn items(&self) -> [u32; 3];
    /// Sets what the kernel writes to what it was at the start.
    fn reset(&mut self);
    /// Compares the output of one run after a reset with the reference.
    fn check(&self) -> Result<(), String>;
    /// Whether arithmetic and not memory sets its speed.
    fn is_compute_bound(&self) -> bool;
}

/// A scalar of a uniform buffer.
#[derive(Clone, Copy, Debug)]
pub enum Number {
    U32(u32),
    F32(f32),
    Vec2u([u32; 2]),
}

impl Number {
    /// As WGSL lays it out.
    pub fn bytes(self) -> Vec<u8> {
        match self {
            Number::U32(v) => v.to_ne_bytes().to_vec(),
            Number::F32(v) => v.to_ne_bytes().to_vec(),
            Number::Vec2u(v) => bytemuck::cast_slice(&v).to_vec(),
        }
    }
}

/// A storage buffer: read, or written too.
#[derive(Debug)]
pub enum Data<'a> {
    U32(&'a [u32]),
    F32(&'a [f32]),
    Vec4(&'a [[f32; 4]]),
    WriteU32(&'a mut [u32]),
    WriteF32(&'a mut [f32]),
    WriteVec4(&'a mut [[f32; 4]]),
    WriteVec4u(&'a mut [[u32; 4]]),
}

/// A constructor of each kernel with its data, as a boxed trait object of the type given.
macro_rules! all {
    ($boxed:ty) => {{
        use $crate::work::*;
        let all: Vec<fn() -> $boxed> = vec![
            || Box::new(Saxpy::new("saxpy 4 Ki", 4 << 10)),
            || Box::new(Saxpy::new("saxpy 16 Ki", 16 << 10)),
            || Box::new(Saxpy::new("saxpy 16 M", 16_000_000)),
            || Box::new(Triad::new("triad 16 Mi", 16 << 20)),
            || Box::new(Mandelbrot::new(512, 200)),
            || Box::new(NBody::new(2048)),
            || Box::new(Stencil::new("stencil 256", 256, 256)),
            || Box::new(Stencil::new("stencil 2048", 2048, 2048)),
            || Box::new(BlackScholes::new(64 << 10)),
            || Box::new(Matmul::new(512)),
            || Box::new(Spmv::random("SpMV random", 32 << 10)),
            || Box::new(Spmv::banded("SpMV banded", 64 << 10)),
            || Box::new(Pcg::new(128 << 10)),
            || Box::new(Philox::new(128 << 10)),
        ];
        all
    }};
}
pub(crate) use all;

/// Whether all elements are within `slack(i)` of the reference.
fn close(got: &[f32], want: impl Fn(usize) -> f64, slack: impl Fn(usize) -> f64) -> Result<(), String> {
    for (i, got) in got.iter().enumerate() {
        let want = want(i);
        let error = (f64::from(*got) - want).abs();
        if error.is_nan() || error > slack(i) {
            return Err(format!("element {i} is {got} and should be {want}: off by {error:e} of {:e}", slack(i)));
        }
    }
    Ok(())
}

/// Whether all elements are the same.
fn equal<T: PartialEq + std::fmt::Debug>(got: &[T], want: impl Fn(usize) -> T) -> Result<(), String> {
    match got.iter().enumerate().find(|(i, got)| **got != want(*i)) {
        Some((i, got)) => Err(format!("element {i} is {got:?} and should be {:?}", want(i))),
        None => Ok(()),
    }
}

/// Numbers for inputs: the same on every machine (SplitMix64).
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// Less than `end`.
    fn below(&mut self, end: u32) -> u32 {
        (((self.next() >> 32) * u64::from(end)) >> 32) as u32
    }

    /// From `low` to `high`.
    fn between(&mut self, low: f32, high: f32) -> f32 {
        low + (high - low) * ((self.next() >> 40) as f32 / (1u32 << 24) as f32)
    }
}
