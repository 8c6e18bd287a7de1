//! Bounded integer search: has `sum(coef_i * v_i)` a value in a window, over ranges of the `v_i`?

/// A variable: coefficient and inclusive range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Var {
    pub coef: i128,
    pub lo: i128,
    pub hi: i128,
}

/// Nodes visited before the answer is "perhaps".
const BUDGET: u32 = 2048;

/// Whether no choice of the variables brings the sum into `[lo, hi]`. `false` means that one does or that the
/// search was given up.
pub(super) fn never(mut vars: Vec<Var>, lo: i128, hi: i128) -> bool {
    if vars.iter().any(|v| v.lo > v.hi) {
        return true;
    }
    vars.retain(|v| v.coef != 0);
    vars.sort_unstable_by_key(|v| std::cmp::Reverse(v.coef.abs()));
    // Range and common divisor of what the variables from `i` on add.
    let mut tails = vec![(0i128, 0i128, 0i128); vars.len() + 1];
    for i in (0..vars.len()).rev() {
        let v = vars[i];
        let (a, b) = (v.coef * v.lo, v.coef * v.hi);
        let (tlo, thi, g) = tails[i + 1];
        tails[i] = (tlo + a.min(b), thi + a.max(b), gcd(g, v.coef));
    }
    let mut budget = BUDGET;
    dead(&vars, &tails, lo, hi, &mut budget) == Some(true)
}

/// `None`: the budget is spent.
fn dead(vars: &[Var], tails: &[(i128, i128, i128)], lo: i128, hi: i128, budget: &mut u32) -> Option<bool> {
    let (tlo, thi, g) = tails[0];
    let (lo, hi) = (lo.max(tlo), hi.min(thi));
    if lo > hi || (g != 0 && hi.div_euclid(g) * g < lo) {
        return Some(true);
    }
    let Some(v) = vars.first() else { return Some(false) };
    // The values of the first variable from which the rest can still reach the window.
    let (rest_lo, rest_hi, _) = tails[1];
    let (from, to) = limits(v.coef, lo - rest_hi, hi - rest_lo);
    let (from, to) = (from.max(v.lo), to.min(v.hi));
    let mut x = from;
    while x <= to {
        *budget = budget.checked_sub(1)?;
        let by = v.coef * x;
        if !dead(&vars[1..], &tails[1..], lo - by, hi - by, budget)? {
            return Some(false);
        }
        x += 1;
    }
    Some(true)
}

/// `lo <= k * x <= hi` as limits of `x`.
fn limits(k: i128, lo: i128, hi: i128) -> (i128, i128) {
    let (lo, hi, k) = if k > 0 { (lo, hi, k) } else { (-hi, -lo, -k) };
    (-(-lo).div_euclid(k), hi.div_euclid(k))
}

fn gcd(a: i128, b: i128) -> i128 {
    let (mut a, mut b) = (a.abs(), b.abs());
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

#[cfg(test)]
mod tests {
    use super::*;

    fn var(coef: i128, lo: i128, hi: i128) -> Var {
        Var { coef, lo, hi }
    }

    #[test]
    fn rows_do_not_meet_when_the_column_is_guarded() {
        let rows = |columns: i128| vec![var(400, 1, 99), var(4, -columns, columns)];
        assert!(never(rows(99), -3, 3));
        assert!(!never(rows(100), -3, 3));
    }

    #[test]
    fn even_and_odd_never_meet() {
        assert!(never(vec![var(8, -1000, 1000)], -4 - 3, -4 + 3));
        assert!(!never(vec![var(8, -1000, 1000)], -8 - 3, -8 + 3));
    }

    #[test]
    fn an_empty_range_has_no_solution() {
        assert!(never(vec![var(1, 3, 2)], -100, 100));
    }
}
