//! The kernels by hand: as an expert writes them with intrinsics, and in scalar Rust.
//!
//! *Scalar* is the kernel's text in Rust: a loop over invocations, each with its guard and its checked indices,
//! compiled for all features of the machine and left to LLVM. The versions with intrinsics drop the checks, use the
//! shape of the problem (rows, multiples of a vector) and unroll as is best on a server core of 2023.

mod black_scholes;
mod mandelbrot;
mod math;
mod matmul;
mod nbody;
mod pcg;
mod philox;
mod saxpy;
mod spmv;
mod stencil;
mod triad;

use super::work::Work;
use evener_lanes::Level;

/// A version with intrinsics.
pub struct Variant<W> {
    /// What distinguishes it from others of its level.
    pub name: &'static str,
    /// What it needs.
    pub level: Level,
    /// Runs it once. Called only where the machine has `level`.
    pub run: fn(&mut W),
}

/// A kernel with versions by hand.
pub trait Hand: Work + Sized {
    /// The kernel's text in Rust. Inlined always, so that it takes the features of its caller.
    fn scalar(&mut self);
    /// Versions with intrinsics.
    fn variants() -> Vec<Variant<Self>>;
}

/// [`Hand`] behind a pointer.
pub trait Bench: Work {
    /// Runs the scalar version once.
    fn run_scalar(&mut self);
    /// Level and name of the versions with intrinsics that this machine runs.
    fn hands(&self) -> Vec<(Level, &'static str)>;
    /// Runs one of them once.
    fn run_hand(&mut self, level: Level, name: &str);
}

impl<W: Hand> Bench for W {
    fn run_scalar(&mut self) {
        match Level::detect() {
            // SAFETY: the level includes these features.
            Level::Avx512 => unsafe { scalar_avx512(self) },
            // SAFETY: as above.
            Level::Avx2 => unsafe { scalar_avx2(self) },
            Level::Baseline => self.scalar(),
        }
    }

    fn hands(&self) -> Vec<(Level, &'static str)> {
        let best = Level::detect();
        W::variants().into_iter().filter(|v| v.level <= best).map(|v| (v.level, v.name)).collect()
    }

    fn run_hand(&mut self, level: Level, name: &str) {
        assert!(level <= Level::detect());
        let variant = W::variants().into_iter().find(|v| (v.level, v.name) == (level, name));
        (variant.expect("one of `hands`").run)(self);
    }
}

#[target_feature(enable = "avx512f,avx512vl,avx512bw,avx512dq,avx512cd,avx2,fma,bmi1,bmi2,lzcnt,popcnt")]
fn scalar_avx512<W: Hand>(work: &mut W) {
    work.scalar();
}

#[target_feature(enable = "avx2,fma,bmi1,bmi2,lzcnt,popcnt")]
fn scalar_avx2<W: Hand>(work: &mut W) {
    work.scalar();
}
