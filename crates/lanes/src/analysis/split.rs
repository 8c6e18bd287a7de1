//! Whether a call may be cut along an axis: no byte that one chunk writes is touched by another,
//! for all pairs of chunks and all boundaries.

use super::{
    Analysis, CallShape, Split,
    describe::{index_text, subject},
    domain::{Domain, GLOBAL, GROUP, Kind, LOCAL},
    footprint::spans,
    form::{Form, Sym},
    search::{Var, never},
    sites::{Site, SiteKind},
};

/// Pairs of sites compared before the analysis gives up.
const MAX_PAIRS: usize = 4096;

const AXES: [&str; 3] = ["x", "y", "z"];

impl Analysis {
    pub(super) fn find_split(&self, call: &CallShape<'_>, sites: &[Site], domain: &Domain) -> Split {
        if let Some(site) = sites.iter().find(|s| s.kind == SiteKind::Atomic) {
            return Split::Whole(format!("`{}` is updated by atomics", self.name(site.binding)));
        }
        let groups = call.grid.groups;
        if groups.iter().all(|&g| g <= 1) {
            return Split::Whole("the call is one work-group".into());
        }
        let sites = distinct(sites);
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
            if !image_is_exact(w, axis) {
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
                if !disjoint(self, w, s, axis) {
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
fn distinct(sites: &[Site]) -> Vec<&Site> {
    let mut seen = std::collections::HashSet::new();
    sites.iter().filter(|s| seen.insert((s.binding, s.kind, s.bytes, &s.form, s.clip, &s.ranges))).collect()
}

/// Whether the byte set of a chunk is the exact image of its box, for every chunk. Counts of what
/// depends on the axis shrink with the chunk, so a level that overlaps what lies inside it must be the last one
/// if that depends on the axis.
fn image_is_exact(w: &Site, axis: u8) -> bool {
    let mut levels: Vec<(i128, i128, bool)> = w
        .form
        .terms
        .iter()
        .map(|&(s, k)| {
            let (lo, hi) = w.range_of(s);
            (k.abs(), hi - lo, depends_on(s, axis))
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
                || !super::image::image(0, &spans(&w.form, &w.ranges, &[]), w.bytes.into()).1
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
fn depends_on(s: Sym, axis: u8) -> bool {
    // Quotients may depend on any axis.
    s >= GLOBAL + 3 || [GROUP, LOCAL, GLOBAL].contains(&s.wrapping_sub(axis.into()))
}

/// Whether the two sites touch no common byte from different groups of the axis.
fn disjoint(analysis: &Analysis, w: &Site, s: &Site, axis: u8) -> bool {
    let (lo, hi) = (1 - i128::from(w.bytes), i128::from(s.bytes) - 1);
    // address of w - address of s in [lo, hi] means a common byte.
    let Some((later, earlier)) = differences(analysis, w, s, axis) else { return false };
    let c = w.form.c - s.form.c;
    never(later, lo - c, hi - c) && never(earlier, lo - c, hi - c)
}

/// The variables of `address(w) - address(s)` where `s` is in a later group, and in an earlier one.
fn differences(analysis: &Analysis, w: &Site, s: &Site, axis: u8) -> Option<(Vec<Var>, Vec<Var>)> {
    let axis = Sym::from(axis);
    let size = i128::from(analysis.kernel.workgroup_size[axis as usize]);
    let (group, local, global) = (GROUP + axis, LOCAL + axis, GLOBAL + axis);
    let uniform = |f: &Form| !f.has(group) && !f.has(local);
    let (mut wf, mut sf) = (w.form.clone(), s.form.clone());
    let unit = if wf.coef(global) == sf.coef(global) && wf.has(global) && uniform(&wf) && uniform(&sf) {
        global
    } else {
        for f in [&mut wf, &mut sf] {
            let k = f.coef(global);
            let parts = Form { c: 0, terms: vec![(group, size), (local, 1)] };
            *f = f.add_scaled(&Form::symbol(global), -k).add_scaled(&parts, k);
        }
        group
    };
    let mut vars = Vec::new();
    let mut symbols: Vec<Sym> = wf.symbols().chain(sf.symbols()).filter(|&x| x != unit).collect();
    symbols.sort_unstable();
    symbols.dedup();
    for x in symbols {
        let (a, b) = (wf.coef(x), sf.coef(x));
        let (wr, sr) = (range_in(analysis, w, x), range_in(analysis, s, x));
        if a == b {
            vars.push(Var { coef: a, lo: wr.0 - sr.1, hi: wr.1 - sr.0 });
        } else {
            vars.push(Var { coef: a, lo: wr.0, hi: wr.1 });
            vars.push(Var { coef: -b, lo: sr.0, hi: sr.1 });
        }
    }
    let (a, b) = (wf.coef(unit), sf.coef(unit));
    let (wr, sr) = (range_in(analysis, w, unit), range_in(analysis, s, unit));
    // With u(s) = u(w) + d: a * u(w) - b * u(s) = (a - b) * u(w) - b * d.
    vars.push(Var { coef: a - b, lo: wr.0, hi: wr.1 });
    let (mut later, mut earlier) = (vars.clone(), vars);
    later.push(Var { coef: -b, lo: (sr.0 - wr.1).max(1), hi: sr.1 - wr.0 });
    earlier.push(Var { coef: -b, lo: sr.0 - wr.1, hi: (sr.1 - wr.0).min(-1) });
    Some((later, earlier))
}

/// The range of a symbol in a site's box; built-in symbols that the site does not mention have the range
/// of the call.
fn range_in(analysis: &Analysis, site: &Site, s: Sym) -> (i128, i128) {
    let (lo, hi) = site.range_of(s);
    if hi - lo < super::domain::INFINITE {
        return (lo, hi);
    }
    let size = |a: Sym| i128::from(analysis.kernel.workgroup_size[a as usize]);
    match s {
        GROUP..LOCAL => (0, u32::MAX.into()),
        LOCAL..GLOBAL => (0, size(s - LOCAL) - 1),
        _ => (lo, hi),
    }
}

/// Whether this kind of symbol is a value that the analysis cannot follow.
pub(super) fn is_unknown(kind: Kind) -> bool {
    matches!(kind, Kind::Loaded(_) | Kind::Data | Kind::NotAffine)
}
