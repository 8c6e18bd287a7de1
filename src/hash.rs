//! A quick hash for keys that nobody chooses to make us slow.

use std::hash::Hasher;

/// Words mixed by multiplication. A word that is such a hash already is as good a key as any.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Quick(pub(crate) u64);

impl Hasher for Quick {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.write_u64(u64::from_le_bytes(word));
        }
    }

    fn write_u64(&mut self, word: u64) {
        // A multiplier of Fibonacci hashing; the shift brings the high bits down.
        self.0 = (self.0 ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        self.0 ^= self.0 >> 32;
    }
}
