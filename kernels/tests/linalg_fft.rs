//! Fourier transforms against the sums that define them, on every placement; Parseval's theorem and round trips.
#![cfg(feature = "linalg")]

mod support;

use evener::prelude::*;
use evener_kernels::{Linalg, linalg::Real};
use std::f64::consts::PI;
use support::{Numbers, cpu, runtimes};

type Complex = [f64; 2];

/// Transforms of `[..][length][inner]` along the middle axis, by definition.
fn dft(data: &[Complex], length: usize, inner: usize) -> Vec<Complex> {
    let root: Vec<Complex> = (0..length)
        .map(|k| {
            let angle = -2.0 * PI * k as f64 / length as f64;
            [angle.cos(), angle.sin()]
        })
        .collect();
    let mut out = vec![[0.0; 2]; data.len()];
    for (at, out) in out.iter_mut().enumerate() {
        let (first, k) = (at - at / inner % length * inner, at / inner % length);
        for j in 0..length {
            let ([a, b], [c, s]) = (data[first + j * inner], root[j * k % length]);
            *out = [out[0] + a * c - b * s, out[1] + a * s + b * c];
        }
    }
    out
}

fn wide<T: Real>(data: &[[T; 2]]) -> Vec<Complex> {
    data.iter().map(|z| z.map(Real::to_f64)).collect()
}

fn complex<T: Real>(numbers: &mut Numbers, len: usize) -> Vec<[T; 2]> {
    (0..len).map(|_| [numbers.unit(), numbers.unit()].map(T::from_f64)).collect()
}

/// The largest error against the root of the sum of all squares of a vector: what transforms keep but for their scale.
#[track_caller]
fn near<T: Real>(what: &str, got: &[[T; 2]], want: &[Complex], slack: f64) {
    assert_eq!(got.len(), want.len(), "{what}");
    let size = want.iter().map(|[a, b]| a * a + b * b).sum::<f64>().sqrt();
    for (k, (got, want)) in wide(got).iter().zip(want).enumerate() {
        let error = (got[0] - want[0]).hypot(got[1] - want[1]);
        assert!(error <= slack * size, "{what}: element {k} is {got:?} and should be {want:?}");
    }
}

/// Nothing to do, powers of two, even and odd ones, primes.
const LENGTHS: [usize; 12] = [1, 2, 3, 4, 5, 8, 13, 32, 60, 97, 256, 500];

fn lengths<T: Real>() {
    let mut numbers = Numbers(10);
    for n in LENGTHS {
        let data = complex::<T>(&mut numbers, 3 * n);
        let want = dft(&wide(&data), n, 1);
        for (place, rt) in runtimes() {
            let fft = rt.fft::<T>(n).unwrap();
            let (mut spectrum, mut back) = (vec![[T::default(); 2]; 3 * n], vec![[T::default(); 2]; 3 * n]);
            let reports = fft.forward(&data, &mut spectrum).unwrap();
            assert_eq!(reports.interpreted(), None);
            near(&format!("{n} on {place}"), &spectrum, &want, 8.0 * T::EPSILON);
            fft.backward(&spectrum, &mut back).unwrap();
            near(&format!("{n} and back on {place}"), &back, &wide(&data), 8.0 * T::EPSILON);
        }
    }
}

#[test]
fn transforms_of_f32_are_the_sums_that_define_them() {
    lengths::<f32>();
}

#[test]
fn transforms_of_f64_are_the_sums_that_define_them() {
    lengths::<f64>();
}

#[test]
fn planes_are_transformed_along_both_axes() {
    let mut numbers = Numbers(11);
    for (rows, cols) in [(1, 5), (5, 1), (8, 16), (6, 10), (7, 32), (64, 3)] {
        let data = complex::<f64>(&mut numbers, 2 * rows * cols);
        let want = dft(&dft(&data, cols, 1), rows, cols);
        for (place, rt) in runtimes() {
            let fft = rt.fft2::<f64>(rows, cols).unwrap();
            let (mut spectrum, mut back) = (vec![[0.0; 2]; data.len()], vec![[0.0; 2]; data.len()]);
            fft.forward(&data, &mut spectrum).unwrap();
            near(&format!("{rows} by {cols} on {place}"), &spectrum, &want, 1e-15);
            fft.backward(&spectrum, &mut back).unwrap();
            near(&format!("{rows} by {cols} and back on {place}"), &back, &data, 1e-15);
        }
    }
}

fn real_lengths<T: Real>() {
    let mut numbers = Numbers(12);
    for n in [1, 2, 3, 4, 5, 6, 15, 16, 30, 128, 243] {
        let data: Vec<T> = numbers.vector(3 * n);
        let all = dft(&data.iter().map(|x| [x.to_f64(), 0.0]).collect::<Vec<_>>(), n, 1);
        let want: Vec<Complex> = all.chunks(n).flat_map(|one| one[..n / 2 + 1].to_vec()).collect();
        for (place, rt) in runtimes() {
            let fft = rt.real_fft::<T>(n).unwrap();
            assert_eq!(fft.spectrum(), n / 2 + 1);
            let mut spectrum = vec![[T::default(); 2]; want.len()];
            let reports = fft.forward(&data, &mut spectrum).unwrap();
            assert_eq!(reports.interpreted(), None);
            near(&format!("real {n} on {place}"), &spectrum, &want, 8.0 * T::EPSILON);
            let mut back = vec![T::default(); data.len()];
            fft.backward(&spectrum, &mut back).unwrap();
            support::close(
                &format!("real {n} and back on {place}"),
                &back,
                &data.iter().map(|x| x.to_f64()).collect::<Vec<_>>(),
                16.0 * T::EPSILON,
            );
        }
    }
}

#[test]
fn real_vectors_have_half_a_spectrum() {
    real_lengths::<f32>();
    real_lengths::<f64>();
}

/// The kernel whose work the CPU's library does, as it stands in WGSL.
#[test]
fn the_reference_of_the_library_is_the_sum_that_defines_it() {
    let rt = cpu();
    let wgsl = rt.kernel([<f64 as Real>::PRELUDE, evener_shaders::linalg::FFT_WHOLE]).unwrap();
    let mut numbers = Numbers(16);
    for (length, inner) in [(1, 1), (5, 1), (16, 1), (12, 7)] {
        let data = complex::<f64>(&mut numbers, 2 * length * inner);
        let mut root = vec![[0.0; 2]; length];
        root[..].iter_mut().enumerate().for_each(|(k, z)| {
            let angle = -2.0 * PI * k as f64 / length as f64;
            *z = [angle.cos(), angle.sin()];
        });
        let mut got = vec![[0.0; 2]; data.len()];
        let call = wgsl.call().set("params.sign", 1.0).set("params.scale", 1.0);
        let call = call.set("shape", [data.len() as u32, length as u32, inner as u32]);
        let report = call.arg("root", &root).arg("src", &data).arg("dst", &mut got).items(data.len()).run().unwrap();
        assert_eq!(report.interpreted, None);
        near(&format!("{length} by {inner}"), &got, &dft(&data, length, inner), 1e-15);
    }
}

/// `sum |X|^2 = n sum |x|^2` (M. Parseval), and the way back, where the sums that define it take too long.
#[test]
fn long_transforms_keep_the_energy_and_come_back() {
    let mut numbers = Numbers(13);
    for n in [1 << 15, 1 << 16, 5000, 20_011] {
        let data = complex::<f64>(&mut numbers, n);
        let energy = |data: &[Complex]| data.iter().map(|[a, b]| a * a + b * b).sum::<f64>();
        for (place, rt) in runtimes() {
            let fft = rt.fft::<f64>(n).unwrap();
            let input = rt.array(&data).unwrap();
            let (mut spectrum, mut back) = (rt.zeros(n).unwrap(), vec![[0.0; 2]; n]);
            fft.forward(&input, &mut spectrum).unwrap();
            let (got, want) = (energy(&spectrum.read().unwrap()), n as f64 * energy(&data));
            assert!((got - want).abs() < 1e-14 * want * (n as f64).log2(), "{n} on {place}: {got} for {want}");
            fft.backward(&spectrum, &mut back).unwrap();
            near(&format!("{n} on {place}"), &back, &data, 1e-15);
        }
    }
}

#[test]
fn what_is_no_transform_is_refused() {
    let rt = cpu();
    assert_eq!(rt.fft::<f32>(0).unwrap_err().kind(), ErrorKind::ItemCount);
    assert_eq!(rt.real_fft::<f32>(0).unwrap_err().kind(), ErrorKind::ItemCount);
    assert_eq!(rt.fft2::<f32>(3, 0).unwrap_err().kind(), ErrorKind::ItemCount);
    assert_eq!(rt.fft2::<f32>(1 << 17, 1 << 17).unwrap_err().kind(), ErrorKind::ItemCount);
    assert_eq!(rt.fft::<f32>(1 << 31).unwrap_err().kind(), ErrorKind::ItemCount);

    let fft = rt.fft::<f32>(4).unwrap();
    let error = fft.forward(&[[0.0; 2]; 6], &mut [[0.0; 2]; 6]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ArgumentSize);
    assert!(error.to_string().contains("`src` has 6 elements"), "{error}");
    let error = fft.forward(&[[0.0; 2]; 8], &mut [[0.0; 2]; 4]).unwrap_err();
    assert!(error.to_string().contains("`dst` has 4 elements; 2 transforms have 4 each"), "{error}");
    assert!(fft.forward(&[[0.0; 2]; 0], &mut [[0.0; 2]; 0]).unwrap().is_empty());
    let real = rt.real_fft::<f32>(4).unwrap();
    let error = real.forward(&[0.0; 8], &mut [[0.0; 2]; 8]).unwrap_err();
    assert!(error.to_string().contains("2 transforms have 3 each"), "{error}");
}
