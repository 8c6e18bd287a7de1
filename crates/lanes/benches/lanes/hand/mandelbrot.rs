//! Mandelbrot by hand: several vectors of neighbouring pixels at once, because one alone waits for its own chain of
//! multiplications; whether all have escaped is asked once in some rounds.

use super::{super::work::Mandelbrot, Hand, Variant};
use evener_lanes::Level;
use std::{arch::x86_64::*, array::from_fn};

/// Rounds between two looks whether all pixels are done.
const ROUNDS: u32 = 4;

impl Hand for Mandelbrot {
    #[inline(always)]
    fn scalar(&mut self) {
        let (width, height, cap) = (self.width, self.height, self.cap);
        for row in 0..height.next_multiple_of(16) {
            for col in 0..width.next_multiple_of(16) {
                if col >= width || row >= height {
                    continue;
                }
                let (c_re, c_im) = (self.left + self.pixel * col as f32, self.top - self.pixel * row as f32);
                let (mut re, mut im, mut n) = (0.0f32, 0.0f32, 0);
                while n < cap && re * re + im * im <= 4.0 {
                    (re, im) = (re * re - im * im + c_re, 2.0 * re * im + c_im);
                    n += 1;
                }
                self.count[(row * width + col) as usize] = n;
            }
        }
    }

    fn variants() -> Vec<Variant<Self>> {
        vec![
            // SAFETY: the level is the machine's.
            Variant { name: "", level: Level::Avx2, run: |w| unsafe { avx2::<4>(w) } },
            // SAFETY: as above.
            Variant { name: "", level: Level::Avx512, run: |w| unsafe { avx512::<3>(w) } },
        ]
    }
}

#[target_feature(enable = "avx512f")]
fn avx512<const U: usize>(w: &mut Mandelbrot) {
    let width = w.width as usize;
    let lane = _mm512_cvtepi32_ps(_mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15));
    let (pixel, left) = (_mm512_set1_ps(w.pixel), _mm512_set1_ps(w.left));
    for (row, counts) in w.count.chunks_exact_mut(width).enumerate() {
        let c_im = _mm512_set1_ps(w.top - w.pixel * row as f32);
        for (block, counts) in counts.chunks_mut(16 * U).enumerate() {
            let first = (block * 16 * U) as f32;
            let x: [__m512; U] = from_fn(|u| _mm512_add_ps(lane, _mm512_set1_ps(first + 16.0 * u as f32)));
            let c_re = x.map(|x| _mm512_fmadd_ps(pixel, x, left));
            for (counts, n) in counts.chunks_mut(16).zip(escape512(c_re, c_im, w.cap)) {
                let mask = (0xffffu32 >> (16 - counts.len())) as __mmask16;
                // SAFETY: the mask keeps to the chunk.
                unsafe { _mm512_mask_storeu_epi32(counts.as_mut_ptr().cast(), mask, n) };
            }
        }
    }
}

#[inline]
#[target_feature(enable = "avx512f")]
fn escape512<const U: usize>(c_re: [__m512; U], c_im: __m512, cap: u32) -> [__m512i; U] {
    let (four, one) = (_mm512_set1_ps(4.0), _mm512_set1_epi32(1));
    let (mut re, mut im) = ([_mm512_setzero_ps(); U], [_mm512_setzero_ps(); U]);
    let (mut n, mut inside) = ([_mm512_setzero_si512(); U], [0xffff; U]);
    let mut left = cap;
    while left > 0 {
        for _ in 0..ROUNDS.min(left) {
            for u in 0..U {
                let im2 = _mm512_mul_ps(im[u], im[u]);
                let size = _mm512_fmadd_ps(re[u], re[u], im2);
                inside[u] = _mm512_mask_cmp_ps_mask::<_CMP_LE_OQ>(inside[u], size, four);
                n[u] = _mm512_mask_add_epi32(n[u], inside[u], n[u], one);
                let rest = _mm512_sub_ps(c_re[u], im2);
                im[u] = _mm512_fmadd_ps(_mm512_add_ps(re[u], re[u]), im[u], c_im);
                re[u] = _mm512_fmadd_ps(re[u], re[u], rest);
            }
        }
        left -= ROUNDS.min(left);
        if inside.iter().fold(0, |all, m| all | m) == 0 {
            break;
        }
    }
    n
}

#[target_feature(enable = "avx2,fma")]
fn avx2<const U: usize>(w: &mut Mandelbrot) {
    let width = w.width as usize;
    let lane = _mm256_cvtepi32_ps(_mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
    let (pixel, left) = (_mm256_set1_ps(w.pixel), _mm256_set1_ps(w.left));
    for (row, counts) in w.count.chunks_exact_mut(width).enumerate() {
        let c_im = _mm256_set1_ps(w.top - w.pixel * row as f32);
        for (block, counts) in counts.chunks_mut(8 * U).enumerate() {
            let first = (block * 8 * U) as f32;
            let x: [__m256; U] = from_fn(|u| _mm256_add_ps(lane, _mm256_set1_ps(first + 8.0 * u as f32)));
            let c_re = x.map(|x| _mm256_fmadd_ps(pixel, x, left));
            for (counts, n) in counts.chunks_mut(8).zip(escape256(c_re, c_im, w.cap)) {
                let mut lanes = [0u32; 8];
                // SAFETY: eight lanes of four bytes.
                unsafe { _mm256_storeu_si256(lanes.as_mut_ptr().cast(), n) };
                counts.copy_from_slice(&lanes[..counts.len()]);
            }
        }
    }
}

#[inline]
#[target_feature(enable = "avx2,fma")]
fn escape256<const U: usize>(c_re: [__m256; U], c_im: __m256, cap: u32) -> [__m256i; U] {
    let four = _mm256_set1_ps(4.0);
    let (mut re, mut im) = ([_mm256_setzero_ps(); U], [_mm256_setzero_ps(); U]);
    let mut n = [_mm256_setzero_si256(); U];
    let mut left = cap;
    while left > 0 {
        // An orbit that has left stays outside (its point is in the disk of radius 4), or is infinite or NaN.
        let mut inside = [_mm256_setzero_ps(); U];
        for _ in 0..ROUNDS.min(left) {
            for u in 0..U {
                let im2 = _mm256_mul_ps(im[u], im[u]);
                let size = _mm256_fmadd_ps(re[u], re[u], im2);
                inside[u] = _mm256_cmp_ps::<_CMP_LE_OQ>(size, four);
                n[u] = _mm256_sub_epi32(n[u], _mm256_castps_si256(inside[u]));
                let rest = _mm256_sub_ps(c_re[u], im2);
                im[u] = _mm256_fmadd_ps(_mm256_add_ps(re[u], re[u]), im[u], c_im);
                re[u] = _mm256_fmadd_ps(re[u], re[u], rest);
            }
        }
        left -= ROUNDS.min(left);
        let any = inside.into_iter().reduce(|a, b| _mm256_or_ps(a, b));
        if any.is_none_or(|any| _mm256_movemask_ps(any) == 0) {
            break;
        }
    }
    n
}
