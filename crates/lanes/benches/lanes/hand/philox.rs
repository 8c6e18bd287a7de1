//! Philox by hand: a 32-bit number in each 64-bit lane, where one multiplication gives both halves of the product and
//! what stands in the upper half of a lane never matters.

use super::{
    super::work::{MULTIPLY, Philox, ROUNDS, WEYL, philox_block},
    Hand, Variant,
};
use evener_lanes::Level;
use std::{arch::x86_64::*, array::from_fn};

impl Hand for Philox {
    #[inline(always)]
    fn scalar(&mut self) {
        for i in 0..self.result.len().next_multiple_of(64) {
            if i < self.result.len() {
                self.result[i] = philox_block([i as u32, 0, 0, 0], self.key);
            }
        }
    }

    fn variants() -> Vec<Variant<Self>> {
        vec![
            // SAFETY: the level is the machine's.
            Variant { name: "", level: Level::Avx2, run: |w| unsafe { avx2::<4>(w) } },
            // SAFETY: as above.
            Variant { name: "", level: Level::Avx512, run: |w| unsafe { avx512::<4>(w) } },
        ]
    }
}

#[target_feature(enable = "avx512f")]
fn avx512<const U: usize>(w: &mut Philox) {
    let multiply = MULTIPLY.map(|m| _mm512_set1_epi64(i64::from(m)));
    // The order in which `unpack` puts quarters of the result side by side.
    let lane = _mm512_setr_epi64(0, 4, 1, 5, 2, 6, 3, 7);
    assert!(w.result.len().is_multiple_of(8 * U));
    for (block, results) in w.result.chunks_exact_mut(8 * U).enumerate() {
        let start = |u: usize| _mm512_add_epi64(lane, _mm512_set1_epi64((8 * (block * U + u)) as i64));
        let zero = _mm512_setzero_si512();
        let mut c: [[__m512i; 4]; U] = from_fn(|u| [start(u), zero, zero, zero]);
        let mut key = w.key;
        for _ in 0..ROUNDS {
            let k = key.map(|k| _mm512_set1_epi64(i64::from(k)));
            for c in &mut c {
                let p = [_mm512_mul_epu32(c[0], multiply[0]), _mm512_mul_epu32(c[2], multiply[1])];
                let high = p.map(|p| _mm512_srli_epi64::<32>(p));
                // Exclusive or of three.
                let mixed0 = _mm512_ternarylogic_epi64::<0x96>(high[1], c[1], k[0]);
                let mixed2 = _mm512_ternarylogic_epi64::<0x96>(high[0], c[3], k[1]);
                *c = [mixed0, p[1], mixed2, p[0]];
            }
            key = from_fn(|i| key[i].wrapping_add(WEYL[i]));
        }
        for (results, c) in results.chunks_exact_mut(8).zip(c) {
            let pair = |a, b| _mm512_mask_shuffle_epi32::<0xA0>(a, 0xAAAA, b);
            let (front, back) = (pair(c[0], c[1]), pair(c[2], c[3]));
            let to: *mut [u32; 4] = results.as_mut_ptr();
            // SAFETY: the chunk has eight elements of sixteen bytes.
            unsafe {
                _mm512_storeu_si512(to.cast(), _mm512_unpacklo_epi64(front, back));
                _mm512_storeu_si512(to.add(4).cast(), _mm512_unpackhi_epi64(front, back));
            }
        }
    }
}

#[target_feature(enable = "avx2")]
fn avx2<const U: usize>(w: &mut Philox) {
    let multiply = MULTIPLY.map(|m| _mm256_set1_epi64x(i64::from(m)));
    let lane = _mm256_setr_epi64x(0, 2, 1, 3);
    assert!(w.result.len().is_multiple_of(4 * U));
    for (block, results) in w.result.chunks_exact_mut(4 * U).enumerate() {
        let start = |u: usize| _mm256_add_epi64(lane, _mm256_set1_epi64x((4 * (block * U + u)) as i64));
        let zero = _mm256_setzero_si256();
        let mut c: [[__m256i; 4]; U] = from_fn(|u| [start(u), zero, zero, zero]);
        let mut key = w.key;
        for _ in 0..ROUNDS {
            let k = key.map(|k| _mm256_set1_epi64x(i64::from(k)));
            for c in &mut c {
                let p = [_mm256_mul_epu32(c[0], multiply[0]), _mm256_mul_epu32(c[2], multiply[1])];
                let high = p.map(|p| _mm256_srli_epi64::<32>(p));
                let mixed0 = _mm256_xor_si256(_mm256_xor_si256(high[1], c[1]), k[0]);
                let mixed2 = _mm256_xor_si256(_mm256_xor_si256(high[0], c[3]), k[1]);
                *c = [mixed0, p[1], mixed2, p[0]];
            }
            key = from_fn(|i| key[i].wrapping_add(WEYL[i]));
        }
        for (results, c) in results.chunks_exact_mut(4).zip(c) {
            let pair = |a, b| _mm256_blend_epi32::<0xAA>(a, _mm256_slli_epi64::<32>(b));
            let (front, back) = (pair(c[0], c[1]), pair(c[2], c[3]));
            let to: *mut [u32; 4] = results.as_mut_ptr();
            // SAFETY: the chunk has four elements of sixteen bytes.
            unsafe {
                _mm256_storeu_si256(to.cast(), _mm256_unpacklo_epi64(front, back));
                _mm256_storeu_si256(to.add(2).cast(), _mm256_unpackhi_epi64(front, back));
            }
        }
    }
}
