//! Affine forms: a constant plus integer multiples of symbols.
//!
//! A form stands for an integer value *modulo 2^bits* of its type (see [`Form::reduce`]), so wrapping
//! addition, subtraction and multiplication are exact; only who needs the number itself (an index, a
//! comparison, a division) has to show that it does not wrap.

/// A symbol: index into the domain's table.
pub(super) type Sym = u32;

/// Terms that a form may have before it is given up for a fresh symbol.
pub(super) const MAX_TERMS: usize = 10;
/// Largest coefficient or constant of a 64-bit form (so that ranges stay far inside `i128`).
const MAX_COEF: i128 = 1 << 40;

/// `constant + sum(coefficient * symbol)`; terms sorted by symbol, coefficients not zero.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Form {
    pub c: i128,
    pub terms: Vec<(Sym, i128)>,
}

impl Form {
    pub fn constant(c: i128) -> Self {
        Form { c, terms: Vec::new() }
    }

    pub fn symbol(s: Sym) -> Self {
        Form { c: 0, terms: vec![(s, 1)] }
    }

    /// The value, if it does not depend on any symbol.
    pub fn as_constant(&self) -> Option<i128> {
        self.terms.is_empty().then_some(self.c)
    }

    /// The coefficient of a symbol, 0 where it does not appear.
    pub fn coef(&self, s: Sym) -> i128 {
        self.terms.iter().find(|t| t.0 == s).map_or(0, |t| t.1)
    }

    pub fn has(&self, s: Sym) -> bool {
        self.terms.iter().any(|t| t.0 == s)
    }

    pub fn symbols(&self) -> impl Iterator<Item = Sym> + '_ {
        self.terms.iter().map(|t| t.0)
    }

    /// `self + other * k`.
    pub fn add_scaled(&self, other: &Form, k: i128) -> Form {
        if k == 0 {
            return self.clone();
        }
        let mut terms = Vec::with_capacity(self.terms.len() + other.terms.len());
        let (mut a, mut b) = (self.terms.iter().peekable(), other.terms.iter().peekable());
        loop {
            let (s, v) = match (a.peek(), b.peek()) {
                (Some(&&x), Some(&&y)) if x.0 == y.0 => {
                    a.next();
                    b.next();
                    (x.0, x.1 + y.1 * k)
                }
                (Some(&&x), Some(&&y)) if x.0 < y.0 => {
                    a.next();
                    let _ = y;
                    x
                }
                (_, Some(&&y)) => {
                    b.next();
                    (y.0, y.1 * k)
                }
                (Some(&&x), None) => {
                    a.next();
                    x
                }
                (None, None) => break,
            };
            if v != 0 {
                terms.push((s, v));
            }
        }
        Form { c: self.c + other.c * k, terms }
    }

    pub fn plus(&self, other: &Form) -> Form {
        self.add_scaled(other, 1)
    }

    pub fn minus(&self, other: &Form) -> Form {
        self.add_scaled(other, -1)
    }

    pub fn scale(&self, k: i128) -> Form {
        if k == 0 {
            return Form::default();
        }
        Form { c: self.c * k, terms: self.terms.iter().map(|&(s, v)| (s, v * k)).collect() }
    }

    pub fn shift(mut self, by: i128) -> Form {
        self.c += by;
        self
    }

    /// The congruent form whose coefficients and constant are nearest to zero, or `None` if it stays
    /// too large to reason about.
    pub fn reduce(mut self, bits: u32) -> Option<Form> {
        let modulus = 1i128 << bits;
        let near = |v: i128| {
            if (-modulus / 2..=modulus / 2).contains(&v) {
                return v;
            }
            let r = v.rem_euclid(modulus);
            if r > modulus / 2 { r - modulus } else { r }
        };
        self.c = near(self.c);
        for t in &mut self.terms {
            t.1 = near(t.1);
        }
        self.terms.retain(|t| t.1 != 0);
        let small = |v: i128| v.abs() <= MAX_COEF;
        let constant = self.terms.is_empty();
        (constant || (small(self.c) && self.terms.len() <= MAX_TERMS && self.terms.iter().all(|t| small(t.1))))
            .then_some(self)
    }
}
