//! Figures over cells: geometric means and quantiles of regret, and their table.

use serde::Serialize;
use std::fmt;

/// Regrets of cells: time over the oracle's, less one.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Regrets {
    values: Vec<f64>,
}

/// A summary of regrets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Figures {
    /// Cells.
    pub cells: usize,
    /// Geometric mean of (1 + regret), less one.
    pub geomean: f64,
    /// 95th percentile.
    pub p95: f64,
    /// Largest.
    pub max: f64,
}

impl Regrets {
    /// Adds a cell.
    pub fn push(&mut self, regret: f64) {
        self.values.push(regret);
    }

    /// Adds the cells of another.
    pub fn extend(&mut self, other: &Regrets) {
        self.values.extend_from_slice(&other.values);
    }

    /// Their summary; all zero without cells.
    pub fn figures(&self) -> Figures {
        let mut sorted = self.values.clone();
        sorted.sort_by(f64::total_cmp);
        let Some(max) = sorted.last().copied() else { return Figures::default() };
        let n = sorted.len();
        let geomean = (sorted.iter().map(|r| (1.0 + r).ln()).sum::<f64>() / n as f64).exp() - 1.0;
        Figures { cells: n, geomean, p95: sorted[(n * 95).div_ceil(100) - 1], max }
    }
}

/// Regrets of all cells and of the contested ones.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Pair {
    all: Regrets,
    contested: Regrets,
}

/// Figures of both.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Row {
    /// All cells.
    pub all: Figures,
    /// Those where the best device alone is within 4x of the second.
    pub contested: Figures,
}

impl Pair {
    /// Adds a cell.
    pub fn push(&mut self, regret: f64, contested: bool) {
        self.all.push(regret);
        if contested {
            self.contested.push(regret);
        }
    }

    /// Adds the cells of another.
    pub fn extend(&mut self, other: &Pair) {
        self.all.extend(&other.all);
        self.contested.extend(&other.contested);
    }

    /// Their summary.
    pub fn row(&self) -> Row {
        Row { all: self.all.figures(), contested: self.contested.figures() }
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let percent = |v: f64| format!("{:.1} %", 100.0 * v);
        let pair =
            |a: f64, b: f64, n: usize| if n > 0 { format!("{} / {}", percent(a), percent(b)) } else { percent(a) };
        let n = self.contested.cells;
        write!(
            f,
            "{:>18} {:>18} {:>18}  {} / {} cells",
            pair(self.all.geomean, self.contested.geomean, n),
            pair(self.all.p95, self.contested.p95, n),
            pair(self.all.max, self.contested.max, n),
            self.all.cells,
            n
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_geometric_mean_and_the_95th_percentile() {
        let mut regrets = Regrets::default();
        (0..100).for_each(|k| regrets.push(f64::from(k) / 100.0));
        let f = regrets.figures();
        assert_eq!((f.cells, f.p95, f.max), (100, 0.94, 0.99));
        let mut two = Regrets::default();
        two.push(0.0);
        two.push(3.0);
        assert_eq!(two.figures().geomean, 1.0);
        assert_eq!(Regrets::default().figures(), Figures::default());
    }
}
