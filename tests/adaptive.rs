//! Calls that are handed out in chunks while they run, on scripted devices: late ones, lost ones, full ones. Whoever runs
//! what, the results are right, and the report tells.

mod table;

use evener::{
    backend::fake::{FakeGpu, Script},
    prelude::*,
    schedule::chunks::Worker,
};
use std::{sync::Arc, time::Duration};
use table::{cases::cases, run_case};

/// A small deterministic generator: the seed is in the failure message.
struct Random(u64);

impl Random {
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % n.max(1)
    }

    /// Mostly delays, with failures between.
    fn script(&mut self, len: usize) -> Vec<Script> {
        let one = |random: &mut Random| match random.below(12) {
            0 => Script::LostAtStart,
            1 => Script::LostInRun,
            2 => Script::OutOfMemory,
            3..6 => Script::Late(Duration::from_micros(random.below(800))),
            _ => Script::Run,
        };
        (0..len).map(|_| one(self)).collect()
    }
}

impl Random {
    /// Devices in any order of speed, of which nothing that is predicted is true.
    fn workers(&mut self, devices: usize) -> Vec<(usize, Worker)> {
        let left_out = self.below(devices as u64 + 2) as usize;
        let mut ns = |most: u64| self.below(most) as f64;
        let mut worker = |device: usize| Worker {
            chunk_ns: ns(3000),
            filling_ns: ns(3000),
            first_ns: ns(30_000),
            link_ns: ns(30),
            slice_ns: 1.0 + ns(3000),
            spread: ns(200) / 100.0,
            uneven: ns(100) / 100.0,
            in_place: device == 0,
        };
        (0..devices).filter(|d| *d != left_out).map(|d| (d, worker(d))).collect()
    }
}

fn runtime(devices: Vec<Arc<FakeGpu>>) -> Runtime {
    let builder = Runtime::builder().gpu(false).profile(None).threads(2);
    devices.into_iter().fold(builder, |b, d| b.backend(d)).build().unwrap()
}

#[test]
fn every_kernel_is_right_in_random_chunks_on_devices_that_are_late_and_lost() {
    let (mut chunked, mut recovered) = (0, 0);
    for seed in 0..6u64 {
        let mut random = Random(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) + 1);
        for n in [300 + random.below(300) as usize, 5000 + random.below(5000) as usize] {
            for case in cases(n) {
                let devices = (0..2).map(|k| Arc::new(FakeGpu::new(k, random.script(4)))).collect();
                let workers = random.workers(3);
                let report = run_case(&runtime(devices), &case, n, |call| call.workers(workers));
                chunked += usize::from(report.chunks.len() > 3);
                recovered += report.recoveries.len();
                let shares: f64 = report.placement.values().sum();
                assert!((shares - 1.0).abs() < 1e-9, "{} at {n}, seed {seed}: {}", case.name, report.explain());
            }
        }
    }
    assert!(chunked > 20 && recovered > 20, "{chunked} calls in chunks, {recovered} recoveries");
}
