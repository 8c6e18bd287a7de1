//! Sorts and distinct values.

use crate::places::{SIZES, checked, floats, places, words};
use evener::{backend::throttled::Throttle, prelude::*};
use evener_kernels::{Blocks, Order};

#[test]
fn floats_are_sorted_in_the_total_order() {
    for n in SIZES {
        let mut x = floats(n, 1);
        let specials = [f32::NAN, -f32::NAN, 0.0, -0.0, f32::INFINITY, f32::NEG_INFINITY];
        x.iter_mut().step_by(7).enumerate().for_each(|(k, x)| *x = specials[k % 6]);
        let bits = |x: &[f32]| x.iter().map(|x| x.to_bits()).collect::<Vec<_>>();
        let mut up = x.clone();
        up.sort_by(f32::total_cmp);
        let down: Vec<f32> = up.iter().rev().copied().collect();
        for (place, rt) in places() {
            let mut y = x.clone();
            checked(place, rt.sort(&mut y, Order::Ascending).unwrap());
            assert!(bits(&y) == bits(&up), "{place}, {n}");
            checked(place, rt.sort(&mut y, Order::Descending).unwrap());
            assert!(bits(&y) == bits(&down), "{place}, {n}");
        }
    }
}

fn sorts<T: evener_kernels::blocks::Number + Ord + std::fmt::Debug>(make: fn(u32) -> T) {
    let x: Vec<T> = words(10_007, 2).into_iter().map(make).collect();
    let mut sorted = x.clone();
    sorted.sort();
    for (place, rt) in places() {
        let mut y = x.clone();
        checked(place, rt.sort(&mut y, Order::Ascending).unwrap());
        assert!(y == sorted, "{place}");
    }
}

#[test]
fn integers_of_all_kinds_are_sorted() {
    sorts(|w| w);
    sorts(|w| w as i32);
    sorts(|w| u64::from(w).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    sorts(|w| u64::from(w).wrapping_mul(0x9e37_79b9_7f4a_7c15) as i64);
}

#[test]
fn values_go_with_their_keys_and_equal_keys_keep_their_order() {
    for n in SIZES {
        let keys: Vec<u32> = words(n, 3).into_iter().map(|w| w % 97).collect();
        let values: Vec<f32> = (0..n).map(|i| i as f32).collect();
        for order in [Order::Ascending, Order::Descending] {
            let mut pairs: Vec<(u32, f32)> = keys.iter().copied().zip(values.iter().copied()).collect();
            match order {
                Order::Ascending => pairs.sort_by_key(|p| p.0),
                Order::Descending => pairs.sort_by_key(|p| std::cmp::Reverse(p.0)),
            }
            for (place, rt) in places() {
                let (mut k, mut v) = (keys.clone(), values.clone());
                checked(place, rt.sort_by_key(&mut k, &mut v, order).unwrap());
                assert!(k.into_iter().zip(v).eq(pairs.iter().copied()), "{place}, {n}, {order:?}");
            }
        }
    }
}

#[test]
fn arrays_are_sorted_in_place() {
    for (place, rt) in places() {
        let x: Vec<i32> = words(5000, 4).into_iter().map(|w| w as i32).collect();
        let (mut keys, mut values) = (rt.array(&x).unwrap(), rt.array(&x).unwrap());
        rt.sort_by_key(&mut keys, &mut values, Order::Ascending).unwrap();
        let mut sorted = x;
        sorted.sort();
        assert!(keys.to_vec().unwrap() == sorted && values.to_vec().unwrap() == sorted, "{place}");
    }
}

#[test]
fn distinct_values_are_in_order() {
    for n in SIZES {
        let x: Vec<u32> = words(n, 5).into_iter().map(|w| w % 1000).collect();
        let mut expected = x.clone();
        expected.sort();
        expected.dedup();
        for (place, rt) in places() {
            let got = checked(place, rt.unique(&x).unwrap()).to_vec().unwrap();
            assert!(got == expected, "{place}, {n}");
        }
    }
}

#[test]
fn keys_and_values_of_different_lengths_are_an_error() {
    let (_, rt) = &places()[0];
    let error = rt.sort_by_key(&mut [1u32, 2], &mut [1u32], Order::Ascending).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ArgumentSize);
}

/// Calls of one sort, again and again: whatever the cost model makes of the first one, the others follow it.
#[test]
fn the_calls_of_a_sort_keep_to_one_device() {
    let throttle: Throttle = "launch=1,link=1,up=50,down=50,device=1,cpu=1.5".parse().unwrap();
    let rt = throttle.install(Runtime::builder().profile(None)).unwrap().build().unwrap();
    let unsorted = words(5000, 3);
    let mut expected = unsorted.clone();
    expected.sort_unstable();
    for _ in 0..6 {
        let mut keys = unsorted.clone();
        let reports = rt.sort(&mut keys, Order::Ascending).unwrap().reports;
        assert_eq!(keys, expected);
        let free = reports.iter().any(|r| r.chose == "split");
        assert!(free || reports.iter().all(|r| r.chose == reports[0].chose), "{reports:?}");
    }
}
