//! Random numbers of the simulator: reproducible by seed on every machine.

use super::machine::Noise;

/// SplitMix64 (Steele, Lea, Flood 2014): a counter and a finaliser.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// A stream of its own for each pair of numbers.
    pub fn new(seed: u64, stream: u64) -> Self {
        let mut random = Random(seed ^ stream.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        random.bits();
        random
    }

    fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ z >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ z >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ z >> 31
    }

    /// Uniform in (0, 1).
    pub fn uniform(&mut self) -> f64 {
        ((self.bits() >> 11) as f64 + 0.5) / (1u64 << 53) as f64
    }

    /// Standard normal (Box and Muller).
    pub fn normal(&mut self) -> f64 {
        let (u, v) = (self.uniform(), self.uniform());
        (-2.0 * u.ln()).sqrt() * (std::f64::consts::TAU * v).cos()
    }
}

impl Noise {
    /// No noise at all.
    pub const NONE: Noise = Noise { body: 0.0, tail_chance: 0.0, tail_factor: 1.0 };

    /// A factor on a time, of mean 1.
    pub fn draw(&self, random: &mut Random) -> f64 {
        let body = (self.body * random.normal() - 0.5 * self.body * self.body).exp();
        let (chance, size) = (random.uniform(), random.uniform());
        let tail = if chance < self.tail_chance { self.straggler(size) } else { 1.0 };
        body * tail / (1.0 + self.tail_chance * (self.mean_straggler() - 1.0))
    }

    /// Pareto with exponent 1 between 1 and the largest factor.
    fn straggler(&self, uniform: f64) -> f64 {
        (1.0 - uniform * (1.0 - self.tail_factor.recip())).recip()
    }

    fn mean_straggler(&self) -> f64 {
        let f = self.tail_factor;
        if f > 1.0 { f.ln() / (1.0 - f.recip()) } else { 1.0 }
    }
}

/// FNV-1a of a text: gives every name a number that stays.
pub fn hash(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |h, b| (h ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn noise_has_mean_one_and_a_heavy_tail() {
        let noise = Noise { body: 0.05, tail_chance: 0.02, tail_factor: 10.0 };
        let mut random = Random::new(1, 2);
        let draws: Vec<f64> = (0..200_000).map(|_| noise.draw(&mut random)).collect();
        let mean = draws.iter().sum::<f64>() / draws.len() as f64;
        assert!((mean - 1.0).abs() < 0.005, "{mean}");
        assert!(draws.iter().any(|d| *d > 5.0));
    }

    #[test]
    fn streams_differ_and_repeat() {
        let first = |seed, stream| Random::new(seed, stream).uniform();
        assert_eq!(first(1, 1), first(1, 1));
        assert_ne!(first(1, 1), first(1, 2));
        assert_ne!(first(1, 1), first(2, 1));
    }
}
