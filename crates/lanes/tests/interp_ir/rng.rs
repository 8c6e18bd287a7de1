//! Random numbers for tests: the same on every run.

/// xorshift64*.
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 1 ^ self.0 << 63
    }

    pub fn below(&mut self, n: usize) -> usize {
        ((self.next() >> 20) as usize) % n
    }
}
