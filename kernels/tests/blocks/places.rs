//! Where the tests run, and what they run on.

use evener::{
    backend::{
        Backend, DeviceKind,
        gpu::{Options, devices},
    },
    prelude::*,
};
use evener_kernels::Done;
use std::{path::Path, sync::OnceLock};

/// Empty, one, around the sizes of vectors, work-groups, tiles and blocks, and primes.
pub const SIZES: [usize; 12] = [0, 1, 2, 63, 64, 65, 255, 257, 1021, 8193, 65_537, 100_003];

/// A runtime for each placement, by its name. Without a software GPU the CPU alone; in CI that is a failure.
pub fn places() -> &'static [(&'static str, Runtime)] {
    static PLACES: OnceLock<Vec<(&'static str, Runtime)>> = OnceLock::new();
    PLACES.get_or_init(|| {
        // One profile for all test processes of a build, so that the machine is measured once.
        let profile = Path::new(env!("CARGO_TARGET_TMPDIR")).join("profile.json");
        let builder = || Runtime::builder().gpu(false).profile(Some(profile.clone()));
        let mut places = vec![("cpu", builder().build().expect("a CPU"))];
        let found = devices(Options { software: true, ..Options::default() });
        let Some(device) = found.devices.iter().find(|d| d.info().kind == DeviceKind::Software) else {
            let reason = found.reason.unwrap_or_else(|| "no software adapter".into());
            assert!(std::env::var_os("CI").is_none(), "CI needs a software GPU: {reason}");
            println!("skipped: {reason}");
            return places;
        };
        let three = [("gpu", Placement::Gpu(None)), ("split", Placement::Split(0.37)), ("auto", Placement::Auto)];
        for (name, placement) in three {
            places.push((name, builder().backend(device.clone()).placement(placement).build().expect("two devices")));
        }
        places
    })
}

/// The value, after a look at the reports: the CPU ran machine code, and a split that can be was made.
pub fn checked<V>(place: &str, done: Done<V>) -> V {
    for report in &done.reports {
        assert_eq!(report.interpreted, None, "{place}: {report}");
        match place {
            "cpu" => assert_eq!(report.chose, "cpu"),
            "gpu" => assert_eq!(report.chose, "gpu:0"),
            _ => {}
        }
    }
    done.value
}

/// Words that look random and are the same each time: a linear congruential generator's upper halves.
pub fn words(n: usize, seed: u64) -> Vec<u32> {
    let mut state = seed;
    let step = |_| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 32) as u32
    };
    (0..n).map(step).collect()
}

/// Floats of both signs and of magnitudes from 2^-20 to 2^20.
pub fn floats(n: usize, seed: u64) -> Vec<f32> {
    let float = |w: u32| f32::from_bits((w & 0x807f_ffff) | ((107 + (w >> 23 & 0xff) % 41) << 23));
    words(n, seed).into_iter().map(float).collect()
}

/// Floats in [-1, 1).
pub fn small(n: usize, seed: u64) -> Vec<f32> {
    words(n, seed).into_iter().map(|w| (w as i32) as f32 / 2f32.powi(31)).collect()
}
