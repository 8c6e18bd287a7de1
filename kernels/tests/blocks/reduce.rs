//! Sums, dots, extremes and their places, of vectors and along the axes of matrices.

use crate::places::{SIZES, checked, floats, places, small, words};
use evener::prelude::*;
use evener_kernels::{Axis, Blocks};

const SHAPES: [[usize; 2]; 8] = [[1, 1], [1, 1021], [1021, 1], [3, 257], [257, 3], [129, 128], [70, 300], [5000, 7]];

/// Half the distance of neighbouring f32 at 1.
const U: f64 = 1.0 / (1u64 << 24) as f64;

/// What a compensated f32 sum may be off: one rounding, and the square of the plain sum's error.
fn allowed(exact: f64, magnitude: f64, n: usize) -> f64 {
    U * exact.abs() + (n as f64 * U).powi(2) * magnitude
}

#[test]
fn sums_and_dots_are_off_by_one_rounding_and_have_the_same_bits_everywhere() {
    for n in SIZES {
        let (x, y) = (floats(n, 1), floats(n, 2));
        let sum: f64 = x.iter().map(|x| f64::from(*x)).sum();
        let magnitude: f64 = x.iter().map(|x| f64::from(x.abs())).sum();
        // Each product is rounded once, then added without loss.
        let products: Vec<f64> = x.iter().zip(&y).map(|(x, y)| f64::from(x * y)).collect();
        let dot: f64 = products.iter().sum();
        let of_products: f64 = products.iter().map(|p| p.abs()).sum();
        let mut bits = Vec::new();
        for (place, rt) in places() {
            let got = [checked(place, rt.sum(&x).unwrap()), checked(place, rt.sum_of_products(&x, &y).unwrap())];
            for (got, exact, magnitude) in [(got[0], sum, magnitude), (got[1], dot, of_products)] {
                let error = (f64::from(got) - exact).abs();
                assert!(error <= allowed(exact, magnitude, n) + 1e-12 * magnitude, "{place}, {n}: {got} for {exact}");
            }
            bits.push(got.map(f32::to_bits));
        }
        assert!(bits.windows(2).all(|b| b[0] == b[1]), "{n}: {bits:x?}");
    }
}

#[test]
fn what_cancels_is_not_lost() {
    let x: Vec<f32> = (0..40_000).map(|i| [1.0e8, 1.0, -1.0e8, 1.0][i % 4]).collect();
    let long: Vec<f64> = x.iter().map(|x| f64::from(*x) * 1.0e8).map(|x| if x == 1.0e8 { 1.0 } else { x }).collect();
    for (place, rt) in places() {
        assert_eq!(checked(place, rt.sum(&x).unwrap()), 20_000.0, "{place}");
        assert_eq!(checked(place, rt.sum(&long).unwrap()), 20_000.0, "{place}");
        let ones = vec![1.0f32; x.len()];
        assert_eq!(checked(place, rt.sum_of_products(&x, &ones).unwrap()), 20_000.0, "{place}");
    }
}

#[test]
fn infinities_and_nan_come_through_sums() {
    for (place, rt) in places() {
        let mut x = small(10_000, 3);
        x[77] = f32::INFINITY;
        assert_eq!(rt.sum(&x).unwrap().value, f32::INFINITY, "{place}");
        x[9000] = f32::NEG_INFINITY;
        assert!(rt.sum(&x).unwrap().value.is_nan(), "{place}");
    }
}

#[test]
fn integers_wrap_and_long_types_are_summed_as_such() {
    for (place, rt) in places() {
        let x = words(100_003, 4);
        let wrapped = x.iter().fold(0u32, |a, b| a.wrapping_add(*b));
        assert_eq!(checked(place, rt.sum(&x).unwrap()), wrapped, "{place}");
        let long: Vec<u64> = x.iter().map(|w| u64::from(*w) << 15).collect();
        assert_eq!(checked(place, rt.sum(&long).unwrap()), long.iter().sum::<u64>(), "{place}");
        let signed: Vec<i32> = x.iter().map(|w| *w as i32 >> 8).collect();
        let product = signed.iter().fold(0i32, |a, b| a.wrapping_add(b.wrapping_mul(*b)));
        assert_eq!(checked(place, rt.sum_of_products(&signed, &signed).unwrap()), product, "{place}");
    }
}

#[test]
fn extremes_and_their_first_places_are_those_of_the_total_order() {
    for n in SIZES.into_iter().filter(|n| *n > 0) {
        let mut x = floats(n, 5);
        // Each value twice or more, and all the special ones.
        let specials = [f32::NAN, -f32::NAN, 0.0, -0.0, f32::INFINITY, f32::NEG_INFINITY];
        x.iter_mut().skip(7).step_by(11).enumerate().for_each(|(k, x)| *x = specials[k % 6]);
        let place_of = |better: fn(std::cmp::Ordering) -> bool| {
            (1..n).fold(0, |best, i| if better(x[i].total_cmp(&x[best])) { i } else { best })
        };
        let (least, greatest) = (place_of(|o| o.is_lt()), place_of(|o| o.is_gt()));
        for (place, rt) in places() {
            assert_eq!(checked(place, rt.arg_min(&x).unwrap()), least, "{place}, {n}");
            assert_eq!(checked(place, rt.arg_max(&x).unwrap()), greatest, "{place}, {n}");
            assert_eq!(checked(place, rt.min(&x).unwrap()).to_bits(), x[least].to_bits(), "{place}, {n}");
            assert_eq!(checked(place, rt.max(&x).unwrap()).to_bits(), x[greatest].to_bits(), "{place}, {n}");
        }
    }
}

#[test]
fn integers_and_doubles_have_extremes() {
    let x: Vec<i32> = words(10_007, 6).into_iter().map(|w| w as i32).collect();
    let long: Vec<f64> = x.iter().map(|x| f64::from(*x) / 3.0).collect();
    let at = |better: fn(&i32, &i32) -> bool| (1..x.len()).fold(0, |b, i| if better(&x[i], &x[b]) { i } else { b });
    let (least, greatest) = (at(|a, b| a < b), at(|a, b| a > b));
    for (place, rt) in places() {
        assert_eq!(checked(place, rt.min(&x).unwrap()), x[least], "{place}");
        assert_eq!(checked(place, rt.max(&long).unwrap()), long[greatest], "{place}");
        assert_eq!(checked(place, rt.arg_min(&long).unwrap()), least, "{place}");
    }
}

#[test]
fn axes_of_all_shapes_agree_with_plain_sums_bit_for_bit_everywhere() {
    for shape @ [rows, columns] in SHAPES {
        let x = floats(rows * columns, 7);
        for axis in [Axis::Rows, Axis::Columns] {
            let (inner, outer) = if axis == Axis::Rows { (rows, columns) } else { (columns, rows) };
            let at = |o: usize, r: usize| x[if axis == Axis::Rows { r * columns + o } else { o * columns + r }];
            let mut bits = Vec::new();
            for (place, rt) in places() {
                let mut sums = vec![f32::NAN; outer];
                checked(place, rt.sum_axis(&x, shape, axis, &mut sums).unwrap());
                for (o, got) in sums.iter().enumerate() {
                    let exact: f64 = (0..inner).map(|r| f64::from(at(o, r))).sum();
                    let magnitude: f64 = (0..inner).map(|r| f64::from(at(o, r).abs())).sum();
                    let error = (f64::from(*got) - exact).abs();
                    let limit = allowed(exact, magnitude, inner) + 1e-12 * magnitude;
                    assert!(error <= limit, "{place}, {shape:?} {axis:?} {o}: {got} for {exact}");
                }
                bits.push(sums.iter().map(|s| s.to_bits()).collect::<Vec<_>>());
            }
            assert!(bits.windows(2).all(|b| b[0] == b[1]), "{shape:?} {axis:?}");
        }
    }
}

#[test]
fn axes_have_extremes_and_places() {
    for shape @ [rows, columns] in SHAPES {
        let x: Vec<f32> = words(rows * columns, 8).into_iter().map(|w| (w % 50) as f32 - 25.0).collect();
        for axis in [Axis::Rows, Axis::Columns] {
            let (inner, outer) = if axis == Axis::Rows { (rows, columns) } else { (columns, rows) };
            let at = |o: usize, r: usize| x[if axis == Axis::Rows { r * columns + o } else { o * columns + r }];
            let best = |o: usize, sign: f32| {
                (1..inner).fold(0, |b, r| if sign * at(o, r) > sign * at(o, b) { r } else { b }) as u32
            };
            let [least, greatest] = [-1.0, 1.0].map(|s| (0..outer).map(|o| best(o, s)).collect::<Vec<_>>());
            let values =
                |places: &[u32]| places.iter().enumerate().map(|(o, r)| at(o, *r as usize)).collect::<Vec<_>>();
            for (place, rt) in places() {
                let (mut at, mut of) = (vec![9u32; outer], vec![f32::NAN; outer]);
                checked(place, rt.arg_min_axis(&x, shape, axis, &mut at).unwrap());
                checked(place, rt.min_axis(&x, shape, axis, &mut of).unwrap());
                assert_eq!((&at, &of), (&least, &values(&least)), "{place}, {shape:?} {axis:?}");
                checked(place, rt.arg_max_axis(&x, shape, axis, &mut at).unwrap());
                checked(place, rt.max_axis(&x, shape, axis, &mut of).unwrap());
                assert_eq!((&at, &of), (&greatest, &values(&greatest)), "{place}, {shape:?} {axis:?}");
            }
        }
    }
}

#[test]
fn arrays_and_views_are_reduced_where_they_are() {
    for (place, rt) in places() {
        let x = small(10_000, 9);
        let array = rt.array(&x).unwrap();
        let of_slice = rt.sum(&x[1000..9000]).unwrap().value;
        assert_eq!(rt.sum(array.view(1000..9000).unwrap()).unwrap().value, of_slice, "{place}");
        assert_eq!(rt.sum(&array).unwrap().value, rt.sum(&x).unwrap().value, "{place}");
        let mut sums = rt.zeros::<f32>(100).unwrap();
        rt.sum_axis(&array, [100, 100], Axis::Columns, &mut sums).unwrap();
        let total = f64::from(rt.sum(&sums).unwrap().value);
        assert!((total - f64::from(rt.sum(&x).unwrap().value)).abs() < 1e-3, "{place}");
    }
}

#[test]
fn nothing_has_a_sum_and_no_extreme() {
    let (_, rt) = &places()[0];
    assert_eq!(rt.sum::<f32>(&[]).unwrap().value, 0.0);
    assert_eq!(rt.sum_of_products::<u64>(&[], &[]).unwrap().value, 0);
    assert_eq!(rt.min::<f32>(&[]).unwrap_err().kind(), ErrorKind::ArgumentSize);
    assert!(rt.arg_max::<i32>(&[]).unwrap_err().to_string().contains("`x` has no elements"));
    let mut sums = [1.0f32; 3];
    rt.sum_axis::<f32>(&[], [0, 3], Axis::Rows, &mut sums).unwrap();
    assert_eq!(sums, [0.0; 3]);
    rt.sum_axis::<f32>(&[], [0, 3], Axis::Columns, &mut []).unwrap();
    let none = rt.max_axis(&[], [0, 3], Axis::Rows, &mut sums).unwrap_err();
    assert_eq!(none.kind(), ErrorKind::ArgumentSize);
}

#[test]
fn wrong_lengths_are_errors_that_name_the_argument() {
    let (_, rt) = &places()[0];
    let error = rt.sum_of_products(&[1.0f32, 2.0], &[1.0f32]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ArgumentSize);
    let mut sums = [0.0f32; 2];
    let error = rt.sum_axis(&[1.0f32; 5], [2, 3], Axis::Rows, &mut sums).unwrap_err();
    assert!(error.to_string().contains("`x` has 5 elements and must have 6"), "{error}");
    let error = rt.sum_axis(&[1.0f32; 6], [2, 3], Axis::Rows, &mut sums).unwrap_err();
    assert!(error.to_string().contains("`result` has 2 elements and must have 3"), "{error}");
}
