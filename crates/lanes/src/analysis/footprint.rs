//! Byte sets of a range of work-groups, from the sites of a walk.

use super::{
    BindingFootprint, MergeRegion,
    digits::Piece,
    domain::{Domain, GLOBAL, GROUP, LOCAL},
    form::{Form, Sym},
    image::{Runs, Span, image, join, read_set, subtract, write_set},
    sites::{Site, SiteKind},
};
use crate::{ir::Kernel, run::GroupRange};

/// A symbol's range.
pub(super) type Ranges = [(Sym, i128, i128)];

/// The terms of a form over the given ranges.
pub(super) fn spans(form: &Form, ranges: &Ranges, fixed: &[(Sym, (i128, i128))]) -> Vec<Span> {
    form.terms
        .iter()
        .map(|&(s, coef)| {
            let known = ranges.iter().find(|r| r.0 == s).map_or((0, 0), |r| (r.1, r.2));
            let (lo, hi) = fixed.iter().find(|f| f.0 == s).map_or(known, |f| f.1);
            Span { coef, lo, hi }
        })
        .collect()
}

impl Site {
    /// The ranges of this site's box for a part of the groups it was computed for; `None` if no invocation
    /// of the part gets there.
    pub fn restrict(&self, kernel: &Kernel, domain: &Domain, range: &GroupRange) -> Option<Vec<(Sym, i128, i128)>> {
        let mut ranges = self.ranges.clone();
        for i in 0..ranges.len() {
            let (s, lo, hi) = ranges[i];
            let (first, last) = match s {
                GROUP..LOCAL => {
                    let a = (s - GROUP) as usize;
                    (i128::from(range.start[a]), i128::from(range.end[a]) - 1)
                }
                LOCAL..GLOBAL => continue,
                s if s < GLOBAL + 3 => {
                    let a = (s - GLOBAL) as usize;
                    let size = i128::from(kernel.workgroup_size[a]);
                    (i128::from(range.start[a]) * size, i128::from(range.end[a]) * size - 1)
                }
                _ => match (domain.terms_of(s), domain.identities.iter().find(|id| id.hi == s)) {
                    (Some(terms), _) => range_over(terms, &ranges)?,
                    (None, Some(id)) => {
                        let (wlo, whi) = range_over(&id.whole, &ranges)?;
                        (wlo.div_euclid(id.d), whi.div_euclid(id.d))
                    }
                    (None, None) => continue,
                },
            };
            let (lo, hi) = (lo.max(first), hi.min(last));
            if lo > hi {
                return None;
            }
            ranges[i] = (s, lo, hi);
        }
        Some(ranges)
    }

    /// The bytes touched over these ranges, and whether that is all of the box and no more.
    pub fn bytes_over(&self, domain: &Domain, ranges: &Ranges, gaps: bool, out: &mut Vec<Runs>) -> bool {
        let digits = domain.digits(&[&self.set]);
        let pieces = digits.as_ref().and_then(|d| Some((d.rewrite(&self.set), d.pieces(ranges)?)));
        let (form, mut boxes) = pieces.unwrap_or_else(|| (self.set.clone(), vec![Piece::new()]));
        for &(s, gap) in self.gaps.iter().filter(|g| gaps && form.has(g.0)).take(2) {
            let Some(&(_, lo, hi)) = ranges.iter().find(|r| r.0 == s) else { continue };
            if boxes.iter().any(|b| b.iter().any(|f| f.0 == s)) {
                continue;
            }
            let parts = [(lo, hi.min(gap.0 - 1)), (lo.max(gap.1 + 1), hi)];
            boxes = boxes
                .iter()
                .flat_map(|b| parts.iter().filter(|p| p.0 <= p.1).map(|&p| [b.as_slice(), &[(s, p)]].concat()))
                .collect();
        }
        let mut exact = true;
        for fixed in boxes {
            let (runs, all) = image(form.c, &spans(&form, ranges, &fixed), self.bytes.into());
            exact &= all;
            runs.clip(self.clip.0, self.clip.1, out);
        }
        exact
    }

    /// Whether this site writes all bytes of its set, whatever the data.
    fn is_certain(&self, kernel: &Kernel, domain: &Domain) -> bool {
        let form = match domain.digits(&[&self.form]) {
            // All indices between the first and the last are there if consecutive invocations have consecutive ones.
            Some(digits) => match digits.whole.terms[..] {
                [(s, 1 | -1)] => {
                    let rest = digits.rewrite(&self.form);
                    let rest = rest.terms.into_iter().filter(|t| !digits.has(t.0));
                    let mut form = Form { c: 0, terms: rest.collect() };
                    if form.has(s) {
                        return false;
                    }
                    form = form.plus(&Form::symbol(s));
                    form
                }
                _ => return false,
            },
            None => self.form.clone(),
        };
        let plain = |s: Sym| domain.symbol(s).kind.is_id_or_counter();
        // The box must have no corner that no invocation is in.
        let independent = (0..3u32).all(|a| {
            let size = i128::from(kernel.workgroup_size[a as usize]);
            let ((glo, ghi), (wlo, whi)) = (self.range_of(GLOBAL + a), self.range_of(GROUP + a));
            let (llo, lhi) = self.range_of(LOCAL + a);
            let whole_groups = llo == 0 && lhi == size - 1;
            let parts = form.has(GROUP + a) || form.has(LOCAL + a);
            if glo <= wlo * size + llo && ghi >= whi * size + lhi {
                return !form.has(GLOBAL + a) || (whole_groups && !parts);
            }
            whole_groups && !parts
        });
        self.exact && self.set == self.form && independent && form.symbols().all(plain)
    }
}

/// The range of a form over the given ranges; `None` where one is missing.
pub(super) fn range_over(form: &Form, ranges: &Ranges) -> Option<(i128, i128)> {
    form.terms.iter().try_fold((form.c, form.c), |(lo, hi), &(s, k)| {
        let r = ranges.iter().find(|r| r.0 == s)?;
        Some((lo + (r.1 * k).min(r.2 * k), hi + (r.1 * k).max(r.2 * k)))
    })
}

/// The footprint of a uniform binding: all of it, if it is used.
pub(super) fn of_uniform(bytes: u64) -> BindingFootprint {
    BindingFootprint { reads: read_set(vec![Runs::range(0, bytes.into())]), ..BindingFootprint::default() }
}

/// The footprint of one binding: `whole` are the sites of the whole call, `chunk` those of the range.
pub(super) fn of_binding(
    kernel: &Kernel,
    binding: u32,
    whole: (&[Site], &Domain),
    chunk: (&[Site], &Domain),
    range: &GroupRange,
    merges: Vec<MergeRegion>,
) -> BindingFootprint {
    if range.is_empty() {
        return BindingFootprint::default();
    }
    let (mut reads, mut writes, mut certain) = (Vec::new(), Vec::new(), Vec::new());
    // Bytes whose former contents may matter.
    let mut before = Vec::new();
    let merging = merges.iter().flat_map(|m| &m.bytes).map(Runs::from).collect::<Vec<Runs>>();
    let listed = |s: &&Site| s.binding == binding && (s.update.is_none() || merging.is_empty());
    for site in chunk.0.iter().filter(listed).filter(|s| s.kind != SiteKind::Write) {
        let from = reads.len();
        site.bytes_over(chunk.1, &site.ranges, true, &mut reads);
        if !site.own {
            before.extend_from_slice(&reads[from..]);
        }
    }
    // Writes come from the walk that the split was proven with, cut down to the range, so that the
    // sets of different chunks are disjoint whatever a walk over the range alone would find.
    for site in whole.0.iter().filter(listed).filter(|s| s.kind != SiteKind::Read) {
        let Some(ranges) = site.restrict(kernel, whole.1, range) else { continue };
        let from = writes.len();
        let exact = site.bytes_over(whole.1, &ranges, false, &mut writes);
        if exact && site.kind == SiteKind::Write && site.is_certain(kernel, whole.1) {
            certain.extend_from_slice(&writes[from..]);
        }
    }
    for all in [&mut reads, &mut writes, &mut before] {
        all.extend_from_slice(&merging);
    }
    let certain = subtract(join(certain), &join(before));
    BindingFootprint { reads: read_set(reads), writes: write_set(writes), certain: write_set(certain), merges }
}
