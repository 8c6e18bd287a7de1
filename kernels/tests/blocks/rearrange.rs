//! Gather, scatter, transpose and convolution.

use crate::places::{SIZES, checked, places, small, words};
use evener::prelude::*;
use evener_kernels::Blocks;

const SHAPES: [[usize; 2]; 9] =
    [[1, 1], [1, 1021], [1021, 1], [31, 33], [32, 32], [65, 7], [7, 65], [130, 257], [257, 130]];

#[test]
fn gather_reads_zero_and_scatter_drops_what_is_past_the_end() {
    for n in SIZES {
        let x = words(n, 1);
        // A permutation, and a third of it points outside.
        let index: Vec<u32> =
            (0..n as u32).map(|i| (n as u32 - 1 - i) + if i % 3 == 0 { n as u32 } else { 0 }).collect();
        let read: Vec<u32> = index.iter().map(|i| x.get(*i as usize).copied().unwrap_or(0)).collect();
        let mut written = vec![7u32; n];
        for (x, i) in x.iter().zip(&index) {
            if let Some(y) = written.get_mut(*i as usize) {
                *y = *x;
            }
        }
        for (place, rt) in places() {
            let mut y = vec![7u32; n];
            checked(place, rt.scatter(&x, &index, &mut y).unwrap());
            assert!(y == written, "{place}, {n}");
            checked(place, rt.gather(&x, &index, &mut y).unwrap());
            assert!(y == read, "{place}, {n}");
        }
    }
}

#[test]
fn the_transpose_of_any_shape() {
    for shape @ [rows, columns] in SHAPES {
        let x = words(rows * columns, 2);
        let long: Vec<f64> = x.iter().map(|x| f64::from(*x)).collect();
        for (place, rt) in places() {
            let (mut y, mut z) = (vec![0u32; x.len()], vec![0.0f64; x.len()]);
            checked(place, rt.transpose(&x, shape, &mut y).unwrap());
            checked(place, rt.transpose(&long, shape, &mut z).unwrap());
            for (r, c) in (0..rows).flat_map(|r| (0..columns).map(move |c| (r, c))) {
                assert_eq!(y[c * rows + r], x[r * columns + c], "{place}, {shape:?} at {r}, {c}");
                assert_eq!(z[c * rows + r], long[r * columns + c], "{place}, {shape:?} at {r}, {c}");
            }
        }
    }
}

/// The convolution in f64, by its formula.
fn reference(x: &[f32], [rows, columns]: [usize; 2], weights: &[f32], [height, width]: [usize; 2]) -> Vec<f64> {
    let (i0, j0) = ((height - 1) / 2, (width - 1) / 2);
    let pixel = |r: isize, c: isize| match (usize::try_from(r), usize::try_from(c)) {
        (Ok(r), Ok(c)) if r < rows && c < columns => f64::from(x[r * columns + c]),
        _ => 0.0,
    };
    let at = |r: usize, c: usize| {
        let taps = (0..height).flat_map(|i| (0..width).map(move |j| (i, j)));
        taps.map(|(i, j)| {
            let (r, c) = ((r + i0) as isize - i as isize, (c + j0) as isize - j as isize);
            f64::from(weights[i * width + j]) * pixel(r, c)
        })
        .sum()
    };
    (0..rows * columns).map(|k| at(k / columns, k % columns)).collect()
}

#[test]
fn convolutions_of_any_shape_are_near_the_f64_sum() {
    for shape in SHAPES {
        let x = small(shape[0] * shape[1], 3);
        for area in [[1, 1], [3, 3], [4, 2], [5, 7]] {
            let weights = small(area[0] * area[1], 4);
            let expected = reference(&x, shape, &weights, area);
            for (place, rt) in places() {
                let mut y = vec![f32::NAN; x.len()];
                checked(place, rt.convolve(&x, shape, &weights, area, &mut y).unwrap());
                let near = |(y, e): (&f32, &f64)| (f64::from(*y) - e).abs() < 35.0 * 6e-8 * 2.0;
                assert!(y.iter().zip(&expected).all(near), "{place}, {shape:?} under {area:?}");
            }
        }
    }
}

#[test]
fn a_separable_convolution_is_that_of_the_product() {
    for shape in SHAPES {
        let x = small(shape[0] * shape[1], 5);
        let (column, row) = (small(5, 6), small(4, 7));
        let weights: Vec<f32> = column.iter().flat_map(|c| row.iter().map(move |r| c * r)).collect();
        let expected = reference(&x, shape, &weights, [5, 4]);
        for (place, rt) in places() {
            let mut y = vec![f32::NAN; x.len()];
            checked(place, rt.convolve_separable(&x, shape, &column, &row, &mut y).unwrap());
            let near = |(y, e): (&f32, &f64)| (f64::from(*y) - e).abs() < 20.0 * 6e-8 * 4.0;
            assert!(y.iter().zip(&expected).all(near), "{place}, {shape:?}");
        }
    }
}

#[test]
fn nothing_is_moved_without_a_complaint_and_wrong_shapes_are_errors() {
    let (_, rt) = &places()[0];
    rt.transpose::<f32>(&[], [0, 5], &mut []).unwrap();
    rt.convolve::<f32>(&[], [0, 5], &[1.0], [1, 1], &mut []).unwrap();
    let mut y = [3u32; 2];
    rt.gather(&[], &[0u32, 1], &mut y).unwrap();
    assert_eq!(y, [0, 0]);
    let size = |error: Error| assert_eq!(error.kind(), ErrorKind::ArgumentSize);
    size(rt.transpose(&[1u32; 5], [2, 3], &mut [0u32; 5]).unwrap_err());
    size(rt.transpose(&[1u32; 6], [2, 3], &mut [0u32; 5]).unwrap_err());
    size(rt.gather(&[1u32], &[0u32], &mut [0u32; 2]).unwrap_err());
    size(rt.scatter(&[1u32], &[0u32, 1], &mut [0u32; 2]).unwrap_err());
    size(rt.convolve(&[1.0f32; 4], [2, 2], &[], [0, 3], &mut [0.0f32; 4]).unwrap_err());
}
