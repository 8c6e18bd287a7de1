//! The analysis in words: index forms, reasons.

use super::{
    Analysis, BindingFootprint, SiteInfo, SiteKind, Strided,
    domain::{Domain, Kind},
    form::{Form, Sym},
    sites::Site,
    split::is_unknown,
};
use crate::ir::{Binding, Space};

const AXES: [&str; 3] = ["x", "y", "z"];

/// The name of a symbol: `gid.x`, `wg.y`, `lid.x`, a loop counter `k0`, a quotient `q0`, `idx[..]`.
fn symbol_text(analysis: &Analysis, s: Sym, domain: &Domain) -> String {
    let rank = |kind: Kind| domain.symbols[..s as usize].iter().filter(|x| x.kind == kind).count();
    match domain.symbol(s).kind {
        Kind::Group(a) => format!("wg.{}", AXES[a as usize]),
        Kind::Local(a) => format!("lid.{}", AXES[a as usize]),
        Kind::Global(a) => format!("gid.{}", AXES[a as usize]),
        Kind::Counter => format!("k{}", rank(Kind::Counter)),
        Kind::Quotient => division_text(analysis, s, domain, '/'),
        Kind::Remainder => division_text(analysis, s, domain, '%'),
        Kind::Loaded(b) => format!("{}[..]", analysis.name(b)),
        Kind::Data => "(data)".into(),
        Kind::Sum => "(sum)".into(),
        Kind::NotAffine => format!("v{}", rank(Kind::NotAffine)),
    }
}

fn division_text(analysis: &Analysis, s: Sym, domain: &Domain, op: char) -> String {
    match domain.identities.iter().find(|id| id.hi == s || id.lo == s) {
        Some(id) => format!("({}){op}{}", form_text(analysis, &id.whole, domain), id.d),
        None => "q".into(),
    }
}

/// A form such as `512*gid.y + gid.x - 1`.
pub(super) fn form_text(analysis: &Analysis, form: &Form, domain: &Domain) -> String {
    let mut terms = form.terms.clone();
    terms.sort_by_key(|t| std::cmp::Reverse(t.1.abs()));
    let mut out = String::new();
    let mut push = |negative: bool, text: String| {
        match (out.is_empty(), negative) {
            (true, true) => out.push('-'),
            (true, false) => {}
            (false, true) => out.push_str(" - "),
            (false, false) => out.push_str(" + "),
        }
        out.push_str(&text);
    };
    for (s, k) in terms {
        let name = symbol_text(analysis, s, domain);
        push(k < 0, if k.abs() == 1 { name } else { format!("{}*{name}", k.abs()) });
    }
    if form.c != 0 || form.terms.is_empty() {
        push(form.c < 0, form.c.abs().to_string());
    }
    out
}

/// `y[gid.x]`, with a member's offset as `p[gid.x]+4`.
pub(super) fn index_text(analysis: &Analysis, site: &Site, domain: &Domain) -> String {
    let mut out = analysis.name(site.binding).to_string();
    for index in &site.indices {
        out.push('[');
        out.push_str(&form_text(analysis, &domain.simplify(index.clone()), domain));
        out.push(']');
    }
    if site.offset != 0 {
        out.push_str(&format!("+{}", site.offset));
    }
    out
}

/// Where an index that the analysis cannot follow comes from.
pub(super) fn subject(analysis: &Analysis, site: &Site, domain: &Domain) -> Option<String> {
    let parts = domain.closure(&site.form);
    let kinds = parts.into_iter().map(|s| domain.symbol(s).kind).filter(|&k| is_unknown(k));
    let worst = kinds.max_by_key(|k| match k {
        Kind::Loaded(_) => 2,
        Kind::Data => 1,
        _ => 0,
    })?;
    Some(match worst {
        Kind::Loaded(b) => format!("loaded from `{}`", analysis.name(b)),
        Kind::Data => "computed from data".into(),
        _ => "that is not an affine function of the invocation".into(),
    })
}

/// Index forms shown of one binding.
const MAX_FORMS: usize = 8;

/// `y: read and write y[gid.x], 16 Mi bytes`.
pub(super) fn binding_line(binding: &Binding, footprint: &BindingFootprint, sites: &[&SiteInfo]) -> String {
    let any = |kind| sites.iter().any(|s| s.kind == kind);
    let uses = [(any(SiteKind::Read), "read"), (any(SiteKind::Write), "write"), (any(SiteKind::Atomic), "atomic")];
    let uses: Vec<&str> = uses.iter().filter(|u| u.0).map(|u| u.1).collect();
    if binding.space == Space::Uniform {
        return format!("{}: uniform, {}", binding.name, bytes_text(total(&footprint.reads)));
    }
    if uses.is_empty() {
        return format!("{}: not accessed", binding.name);
    }
    let mut forms: Vec<&str> = Vec::new();
    for site in sites {
        if !forms.contains(&site.form.as_str()) {
            forms.push(&site.form);
        }
    }
    let more = forms.len().saturating_sub(MAX_FORMS);
    forms.truncate(MAX_FORMS);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    let bytes = total(&footprint.reads).max(total(&footprint.writes));
    format!("{}: {} {}{more}, {}", binding.name, uses.join(" and "), forms.join(", "), bytes_text(bytes))
}

fn total(sets: &[Strided]) -> u64 {
    sets.iter().map(Strided::bytes).sum()
}

/// `16 Mi bytes` where that is exact, else the plain number.
fn bytes_text(bytes: u64) -> String {
    let units = [(30, "Gi"), (20, "Mi"), (10, "Ki")];
    match units.iter().find(|u| bytes >> u.0 > 0 && bytes.is_multiple_of(1 << u.0)) {
        Some((shift, unit)) => format!("{} {unit} bytes", bytes >> shift),
        None => format!("{bytes} bytes"),
    }
}
