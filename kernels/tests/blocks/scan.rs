//! Scans, compaction and histograms.

use crate::places::{SIZES, checked, floats, places, small, words};
use evener::prelude::*;
use evener_kernels::Blocks;

#[test]
fn scans_of_integers_are_exact() {
    for n in SIZES {
        let x = words(n, 1);
        let mut sum = 0u32;
        let with: Vec<u32> = x.iter().map(|x| (sum = sum.wrapping_add(*x), sum).1).collect();
        let before: Vec<u32> = x.iter().zip(&with).map(|(x, w)| w.wrapping_sub(*x)).collect();
        for (place, rt) in places() {
            let mut y = vec![7u32; n];
            checked(place, rt.exclusive_scan(&x, &mut y).unwrap());
            assert!(y == before, "{place}, {n}");
            checked(place, rt.inclusive_scan(&x, &mut y).unwrap());
            assert!(y == with, "{place}, {n}");
        }
    }
}

#[test]
fn scans_of_floats_are_near_and_have_the_same_bits_everywhere() {
    for n in SIZES {
        let x = floats(n, 2);
        let mut bits = Vec::new();
        for (place, rt) in places() {
            let mut y = vec![f32::NAN; n];
            checked(place, rt.inclusive_scan(&x, &mut y).unwrap());
            let (mut sum, mut magnitude) = (0.0f64, 0.0f64);
            for (i, (x, y)) in x.iter().zip(&y).enumerate() {
                sum += f64::from(*x);
                magnitude += f64::from(x.abs());
                // 15 + 8 additions in a tile, as many for tiles of tiles, and their sums.
                let error = (f64::from(*y) - sum).abs();
                assert!(error <= 64.0 / (1u64 << 24) as f64 * magnitude, "{place}, {n}, {i}: {y} for {sum}");
            }
            bits.push(y.iter().map(|y| y.to_bits()).collect::<Vec<_>>());
        }
        assert!(bits.windows(2).all(|b| b[0] == b[1]), "{n}");
    }
}

#[test]
fn a_scan_of_many_tiles_scans_its_tiles_by_tiles() {
    // More than 3840 tiles of 3840.
    let n = 3840 * 3841 + 5;
    let (_, rt) = &places()[0];
    let mut y = rt.zeros::<u32>(n).unwrap();
    let done = rt.inclusive_scan(&vec![3u32; n], &mut y).unwrap();
    assert_eq!(done.reports.len(), 5, "three levels");
    assert!(y.read().unwrap().iter().enumerate().all(|(i, y)| *y == 3 * (i as u32 + 1)));
}

#[test]
fn doubles_are_scanned() {
    let x: Vec<f64> = (0..10_007).map(|i| f64::from(i % 13) + 0.25).collect();
    for (place, rt) in places() {
        let mut y = vec![0.0f64; x.len()];
        checked(place, rt.inclusive_scan(&x, &mut y).unwrap());
        let mut sum = 0.0;
        assert!(
            x.iter().zip(&y).all(|(x, y)| {
                sum += x;
                sum == *y
            }),
            "{place}"
        );
    }
}

#[test]
fn what_the_mask_keeps_is_in_order_and_the_rest_untouched() {
    for n in SIZES {
        let x = small(n, 3);
        for (every, mask) in [(3, words(n, 4)), (1, vec![0; n]), (1, vec![1; n])] {
            let mask: Vec<u32> = mask.into_iter().map(|w| if every == 1 || w % every == 0 { w } else { 0 }).collect();
            let kept: Vec<f32> = x.iter().zip(&mask).filter(|(_, m)| **m != 0).map(|(x, _)| *x).collect();
            for (place, rt) in places() {
                let mut y = vec![5.0f32; n];
                let count = checked(place, rt.compact(&x, &mask, &mut y).unwrap());
                assert_eq!(count, kept.len(), "{place}, {n}");
                assert!(y[..count] == kept && y[count..].iter().all(|y| *y == 5.0), "{place}, {n}");
            }
        }
    }
}

#[test]
fn too_little_room_for_what_is_kept_is_an_error_before_anything_is_written() {
    let (_, rt) = &places()[0];
    let mut kept = [9u32; 2];
    let error = rt.compact(&[1u32, 2, 3], &[1u32, 1, 1], &mut kept).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ArgumentSize);
    assert!(error.to_string().contains("`kept` has 2 elements and 3 are kept"), "{error}");
    assert_eq!(kept, [9, 9]);
    let error = rt.compact(&[1u32, 2], &[1u32], &mut kept).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ArgumentSize);
}

#[test]
fn bins_count_each_element_of_the_range_once() {
    for n in SIZES {
        let mut x = small(n, 5);
        let specials = [f32::NAN, 1.5, -1.5, 1.0, -1.0, f32::INFINITY];
        x.iter_mut().step_by(9).enumerate().for_each(|(k, x)| *x = specials[k % 6]);
        for bins in [1usize, 10, 2048, 5000] {
            let scale = bins as f32 / 2.0;
            let mut expected = vec![1u32; bins];
            for x in x.iter().filter(|x| (-1.0..=1.0).contains(*x)) {
                expected[(((x + 1.0) * scale) as usize).min(bins - 1)] += 1;
            }
            for (place, rt) in places() {
                let mut counts = vec![1u32; bins];
                checked(place, rt.count_bins(&x, [-1.0, 1.0], &mut counts).unwrap());
                assert!(counts == expected, "{place}, {n} in {bins}");
            }
        }
    }
}

#[test]
fn a_range_that_does_not_rise_is_an_error() {
    let (_, rt) = &places()[0];
    for range in [[1.0, 1.0], [2.0, 1.0], [f32::NAN, 1.0], [0.0, f32::INFINITY]] {
        let error = rt.count_bins(&[1.0f32], range, &mut [0u32; 4]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ArgumentType, "{range:?}");
    }
    assert!(rt.count_bins(&[1.0f32], [0.0, 1.0], &mut []).is_err());
}
