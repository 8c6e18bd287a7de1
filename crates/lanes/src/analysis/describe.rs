//! The analysis in words: index forms, reasons.

use super::{
    Analysis,
    domain::{Domain, Kind},
    eval::Site,
    form::{Form, Sym},
    split::is_unknown,
};

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
    let kinds = site.form.symbols().map(|s| domain.symbol(s).kind).filter(|&k| is_unknown(k));
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
