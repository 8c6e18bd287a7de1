//! The triad by hand: stores through the caches, and past them.

use super::{super::work::Triad, Hand, Variant};
use evener_lanes::Level;
use std::arch::x86_64::*;

impl Hand for Triad {
    #[inline(always)]
    fn scalar(&mut self) {
        let (a, x, y, z) = (self.a, &self.x[..], &self.y[..], &mut self.z[..]);
        for i in 0..z.len().next_multiple_of(256) {
            if i < z.len() {
                z[i] = a * x[i] + y[i];
            }
        }
    }

    fn variants() -> Vec<Variant<Self>> {
        vec![
            // SAFETY: the level is the machine's.
            Variant { name: "", level: Level::Avx2, run: |w| unsafe { avx2::<false>(w) } },
            // SAFETY: as above.
            Variant { name: "past caches", level: Level::Avx2, run: |w| unsafe { avx2::<true>(w) } },
            // SAFETY: as above.
            Variant { name: "", level: Level::Avx512, run: |w| unsafe { avx512::<false>(w) } },
            // SAFETY: as above.
            Variant { name: "past caches", level: Level::Avx512, run: |w| unsafe { avx512::<true>(w) } },
        ]
    }
}

#[target_feature(enable = "avx2,fma")]
fn avx2<const PAST: bool>(w: &mut Triad) {
    let n = w.x.len().min(w.y.len()).min(w.z.len());
    let va = _mm256_set1_ps(w.a);
    let (px, py, pz) = (w.x.as_ptr(), w.y.as_ptr(), w.z.as_mut_ptr());
    assert!(pz.addr().is_multiple_of(32));
    let mut i = 0;
    while i + 32 <= n {
        for k in [0, 8, 16, 24] {
            // SAFETY: 32 elements from `i` are in the three slices, and `pz` is aligned.
            unsafe {
                let sum = _mm256_fmadd_ps(va, _mm256_loadu_ps(px.add(i + k)), _mm256_loadu_ps(py.add(i + k)));
                match PAST {
                    true => _mm256_stream_ps(pz.add(i + k), sum),
                    false => _mm256_storeu_ps(pz.add(i + k), sum),
                }
            }
        }
        i += 32;
    }
    for i in i..n {
        w.z[i] = w.a.mul_add(w.x[i], w.y[i]);
    }
    if PAST {
        _mm_sfence();
    }
}

#[target_feature(enable = "avx512f")]
fn avx512<const PAST: bool>(w: &mut Triad) {
    let n = w.x.len().min(w.y.len()).min(w.z.len());
    let va = _mm512_set1_ps(w.a);
    let (px, py, pz) = (w.x.as_ptr(), w.y.as_ptr(), w.z.as_mut_ptr());
    assert!(pz.addr().is_multiple_of(64));
    let mut i = 0;
    while i + 64 <= n {
        for k in [0, 16, 32, 48] {
            // SAFETY: 64 elements from `i` are in the three slices, and `pz` is aligned.
            unsafe {
                let sum = _mm512_fmadd_ps(va, _mm512_loadu_ps(px.add(i + k)), _mm512_loadu_ps(py.add(i + k)));
                match PAST {
                    true => _mm512_stream_ps(pz.add(i + k), sum),
                    false => _mm512_storeu_ps(pz.add(i + k), sum),
                }
            }
        }
        i += 64;
    }
    for i in i..n {
        w.z[i] = w.a.mul_add(w.x[i], w.y[i]);
    }
    if PAST {
        _mm_sfence();
    }
}
