//! A sparse matrix in compressed rows times a vector.

use super::{Data, Lines, Numbers, Work, close};

pub struct Spmv {
    name: &'static str,
    /// One more than rows; increasing, the last is the number of values.
    row_start: Lines<u32>,
    /// Less than the length of `x`.
    column: Lines<u32>,
    value: Lines<f32>,
    x: Lines<f32>,
    pub y: Lines<f32>,
    want: Vec<f64>,
}

/// The matrix and the vector, to be read only: unchecked code relies on what the constructors made.
pub struct Parts<'a> {
    pub row_start: &'a [u32],
    pub column: &'a [u32],
    pub value: &'a [f32],
    pub x: &'a [f32],
    pub y: &'a mut [f32],
}

impl Spmv {
    /// 8 to 24 values a row, anywhere.
    pub fn random(name: &'static str, rows: u32) -> Self {
        let mut numbers = Numbers(13);
        let row = |_| {
            let count = 8 + numbers.below(17);
            let mut columns: Vec<u32> = (0..count).map(|_| numbers.below(rows)).collect();
            columns.sort_unstable();
            columns
        };
        Self::from_rows(name, (0..rows).map(row))
    }

    /// The nine diagonals next to the main one.
    pub fn banded(name: &'static str, rows: u32) -> Self {
        let row = |i: u32| (i.saturating_sub(4)..(i + 5).min(rows)).collect();
        Self::from_rows(name, (0..rows).map(row))
    }

    fn from_rows(name: &'static str, rows: impl Iterator<Item = Vec<u32>>) -> Self {
        let (mut row_start, mut columns) = (vec![0u32], Vec::new());
        for row in rows {
            columns.extend(row);
            row_start.push(columns.len() as u32);
        }
        let count = row_start.len() - 1;
        assert!(columns.iter().all(|c| (*c as usize) < count));
        let mut numbers = Numbers(17);
        let value = Lines::from_fn(columns.len(), |_| numbers.between(-1.0, 1.0));
        let x = Lines::from_fn(count, |_| numbers.between(-1.0, 1.0));
        let term = |k: usize| f64::from(value[k]) * f64::from(x[columns[k] as usize]);
        let want = row_start.windows(2).map(|r| (r[0] as usize..r[1] as usize).map(term).sum()).collect();
        let (row_start, column) =
            (Lines::from_fn(count + 1, |i| row_start[i]), Lines::from_fn(columns.len(), |i| columns[i]));
        Spmv { name, row_start, column, value, x, y: Lines::zeros(count), want }
    }

    /// `row_start` has one element more than `y`, none past the length of `column` and `value`; `column` stays below
    /// the length of `x`.
    pub fn parts(&mut self) -> Parts<'_> {
        Parts { row_start: &self.row_start, column: &self.column, value: &self.value, x: &self.x, y: &mut self.y }
    }
}

impl Work for Spmv {
    fn name(&self) -> &'static str {
        self.name
    }
    fn source(&self) -> &'static str {
        include_str!("spmv.wgsl")
    }
    fn storage(&mut self) -> Vec<(&'static str, Data<'_>)> {
        vec![
            ("row_start", Data::U32(&self.row_start)),
            ("column", Data::U32(&self.column)),
            ("value", Data::F32(&self.value)),
            ("x", Data::F32(&self.x)),
            ("y", Data::WriteF32(&mut self.y)),
        ]
    }
    fn items(&self) -> [u32; 3] {
        [self.y.len() as u32, 1, 1]
    }
    fn reset(&mut self) {
        self.y.fill(0.0);
    }
    fn check(&self) -> Result<(), String> {
        close(&self.y, |i| self.want[i], |_| 1e-5)
    }
    fn is_compute_bound(&self) -> bool {
        false
    }
}
