//! Access sites: each load, store and atomic on storage as a form over a box.

use super::{
    domain::{GLOBAL, GROUP, INFINITE, Identity, Kind, LOCAL},
    eval::Eval,
    form::{Form, Sym},
};
use crate::ir::{AtomicOp, Base, Len, Place, Space, Ty};

/// How a site touches memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SiteKind {
    /// A load.
    Read,
    /// A store.
    Write,
    /// An atomic read-modify-write or store.
    Atomic,
}

/// One access to storage, as a form over a box.
#[derive(Clone, Debug)]
pub(super) struct Site {
    pub binding: u32,
    pub kind: SiteKind,
    /// Bytes of the scalar.
    pub bytes: u32,
    /// Byte address.
    pub form: Form,
    /// The same over symbols whose box is the set of addresses: what a guard bounds together is one of them.
    pub set: Form,
    /// Byte addresses outside `[lo, hi)` are not touched.
    pub clip: (i128, i128),
    /// Ranges of the form's symbols and of those that these are made of, sorted by symbol.
    pub ranges: Vec<(Sym, i128, i128)>,
    /// Values that a symbol of `ranges` does not take.
    pub gaps: Vec<(Sym, (i128, i128))>,
    /// Every invocation of the box that the guards let through does this access, and no other.
    pub exact: bool,
    /// The indices as the user wrote them, and the constant offset.
    pub indices: Vec<Form>,
    pub offset: u32,
    /// Accesses per invocation.
    pub weight: f64,
    /// A read of what the same invocation has written before.
    pub own: bool,
    /// What an atomic does, but for a load.
    pub update: Option<Update>,
}

/// What an atomic does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Update {
    pub op: AtomicOp,
    pub ty: Ty,
    /// Whether the kernel uses the old value.
    pub used: bool,
}

/// A place as a walk knows it: the same place is the same address in one invocation.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Address {
    binding: u32,
    offset: u32,
    pub bytes: u32,
    /// Index, stride and length of each step.
    steps: Vec<(Form, u32, Len)>,
}

/// Windows of 2^32 that an index may fall in before it is taken for unknown.
const MAX_WINDOWS: i128 = 3;
/// Quotients that a remainder is taken apart for, one site each.
const MAX_TURNS: i128 = 16;
/// Sites of a walk beyond which no more are taken apart.
const MANY_SITES: usize = 1024;

impl Eval<'_> {
    /// Records the accesses of a place, one site for each way its indices may wrap.
    pub(super) fn access(&mut self, place: &Place, ty: Ty, kind: SiteKind) {
        self.access_by(place, ty, kind, None);
    }

    /// As [`Eval::access`], for what an atomic does.
    pub(super) fn access_by(&mut self, place: &Place, ty: Ty, kind: SiteKind, update: Option<Update>) {
        let Base::Binding(binding) = place.base else {
            if let (Base::Workgroup(_), Some(counts)) = (place.base, &mut self.counts) {
                let uniform = place.steps.iter().all(|s| self.slice.uniform.is_uniform(s.index));
                let class = if uniform { &mut counts.uniform_bytes } else { &mut counts.workgroup_bytes };
                *class += self.weight * f64::from(ty.bytes());
            }
            return;
        };
        if self.kernel.bindings[binding as usize].space == Space::Uniform {
            return;
        }
        let site = self.site(binding, kind, ty.bytes(), place.offset);
        self.note(place, Site { update, ..site });
    }

    fn site(&self, binding: u32, kind: SiteKind, bytes: u32, offset: u32) -> Site {
        Site {
            binding,
            kind,
            bytes,
            form: Form::constant(offset.into()),
            set: Form::default(),
            clip: (0, i128::from(self.call.sizes[binding as usize])),
            ranges: Vec::new(),
            gaps: Vec::new(),
            exact: true,
            indices: Vec::new(),
            offset,
            weight: self.weight,
            own: false,
            update: None,
        }
    }

    /// Records a site and remembers what is certainly written from here on.
    fn note(&mut self, place: &Place, mut site: Site) {
        let address = self.address(place, site.bytes);
        match (address, site.kind) {
            (Some(address), SiteKind::Read) => site.own = self.written.iter().any(|w| w.0 == address),
            (Some(address), SiteKind::Write) => self.written.push((address, place.clone())),
            _ => {}
        }
        let mark = self.domain.mark();
        self.steps(place, 0, site);
        self.domain.undo(mark);
    }

    /// A place written on both sides of a branch is written after it, whatever the condition.
    pub(super) fn write_again(&mut self, place: &Place, bytes: u32) {
        if let Base::Binding(binding) = place.base {
            let mut site = self.site(binding, SiteKind::Write, bytes, place.offset);
            site.weight = 0.0;
            self.note(place, site);
        }
    }

    fn address(&self, place: &Place, bytes: u32) -> Option<Address> {
        let Base::Binding(binding) = place.base else { return None };
        let steps = place.steps.iter().map(|s| Some((self.values[s.index.index()].clone()?, s.stride, s.len)));
        Some(Address { binding, offset: place.offset, bytes, steps: steps.collect::<Option<_>>()? })
    }

    /// Adds the steps from `at` on to a site, then records it.
    fn steps(&mut self, place: &Place, at: usize, site: Site) {
        let Some(step) = place.steps.get(at) else {
            return self.record(site);
        };
        let len = match step.len {
            Len::Const(n) => i128::from(n),
            Len::Runtime => {
                let binding = &self.kernel.bindings[site.binding as usize];
                i128::from(binding.runtime_len(self.call.sizes[site.binding as usize]))
            }
        };
        let index = match &self.values[step.index.index()] {
            Some(form) => form.clone(),
            None => match self.unknown(Ty::U32, Kind::Data, true) {
                Some(form) => form,
                None => return,
            },
        };
        let (lo, hi) = self.domain.range(&index);
        let (first, last) = (lo >> 32, hi >> 32);
        if last - first >= MAX_WINDOWS {
            let kind = self.loaded(&index).unwrap_or(Kind::NotAffine);
            let s = self.domain.fresh(0, len - 1, kind, true);
            if len > 0 {
                self.step(place, at, Form::symbol(s), len, site);
            }
            return;
        }
        for window in first..=last {
            let mark = self.domain.mark();
            let shifted = index.clone().shift(-(window << 32));
            self.step(place, at, shifted, len, site.clone());
            self.domain.undo(mark);
        }
    }

    fn step(&mut self, place: &Place, at: usize, index: Form, len: i128, mut site: Site) {
        let before = self.domain.exact;
        if len == 0 {
            return;
        }
        self.domain.assume(&index, 0, len - 1);
        if self.domain.empty {
            return;
        }
        let stride = i128::from(place.steps[at].stride);
        if place.steps.len() == 1
            && let Some((lo, hi)) = self.domain.bound_of(&index.terms).filter(|_| index.terms.len() > 1)
        {
            let start = i128::from(place.offset) + index.c * stride;
            site.clip =
                (site.clip.0.max(start + lo * stride), site.clip.1.min(start + hi * stride + i128::from(site.bytes)));
            // What is clipped away is exactly what the bounds exclude.
            self.domain.exact = before;
        }
        site.form = site.form.add_scaled(&index, stride);
        site.indices.push(index);
        self.steps(place, at + 1, site);
    }

    fn record(&mut self, mut site: Site) {
        site.form = self.domain.simplify(site.form);
        if let Some((whole, hi, lo, d)) = self.circle(&site.form) {
            return self.take_apart(&site, &whole, (hi, lo), d);
        }
        self.add(site);
    }

    /// A remainder in the form, of few quotients that are not in the form: indices that go round.
    fn circle(&self, form: &Form) -> Option<(Form, Sym, Sym, i128)> {
        if self.sites.len() >= MANY_SITES {
            return None;
        }
        let turns = |id: &&Identity| {
            let (lo, hi) = self.domain.range(&id.whole);
            id.hi >= GLOBAL + 3
                && form.has(id.lo)
                && !form.has(id.hi)
                && (1..MAX_TURNS).contains(&(hi.div_euclid(id.d) - lo.div_euclid(id.d)))
        };
        self.domain.identities.iter().find(turns).map(|id| (id.whole.clone(), id.hi, id.lo, id.d))
    }

    /// One site for each quotient: there the remainder is affine.
    fn take_apart(&mut self, site: &Site, whole: &Form, (hi, lo): (Sym, Sym), d: i128) {
        let (first, last) = self.domain.range(whole);
        let (first, last) = (first.div_euclid(d), last.div_euclid(d));
        let weight = site.weight / (last - first + 1) as f64;
        let before = self.domain.exact;
        for turn in first..=last {
            let mark = self.domain.mark();
            self.domain.assume(whole, turn * d, turn * d + d - 1);
            self.domain.assume(&Form::symbol(hi), turn, turn);
            if !self.domain.empty {
                let k = site.form.coef(lo);
                let rest = site.form.add_scaled(&Form::symbol(lo), -k);
                let form = rest.add_scaled(&whole.clone().shift(-turn * d), k);
                let mut part = Site { form, weight, ..site.clone() };
                if rest.terms.is_empty() && k > 0 {
                    // The remainder alone moves the address; what is clipped away is what its bounds exclude.
                    let end = rest.c + k * (d - 1) + i128::from(site.bytes);
                    part.clip = (part.clip.0.max(rest.c), part.clip.1.min(end));
                    self.domain.exact = before;
                }
                self.record(part);
            }
            self.domain.undo(mark);
        }
    }

    fn add(&mut self, mut site: Site) {
        let mark = self.domain.mark();
        let set = self.domain.sum_up(&site.form);
        site.set = self.spread(set);
        site.form = self.spread(site.form);
        let symbols = self.domain.closure(&site.set);
        site.ranges = symbols.iter().map(|&s| (s, self.domain.symbol(s).lo, self.domain.symbol(s).hi)).collect();
        site.gaps = symbols.iter().filter_map(|&s| Some((s, self.domain.symbol(s).gap?))).collect();
        self.domain.undo(mark);
        site.exact = self.domain.exact;
        self.sites.push(site);
    }

    /// Splits a global id whose local part a guard has narrowed (`lid.x == 0`), as the box over both parts is
    /// the tighter one, or whose parts also stand alone, as a box over all three has impossible corners.
    fn spread(&self, mut form: Form) -> Form {
        for a in 0..3u32 {
            let k = form.coef(GLOBAL + a);
            let size = i128::from(self.kernel.workgroup_size[a as usize]);
            let local = self.domain.symbol(LOCAL + a);
            let whole = local.lo == 0 && local.hi == size - 1;
            let one_group = self.domain.symbol(GROUP + a).lo == self.domain.symbol(GROUP + a).hi;
            let mixed = form.has(GROUP + a) || form.has(LOCAL + a);
            if k != 0 && (mixed || !whole && !one_group) {
                let parts = Form { c: 0, terms: vec![(GROUP + a, size), (LOCAL + a, 1)] };
                form = form.add_scaled(&Form::symbol(GLOBAL + a), -k).add_scaled(&parts, k);
            }
        }
        self.spread_digits(form)
    }

    /// Splits an index of which a guard has narrowed a digit (`i % 2 == 0`): the box over the digits is the tighter one.
    fn spread_digits(&self, mut form: Form) -> Form {
        for id in self.domain.identities.iter().filter(|id| id.hi >= GLOBAL + 3) {
            let [(s, 1)] = id.whole.terms[..] else { continue };
            let lo = self.domain.symbol(id.lo);
            let k = form.coef(s);
            if k != 0 && (lo.lo > 0 || lo.hi < id.d - 1) && !form.has(id.hi) && !form.has(id.lo) {
                let one_turn = self.domain.symbol(id.hi).lo == self.domain.symbol(id.hi).hi;
                if !one_turn {
                    let parts = Form::symbol(id.hi).scale(id.d).plus(&Form::symbol(id.lo)).shift(-id.whole.c);
                    form = form.add_scaled(&Form::symbol(s), -k).add_scaled(&parts, k);
                }
            }
        }
        form
    }
}

impl Site {
    /// The range of a symbol in this site's box.
    pub fn range_of(&self, s: Sym) -> (i128, i128) {
        match self.ranges.binary_search_by_key(&s, |r| r.0) {
            Ok(i) => (self.ranges[i].1, self.ranges[i].2),
            Err(_) => (-INFINITE, INFINITE),
        }
    }
}
