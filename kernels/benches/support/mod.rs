//! Interleaved timings of this crate beside others, and how they are printed.

use std::{hint::black_box, time::Instant};

/// Turns of a comparison at most.
const TURNS: usize = 101;

/// Seconds after which no turn begins.
const SECONDS: f64 = 2.0;

/// What the command line asks for.
pub struct Bench {
    names: Vec<String>,
    /// Whether to time; else everything runs small, a few times.
    pub timed: bool,
}

impl Bench {
    /// Prints the header of the table. Words of the command line choose lines by parts of their names.
    pub fn from_args() -> Self {
        let words: Vec<String> = std::env::args().skip(1).collect();
        println!("{:38}{:>12}{:>12}{:>10}{:>8}", "", "evener us", "peer us", "G/s", "ratio");
        let timed = words.iter().any(|w| w == "--bench");
        Bench { names: words.into_iter().filter(|w| !w.starts_with("--")).collect(), timed }
    }

    /// Times both in turn and prints medians, what `work` (elements, operations or bytes) makes of ours in 10^9 a second,
    /// and the peer's time over ours. Each returns something that depends on its result.
    pub fn compare<A, B>(&self, name: &str, work: usize, mut ours: impl FnMut() -> A, mut peer: impl FnMut() -> B) {
        if !self.names.is_empty() && !self.names.iter().any(|wanted| name.contains(wanted.as_str())) {
            return;
        }
        let (mut a, mut b) = (Vec::new(), Vec::new());
        let start = Instant::now();
        while a.len() < 3 || (self.timed && a.len() < TURNS && start.elapsed().as_secs_f64() < SECONDS) {
            a.push(seconds(&mut ours));
            b.push(seconds(&mut peer));
        }
        let [ours, peer] = [a, b].map(|mut times| {
            times.sort_by(f64::total_cmp);
            times[times.len() / 2]
        });
        let rate = 1e-9 * work as f64 / ours;
        println!("{name:38}{:>12.1}{:>12.1}{rate:>10.2}{:>8.2}", 1e6 * ours, 1e6 * peer, peer / ours);
    }
}

fn seconds<R>(run: &mut impl FnMut() -> R) -> f64 {
    let start = Instant::now();
    black_box(run());
    start.elapsed().as_secs_f64()
}
