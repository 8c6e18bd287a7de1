//! Products, transpose, determinant and inverse of matrices, stored column by column.

use super::lower::Lower;
use crate::ir::{BinaryOp, UnaryOp, Value};
use std::rc::Rc;

impl Lower<'_> {
    /// `sum(a[i] * b[i])`, from the first on.
    pub(super) fn dot(&mut self, a: &[Value], b: &[Value]) -> Value {
        let mut sum = None;
        for (x, y) in a.iter().zip(b) {
            let product = self.mul(*x, *y);
            sum = Some(match sum {
                Some(sum) => self.add(sum, product),
                None => product,
            });
        }
        sum.unwrap_or_else(|| self.b.u32(0))
    }

    /// `a * b` for a matrix `a` of the given rows, and a vector or a matrix `b`.
    pub(super) fn matrix_times(&mut self, a: &[Value], rows: usize, b: &[Value]) -> Rc<[Value]> {
        let columns = a.len() / rows;
        let mut product = Vec::with_capacity(b.len() / columns * rows);
        for column in b.chunks_exact(columns) {
            for row in 0..rows {
                let elements: Vec<Value> = a.iter().skip(row).step_by(rows).copied().collect();
                product.push(self.dot(&elements, column));
            }
        }
        product.into()
    }

    /// `v * m`.
    pub(super) fn vector_times_matrix(&mut self, v: &[Value], m: &[Value]) -> Rc<[Value]> {
        m.chunks_exact(v.len()).map(|column| self.dot(v, column)).collect()
    }

    /// Columns become rows.
    pub(super) fn transpose(&mut self, m: &[Value], rows: usize) -> Rc<[Value]> {
        (0..rows).flat_map(|row| m.iter().skip(row).step_by(rows).copied()).collect()
    }

    /// Each component of `a` times each of `b`: a matrix whose columns are `a * b[i]`.
    pub(super) fn outer(&mut self, a: &[Value], b: &[Value]) -> Rc<[Value]> {
        let mut product = Vec::with_capacity(a.len() * b.len());
        for y in b {
            for x in a {
                product.push(self.mul(*x, *y));
            }
        }
        product.into()
    }

    /// The determinant of an `n` x `n` matrix, by cofactors of the first column.
    pub(super) fn determinant(&mut self, m: &[Value], n: usize) -> Value {
        if n == 1 {
            return m[0];
        }
        if n == 2 {
            let (p, q) = (self.mul(m[0], m[3]), self.mul(m[2], m[1]));
            return self.sub(p, q);
        }
        let mut sum = None;
        for row in 0..n {
            let rest = minor(m, n, 0, row);
            let cofactor = self.determinant(&rest, n - 1);
            let term = self.mul(m[row], cofactor);
            sum = Some(match sum {
                Some(sum) if row % 2 == 1 => self.sub(sum, term),
                Some(sum) => self.add(sum, term),
                None => term,
            });
        }
        sum.unwrap_or(m[0])
    }

    /// The inverse of an `n` x `n` matrix: the adjugate over the determinant.
    pub(super) fn inverse(&mut self, m: &[Value], n: usize) -> Rc<[Value]> {
        let determinant = self.determinant(m, n);
        let mut inverse = Vec::with_capacity(n * n);
        for column in 0..n {
            for row in 0..n {
                let rest = minor(m, n, row, column);
                let mut cofactor = self.determinant(&rest, n - 1);
                if (row + column) % 2 == 1 {
                    cofactor = self.b.unary(UnaryOp::Neg, cofactor);
                }
                inverse.push(self.b.binary(BinaryOp::Div, cofactor, determinant));
            }
        }
        inverse.into()
    }
}

/// The `n` x `n` matrix without one column and one row.
fn minor(m: &[Value], n: usize, column: usize, row: usize) -> Vec<Value> {
    let keep = |i: &usize| i / n != column && i % n != row;
    (0..n * n).filter(keep).map(|i| m[i]).collect()
}
