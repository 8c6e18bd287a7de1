//! What the tests of the library share: one runtime for each placement, numbers, comparisons.
#![allow(dead_code, reason = "each test binary uses a part")]

use evener::prelude::*;
use evener_kernels::linalg::Real;
use std::{path::Path, sync::OnceLock};

/// A runtime on the CPU alone.
pub fn cpu() -> Runtime {
    Runtime::builder().gpu(false).profile(None).build().expect("a CPU")
}

/// Runtimes that run everything on the CPU, on the software GPU, split, and where the model chooses. Without a software GPU
/// the CPU alone, with a printed line; in CI that is a failure.
pub fn runtimes() -> &'static [(&'static str, Runtime)] {
    static RUNTIMES: OnceLock<Vec<(&'static str, Runtime)>> = OnceLock::new();
    RUNTIMES.get_or_init(|| {
        let build = |placement| {
            let profile = Some(Path::new(env!("CARGO_TARGET_TMPDIR")).join("profile.json"));
            Runtime::builder().software_gpu(true).profile(profile).placement(placement).build().expect("a runtime")
        };
        let mut all = vec![("cpu", cpu())];
        let gpu = build(Placement::Gpu(Some(0)));
        if gpu.devices().len() > 1 {
            all.push(("gpu", gpu));
            all.push(("split", build(Placement::Split(0.37))));
            all.push(("auto", build(Placement::Auto)));
        } else {
            let why = gpu.left_out().join("; ");
            assert!(std::env::var_os("CI").is_none(), "CI needs a software GPU: {why}");
            println!("skipped: no GPU, not even a software one: {why}");
        }
        all
    })
}

/// Numbers that are the same on every machine (SplitMix64).
pub struct Numbers(pub u64);

impl Numbers {
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// From -1 to 1.
    pub fn unit(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1u64 << 52) as f64 - 1.0
    }

    pub fn below(&mut self, end: usize) -> usize {
        (self.bits() % end as u64) as usize
    }

    pub fn vector<T: Real>(&mut self, len: usize) -> Vec<T> {
        (0..len).map(|_| T::from_f64(self.unit())).collect()
    }
}

/// Whether each element is within `slack` of the reference.
#[track_caller]
pub fn close<T: Real>(what: &str, got: &[T], want: &[f64], slack: f64) {
    assert_eq!(got.len(), want.len(), "{what}");
    for (i, (got, want)) in got.iter().zip(want).enumerate() {
        let error = (got.to_f64() - want).abs();
        assert!(error <= slack, "{what}: element {i} is {got} and should be {want}, off by {error:e} of {slack:e}");
    }
}
