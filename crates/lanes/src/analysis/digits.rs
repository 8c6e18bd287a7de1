//! Mixed-radix digits: a flat index that a kernel takes apart by `/` and `%` (`row = i / w`, `col = i % w`).
//!
//! The digits of an interval of indices are no box: the first and the last row are cut. They are a few boxes, which
//! [`Digits::pieces`] gives exactly, so that a chunk that ends in the middle of a row still has its own bytes and no
//! others. The order of indices is the lexicographic order of their digits; the proof that chunks are disjoint rests
//! on that.

use super::{
    domain::{Domain, GLOBAL, Identity, Kind},
    footprint::{Ranges, range_over},
    form::{Form, Sym},
};

/// The digits of a form.
#[derive(Clone, Debug)]
pub(super) struct Digits {
    /// What is taken apart.
    pub whole: Form,
    /// Most significant first; `whole` is the sum of `weight * symbol`.
    pub leaves: Vec<Leaf>,
    /// Other symbols of the same index as forms of the leaves.
    inner: Vec<(Sym, Form)>,
}

/// One digit.
#[derive(Clone, Copy, Debug)]
pub(super) struct Leaf {
    pub symbol: Sym,
    pub weight: i128,
}

/// A box of digits.
pub(super) type Piece = Vec<(Sym, (i128, i128))>;

/// Digits of digits that are followed.
const MAX_DEPTH: u32 = 6;

impl Domain {
    /// The digits that the forms use, all of one index; `None` where they use none.
    pub fn digits(&self, forms: &[&Form]) -> Option<Digits> {
        let uses = |s: Sym| forms.iter().any(|f| f.has(s));
        let is_digit = |s: Sym| matches!(self.symbol(s).kind, Kind::Quotient | Kind::Remainder);
        let derived = |id: &&Identity| id.hi >= GLOBAL + 3 && !id.whole.symbols().any(is_digit);
        let root = self.identities.iter().filter(derived).find(|id| self.uses_digit(id, &uses, MAX_DEPTH))?;
        let mut digits = Digits { whole: root.whole.clone(), leaves: Vec::new(), inner: Vec::new() };
        let hi = self.expand(root.hi, root.d, &uses, &mut digits, MAX_DEPTH);
        let lo = self.expand(root.lo, 1, &uses, &mut digits, MAX_DEPTH);
        if let [(s, k @ (1 | -1))] = root.whole.terms[..] {
            // s = (whole - c) / k.
            let value = hi.scale(root.d).plus(&lo).shift(-root.whole.c).scale(k);
            digits.inner.push((s, value));
        }
        Some(digits)
    }

    fn child(&self, s: Sym) -> Option<&Identity> {
        self.identities.iter().find(|id| id.whole.c == 0 && id.whole.terms == [(s, 1)] && id.hi >= GLOBAL + 3)
    }

    fn uses_digit(&self, id: &Identity, uses: &dyn Fn(Sym) -> bool, depth: u32) -> bool {
        let below = |s| depth > 0 && self.child(s).is_some_and(|c| self.uses_digit(c, uses, depth - 1));
        uses(id.hi) || uses(id.lo) || below(id.hi) || below(id.lo)
    }

    /// Adds the leaves of a digit and returns it as a form of them.
    fn expand(&self, s: Sym, weight: i128, uses: &dyn Fn(Sym) -> bool, out: &mut Digits, depth: u32) -> Form {
        match self.child(s).filter(|c| depth > 0 && self.uses_digit(c, uses, depth - 1)) {
            Some(child) => {
                let (hi, lo, d) = (child.hi, child.lo, child.d);
                let high = self.expand(hi, weight * d, uses, out, depth - 1);
                let value = high.scale(d).plus(&self.expand(lo, weight, uses, out, depth - 1));
                out.inner.push((s, value.clone()));
                value
            }
            None => {
                out.leaves.push(Leaf { symbol: s, weight });
                Form::symbol(s)
            }
        }
    }
}

impl Digits {
    /// A form with every symbol of the index replaced by its digits.
    pub fn rewrite(&self, form: &Form) -> Form {
        self.inner.iter().fold(form.clone(), |form, (s, value)| {
            let k = form.coef(*s);
            form.add_scaled(&Form::symbol(*s), -k).add_scaled(value, k)
        })
    }

    pub fn has(&self, s: Sym) -> bool {
        self.leaves.iter().any(|l| l.symbol == s)
    }

    /// The digits of all indices in the range that `whole` has over `ranges`, as disjoint boxes; `None` where that is
    /// unknown.
    pub fn pieces(&self, ranges: &Ranges) -> Option<Vec<Piece>> {
        let (first, last) = range_over(&self.whole, ranges)?;
        let mut out = Vec::new();
        split_off(&self.leaves, first, last, &mut Vec::new(), &mut out);
        // Guards on single digits.
        for piece in &mut out {
            for (s, (lo, hi)) in piece.iter_mut() {
                if let Some(r) = ranges.iter().find(|r| r.0 == *s) {
                    (*lo, *hi) = ((*lo).max(r.1), (*hi).min(r.2));
                }
            }
        }
        out.retain(|piece| piece.iter().all(|(_, (lo, hi))| lo <= hi));
        Some(out)
    }
}

/// The digits of `first..=last`.
fn split_off(leaves: &[Leaf], first: i128, last: i128, prefix: &mut Piece, out: &mut Vec<Piece>) {
    let Some((leaf, rest)) = leaves.split_first() else {
        out.push(prefix.clone());
        return;
    };
    let mut with = |lo: i128, hi: i128, from: i128, to: i128| {
        prefix.push((leaf.symbol, (lo, hi)));
        split_off(rest, from, to, prefix, out);
        prefix.pop();
    };
    let w = leaf.weight;
    let (mut lo, mut hi) = (first.div_euclid(w), last.div_euclid(w));
    let (from, to) = (first - lo * w, last - hi * w);
    if lo == hi {
        return with(lo, lo, from, to);
    }
    if from > 0 {
        with(lo, lo, from, w - 1);
        lo += 1;
    }
    if to < w - 1 {
        with(hi, hi, 0, to);
        hi -= 1;
    }
    if lo <= hi {
        with(lo, hi, 0, w - 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digits_of_an_interval_are_each_in_one_box() {
        let leaves = [(9, 35), (10, 5), (11, 1)].map(|(symbol, weight)| Leaf { symbol, weight });
        for (first, last) in [(0, 0), (3, 3), (0, 34), (0, 69), (4, 5), (33, 36), (7, 104), (1, 139), (-4, 40)] {
            let mut pieces = Vec::new();
            split_off(&leaves, first, last, &mut Vec::new(), &mut pieces);
            assert!(pieces.len() <= 5, "{pieces:?}");
            for i in -40i128..200 {
                let digits = [i.div_euclid(35), i.rem_euclid(35) / 5, i.rem_euclid(5)];
                let inside = |p: &&Piece| p.iter().zip(digits).all(|((_, (lo, hi)), d)| (*lo..=*hi).contains(&d));
                assert_eq!(pieces.iter().filter(inside).count(), usize::from((first..=last).contains(&i)), "{i}");
            }
        }
    }
}
