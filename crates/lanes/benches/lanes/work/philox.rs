//! Philox4x32-10: needs the high half of 32-bit products.

use super::{Data, Lines, Number, Work, equal};

pub struct Philox {
    pub key: [u32; 2],
    pub result: Lines<[u32; 4]>,
}

/// Multipliers.
pub const MULTIPLY: [u32; 2] = [0xD251_1F53, 0xCD9E_8D57];
/// What is added to the keys after each round.
pub const WEYL: [u32; 2] = [0x9E37_79B9, 0xBB67_AE85];
/// Rounds of a block.
pub const ROUNDS: u32 = 10;

impl Philox {
    pub fn new(count: usize) -> Self {
        Philox { key: [0xA409_3822, 0x299F_31D0], result: Lines::zeros(count) }
    }
}

/// One block of the generator.
pub fn block(mut c: [u32; 4], mut k: [u32; 2]) -> [u32; 4] {
    for _ in 0..ROUNDS {
        let p = [0, 1].map(|i| u64::from(MULTIPLY[i]) * u64::from(c[2 * i]));
        c = [(p[1] >> 32) as u32 ^ c[1] ^ k[0], p[1] as u32, (p[0] >> 32) as u32 ^ c[3] ^ k[1], p[0] as u32];
        k = [k[0].wrapping_add(WEYL[0]), k[1].wrapping_add(WEYL[1])];
    }
    c
}

impl Work for Philox {
    fn name(&self) -> &'static str {
        "Philox"
    }
    fn source(&self) -> &'static str {
        include_str!("philox.wgsl")
    }
    fn params(&self) -> Vec<(&'static str, Number)> {
        vec![("key", Number::Vec2u(self.key))]
    }
    fn storage(&mut self) -> Vec<(&'static str, Data<'_>)> {
        vec![("result", Data::WriteVec4u(&mut self.result))]
    }
    fn items(&self) -> [u32; 3] {
        [self.result.len() as u32, 1, 1]
    }
    fn reset(&mut self) {
        self.result.fill([0; 4]);
    }
    /// Against the published answer for a zero counter (Random123's test vectors), then block by block.
    fn check(&self) -> Result<(), String> {
        assert_eq!(block([0; 4], [0; 2]), [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8]);
        equal(&self.result, |i| block([i as u32, 0, 0, 0], self.key))
    }
    fn is_compute_bound(&self) -> bool {
        true
    }
}
