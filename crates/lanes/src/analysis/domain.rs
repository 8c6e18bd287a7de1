//! What is known of the symbols: ranges, bounds on forms, and how composite symbols split.
//!
//! The domain is a *box*: each symbol has a range, and a set of addresses is the image of a form over
//! the box. It always contains the true values. Guards tighten it; leaving the guard undoes that.

use super::form::{Form, Sym};
use crate::run::GroupRange;

/// Work-group id on an axis; `Group + axis` is its symbol.
pub(super) const GROUP: Sym = 0;
/// Local id on an axis.
pub(super) const LOCAL: Sym = 3;
/// Global id on an axis: `size * group + local`.
pub(super) const GLOBAL: Sym = 6;

/// What a symbol stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Group(u8),
    Local(u8),
    Global(u8),
    /// Iterations of a loop so far.
    Counter,
    /// Quotient and remainder of an identity.
    Quotient,
    Remainder,
    /// Loaded from this binding.
    Loaded(u32),
    /// Loaded from private or work-group memory, or computed from floats.
    Data,
    /// Computed from other values in a way that is not affine.
    NotAffine,
    /// A sum of ids and counters that a guard bounds.
    Sum,
}

impl Kind {
    /// Whether its values are all those of its range, whatever the data.
    pub fn is_id_or_counter(self) -> bool {
        matches!(self, Kind::Group(_) | Kind::Local(_) | Kind::Global(_) | Kind::Counter)
    }
}

/// A symbol and its range (inclusive).
#[derive(Clone, Copy, Debug)]
pub(super) struct Symbol {
    pub lo: i128,
    pub hi: i128,
    /// The range before any guard.
    base: (i128, i128),
    /// Values inside the range that are never taken.
    pub gap: Option<(i128, i128)>,
    pub kind: Kind,
    /// Whether it may differ between invocations of a work-group.
    pub lane: bool,
}

/// `whole = d * hi + lo`, `0 <= lo < d`.
#[derive(Clone, Debug)]
pub(super) struct Identity {
    pub whole: Form,
    pub hi: Sym,
    pub lo: Sym,
    pub d: i128,
}

/// A sum that has a symbol of its own, with its terms.
#[derive(Clone, Debug)]
struct Sum {
    symbol: Sym,
    terms: Form,
}

/// Bounds on the symbolic part of a form: `lo <= terms <= hi`.
#[derive(Clone, Debug)]
struct Bound {
    terms: Vec<(Sym, i128)>,
    lo: i128,
    hi: i128,
}

/// The box, with an undo log.
#[derive(Debug)]
pub(super) struct Domain {
    pub symbols: Vec<Symbol>,
    pub identities: Vec<Identity>,
    bounds: Vec<Bound>,
    sums: Vec<Sum>,
    log: Vec<(Sym, Symbol)>,
    /// No invocation gets here.
    pub empty: bool,
    /// All conditions so far were captured exactly.
    pub exact: bool,
    /// Estimated fraction of invocations that get here.
    pub fraction: f64,
}

/// A point to return to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mark {
    log: usize,
    bounds: usize,
    empty: bool,
    exact: bool,
    fraction: f64,
}

/// Bounds and identities kept, so that no kernel makes the analysis slow.
const MAX_BOUNDS: usize = 64;
const MAX_IDENTITIES: usize = 64;
const MAX_SUMS: usize = 64;

/// "No limit" in [`Domain::assume`].
pub(super) const INFINITE: i128 = 1 << 120;

impl Domain {
    /// The built-in symbols of a range of work-groups.
    pub fn new(size: [u32; 3], range: &GroupRange) -> Self {
        let mut symbols = Vec::with_capacity(16);
        let symbol = |lo: i128, hi: i128, kind, lane| Symbol { lo, hi, base: (lo, hi), gap: None, kind, lane };
        let axes = || {
            (0..3u8).zip(size.map(i128::from)).map(|(a, size)| {
                let (first, end) = (range.start[a as usize], range.end[a as usize]);
                (a, size, i128::from(first), i128::from(end) - 1)
            })
        };
        axes().for_each(|(a, _, first, last)| symbols.push(symbol(first, last, Kind::Group(a), false)));
        axes().for_each(|(a, size, ..)| symbols.push(symbol(0, size - 1, Kind::Local(a), size > 1)));
        axes().for_each(|(a, size, first, last)| {
            symbols.push(symbol(first * size, last * size + size - 1, Kind::Global(a), size > 1));
        });
        let identities = (0..3)
            .filter(|&a| size[a as usize] > 1)
            .map(|a| Identity {
                whole: Form::symbol(GLOBAL + a),
                hi: GROUP + a,
                lo: LOCAL + a,
                d: i128::from(size[a as usize]),
            })
            .collect();
        Domain {
            symbols,
            identities,
            bounds: Vec::new(),
            sums: Vec::new(),
            log: Vec::new(),
            empty: range.is_empty(),
            exact: true,
            fraction: 1.0,
        }
    }

    pub fn fresh(&mut self, lo: i128, hi: i128, kind: Kind, lane: bool) -> Sym {
        let hi = hi.max(lo);
        self.symbols.push(Symbol { lo, hi, base: (lo, hi), gap: None, kind, lane });
        (self.symbols.len() - 1) as Sym
    }

    pub fn symbol(&self, s: Sym) -> &Symbol {
        &self.symbols[s as usize]
    }

    pub fn is_lane(&self, form: &Form) -> bool {
        form.symbols().any(|s| self.symbol(s).lane)
    }

    pub fn mark(&self) -> Mark {
        Mark {
            log: self.log.len(),
            bounds: self.bounds.len(),
            empty: self.empty,
            exact: self.exact,
            fraction: self.fraction,
        }
    }

    pub fn undo(&mut self, mark: Mark) {
        while self.log.len() > mark.log {
            let (s, was) = self.log.pop().expect("longer than the mark");
            self.symbols[s as usize] = was;
        }
        self.bounds.truncate(mark.bounds);
        (self.empty, self.exact, self.fraction) = (mark.empty, mark.exact, mark.fraction);
    }

    /// The range of a form over the box.
    pub fn range(&self, form: &Form) -> (i128, i128) {
        let (mut lo, mut hi) = self.box_range(&form.terms);
        if form.terms.len() > 1
            && let Some((blo, bhi)) = self.bound_of(&form.terms)
        {
            (lo, hi) = (lo.max(blo), hi.min(bhi));
        }
        (lo + form.c, hi + form.c)
    }

    fn box_range(&self, terms: &[(Sym, i128)]) -> (i128, i128) {
        terms.iter().fold((0, 0), |(lo, hi), &(s, k)| {
            let symbol = self.symbol(s);
            let (a, b) = (symbol.lo * k, symbol.hi * k);
            (lo + a.min(b), hi + a.max(b))
        })
    }

    /// The tightest known bounds of exactly these terms, or of their negation.
    pub fn bound_of(&self, terms: &[(Sym, i128)]) -> Option<(i128, i128)> {
        let mut found: Option<(i128, i128)> = None;
        for bound in &self.bounds {
            let same = bound.terms.len() == terms.len();
            let limits = if same && bound.terms == terms {
                (bound.lo, bound.hi)
            } else if same && bound.terms.iter().zip(terms).all(|(a, b)| a.0 == b.0 && a.1 == -b.1) {
                (-bound.hi, -bound.lo)
            } else {
                continue;
            };
            found = Some(found.map_or(limits, |(lo, hi)| (lo.max(limits.0), hi.min(limits.1))));
        }
        found
    }

    /// Adds `lo <= form <= hi` to what is known.
    pub fn assume(&mut self, form: &Form, lo: i128, hi: i128) {
        let (flo, fhi) = self.range(form);
        if lo <= flo && fhi <= hi {
            return;
        }
        if lo > fhi || hi < flo {
            self.empty = true;
            self.fraction = 0.0;
            return;
        }
        let (lo, hi) = (lo.max(flo), hi.min(fhi));
        self.fraction *= (hi - lo + 1) as f64 / (fhi - flo + 1) as f64;
        if let [(s, _)] = form.terms[..] {
            let (lo, hi) = symbol_limits(form.terms[0].1, lo - form.c, hi - form.c);
            return self.tighten(s, lo, hi, 4);
        }
        let (lo, hi) = (lo - form.c, hi - form.c);
        // Twice, as what the last terms leave open may narrow the first ones.
        for &(s, k) in form.terms.iter().chain(&form.terms) {
            let (all_lo, all_hi) = self.box_range(&form.terms);
            let symbol = self.symbol(s);
            let (a, b) = (symbol.lo * k, symbol.hi * k);
            let (rest_lo, rest_hi) = (all_lo - a.min(b), all_hi - a.max(b));
            let (slo, shi) = symbol_limits(k, lo - rest_hi, hi - rest_lo);
            self.tighten(s, slo, shi, 4);
        }
        let (box_lo, box_hi) = self.box_range(&form.terms);
        if lo <= box_lo && box_hi <= hi {
            // The ranges alone say it.
            return;
        }
        self.exact = false;
        if self.bounds.len() < MAX_BOUNDS {
            self.bounds.push(Bound { terms: form.terms.clone(), lo, hi });
        }
    }

    /// Intersects a symbol's range and carries it over to the symbols it is made of or part of.
    fn tighten(&mut self, s: Sym, lo: i128, hi: i128, depth: u32) {
        let symbol = self.symbols[s as usize];
        let (lo, hi) = (lo.max(symbol.lo), hi.min(symbol.hi));
        if lo > hi {
            self.empty = true;
            return;
        }
        if (lo, hi) == (symbol.lo, symbol.hi) || depth == 0 {
            return;
        }
        self.log.push((s, symbol));
        let symbol = &mut self.symbols[s as usize];
        (symbol.lo, symbol.hi) = (lo, hi);
        for i in 0..self.identities.len() {
            self.carry(i, s, depth - 1);
        }
    }

    fn carry(&mut self, identity: usize, s: Sym, depth: u32) {
        let id = &self.identities[identity];
        let (hi, lo, d) = (id.hi, id.lo, id.d);
        if id.whole.has(s) {
            let (wlo, whi) = self.range(&id.whole);
            let (qlo, qhi) = (wlo.div_euclid(d), whi.div_euclid(d));
            self.tighten(hi, qlo, qhi, depth);
            if qlo == qhi {
                self.tighten(lo, wlo - qlo * d, whi - qlo * d, depth);
            }
        } else if s == hi || s == lo {
            let [(w, 1)] = id.whole.terms[..] else { return };
            let c = id.whole.c;
            let (h, l) = (*self.symbol(hi), *self.symbol(lo));
            self.tighten(w, h.lo * d + l.lo - c, h.hi * d + l.hi - c, depth);
        }
    }

    /// The form with composite symbols joined or split wherever that makes it shorter.
    pub fn simplify(&self, mut form: Form) -> Form {
        loop {
            let mut best = form.terms.len();
            let mut better = None;
            for id in &self.identities {
                let (q, r) = (form.coef(id.hi), form.coef(id.lo));
                if form.terms.len() < 2 || (q == 0 && r == 0) {
                    continue;
                }
                let lead = id.whole.terms.first().map_or(0, |&(s, k)| {
                    let c = form.coef(s);
                    if k != 0 && c % k == 0 { -c / k } else { 0 }
                });
                for k in [r, if q % id.d == 0 { q / id.d } else { 0 }, lead] {
                    if k == 0 {
                        continue;
                    }
                    let identity = id.whole.minus(&Form { c: 0, terms: sorted([(id.hi, id.d), (id.lo, 1)]) });
                    let candidate = form.add_scaled(&identity, k);
                    if candidate.terms.len() < best {
                        best = candidate.terms.len();
                        better = Some(candidate);
                    }
                }
            }
            match better {
                Some(shorter) => form = shorter,
                None => return form,
            }
        }
    }

    /// Symbols for `form / d` and `form % d` (floor), the same ones for the same question.
    pub fn divide(&mut self, form: &Form, d: i128) -> (Form, Form) {
        let known = self.identities.iter().position(|id| id.d == d && id.whole == *form);
        if known.is_none() {
            let (mut g, mut rest) = (Form::constant(form.c.div_euclid(d)), Form::constant(form.c.rem_euclid(d)));
            for &(s, k) in &form.terms {
                let (into, k) = if k % d == 0 { (&mut g, k / d) } else { (&mut rest, k) };
                into.terms.push((s, k));
            }
            let (lo, hi) = self.range(&rest);
            let (qlo, qhi) = (lo.div_euclid(d), hi.div_euclid(d));
            if qlo == qhi {
                return (g.shift(qlo), rest.shift(-qlo * d));
            }
            if !g.terms.is_empty() {
                let (q, r) = self.divide(&rest, d);
                return (self.simplify(g.plus(&q)), r);
            }
            if let Some(parts) = self.divide_digits(form, d) {
                return parts;
            }
        }
        self.divide_symbols(known, form, d)
    }

    /// `form / d` and `form % d` from digits that the form has for a multiple or a divisor of `d`, so that all its
    /// digits are of one system.
    fn divide_digits(&mut self, form: &Form, d: i128) -> Option<(Form, Form)> {
        let related =
            |id: &&Identity| id.hi >= GLOBAL + 3 && id.d != d && id.whole == *form && (id.d % d == 0 || d % id.d == 0);
        let id = self.identities.iter().find(related)?;
        let (hi, lo, known) = (Form::symbol(id.hi), Form::symbol(id.lo), id.d);
        if d % known == 0 {
            let (q, r) = self.divide(&hi, d / known);
            return Some((q, r.scale(known).plus(&lo)));
        }
        let (q, r) = self.divide(&lo, d);
        Some((hi.scale(known / d).plus(&q), r))
    }

    fn divide_symbols(&mut self, known: Option<usize>, form: &Form, d: i128) -> (Form, Form) {
        if known.is_none() && self.identities.len() >= MAX_IDENTITIES {
            let ((lo, hi), lane) = (self.range(form), self.is_lane(form));
            let q = self.fresh(lo.div_euclid(d), hi.div_euclid(d), Kind::NotAffine, lane);
            return (Form::symbol(q), Form::symbol(self.fresh(0, d - 1, Kind::NotAffine, lane)));
        }
        let at = known.unwrap_or_else(|| {
            let lane = self.is_lane(form);
            // The range must hold wherever the identity is found again, so no guard may narrow it.
            let (lo, hi) = self.base_range(form);
            let q = self.fresh(lo.div_euclid(d), hi.div_euclid(d), Kind::Quotient, lane);
            let r = self.fresh(0, d - 1, Kind::Remainder, lane);
            self.identities.push(Identity { whole: form.clone(), hi: q, lo: r, d });
            self.identities.len() - 1
        });
        let (q, r) = (self.identities[at].hi, self.identities[at].lo);
        let (lo, hi) = self.range(form);
        let (qlo, qhi) = (lo.div_euclid(d), hi.div_euclid(d));
        self.tighten(q, qlo, qhi, 1);
        // Two pieces: the end of one period and the start of the next.
        let (end, start) = (lo - qlo * d, hi - qhi * d);
        if qhi == qlo + 1 && start + 1 < end {
            self.set_gap(r, (start + 1, end - 1));
        }
        (Form::symbol(q), Form::symbol(r))
    }

    /// The form with each part of it that a guard bounds as one symbol, over the range that the bound leaves: a box has no
    /// other way to say that `64 * wg.x + lid.x` stays below the length of a row. A bound on all of the form is left out,
    /// as it can be said of the form's values.
    pub fn sum_up(&mut self, form: &Form) -> Form {
        let mut out = form.clone();
        for at in 0..self.bounds.len() {
            let part = Form { c: 0, terms: self.bounds[at].terms.clone() };
            // `n - i` and `i - n` are one sum.
            let part = part.scale(part.terms[0].1.signum());
            let scale = out.coef(part.terms[0].0) / part.terms[0].1;
            let inside =
                part.terms.len() < out.terms.len() && part.terms.iter().all(|&(s, k)| out.coef(s) == scale * k);
            if scale == 0 || !inside || !part.symbols().all(|s| self.symbol(s).kind.is_id_or_counter()) {
                continue;
            }
            let (lo, hi) = self.range(&part);
            let Some(s) = self.sum(&part) else { continue };
            self.tighten(s, lo, hi, 1);
            out = out.add_scaled(&part, -scale).add_scaled(&Form::symbol(s), scale);
        }
        out
    }

    /// The symbol of a sum, the same one for the same terms.
    fn sum(&mut self, terms: &Form) -> Option<Sym> {
        if let Some(known) = self.sums.iter().find(|sum| sum.terms == *terms) {
            return Some(known.symbol);
        }
        if self.sums.len() >= MAX_SUMS {
            return None;
        }
        let (lo, hi) = self.base_range(terms);
        let symbol = self.fresh(lo, hi, Kind::Sum, self.is_lane(terms));
        self.sums.push(Sum { symbol, terms: terms.clone() });
        Some(symbol)
    }

    /// The terms of a symbol that stands for a sum.
    pub fn terms_of(&self, s: Sym) -> Option<&Form> {
        self.sums.iter().find(|sum| sum.symbol == s).map(|sum| &sum.terms)
    }

    /// The range of a form before any guard.
    fn base_range(&self, form: &Form) -> (i128, i128) {
        form.terms.iter().fold((form.c, form.c), |(lo, hi), &(s, k)| {
            let base = self.symbol(s).base;
            (lo + (base.0 * k).min(base.1 * k), hi + (base.0 * k).max(base.1 * k))
        })
    }

    /// States that a symbol takes no value in `gap`.
    pub fn set_gap(&mut self, s: Sym, gap: (i128, i128)) {
        self.log.push((s, self.symbols[s as usize]));
        self.symbols[s as usize].gap = Some(gap);
    }

    /// The symbols that decide the ranges of a form's symbols: the built-in ones, the form's own, and what those are
    /// sums, quotients or remainders of. Sorted.
    pub fn closure(&self, form: &Form) -> Vec<Sym> {
        let mut all: Vec<Sym> = (0..GLOBAL + 3).collect();
        all.extend(form.symbols().filter(|&s| s >= GLOBAL + 3));
        let mut next = GLOBAL as usize + 3;
        while next < all.len() {
            let s = all[next];
            next += 1;
            let of = self.identities.iter().filter(|id| id.hi == s || id.lo == s);
            let of = of.flat_map(|id| id.whole.symbols().chain([id.hi, id.lo]));
            for r in of.chain(self.terms_of(s).into_iter().flat_map(Form::symbols)) {
                if !all.contains(&r) {
                    all.push(r);
                }
            }
        }
        all.sort_unstable();
        all
    }
}

fn sorted(mut terms: [(Sym, i128); 2]) -> Vec<(Sym, i128)> {
    terms.sort_unstable_by_key(|t| t.0);
    terms.to_vec()
}

/// `lo <= k * s <= hi` as limits of `s`.
fn symbol_limits(k: i128, lo: i128, hi: i128) -> (i128, i128) {
    let (lo, hi, k) = if k > 0 { (lo, hi, k) } else { (-hi, -lo, -k) };
    (-(-lo).div_euclid(k), hi.div_euclid(k))
}
