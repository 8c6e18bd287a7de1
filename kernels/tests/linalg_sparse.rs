//! Sparse matrices and systems of equations against plain f64 references, on every placement; the CG benchmark of NPB.
#![cfg(feature = "linalg")]

mod support;

use evener::prelude::*;
use evener_kernels::{
    Linalg,
    linalg::{Csr, Ending, Matrix, MatrixMut, Real},
};
use support::{Numbers, close, cpu, runtimes};

/// Compressed rows.
struct Rows<T> {
    cols: usize,
    row_start: Vec<u32>,
    column: Vec<u32>,
    value: Vec<T>,
}

impl<T: Real> Rows<T> {
    /// Rows of 0 to `most` elements at random places, some of them twice at one.
    fn random(rows: usize, cols: usize, most: usize, numbers: &mut Numbers) -> Self {
        let mut all = Rows { cols, row_start: vec![0], column: vec![], value: vec![] };
        for _ in 0..rows {
            for _ in 0..if cols == 0 { 0 } else { numbers.below(most + 1) } {
                all.column.push(numbers.below(cols) as u32);
                all.value.push(T::from_f64(numbers.unit()));
            }
            all.row_start.push(all.column.len() as u32);
        }
        all
    }

    fn csr(&self, rt: &Runtime) -> Csr<T> {
        Csr::new(rt, self.cols, &self.row_start, &self.column, &self.value).unwrap()
    }

    fn times(&self, x: &[f64]) -> Vec<f64> {
        let row = |w: &[u32]| {
            let range = w[0] as usize..w[1] as usize;
            range.map(|k| self.value[k].to_f64() * x[self.column[k] as usize]).sum()
        };
        self.row_start.windows(2).map(row).collect()
    }
}

fn sparse_products<T: Real>(place: &str, rt: &Runtime) {
    let mut numbers = Numbers(7);
    for (rows, cols, most) in
        [(0, 3, 2), (3, 0, 0), (1, 1, 1), (5, 7, 0), (67, 131, 4), (1009, 400, 5), (37, 53, 40), (1009, 500, 60)]
    {
        let a = Rows::<T>::random(rows, cols, most, &mut numbers);
        let x: Vec<T> = numbers.vector(cols);
        let mut y = vec![T::from_f64(f64::NAN); rows];
        let reports = rt.spmv(&a.csr(rt), &x, &mut y).unwrap();
        assert_eq!(reports.interpreted(), None);
        let x: Vec<f64> = x.iter().map(|x| x.to_f64()).collect();
        close(&format!("{rows} by {cols} on {place}"), &y, &a.times(&x), T::EPSILON * (most as f64 + 1.0));
    }
}

#[test]
fn products_of_sparse_matrices_with_vectors() {
    for (place, rt) in runtimes() {
        sparse_products::<f32>(place, rt);
        sparse_products::<f64>(place, rt);
    }
}

#[test]
fn what_is_no_matrix_is_refused() {
    let rt = cpu();
    let error = |cols, row_start: &[u32], column: &[u32]| {
        let value = vec![1.0f32; column.len().max(2)];
        Csr::new(&rt, cols, row_start, column, &value).map(|_| ()).unwrap_err()
    };
    assert!(error(2, &[0, 1], &[0]).to_string().contains("`column` has 1 elements and `value` has 2"));
    assert!(error(2, &[], &[0, 1]).to_string().contains("`row_start`"));
    assert!(error(2, &[0, 1], &[0, 1]).to_string().contains("`row_start`"));
    assert!(error(2, &[0, 3, 2], &[0, 1]).to_string().contains("`row_start[2]` is less"));
    let outside = error(2, &[0, 2], &[0, 2]);
    assert_eq!(outside.kind(), ErrorKind::ArgumentType);
    assert!(outside.to_string().contains("`column[1]` is 2"), "{outside}");

    let a = Csr::new(&rt, 3, &[0, 1, 2], &[0, 1], &[1.0f32, 1.0]).unwrap();
    assert!(rt.spmv(&a, &[0.0; 2], &mut [0.0; 2]).unwrap_err().to_string().contains("`x` has 2 elements"));
    let (b, mut x) = (rt.zeros(2).unwrap(), rt.zeros(3).unwrap());
    let ending = Ending { tolerance: 0.0, steps: 1 };
    let error = rt.conjugate_gradient(&a, &b, &mut x, &ending).unwrap_err();
    assert!(error.to_string().contains("3 columns and `a` has 2 rows"), "{error}");
}

/// The 5-point Laplacian of a square grid with zeros around it.
fn laplacian<T: Real>(side: usize) -> Rows<T> {
    let mut a = Rows { cols: side * side, row_start: vec![0], column: vec![], value: vec![] };
    for i in 0..side * side {
        let (row, col) = (i / side, i % side);
        let neighbours = [
            (row > 0, i.wrapping_sub(side), -1.0),
            (col > 0, i.wrapping_sub(1), -1.0),
            (true, i, 4.0),
            (col + 1 < side, i + 1, -1.0),
            (row + 1 < side, i + side, -1.0),
        ];
        for (_, column, value) in neighbours.into_iter().filter(|n| n.0) {
            a.column.push(column as u32);
            a.value.push(T::from_f64(value));
        }
        a.row_start.push(a.column.len() as u32);
    }
    a
}

fn poisson<T: Real>(place: &str, rt: &Runtime, tolerance: f64) {
    let a = laplacian::<T>(17);
    let want: Vec<f64> = Numbers(8).vector::<f64>(a.cols);
    let b: Vec<T> = a.times(&want).into_iter().map(T::from_f64).collect();
    let (b, mut x) = (rt.array(&b).unwrap(), rt.zeros::<T>(a.cols).unwrap());
    let solved = rt.conjugate_gradient(&a.csr(rt), &b, &mut x, &Ending { tolerance, steps: 200 }).unwrap();
    assert!(solved.converged && solved.steps < 100, "on {place}: {} steps to {:e}", solved.steps, solved.residual);
    assert_eq!(solved.reports.interpreted(), None);
    close(&format!("poisson on {place}"), &x.to_vec().unwrap(), &want, 1000.0 * tolerance);
}

#[test]
fn conjugate_gradients_solve_poissons_equation() {
    for (place, rt) in runtimes() {
        poisson::<f32>(place, rt, 1e-6);
        poisson::<f64>(place, rt, 1e-13);
    }
}

#[test]
fn a_matrix_that_is_not_definite_is_an_error() {
    let rt = cpu();
    let a = Csr::new(&rt, 2, &[0, 1, 2], &[0, 1], &[1.0f64, -1.0]).unwrap();
    let (b, mut x) = (rt.array(&[1.0, 2.0]).unwrap(), rt.zeros(2).unwrap());
    let error = rt.conjugate_gradient(&a, &b, &mut x, &Ending { tolerance: 1e-9, steps: 5 }).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::KernelFault);
    assert!(error.to_string().contains("`a` is not symmetric and definite"), "{error}");
}

/// Solutions known, right-hand sides computed, systems in the rows or the columns of the matrices.
fn tridiagonal_systems<T: Real>(place: &str, rt: &Runtime) {
    let mut numbers = Numbers(9);
    for (systems, size) in [(0, 4), (4, 0), (1, 1), (1, 2), (3, 67), (130, 31), (67, 128)] {
        for side_by_side in [false, true] {
            let n = systems * size;
            let strides = if side_by_side { [1, systems] } else { [size, 1] };
            let (lower, upper): (Vec<T>, Vec<T>) = (numbers.vector(n), numbers.vector(n));
            // Dominant: the error of the elimination is a few roundings.
            let diagonal: Vec<T> = numbers.vector::<f64>(n).iter().map(|d| T::from_f64(d + 3.5)).collect();
            let want: Vec<f64> = numbers.vector::<f64>(n);
            let at = |s: usize, i: usize| s * strides[0] + i * strides[1];
            let mut x = vec![T::from_f64(0.0); n];
            for (s, i) in (0..systems).flat_map(|s| (0..size).map(move |i| (s, i))) {
                let mut sum = diagonal[at(s, i)].to_f64() * want[at(s, i)];
                sum += if i > 0 { lower[at(s, i)].to_f64() * want[at(s, i - 1)] } else { 0.0 };
                sum += if i + 1 < size { upper[at(s, i)].to_f64() * want[at(s, i + 1)] } else { 0.0 };
                x[at(s, i)] = T::from_f64(sum);
            }
            let view = |data| Matrix::with_strides(data, systems, size, strides).unwrap();
            let result = MatrixMut::with_strides(&mut x, systems, size, strides).unwrap();
            let reports = rt.tridiagonal(view(&lower), view(&diagonal), view(&upper), result).unwrap();
            assert_eq!(reports.interpreted(), None);
            close(&format!("{systems} of {size} on {place}"), &x, &want, 40.0 * T::EPSILON);
        }
    }
}

#[test]
fn tridiagonal_systems_are_solved() {
    for (place, rt) in runtimes() {
        tridiagonal_systems::<f32>(place, rt);
        tridiagonal_systems::<f64>(place, rt);
    }
}

/// The CG benchmark of the NAS Parallel Benchmarks (D. Bailey and others, RNR-94-007, section 2.5), class S.
mod npb {
    use super::Rows;

    pub const N: usize = 1400;
    pub const SHIFT: f64 = 10.0;
    const NONZERO: usize = 7;
    const CONDITION: f64 = 0.1;

    /// `x = 5^13 x mod 2^46`, over 2^46.
    pub struct Random(u64);

    impl Random {
        pub fn new() -> Self {
            Random(314_159_265)
        }

        pub fn draw(&mut self) -> f64 {
            self.0 = (u128::from(self.0) * 1_220_703_125 % (1 << 46)) as u64;
            self.0 as f64 / (1u64 << 46) as f64
        }
    }

    /// A sparse vector: `NONZERO` random elements at different random places, and 1/2 at place `i`.
    fn vector(i: usize, random: &mut Random) -> Vec<(usize, f64)> {
        let mut vector: Vec<(usize, f64)> = Vec::new();
        while vector.len() < NONZERO {
            let (value, place) = (random.draw(), random.draw());
            // Places are drawn from the next power of two; those that are not in the matrix are passed over.
            let place = (N.next_power_of_two() as f64 * place) as usize;
            if place < N && vector.iter().all(|(taken, _)| *taken != place) {
                vector.push((place, value));
            }
        }
        match vector.iter_mut().find(|(place, _)| *place == i) {
            Some(element) => element.1 = 0.5,
            None => vector.push((i, 0.5)),
        }
        vector
    }

    /// The sum of the outer products of sparse vectors with themselves, weighted from 1 down to the condition number, plus
    /// the condition number less the shift on the diagonal.
    pub fn matrix() -> Rows<f64> {
        let mut random = Random::new();
        random.draw();
        let mut rows: Vec<std::collections::BTreeMap<usize, f64>> = vec![Default::default(); N];
        let ratio = CONDITION.powf(1.0 / N as f64);
        let mut weight = 1.0;
        for i in 0..N {
            let vector = vector(i, &mut random);
            for &(row, left) in &vector {
                for &(column, right) in &vector {
                    let diagonal = if row == i && column == i { CONDITION - SHIFT } else { 0.0 };
                    *rows[row].entry(column).or_default() += right * (left * weight) + diagonal;
                }
            }
            weight *= ratio;
        }
        let mut all = Rows { cols: N, row_start: vec![0], column: vec![], value: vec![] };
        for row in rows {
            all.column.extend(row.keys().map(|c| *c as u32));
            all.value.extend(row.values());
            all.row_start.push(all.column.len() as u32);
        }
        all
    }
}

/// The inverse power method: 15 solutions by 25 steps each, and the eigenvalue estimate that NPB publishes.
fn zeta(rt: &Runtime) -> f64 {
    let a = npb::matrix().csr(rt);
    let mut x = rt.array(&vec![1.0f64; npb::N]).unwrap();
    let mut zeta = 0.0;
    for _ in 0..15 {
        let mut z = rt.zeros::<f64>(npb::N).unwrap();
        let solved = rt.conjugate_gradient(&a, &x, &mut z, &Ending { tolerance: 0.0, steps: 25 }).unwrap();
        assert_eq!(solved.steps, 25);
        zeta = npb::SHIFT + 1.0 / rt.dot(&x, &z).unwrap().value;
        let norm = rt.dot(&z, &z).unwrap().value.sqrt();
        x.copy_from(&z.read().unwrap().iter().map(|z| z / norm).collect::<Vec<f64>>()).unwrap();
    }
    zeta
}

#[test]
fn npb_cg_class_s_gives_the_published_zeta() {
    for (place, rt) in runtimes() {
        let zeta = zeta(rt);
        assert!((zeta - 8.597_177_507_864_8).abs() <= 1e-10, "{zeta} on {place}");
    }
}
