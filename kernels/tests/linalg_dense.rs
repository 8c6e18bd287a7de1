//! Vectors and dense matrices against plain f64 references, on every placement.
#![cfg(feature = "linalg")]

mod support;

use evener::prelude::*;
use evener_kernels::{
    Linalg,
    linalg::{Matrix, MatrixMut, Real},
};
use support::{Numbers, close, cpu, runtimes};

/// Nothing, one, around a work-group, a prime.
const LENGTHS: [usize; 7] = [0, 1, 63, 64, 65, 4097, 10_007];

fn vectors<T: Real>(place: &str, rt: &Runtime) {
    let mut numbers = Numbers(1);
    for n in LENGTHS {
        let (x, y): (Vec<T>, Vec<T>) = (numbers.vector(n), numbers.vector(n));
        let pairs = || x.iter().zip(&y).map(|(x, y)| (x.to_f64(), y.to_f64()));
        let alpha = T::from_f64(-1.7);
        let mut got = y.clone();
        let reports = rt.axpy(alpha, &x, &mut got).unwrap();
        let want: Vec<f64> = pairs().map(|(x, y)| alpha.to_f64() * x + y).collect();
        close(&format!("axpy {n} on {place}"), &got, &want, 4.0 * T::EPSILON);
        assert_eq!(reports.interpreted(), None);
        assert_eq!(reports.is_empty(), n == 0);

        let dot = rt.dot(&x, &y).unwrap();
        assert_eq!(dot.reports.interpreted(), None);
        let want: f64 = pairs().map(|(x, y)| x * y).sum();
        let size: f64 = pairs().map(|(x, y)| (x * y).abs()).sum();
        close(&format!("dot {n} on {place}"), &[dot.value], &[want], 32.0 * T::EPSILON * size);
    }
}

#[test]
fn sums_and_products_of_vectors() {
    for (place, rt) in runtimes() {
        vectors::<f32>(place, rt);
        vectors::<f64>(place, rt);
    }
}

#[test]
fn a_dot_product_has_the_same_bits_whole_and_from_arrays() {
    let rt = cpu();
    let mut numbers = Numbers(2);
    let (x, y): (Vec<f32>, Vec<f32>) = (numbers.vector(100_003), numbers.vector(100_003));
    let whole = rt.dot(&x, &y).unwrap().value;
    let arrays = (rt.array(&x).unwrap(), rt.array(&y).unwrap());
    assert_eq!(rt.dot(&arrays.0, &arrays.1).unwrap().value.to_bits(), whole.to_bits());
    for threads in [1, 3] {
        let rt = Runtime::builder().gpu(false).profile(None).threads(threads).build().unwrap();
        assert_eq!(rt.dot(&x, &y).unwrap().value.to_bits(), whole.to_bits());
    }
}

/// A matrix in some memory: where its elements lie, and the memory's length.
#[derive(Clone, Copy, Debug)]
struct Form {
    strides: [usize; 2],
    len: usize,
}

/// Row by row, column by column, with gaps, and with gaps in both directions.
fn forms(rows: usize, cols: usize) -> [Form; 4] {
    let form = |strides: [usize; 2]| {
        let last = rows.saturating_sub(1) * strides[0] + cols.saturating_sub(1) * strides[1];
        Form { strides, len: if rows * cols == 0 { 0 } else { last + 1 } }
    };
    [form([cols, 1]), form([1, rows]), form([cols + 3, 1]), form([2, 2 * rows + 1])]
}

fn at<T: Real>(data: &[T], form: Form, i: usize, j: usize) -> f64 {
    data[i * form.strides[0] + j * form.strides[1]].to_f64()
}

fn matrix_vector<T: Real>(place: &str, rt: &Runtime) {
    let mut numbers = Numbers(3);
    for (rows, cols) in [(0, 3), (3, 0), (1, 1), (1, 130), (130, 1), (37, 53), (129, 64)] {
        for form in forms(rows, cols) {
            let a: Vec<T> = numbers.vector(form.len);
            let (x, y): (Vec<T>, Vec<T>) = (numbers.vector(cols), numbers.vector(rows));
            let (alpha, beta) = (T::from_f64(1.3), T::from_f64(-0.4));
            let mut got = y.clone();
            let view = Matrix::with_strides(&a, rows, cols, form.strides).unwrap();
            let reports = rt.gemv(alpha, view, &x, beta, &mut got).unwrap();
            assert_eq!(reports.interpreted(), None);
            let product = |i: usize| (0..cols).map(|j| at(&a, form, i, j) * x[j].to_f64()).sum::<f64>();
            let want: Vec<f64> =
                (0..rows).map(|i| alpha.to_f64() * product(i) + beta.to_f64() * y[i].to_f64()).collect();
            let slack = T::EPSILON * (cols as f64 + 4.0);
            close(&format!("gemv {rows} by {cols} {form:?} on {place}"), &got, &want, slack);
        }
    }
}

#[test]
fn products_of_matrices_with_vectors() {
    for (place, rt) in runtimes() {
        matrix_vector::<f32>(place, rt);
        matrix_vector::<f64>(place, rt);
    }
}

/// One product of matrices in given forms, all elements compared, and what lies between them.
fn product<T: Real>(place: &str, rt: &Runtime, size: [usize; 3], forms: [Form; 3], numbers: &mut Numbers) {
    let [m, n, k] = size;
    let [fa, fb, fc] = forms;
    let (a, b, c): (Vec<T>, Vec<T>, Vec<T>) = (numbers.vector(fa.len), numbers.vector(fb.len), numbers.vector(fc.len));
    let (alpha, beta) = (T::from_f64(0.7), T::from_f64(1.1));
    let mut got = c.clone();
    let left = Matrix::with_strides(&a, m, k, fa.strides).unwrap();
    let right = Matrix::with_strides(&b, k, n, fb.strides).unwrap();
    let result = MatrixMut::with_strides(&mut got, m, n, fc.strides).unwrap();
    let reports = rt.gemm(alpha, left, right, beta, result).unwrap();
    assert_eq!(reports.interpreted(), None);
    let mut want: Vec<f64> = c.iter().map(|c| c.to_f64()).collect();
    for i in 0..m {
        for j in 0..n {
            let sum: f64 = (0..k).map(|l| at(&a, fa, i, l) * at(&b, fb, l, j)).sum();
            want[i * fc.strides[0] + j * fc.strides[1]] = alpha.to_f64() * sum + beta.to_f64() * at(&c, fc, i, j);
        }
    }
    close(&format!("gemm {size:?} {forms:?} on {place}"), &got, &want, T::EPSILON * (k as f64 + 4.0));
}

fn products<T: Real>(place: &str, rt: &Runtime) {
    let mut numbers = Numbers(4);
    for size in [[0, 3, 2], [3, 0, 2], [3, 2, 0], [1, 1, 1], [7, 5, 3], [65, 67, 33], [31, 129, 70]] {
        let [m, n, k] = size;
        let (a, b, c) = (forms(m, k), forms(k, n), forms(m, n));
        for form in 0..4 {
            product::<T>(place, rt, size, [a[form], b[(form + 1) % 4], c[(2 * form) % 4]], &mut numbers);
            product::<T>(place, rt, size, [a[(form + 2) % 4], b[form], c[(2 * form + 1) % 4]], &mut numbers);
        }
    }
}

#[test]
fn products_of_matrices() {
    for (place, rt) in runtimes() {
        products::<f32>(place, rt);
        products::<f64>(place, rt);
    }
}

/// Matrices without gaps, which the CPU multiplies by a library, in all orders; taller and wider than a work-group's tile.
#[test]
fn products_of_matrices_without_gaps() {
    for (place, rt) in runtimes() {
        let mut numbers = Numbers(14);
        for size in [[65, 67, 33], [40, 300, 20], [200, 3, 50]] {
            let [m, n, k] = size;
            let (a, b, c) = (forms(m, k), forms(k, n), forms(m, n));
            for order in 0..8 {
                let forms = [a[order & 1], b[order >> 1 & 1], c[order >> 2]];
                product::<f32>(place, rt, size, forms, &mut numbers);
                product::<f64>(place, rt, size, forms, &mut numbers);
            }
        }
    }
}

#[test]
fn a_batch_without_gaps_is_multiplied_matrix_by_matrix() {
    let (m, n, k, count) = (70, 9, 4, 5);
    let mut numbers = Numbers(15);
    let (a, b): (Vec<f64>, Vec<f64>) = (numbers.vector(m * k), numbers.vector(count * k * n));
    for (place, rt) in runtimes() {
        let mut c = vec![1.0; count * m * n];
        let right = Matrix::with_strides(&b, k, n, [1, k]).unwrap().batch(count, k * n).unwrap();
        let result = MatrixMut::with_strides(&mut c, m, n, [n, 1]).unwrap().batch(count, m * n).unwrap();
        rt.gemm(2.0, Matrix::new(&a, m, k).unwrap(), right, -1.0, result).unwrap();
        let want = |at: usize| {
            let (batch, i, j) = (at / (m * n), at / n % m, at % n);
            2.0 * (0..k).map(|l| a[i * k + l] * b[batch * k * n + j * k + l]).sum::<f64>() - 1.0
        };
        let want: Vec<f64> = (0..c.len()).map(want).collect();
        close(&format!("a batch on {place}"), &c, &want, 1e-14);
    }
}

#[test]
fn a_batch_is_multiplied_matrix_by_matrix() {
    let (m, n, k, count) = (5, 9, 4, 3);
    let mut numbers = Numbers(5);
    let a: Vec<f32> = numbers.vector(count * m * k);
    let b: Vec<f32> = numbers.vector(k * n);
    for (place, rt) in runtimes() {
        // The results lie 50 elements apart, of which they take 45.
        let mut c = vec![f32::NAN; count * 50];
        let left = Matrix::with_strides(&a, m, k, [k, 1]).unwrap().batch(count, m * k).unwrap();
        let result = MatrixMut::with_strides(&mut c, m, n, [n, 1]).unwrap().batch(count, 50).unwrap();
        rt.gemm(1.0, left, Matrix::new(&b, k, n).unwrap(), 0.0, result).unwrap();
        for (at, got) in c.iter().enumerate() {
            let (batch, i, j) = (at / 50, at % 50 / n, at % 50 % n);
            if i >= m {
                assert!(got.is_nan(), "{at} is between the matrices, on {place}");
                continue;
            }
            let product = |l: usize| f64::from(a[batch * m * k + i * k + l]) * f64::from(b[l * n + j]);
            let want: f64 = (0..k).map(product).sum();
            close(&format!("element {at} on {place}"), &[*got], &[want], 1e-6);
        }
    }
}

/// `C r = A (B r)` for random `r` (R. Freivalds, 1977): a wrong C fails each of them with probability 1/2 at least.
fn freivalds<T: Real>(place: &str, rt: &Runtime) {
    let (m, n, k) = (257, 193, 300);
    let mut numbers = Numbers(6);
    let (a, b): (Vec<T>, Vec<T>) = (numbers.vector(m * k), numbers.vector(k * n));
    let mut c = vec![T::from_f64(f64::NAN); m * n];
    let (left, right) = (Matrix::new(&a, m, k).unwrap(), Matrix::new(&b, k, n).unwrap());
    let one = T::from_f64(1.0);
    let reports = rt.gemm(one, left, right, T::from_f64(0.0), MatrixMut::new(&mut c, m, n).unwrap()).unwrap();
    if place == "split" {
        assert_eq!(reports[0].chose, "split", "{}", reports[0].reason);
    }
    let times = |a: &[T], cols: usize, x: &[f64]| -> Vec<f64> {
        a.chunks(cols).map(|row| row.iter().zip(x).map(|(a, x)| a.to_f64() * x).sum()).collect()
    };
    for _ in 0..8 {
        let r: Vec<f64> = (0..n).map(|_| if numbers.bits() >> 63 == 0 { 1.0 } else { -1.0 }).collect();
        let (got, want) = (times(&c, n, &r), times(&a, k, &times(&b, n, &r)));
        let slack = T::EPSILON * (k * n) as f64;
        for (i, (got, want)) in got.iter().zip(&want).enumerate() {
            assert!((got - want).abs() <= slack, "row {i} on {place}: {got} for {want}");
        }
    }
}

#[test]
fn larger_products_pass_freivalds_test() {
    for (place, rt) in runtimes() {
        freivalds::<f32>(place, rt);
        freivalds::<f64>(place, rt);
    }
}

#[test]
fn arrays_and_views_are_taken_where_slices_are() {
    let rt = cpu();
    let a = rt.array(&[1.0f64, 2.0, 3.0, 4.0]).unwrap();
    let mut c = rt.zeros::<f64>(8).unwrap();
    let result = MatrixMut::new(c.view_mut(2..6).unwrap(), 2, 2).unwrap();
    let (left, right) = (Matrix::new(&a, 2, 2).unwrap(), Matrix::new(&a, 2, 2).unwrap());
    rt.gemm(1.0, left, right, 0.0, result).unwrap();
    assert_eq!(c.to_vec().unwrap(), [0.0, 0.0, 7.0, 10.0, 15.0, 22.0, 0.0, 0.0]);
    rt.axpy(2.0, a.view(1..3).unwrap(), c.view_mut(0..2).unwrap()).unwrap();
    assert_eq!(c.to_vec().unwrap()[..2], [4.0, 6.0]);
}

#[test]
fn what_does_not_fit_is_a_typed_error_that_names_the_argument() {
    let rt = cpu();
    let data = [0.0f32; 12];
    let matrix = |rows, cols| Matrix::new(&data[..rows * cols], rows, cols).unwrap();
    let mut out = [0.0f32; 12];
    let mut gemm = |a, b, shape: [usize; 2]| {
        let c = MatrixMut::new(&mut out[..shape[0] * shape[1]], shape[0], shape[1]).unwrap();
        rt.gemm(1.0, a, b, 0.0, c).map(|_| ()).unwrap_err()
    };
    let error = gemm(matrix(2, 3), matrix(2, 3), [2, 3]);
    assert_eq!(error.kind(), ErrorKind::ArgumentSize);
    assert!(error.to_string().contains("`b` has 2 rows and `a` has 3 columns"), "{error}");
    let error = gemm(matrix(2, 3), matrix(3, 2), [3, 2]);
    assert!(error.to_string().contains("`c` has 3 rows"), "{error}");
    let error = gemm(matrix(1, 1).batch(2, 0).unwrap(), matrix(1, 1), [1, 1]);
    assert!(error.to_string().contains("`a` is a batch of 2"), "{error}");
    let error = rt.axpy(1.0, &data[..3], &mut out[..4]).unwrap_err();
    assert!(error.to_string().contains("`y` has 4 elements and `x` has 3"), "{error}");
    let error = rt.gemv(1.0, matrix(2, 3), &data[..2], 0.0, &mut out[..2]).unwrap_err();
    assert!(error.to_string().contains("`x` has 2 elements"), "{error}");

    let kind = |result: evener::Result<MatrixMut<'_, f32>>| result.map(|_| ()).unwrap_err().kind();
    assert_eq!(kind(MatrixMut::new(&mut out, 5, 2)), ErrorKind::ArgumentSize);
    assert_eq!(kind(MatrixMut::with_strides(&mut out, 3, 4, [4, 0])), ErrorKind::Aliasing);
    assert_eq!(kind(MatrixMut::with_strides(&mut out, 3, 4, [3, 1])), ErrorKind::Aliasing);
    assert_eq!(kind(MatrixMut::with_strides(&mut out, 3, 4, [5, 1])), ErrorKind::ArgumentSize);
    assert_eq!(kind(MatrixMut::with_strides(&mut out, 2, 2, [usize::MAX, 1])), ErrorKind::ArgumentSize);
    let wide = Matrix::with_strides(&data, 1 << 40, 1, [0, 1]).map(|_| ()).unwrap_err();
    assert_eq!(wide.kind(), ErrorKind::ItemCount);
}

#[test]
fn one_part_of_an_array_may_be_the_product_of_another_with_itself() {
    let rt = cpu();
    let mut all = rt.array(&[0.0f32, 0.0, 0.0, 0.0, 1.0, 2.0, 3.0, 4.0]).unwrap();
    let [left, right] = all.views_mut([0..4, 4..8]).unwrap();
    let factor = || Matrix::new(&right, 2, 2).unwrap();
    rt.gemm(1.0, factor(), factor().transposed(), 0.0, MatrixMut::new(left, 2, 2).unwrap()).unwrap();
    assert_eq!(all.to_vec().unwrap()[..4], [5.0, 11.0, 11.0, 25.0]);
}
