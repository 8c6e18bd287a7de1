//! Roots of unity, chirps and their spectra, computed in f64.

use crate::linalg::Real;
use std::f64::consts::PI;

/// A complex number.
pub(super) type Complex = [f64; 2];

/// `exp(-2 pi i k / n)` for `k` below `count`. The angle is folded to an eighth of the circle first, so that the parts
/// are exact where they are simple.
pub(super) fn roots(n: usize, count: usize) -> Vec<Complex> {
    (0..count).map(|k| root(k as u128, n as u128)).collect()
}

fn root(k: u128, n: u128) -> Complex {
    let k = k % n;
    let at = |k: u128| 2.0 * PI * k as f64 / n as f64;
    let (cos, sin) = match 8 * k / n {
        0 => (at(k).cos(), at(k).sin()),
        // Beyond an eighth by what is left to a quarter, beyond a quarter by what is over it, ...
        1 | 2 => {
            let rest = 4.0 * k as f64 - n as f64;
            let angle = PI / 2.0 * rest / n as f64;
            (-angle.sin(), angle.cos())
        }
        3 | 4 => {
            let rest = 2.0 * k as f64 - n as f64;
            let angle = PI * rest / n as f64;
            (-angle.cos(), -angle.sin())
        }
        5 | 6 => {
            let rest = 4.0 * k as f64 - 3.0 * n as f64;
            let angle = PI / 2.0 * rest / n as f64;
            (angle.sin(), -angle.cos())
        }
        _ => (at(n - k).cos(), -at(n - k).sin()),
    };
    [cos, -sin]
}

/// `exp(-pi i k^2 / n)` for `k` below `n`.
pub(super) fn chirp(n: usize) -> Vec<Complex> {
    (0..n as u128).map(|k| root(k * k % (2 * n as u128), 2 * n as u128)).collect()
}

/// The transform of length `m`, a power of two, of the conjugate chirp around 0, over `m`.
pub(super) fn chirp_spectrum(chirp: &[Complex], m: usize) -> Vec<Complex> {
    let mut filter = vec![[0.0; 2]; m];
    for (k, [re, im]) in chirp.iter().enumerate() {
        filter[k] = [*re, -*im];
        filter[(m - k) % m] = [*re, -*im];
    }
    transform(&mut filter);
    filter.iter().map(|[re, im]| [re / m as f64, im / m as f64]).collect()
}

/// The forward transform of a power of two, in place: for tables, not for data.
fn transform(data: &mut [Complex]) {
    let n = data.len();
    let bits = n.trailing_zeros();
    for i in 0..n {
        let j = if bits == 0 { 0 } else { i.reverse_bits() >> (usize::BITS - bits) };
        if i < j {
            data.swap(i, j);
        }
    }
    let table = roots(n, n / 2);
    let mut half = 1;
    while half < n {
        for block in data.chunks_exact_mut(2 * half) {
            let (low, high) = block.split_at_mut(half);
            for (k, (a, b)) in low.iter_mut().zip(high).enumerate() {
                let [c, s] = table[k * (n / (2 * half))];
                let turned = [b[0] * c - b[1] * s, b[0] * s + b[1] * c];
                *b = [a[0] - turned[0], a[1] - turned[1]];
                *a = [a[0] + turned[0], a[1] + turned[1]];
            }
        }
        half *= 2;
    }
}

/// Rounded to the type of the kernels.
pub(super) fn rounded<T: Real>(table: &[Complex]) -> Vec<[T; 2]> {
    table.iter().map(|z| z.map(T::from_f64)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roots_lie_where_they_should_and_simple_ones_are_exact() {
        for n in [1, 2, 3, 8, 12, 1000] {
            for (k, [re, im]) in roots(n, n).into_iter().enumerate() {
                let angle = -2.0 * PI * k as f64 / n as f64;
                assert!((re - angle.cos()).abs() < 1e-14 && (im - angle.sin()).abs() < 1e-14, "{k} of {n}: {re}, {im}");
            }
        }
        assert_eq!(roots(4, 4), [[1.0, 0.0], [0.0, -1.0], [-1.0, 0.0], [0.0, 1.0]]);
    }

    #[test]
    fn the_transform_of_tables_is_the_sum_that_defines_it() {
        let input: Vec<Complex> = (0..16).map(|k| [f64::from(k * k % 7), f64::from(k % 5)]).collect();
        let mut got = input.clone();
        transform(&mut got);
        for (j, got) in got.iter().enumerate() {
            let mut want = [0.0; 2];
            for (k, [a, b]) in input.iter().enumerate() {
                let [c, s] = root((j * k) as u128, 16);
                want = [want[0] + a * c - b * s, want[1] + a * s + b * c];
            }
            assert!((got[0] - want[0]).abs() < 1e-12 && (got[1] - want[1]).abs() < 1e-12);
        }
    }
}
