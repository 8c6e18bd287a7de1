//! PCG-RXS-M-XS-32 (O'Neill: PCG, a family of simple fast space-efficient algorithms, 2014), a stream an invocation.

use super::{Data, Lines, Number, Work, equal};

/// Draws of an invocation, as in the WGSL.
pub const DRAWS: u32 = 32;

pub struct Pcg {
    pub seed: u32,
    pub result: Lines<u32>,
}

impl Pcg {
    pub fn new(count: usize) -> Self {
        Pcg { seed: 0x5EED, result: Lines::zeros(count) }
    }
}

/// The multiplication is done in 64 bits here: another way than that of all variants.
fn stream(seed: u32) -> u32 {
    let times = |a: u32, b: u64| (u64::from(a) * b) as u32;
    let mut state = seed;
    (0..DRAWS).fold(0, |mixed, _| {
        state = times(state, 747_796_405).wrapping_add(2_891_336_453);
        let word = times((state >> ((state >> 28) + 4)) ^ state, 277_803_737);
        mixed ^ (word >> 22) ^ word
    })
}

impl Work for Pcg {
    fn name(&self) -> &'static str {
        "PCG"
    }
    fn source(&self) -> &'static str {
        include_str!("pcg.wgsl")
    }
    fn params(&self) -> Vec<(&'static str, Number)> {
        vec![("seed", Number::U32(self.seed))]
    }
    fn storage(&mut self) -> Vec<(&'static str, Data<'_>)> {
        vec![("result", Data::WriteU32(&mut self.result))]
    }
    fn items(&self) -> [u32; 3] {
        [self.result.len() as u32, 1, 1]
    }
    fn reset(&mut self) {
        self.result.fill(0);
    }
    fn check(&self) -> Result<(), String> {
        equal(&self.result, |i| stream(self.seed.wrapping_add(i as u32)))
    }
    fn is_compute_bound(&self) -> bool {
        true
    }
}
