//! Whether a call may be cut along an axis: no byte that one chunk writes is touched by another,
//! for all pairs of chunks and all boundaries.

use super::{
    Analysis, CallShape, Split,
    describe::{index_text, subject},
    digits::Digits,
    domain::{Domain, GLOBAL, GROUP, Kind, LOCAL},
    footprint::spans,
    form::{Form, Sym},
    memo::Known,
    search::{Var, never},
    sites::{Site, SiteKind},
};

/// Pairs of sites compared before the analysis gives up.
const MAX_PAIRS: usize = 4096;

const AXES: [&str; 3] = ["x", "y", "z"];

impl Analysis {
    pub(super) fn find_split(&self, call: &CallShape<'_>, whole: &Known) -> Split {
        let (sites, domain) = (&whole.sites, &whole.domain);
        let groups = call.grid.groups;
        if groups.iter().all(|&g| g <= 1) {
            return Split::Whole("the call is one work-group".into());
        }
        if let Err(reason) = &whole.merges {
            return Split::Whole(reason.clone());
        }
        // The bytes of atomics that merge are touched by nothing else.
        let sites = distinct(sites.iter().filter(|s| s.update.is_none()));
        let mut reasons: Vec<(u32, String)> = Vec::new();
        for axis in (0..3u8).rev().filter(|&a| groups[a as usize] > 1) {
            match self.axis_obstacle(&sites, domain, axis) {
                None => return Split::Axis(axis),
                Some(reason) => reasons.push((groups[axis as usize], reason)),
            }
        }
        let most = reasons.into_iter().max_by_key(|r| r.0);
        Split::Whole(most.map_or_else(String::new, |r| r.1))
    }

    /// Why the axis cannot be cut, if so.
    fn axis_obstacle(&self, sites: &[&Site], domain: &Domain, axis: u8) -> Option<String> {
        let mut pairs = 0;
        for (i, w) in sites.iter().enumerate().filter(|(_, s)| s.kind == SiteKind::Write) {
            if !image_is_exact(w, domain, axis) {
                return Some(format!(
                    "the set of elements of `{}` that is written is too irregular",
                    self.name(w.binding)
                ));
            }
            for (j, s) in sites.iter().enumerate() {
                if s.binding != w.binding || (s.kind == SiteKind::Write && j < i) {
                    continue;
                }
                pairs += 1;
                if pairs > MAX_PAIRS {
                    return Some(format!("`{}` is accessed in too many places", self.name(w.binding)));
                }
                if !disjoint(self, domain, w, s, axis) {
                    return Some(self.reason(w, s, domain, axis));
                }
            }
        }
        None
    }

    /// What stands in the way, for the user.
    fn reason(&self, w: &Site, s: &Site, domain: &Domain, axis: u8) -> String {
        let name = self.name(w.binding);
        if let Some(from) = subject(self, w, domain) {
            return format!("`{name}` is written through an index {from}");
        }
        let a = Sym::from(axis);
        let depends = |site: &Site| site.form.symbols().any(|s| s == GROUP + a || s == GLOBAL + a || s >= GLOBAL + 3);
        if !depends(w) {
            return format!("every work-group along {} writes `{}`", AXES[axis as usize], index_text(self, w, domain));
        }
        let (a, b) = (index_text(self, w, domain), index_text(self, s, domain));
        if s.kind == SiteKind::Write {
            let what = if a == b { format!("`{a}`") } else { format!("`{a}` and `{b}`") };
            return format!("different work-groups may write the same element of `{name}` ({what})");
        }
        if let Some(from) = subject(self, s, domain) {
            return format!("`{name}` is written, and read through an index {from}");
        }
        format!("a work-group may read `{b}` while another writes `{a}`")
    }
}

/// Sites that differ in what they touch.
fn distinct<'a>(sites: impl Iterator<Item = &'a Site>) -> Vec<&'a Site> {
    let mut seen = std::collections::HashSet::new();
    sites.filter(|s| seen.insert((s.binding, s.kind, s.bytes, &s.set, s.clip, &s.ranges))).collect()
}

/// Whether the byte set of a chunk is the exact image of its box, for every chunk. Counts of what
/// depends on the axis shrink with the chunk, so a level that overlaps what lies inside it must be the last one
/// if that depends on the axis.
fn image_is_exact(w: &Site, domain: &Domain, axis: u8) -> bool {
    let form = domain.digits(&[&w.set]).map_or_else(|| w.set.clone(), |d| d.rewrite(&w.set));
    let mut levels: Vec<(i128, i128, bool)> = form
        .terms
        .iter()
        .map(|&(s, k)| {
            let (lo, hi) = w.range_of(s);
            (k.abs(), hi - lo, depends_on(domain, s, axis))
        })
        .filter(|l| l.1 > 0)
        .collect();
    levels.sort_unstable();
    let mut extent = i128::from(w.bytes);
    let (mut shrinks, mut joined) = (false, false);
    for (i, &(stride, steps, chunked)) in levels.iter().enumerate() {
        if stride < extent {
            // Overlapping levels: fine while they only lengthen one run.
            if joined
                || (shrinks && i + 1 < levels.len())
                || !super::image::image(0, &spans(&form, &w.ranges, &[]), w.bytes.into()).1
            {
                return false;
            }
        } else {
            joined |= stride > extent;
        }
        extent += stride * steps;
        shrinks |= chunked;
    }
    true
}

/// Whether a symbol's range depends on which groups of the axis a chunk has.
fn depends_on(domain: &Domain, s: Sym, axis: u8) -> bool {
    if let Some(terms) = domain.terms_of(s) {
        return terms.symbols().any(|s| moves(s, axis));
    }
    // Quotients may depend on any axis.
    s >= GLOBAL + 3 || moves(s, axis) || s == LOCAL + Sym::from(axis)
}

/// Whether an id is that of the groups of an axis, or of their invocations.
fn moves(s: Sym, axis: u8) -> bool {
    [GROUP, GLOBAL].contains(&s.wrapping_sub(axis.into()))
}

/// Whether the two sites touch no common byte from different groups of the axis.
fn disjoint(analysis: &Analysis, domain: &Domain, w: &Site, s: &Site, axis: u8) -> bool {
    let (lo, hi) = (1 - i128::from(w.bytes), i128::from(s.bytes) - 1);
    // address of w - address of s in [lo, hi] means a common byte.
    let pair = Pair { analysis, domain, w, s, axis };
    let c = w.set.c - s.set.c;
    let apart = |vars: Vec<Var>| never(vars, lo - c, hi - c);
    let (later, earlier) = pair.differences(&w.set, &s.set);
    if apart(later) && apart(earlier) {
        return true;
    }
    let Some(digits) = domain.digits(&[&w.set, &s.set]) else { return false };
    let (wf, sf) = (digits.rewrite(&w.set), digits.rewrite(&s.set));
    let apart = |vars: Vec<Var>| never(vars, lo - (wf.c - sf.c), hi - (wf.c - sf.c));
    pair.digit_cases(&digits, &wf, &sf).is_some_and(|cases| cases.into_iter().all(apart))
}

/// Two sites, for invocations in different groups of an axis.
struct Pair<'a> {
    analysis: &'a Analysis,
    domain: &'a Domain,
    w: &'a Site,
    s: &'a Site,
    axis: u8,
}

impl Pair<'_> {
    fn ranges(&self, x: Sym) -> ((i128, i128), (i128, i128)) {
        (range_in(self.domain, self.w, x), range_in(self.domain, self.s, x))
    }

    /// The variables of `wf - sf`, less their constants, where `s` is in a later group, and in an earlier one.
    fn differences(&self, wf: &Form, sf: &Form) -> (Vec<Var>, Vec<Var>) {
        let axis = Sym::from(self.axis);
        let size = i128::from(self.analysis.kernel.workgroup_size[axis as usize]);
        let (group, local, global) = (GROUP + axis, LOCAL + axis, GLOBAL + axis);
        let uniform = |f: &Form| !f.has(group) && !f.has(local);
        let (mut wf, mut sf) = (wf.clone(), sf.clone());
        let (unit, least) = if let Some(sum) = self.ordered_sum(&wf, &sf) {
            sum
        } else if wf.coef(global) == sf.coef(global) && wf.has(global) && uniform(&wf) && uniform(&sf) {
            (global, 1)
        } else {
            for f in [&mut wf, &mut sf] {
                let k = f.coef(global);
                let parts = Form { c: 0, terms: vec![(group, size), (local, 1)] };
                *f = f.add_scaled(&Form::symbol(global), -k).add_scaled(&parts, k);
            }
            (group, 1)
        };
        let vars = self.free(&wf, &sf, |x| x != unit);
        let (a, b) = (wf.coef(unit), sf.coef(unit));
        let (wr, sr) = self.ranges(unit);
        let (mut later, mut earlier) = (vars.clone(), vars);
        later.extend(stepped(a, b, wr, sr, least));
        earlier.extend(stepped(a, b, wr, sr, -least));
        (later, earlier)
    }

    /// A sum in both forms that is greater in every later group of the axis, and by how much at least: all that it adds to
    /// the group's own part is less than a step from one group to the next.
    fn ordered_sum(&self, wf: &Form, sf: &Form) -> Option<(Sym, i128)> {
        wf.symbols().filter(|&s| wf.coef(s) == sf.coef(s)).find_map(|s| {
            let terms = self.domain.terms_of(s)?;
            let mut moving = terms.terms.iter().filter(|t| moves(t.0, self.axis));
            let (Some(&(own, step)), None) = (moving.next(), moving.next()) else { return None };
            let others = terms.terms.iter().filter(|t| t.0 != own);
            let width: i128 = others
                .map(|&(x, k)| {
                    let (wr, sr) = self.ranges(x);
                    k.abs() * (wr.1 - sr.0).max(sr.1 - wr.0)
                })
                .sum();
            (step > width).then_some((s, step - width))
        })
    }

    /// The variables of the symbols that may take any values on both sides.
    fn free(&self, wf: &Form, sf: &Form, is_free: impl Fn(Sym) -> bool) -> Vec<Var> {
        let mut symbols: Vec<Sym> = wf.symbols().chain(sf.symbols()).filter(|&x| is_free(x)).collect();
        symbols.sort_unstable();
        symbols.dedup();
        let mut vars = Vec::with_capacity(symbols.len());
        for x in symbols {
            let (a, b) = (wf.coef(x), sf.coef(x));
            let (wr, sr) = self.ranges(x);
            if a == b {
                vars.push(Var { coef: a, lo: wr.0 - sr.1, hi: wr.1 - sr.0 });
            } else {
                vars.push(Var { coef: a, lo: wr.0, hi: wr.1 });
                vars.push(Var { coef: -b, lo: sr.0, hi: sr.1 });
            }
        }
        vars
    }

    /// If the group decides the order of the index, that of its digits is lexicographic: the first digit in which
    /// the two differ is greater on one side. One set of variables for each such digit and side.
    fn digit_cases(&self, digits: &Digits, wf: &Form, sf: &Form) -> Option<Vec<Vec<Var>>> {
        let (later, earlier) = self.differences(&digits.whole, &digits.whole);
        let sum = |vars: &[Var]| {
            vars.iter().fold((0i128, 0i128), |(lo, hi), v| {
                let (a, b) = (v.coef * v.lo, v.coef * v.hi);
                (lo + a.min(b), hi + a.max(b))
            })
        };
        let impossible = |vars: &[Var]| vars.iter().any(|v| v.lo > v.hi);
        let ordered = |vars: &[Var]| impossible(vars) || sum(vars).1 < 0 || sum(vars).0 > 0;
        if !ordered(&later) || !ordered(&earlier) {
            return None;
        }
        let mut cases = Vec::with_capacity(2 * digits.leaves.len());
        for (i, leaf) in digits.leaves.iter().enumerate() {
            let equal = &digits.leaves[..i];
            let settled = |x: Sym| equal.iter().any(|l| l.symbol == x) || leaf.symbol == x;
            let mut vars = self.free(wf, sf, |x| !settled(x));
            for l in equal {
                let (wr, sr) = self.ranges(l.symbol);
                let both = (wr.0.max(sr.0), wr.1.min(sr.1));
                vars.push(Var { coef: wf.coef(l.symbol) - sf.coef(l.symbol), lo: both.0, hi: both.1 });
            }
            let (a, b) = (wf.coef(leaf.symbol), sf.coef(leaf.symbol));
            let (wr, sr) = self.ranges(leaf.symbol);
            for step in [1, -1] {
                cases.push([vars.clone(), stepped(a, b, wr, sr, step).to_vec()].concat());
            }
        }
        Some(cases)
    }
}

/// The variables of `a * u - b * v` where `v` is greater than `u` by `step` at least, or less where that is negative.
fn stepped(a: i128, b: i128, u: (i128, i128), v: (i128, i128), step: i128) -> [Var; 2] {
    // With v = u + d: (a - b) * u - b * d.
    let (lo, hi) = (v.0 - u.1, v.1 - u.0);
    let (lo, hi) = if step > 0 { (lo.max(step), hi) } else { (lo, hi.min(step)) };
    [Var { coef: a - b, lo: u.0, hi: u.1 }, Var { coef: -b, lo, hi }]
}

/// The range of a symbol in a site's box; symbols that the site does not mention have the range of the call.
fn range_in(domain: &Domain, site: &Site, x: Sym) -> (i128, i128) {
    let (lo, hi) = site.range_of(x);
    // All guards are undone when a walk is over.
    if hi - lo < super::domain::INFINITE { (lo, hi) } else { (domain.symbol(x).lo, domain.symbol(x).hi) }
}

/// Whether this kind of symbol is a value that the analysis cannot follow.
pub(super) fn is_unknown(kind: Kind) -> bool {
    matches!(kind, Kind::Loaded(_) | Kind::Data | Kind::NotAffine)
}
