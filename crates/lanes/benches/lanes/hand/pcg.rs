//! PCG by hand: several vectors of streams at once, as each stream is one chain of multiplications.

use super::{
    super::work::{DRAWS, Pcg},
    Hand, Variant,
};
use evener_lanes::Level;
use std::{arch::x86_64::*, array::from_fn};

const MULTIPLY: i32 = 747_796_405;
const INCREMENT: i32 = 2_891_336_453u32 as i32;
const MIX: i32 = 277_803_737;

impl Hand for Pcg {
    #[inline(always)]
    fn scalar(&mut self) {
        for i in 0..self.result.len().next_multiple_of(64) {
            if i >= self.result.len() {
                continue;
            }
            let (mut state, mut mixed) = ((i as u32).wrapping_add(self.seed), 0);
            for _ in 0..DRAWS {
                state = state.wrapping_mul(MULTIPLY as u32).wrapping_add(INCREMENT as u32);
                let word = ((state >> ((state >> 28) + 4)) ^ state).wrapping_mul(MIX as u32);
                mixed ^= (word >> 22) ^ word;
            }
            self.result[i] = mixed;
        }
    }

    fn variants() -> Vec<Variant<Self>> {
        vec![
            // SAFETY: the level is the machine's.
            Variant { name: "", level: Level::Avx2, run: |w| unsafe { avx2::<6>(w) } },
            // SAFETY: as above.
            Variant { name: "", level: Level::Avx512, run: |w| unsafe { avx512::<5>(w) } },
        ]
    }
}

#[target_feature(enable = "avx512f")]
fn avx512<const U: usize>(w: &mut Pcg) {
    let (multiply, mix) = (_mm512_set1_epi32(MULTIPLY), _mm512_set1_epi32(MIX));
    let (increment, four) = (_mm512_set1_epi32(INCREMENT), _mm512_set1_epi32(4));
    let lane = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    for (block, results) in w.result.chunks_mut(16 * U).enumerate() {
        let first = w.seed.wrapping_add((block * 16 * U) as u32);
        let start = |u: usize| _mm512_add_epi32(lane, _mm512_set1_epi32(first.wrapping_add(16 * u as u32) as i32));
        let mut state: [__m512i; U] = from_fn(start);
        let mut mixed = [_mm512_setzero_si512(); U];
        for _ in 0..DRAWS {
            for u in 0..U {
                state[u] = _mm512_add_epi32(_mm512_mullo_epi32(state[u], multiply), increment);
                let shift = _mm512_add_epi32(_mm512_srli_epi32::<28>(state[u]), four);
                let word = _mm512_xor_si512(_mm512_srlv_epi32(state[u], shift), state[u]);
                let word = _mm512_mullo_epi32(word, mix);
                // Exclusive or of three.
                mixed[u] = _mm512_ternarylogic_epi32::<0x96>(mixed[u], word, _mm512_srli_epi32::<22>(word));
            }
        }
        for (results, mixed) in results.chunks_mut(16).zip(mixed) {
            let mask = (0xffffu32 >> (16 - results.len())) as __mmask16;
            // SAFETY: the mask keeps to the chunk.
            unsafe { _mm512_mask_storeu_epi32(results.as_mut_ptr().cast(), mask, mixed) };
        }
    }
}

#[target_feature(enable = "avx2")]
fn avx2<const U: usize>(w: &mut Pcg) {
    let (multiply, mix) = (_mm256_set1_epi32(MULTIPLY), _mm256_set1_epi32(MIX));
    let (increment, four) = (_mm256_set1_epi32(INCREMENT), _mm256_set1_epi32(4));
    let lane = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    for (block, results) in w.result.chunks_mut(8 * U).enumerate() {
        let first = w.seed.wrapping_add((block * 8 * U) as u32);
        let start = |u: usize| _mm256_add_epi32(lane, _mm256_set1_epi32(first.wrapping_add(8 * u as u32) as i32));
        let mut state: [__m256i; U] = from_fn(start);
        let mut mixed = [_mm256_setzero_si256(); U];
        for _ in 0..DRAWS {
            for u in 0..U {
                state[u] = _mm256_add_epi32(_mm256_mullo_epi32(state[u], multiply), increment);
                let shift = _mm256_add_epi32(_mm256_srli_epi32::<28>(state[u]), four);
                let word = _mm256_xor_si256(_mm256_srlv_epi32(state[u], shift), state[u]);
                let word = _mm256_mullo_epi32(word, mix);
                let folded = _mm256_xor_si256(word, _mm256_srli_epi32::<22>(word));
                mixed[u] = _mm256_xor_si256(mixed[u], folded);
            }
        }
        for (results, mixed) in results.chunks_mut(8).zip(mixed) {
            let mut lanes = [0u32; 8];
            // SAFETY: eight lanes of four bytes.
            unsafe { _mm256_storeu_si256(lanes.as_mut_ptr().cast(), mixed) };
            results.copy_from_slice(&lanes[..results.len()]);
        }
    }
}
