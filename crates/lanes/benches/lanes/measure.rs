//! Times by turns. The clock is the CPU time of the thread, so that other programs on the machine disturb only
//! through caches and shared cores.

/// Aim for one sample, in ns: far above the clock's step, below a scheduler's patience.
const SAMPLE_NS: f64 = 6e6;
/// Time for one kernel, in ns.
const BUDGET_NS: f64 = 3e9;

/// Times of one version in ns a run, one for each turn.
#[derive(Clone, Debug)]
pub struct Samples(pub Vec<f64>);

/// A median and how far samples are from it in the median.
#[derive(Clone, Copy, Debug)]
pub struct Spread {
    pub median: f64,
    pub mad: f64,
}

impl Spread {
    /// Of at least one value.
    pub fn of(values: &[f64]) -> Self {
        let median = median(values);
        let away: Vec<f64> = values.iter().map(|v| (v - median).abs()).collect();
        Spread { median, mad: self::median(&away) }
    }
}

impl Samples {
    /// Median time, ns.
    pub fn time(&self) -> Spread {
        Spread::of(&self.0)
    }

    /// How many times faster than another: the ratio of times of the same turn.
    pub fn speed_over(&self, other: &Samples) -> Spread {
        Spread::of(&self.0.iter().zip(&other.0).map(|(own, other)| other / own).collect::<Vec<_>>())
    }
}

pub fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[sorted.len() / 2]
}

/// Times versions `0..count` in turns. `run(version, repeats)`.
pub fn compete(count: usize, mut run: impl FnMut(usize, u32)) -> Vec<Samples> {
    let mut time = |version: usize, repeats: u32| {
        let start = cpu_ns();
        run(version, repeats);
        (cpu_ns() - start) / f64::from(repeats)
    };
    let repeats: Vec<u32> = (0..count)
        .map(|version| {
            let first = time(version, 1);
            let few = ((1e6 / first) as u32).clamp(1, 10_000);
            ((SAMPLE_NS / time(version, few)) as u32).max(1)
        })
        .collect();
    let mut samples = vec![Samples(Vec::new()); count];
    let begin = cpu_ns();
    while samples[0].0.len() < 7 || (cpu_ns() - begin < BUDGET_NS && samples[0].0.len() < 61) {
        for version in 0..count {
            let ns = time(version, repeats[version]);
            samples[version].0.push(ns);
        }
    }
    samples
}

/// CPU time of this thread, ns.
#[cfg(unix)]
pub fn cpu_ns() -> f64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the pointer is to a timespec.
    let failed = unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &mut time) };
    assert_eq!(failed, 0, "the thread's clock");
    time.tv_sec as f64 * 1e9 + time.tv_nsec as f64
}

/// Time since the first call, ns.
#[cfg(not(unix))]
pub fn cpu_ns() -> f64 {
    use std::{sync::OnceLock, time::Instant};
    static START: OnceLock<Instant> = OnceLock::new();
    START.get_or_init(Instant::now).elapsed().as_nanos() as f64
}
