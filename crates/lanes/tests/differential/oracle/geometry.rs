//! Products of vectors and matrices, and the functions of whole vectors.

use super::{
    Machine, Value,
    scalar::{Float, Kind, binary},
};
use naga::{BinaryOperator, MathFunction};

/// Numbers of one invocation.
type Numbers = Vec<u64>;

impl Machine<'_, '_> {
    /// Applies a function of all scalars of the arguments, invocation by invocation.
    pub(super) fn whole_vectors(
        &self,
        arguments: &[&Value],
        active: &[usize],
        f: &mut dyn FnMut(&[Numbers]) -> Numbers,
    ) -> Value {
        let mut data = Vec::new();
        for &l in active {
            let numbers: Vec<Numbers> =
                arguments.iter().map(|a| a.data.iter().skip(l).step_by(self.lanes).copied().collect()).collect();
            let result = f(&numbers);
            data.resize(result.len() * self.lanes, 0);
            result.iter().enumerate().for_each(|(i, r)| data[i * self.lanes + l] = *r);
        }
        Value { data }
    }

    /// A matrix, its columns and rows, times a vector or a matrix.
    pub(super) fn matrix_times(
        &self,
        kind: Kind,
        a: &Value,
        (columns, rows): (usize, usize),
        b: &Value,
        active: &[usize],
    ) -> Result<Value, String> {
        Ok(self.whole_vectors(&[a, b], active, &mut |v| {
            let mut product = Numbers::new();
            for column in v[1].chunks_exact(columns) {
                for row in 0..rows {
                    let line: Numbers = (0..columns).map(|c| v[0][c * rows + row]).collect();
                    product.push(dot(kind, &line, column));
                }
            }
            product
        }))
    }

    pub(super) fn vector_times_matrix(
        &self,
        kind: Kind,
        a: &Value,
        b: &Value,
        rows: usize,
        active: &[usize],
    ) -> Result<Value, String> {
        Ok(self.whole_vectors(&[a, b], active, &mut |v| {
            v[1].chunks_exact(rows).map(|column| dot(kind, &v[0], column)).collect()
        }))
    }
}

/// The sum of products, from the first on.
pub fn dot(kind: Kind, a: &[u64], b: &[u64]) -> u64 {
    let (Ok(mul), Ok(add)) = (binary(BinaryOperator::Multiply, kind), binary(BinaryOperator::Add, kind)) else {
        return 0;
    };
    let products = a.iter().zip(b).map(|(x, y)| mul(*x, *y));
    products.reduce(add).unwrap_or(0)
}

/// The functions of whole vectors of a float type; `None` for any other.
pub fn geometry<T: Float>(fun: MathFunction, v: &[Numbers]) -> Option<Numbers> {
    let x: Vec<Vec<T>> = v.iter().map(|a| a.iter().map(|bits| T::from_bits(*bits)).collect()).collect();
    let a = &x[0];
    let result: Vec<T> = match fun {
        MathFunction::Cross => {
            let b = &x[1];
            let minor = |i: usize, j: usize| a[i].mul(b[j]).sub(a[j].mul(b[i]));
            vec![minor(1, 2), minor(2, 0), minor(0, 1)]
        }
        MathFunction::Length => vec![length(a)],
        MathFunction::Distance => {
            let difference: Vec<T> = a.iter().zip(&x[1]).map(|(a, b)| a.sub(*b)).collect();
            vec![length(&difference)]
        }
        MathFunction::Normalize => {
            let size = length(a);
            a.iter().map(|a| a.div(size)).collect()
        }
        MathFunction::FaceForward => {
            #[allow(clippy::neg_cmp_op_on_partial_ord, reason = "a NaN flips, too")]
            let flip = !(float_dot(&x[1], &x[2]) < T::of(0.0));
            a.iter().map(|a| if flip { a.neg() } else { *a }).collect()
        }
        MathFunction::Reflect => {
            let twice = T::of(2.0).mul(float_dot(&x[1], a));
            a.iter().zip(&x[1]).map(|(a, n)| a.sub(twice.mul(*n))).collect()
        }
        MathFunction::Refract => refract(a, &x[1], x[2][0]),
        MathFunction::Determinant => {
            let n = if a.len() == 4 { 2 } else { (a.len() as f64).sqrt() as usize };
            vec![determinant(a, n)]
        }
        _ => return None,
    };
    Some(result.into_iter().map(T::bits).collect())
}

fn float_dot<T: Float>(a: &[T], b: &[T]) -> T {
    let products = a.iter().zip(b).map(|(x, y)| x.mul(*y));
    products.reduce(T::add).unwrap_or(T::of(0.0))
}

fn length<T: Float>(a: &[T]) -> T {
    if let [x] = a { x.abs() } else { float_dot(a, a).sqrt() }
}

fn refract<T: Float>(incident: &[T], normal: &[T], eta: T) -> Vec<T> {
    let one = T::of(1.0);
    let along = float_dot(normal, incident);
    let k = one.sub(eta.mul(eta).mul(one.sub(along.mul(along))));
    if k < T::of(0.0) {
        return vec![T::of(0.0); incident.len()];
    }
    let by = eta.mul(along).add(k.sqrt());
    incident.iter().zip(normal).map(|(i, n)| eta.mul(*i).sub(by.mul(*n))).collect()
}

/// By cofactors of the first column.
fn determinant<T: Float>(m: &[T], n: usize) -> T {
    if n == 2 {
        return m[0].mul(m[3]).sub(m[2].mul(m[1]));
    }
    let term = |row: usize| {
        let rest: Vec<T> = (n..n * n).filter(|i| i % n != row).map(|i| m[i]).collect();
        m[row].mul(determinant(&rest, n - 1))
    };
    (1..n).fold(term(0), |sum, row| if row % 2 == 1 { sum.sub(term(row)) } else { sum.add(term(row)) })
}
