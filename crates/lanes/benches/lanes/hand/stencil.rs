//! 5-point stencil by hand.
//!
//! Strips of rows, so that a row loaded once is the upper, the own and the lower neighbour of three rows. The left and
//! the right neighbours are shifted together from aligned vectors: a load across two cache lines costs twice, and one
//! that begins in the vector just stored, in a page that lies alike, waits for that store. Stores that go around the
//! caches would be a fifth faster where the grid exceeds them, and slow the next step, which reads the result.

use super::{super::work::Stencil, Hand, Variant};
use evener_lanes::Level;
use std::{arch::x86_64::*, array::from_fn};

impl Hand for Stencil {
    #[inline(always)]
    fn scalar(&mut self) {
        let (width, height, now) = (self.width, self.height, &self.now[..]);
        for y in 0..height {
            for x in 0..width {
                if x == 0 || x >= width - 1 || y == 0 || y >= height - 1 {
                    continue;
                }
                let i = y * width + x;
                let here = now[i];
                let around = now[i - 1] + now[i + 1] + now[i - width] + now[i + width];
                self.next[i] = here + self.rate * (around - 4.0 * here);
            }
        }
    }

    fn variants() -> Vec<Variant<Self>> {
        fn avx2(w: &mut Stencil) {
            // SAFETY: the level is the machine's, and `strips` keeps to inner rows of whole vectors.
            strips::<4>(w, |w, row| unsafe { strip256::<4>(w, row) });
        }
        fn avx512(w: &mut Stencil) {
            // SAFETY: as above.
            strips::<2>(w, |w, row| unsafe { strip512::<2>(w, row) });
        }
        vec![
            Variant { name: "", level: Level::Avx2, run: avx2 },
            Variant { name: "", level: Level::Avx512, run: avx512 },
        ]
    }
}

/// Covers the inner rows by strips of `R`; the last one may overlap the one before.
fn strips<const R: usize>(w: &mut Stencil, strip: impl Fn(&mut Stencil, usize)) {
    let inner = w.height - 2;
    assert!(
        inner >= R && w.width.is_multiple_of(16) && w.now.len() == w.width * w.height && w.next.len() == w.now.len()
    );
    for row in (1..=inner).step_by(R) {
        strip(w, row.min(inner + 1 - R));
    }
}

/// `R` rows from `row` on, without their ends: `here (1 - 4 rate) + rate around`. The rows before and after exist, and
/// the width is a multiple of the vector.
#[inline]
#[target_feature(enable = "avx512f")]
fn strip512<const R: usize>(w: &mut Stencil, row: usize) {
    let width = w.width;
    let (rate, own) = (_mm512_set1_ps(w.rate), _mm512_set1_ps(1.0 - 4.0 * w.rate));
    let (now, next) = (w.now.as_ptr(), w.next.as_mut_ptr());
    // SAFETY: called with columns of whole vectors and rows 0 to `height - 1`.
    let load = |row: usize, x: usize| unsafe { _mm512_loadu_ps(now.add(row * width + x)) };
    let mut left = [_mm512_setzero_ps(); R];
    let mut here: [__m512; R] = from_fn(|r| load(row + r, 0));
    for x in (0..width).step_by(16) {
        let last = x + 16 == width;
        let right: [__m512; R] = if last { here } else { from_fn(|r| load(row + r, x + 16)) };
        let (above, below) = (load(row - 1, x), load(row + R, x));
        for r in 0..R {
            let [a, b, c] = [left[r], here[r], right[r]].map(|v| _mm512_castps_si512(v));
            let west = _mm512_castsi512_ps(_mm512_alignr_epi32::<15>(b, a));
            let east = _mm512_castsi512_ps(_mm512_alignr_epi32::<1>(c, b));
            let north = if r == 0 { above } else { here[r - 1] };
            let south = if r == R - 1 { below } else { here[r + 1] };
            let around = _mm512_add_ps(_mm512_add_ps(west, east), _mm512_add_ps(north, south));
            let sum = _mm512_fmadd_ps(rate, around, _mm512_mul_ps(own, here[r]));
            let mask = (if x == 0 { 0xfffe } else { 0xffff }) & if last { 0x7fff } else { 0xffff };
            // SAFETY: as for the loads.
            unsafe { _mm512_mask_storeu_ps(next.add((row + r) * width + x), mask, sum) };
        }
        (left, here) = (here, right);
    }
}

/// As [`strip512`].
#[inline]
#[target_feature(enable = "avx2,fma")]
fn strip256<const R: usize>(w: &mut Stencil, row: usize) {
    let width = w.width;
    let (rate, own) = (_mm256_set1_ps(w.rate), _mm256_set1_ps(1.0 - 4.0 * w.rate));
    let (now, next) = (w.now.as_ptr(), w.next.as_mut_ptr());
    // SAFETY: called with columns of whole vectors and rows 0 to `height - 1`.
    let load = |row: usize, x: usize| unsafe { _mm256_loadu_ps(now.add(row * width + x)) };
    let mut left = [_mm256_setzero_ps(); R];
    let mut here: [__m256; R] = from_fn(|r| load(row + r, 0));
    for x in (0..width).step_by(8) {
        let last = x + 8 == width;
        let right: [__m256; R] = if last { here } else { from_fn(|r| load(row + r, x + 8)) };
        let (above, below) = (load(row - 1, x), load(row + R, x));
        for r in 0..R {
            let [a, b, c] = [left[r], here[r], right[r]].map(|v| _mm256_castps_si256(v));
            let west = _mm256_alignr_epi8::<12>(b, _mm256_permute2x128_si256::<0x21>(a, b));
            let east = _mm256_alignr_epi8::<4>(_mm256_permute2x128_si256::<0x21>(b, c), b);
            let north = if r == 0 { above } else { here[r - 1] };
            let south = if r == R - 1 { below } else { here[r + 1] };
            let sides = _mm256_add_ps(_mm256_castsi256_ps(west), _mm256_castsi256_ps(east));
            let around = _mm256_add_ps(sides, _mm256_add_ps(north, south));
            let sum = _mm256_fmadd_ps(rate, around, _mm256_mul_ps(own, here[r]));
            // SAFETY: as for the loads.
            unsafe { store256(next.add((row + r) * width + x), sum, x == 0, last) };
        }
        (left, here) = (here, right);
    }
}

/// Stores eight lanes without the first one and the last one where asked.
///
/// # Safety
/// As for a store of eight floats.
#[inline]
#[target_feature(enable = "avx2")]
unsafe fn store256(to: *mut f32, value: __m256, but_first: bool, but_last: bool) {
    if !but_first && !but_last {
        // SAFETY: the caller's.
        unsafe { _mm256_storeu_ps(to, value) };
        return;
    }
    let (first, last) = (-i32::from(!but_first), -i32::from(!but_last));
    let mask = _mm256_setr_epi32(first, -1, -1, -1, -1, -1, -1, last);
    // SAFETY: the caller's.
    unsafe { _mm256_maskstore_ps(to, mask, value) };
}
