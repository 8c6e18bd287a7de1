//! Philox against its published answers, and what is made of it.

use crate::places::{SIZES, checked, places};
use evener_kernels::{Blocks, Stream};
use std::f64::consts::TAU;

/// Philox 4x32-10 by 64-bit products.
fn philox(mut c: [u32; 4], mut k: [u32; 2]) -> [u32; 4] {
    for _ in 0..10 {
        let (p, q) = (u64::from(c[0]) * 0xd251_1f53, u64::from(c[2]) * 0xcd9e_8d57);
        c = [(q >> 32) as u32 ^ c[1] ^ k[0], q as u32, (p >> 32) as u32 ^ c[3] ^ k[1], p as u32];
        k = [k[0].wrapping_add(0x9e37_79b9), k[1].wrapping_add(0xbb67_ae85)];
    }
    c
}

fn word(stream: Stream, e: usize) -> u32 {
    let halves = |n: u64| [n as u32, (n >> 32) as u32];
    let [a, b] = halves(stream.number);
    philox([(e / 4) as u32, 0, a, b], halves(stream.seed))[e % 4]
}

#[test]
fn the_reference_gives_the_known_answers_of_random123() {
    // kat_vectors of Random123 1.14: counter, key, result.
    assert_eq!(philox([0; 4], [0; 2]), [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8]);
    assert_eq!(philox([u32::MAX; 4], [u32::MAX; 2]), [0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd]);
    let pi = [0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344];
    assert_eq!(philox(pi, [0xa409_3822, 0x299f_31d0]), [0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1]);
}

#[test]
fn words_and_uniforms_are_philox_of_their_element_everywhere() {
    for n in SIZES {
        let stream = Stream { seed: 0x0123_4567_89ab_cdef, number: n as u64 * 0x1_0000_0003 };
        let words: Vec<u32> = (0..n).map(|e| word(stream, e)).collect();
        let uniforms: Vec<f32> = words.iter().map(|w| (w >> 8) as f32 / 16_777_216.0).collect();
        for (place, rt) in places() {
            let (mut w, mut u) = (vec![1u32; n], vec![-1.0f32; n]);
            checked(place, rt.random_u32(stream, &mut w).unwrap());
            checked(place, rt.random_uniform(stream, &mut u).unwrap());
            assert!(w == words && u == uniforms, "{place}, {n}");
        }
    }
}

#[test]
fn normals_are_within_eight_ulp_of_the_formula() {
    let n = 100_003;
    let stream = Stream { seed: 5, number: 9 };
    let exact = |e: usize| {
        let (a, b) = (word(stream, e & !1), word(stream, e | 1));
        let u = (f64::from(a >> 8) + 1.0) / 16_777_216.0;
        let angle = TAU * f64::from(b >> 8) / 16_777_216.0;
        (-2.0 * u.ln()).sqrt() * if e & 1 == 0 { angle.cos() } else { angle.sin() }
    };
    for (place, rt) in places() {
        let mut y = vec![f32::NAN; n];
        checked(place, rt.random_normal(stream, &mut y).unwrap());
        let mut worst = 0.0f64;
        for (e, y) in y.iter().enumerate() {
            let exact = exact(e);
            // Zeros of the cosine and sine, where f64's own angle is off.
            let ulp = f64::from(f32::EPSILON) * exact.abs().max(1e-9);
            worst = worst.max((f64::from(*y) - exact).abs() / ulp);
        }
        assert!(worst <= 8.0, "{place}: {worst} ULP");
        let mean = y.iter().map(|y| f64::from(*y)).sum::<f64>() / n as f64;
        let variance = y.iter().map(|y| f64::from(*y).powi(2)).sum::<f64>() / n as f64;
        // Five standard deviations of each.
        assert!(mean.abs() < 5.0 / (n as f64).sqrt(), "{place}: mean {mean}");
        assert!((variance - 1.0).abs() < 5.0 * (2.0 / n as f64).sqrt(), "{place}: variance {variance}");
    }
}
