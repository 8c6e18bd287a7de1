//! saxpy by hand: four vectors a turn, bound by loads and stores.

use super::{super::work::Saxpy, Hand, Variant};
use evener_lanes::Level;
use std::arch::x86_64::*;

impl Hand for Saxpy {
    #[inline(always)]
    fn scalar(&mut self) {
        let (a, x, y) = (self.a, &self.x[..], &mut self.y[..]);
        for i in 0..y.len().next_multiple_of(256) {
            if i < y.len() {
                y[i] += a * x[i];
            }
        }
    }

    fn variants() -> Vec<Variant<Self>> {
        vec![
            // SAFETY: the level is the machine's.
            Variant { name: "", level: Level::Avx2, run: |w| unsafe { avx2(w.a, &w.x, &mut w.y) } },
            // SAFETY: as above.
            Variant { name: "", level: Level::Avx512, run: |w| unsafe { avx512(w.a, &w.x, &mut w.y) } },
        ]
    }
}

#[target_feature(enable = "avx2,fma")]
fn avx2(a: f32, x: &[f32], y: &mut [f32]) {
    let n = x.len().min(y.len());
    let va = _mm256_set1_ps(a);
    let (px, py) = (x.as_ptr(), y.as_mut_ptr());
    let mut i = 0;
    while i + 32 <= n {
        for k in [0, 8, 16, 24] {
            // SAFETY: 32 elements from `i` are in both slices.
            unsafe {
                let sum = _mm256_fmadd_ps(va, _mm256_loadu_ps(px.add(i + k)), _mm256_loadu_ps(py.add(i + k)));
                _mm256_storeu_ps(py.add(i + k), sum);
            }
        }
        i += 32;
    }
    for i in i..n {
        y[i] = a.mul_add(x[i], y[i]);
    }
}

#[target_feature(enable = "avx512f")]
fn avx512(a: f32, x: &[f32], y: &mut [f32]) {
    let n = x.len().min(y.len());
    let va = _mm512_set1_ps(a);
    let (px, py) = (x.as_ptr(), y.as_mut_ptr());
    let mut i = 0;
    while i + 64 <= n {
        for k in [0, 16, 32, 48] {
            // SAFETY: 64 elements from `i` are in both slices.
            unsafe {
                let sum = _mm512_fmadd_ps(va, _mm512_loadu_ps(px.add(i + k)), _mm512_loadu_ps(py.add(i + k)));
                _mm512_storeu_ps(py.add(i + k), sum);
            }
        }
        i += 64;
    }
    while i < n {
        let mask = (u32::MAX >> (32 - (n - i).min(16))) as __mmask16;
        // SAFETY: the mask keeps to the `n - i` elements that are left.
        unsafe {
            let (vx, vy) = (_mm512_maskz_loadu_ps(mask, px.add(i)), _mm512_maskz_loadu_ps(mask, py.add(i)));
            _mm512_mask_storeu_ps(py.add(i), mask, _mm512_fmadd_ps(va, vx, vy));
        }
        i += 16;
    }
}
