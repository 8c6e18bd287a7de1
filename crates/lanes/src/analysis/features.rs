//! Operations and bytes per invocation.

use super::{
    Features,
    domain::{Domain, Kind},
    sites::Site,
    split::is_unknown,
};
use crate::ir::{BinaryOp, Kernel, Op, Ty, UnaryOp, Value};
use std::fmt;

/// Sums while walking.
pub(super) type Counts = Features;

/// Adds one operation, executed `weight` times an invocation.
pub(super) fn count_op(counts: &mut Counts, kernel: &Kernel, dst: Value, op: &Op, weight: f64) {
    let ty = kernel.ty(dst);
    let class = match op {
        Op::Const(_) | Op::Builtin(_) | Op::Load(_) | Op::ArrayLength(_) | Op::Bitcast(_) => return,
        Op::Select { .. } | Op::Convert(_) => &mut counts.integer,
        Op::Fma(..) => arithmetic(counts, ty),
        Op::Unary(op, _) => unary(counts, *op, ty),
        Op::Binary(op, a, _) => binary(counts, *op, kernel.ty(*a)),
    };
    *class += weight;
}

fn arithmetic(counts: &mut Counts, ty: Ty) -> &mut f64 {
    match ty {
        Ty::F64 => &mut counts.double,
        Ty::F16 | Ty::F32 => &mut counts.float,
        _ => &mut counts.integer,
    }
}

fn unary(counts: &mut Counts, op: UnaryOp, ty: Ty) -> &mut f64 {
    use UnaryOp::*;
    match op {
        Sqrt | InverseSqrt => &mut counts.divide,
        Exp | Exp2 | Log | Log2 | Sin | Cos | Tan | Asin | Acos | Atan | Sinh | Cosh | Tanh | Asinh | Acosh | Atanh => {
            &mut counts.transcendental
        }
        _ => arithmetic(counts, ty),
    }
}

fn binary(counts: &mut Counts, op: BinaryOp, ty: Ty) -> &mut f64 {
    match op {
        BinaryOp::Div | BinaryOp::Rem => &mut counts.divide,
        BinaryOp::Pow | BinaryOp::Atan2 => &mut counts.transcendental,
        op if op.is_comparison() => &mut counts.integer,
        _ => arithmetic(counts, ty),
    }
}

/// How an address changes from lane to lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pattern {
    Uniform,
    /// Bytes from lane to lane.
    Linear(i128),
    Gather,
}

fn pattern(site: &Site, domain: &Domain) -> Pattern {
    let mut stride = 0;
    let mut other_lanes = false;
    for &(s, k) in &site.form.terms {
        let symbol = domain.symbol(s);
        match symbol.kind {
            Kind::Local(0) | Kind::Global(0) => stride += k,
            kind if is_unknown(kind) && symbol.lane && symbol.hi > symbol.lo + 2 => {
                // A clamped or selected neighbour moves with the lanes; what is loaded does not.
                if kind != Kind::NotAffine { return Pattern::Gather } else { stride += k }
            }
            Kind::Remainder if symbol.lane => stride += k,
            _ => other_lanes |= symbol.lane,
        }
    }
    match (stride, other_lanes) {
        (0, false) => Pattern::Uniform,
        (0, true) => Pattern::Linear(i128::MAX),
        (k, _) => Pattern::Linear(k.abs()),
    }
}

/// Adds the bytes of the sites by class. Components of one element that together leave no gap count as
/// contiguous.
pub(super) fn count_bytes(counts: &mut Counts, sites: &[Site], domain: &Domain) {
    let patterns: Vec<Pattern> = sites.iter().map(|s| pattern(s, domain)).collect();
    let mut covered: std::collections::HashMap<_, Vec<(i128, u32)>> = std::collections::HashMap::new();
    for (site, pattern) in sites.iter().zip(&patterns) {
        if let Pattern::Linear(stride) = pattern {
            let offsets = covered.entry((site.binding, site.kind, *stride, &site.form.terms)).or_default();
            let at = (site.form.c.rem_euclid(*stride), site.bytes);
            if !offsets.contains(&at) {
                offsets.push(at);
            }
        }
    }
    for (site, pattern) in sites.iter().zip(&patterns) {
        let bytes = f64::from(site.bytes) * site.weight;
        *match pattern {
            Pattern::Uniform => &mut counts.uniform_bytes,
            Pattern::Gather => &mut counts.gather_bytes,
            Pattern::Linear(stride) => {
                let offsets = &covered[&(site.binding, site.kind, *stride, &site.form.terms)];
                let together: i128 = offsets.iter().map(|o| i128::from(o.1)).sum();
                if together >= *stride { &mut counts.contiguous_bytes } else { &mut counts.strided_bytes }
            }
        } += bytes;
    }
}

impl fmt::Display for Features {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let classes = [
            ("f32", self.float),
            ("f64", self.double),
            ("divide", self.divide),
            ("transcendental", self.transcendental),
            ("integer", self.integer),
            ("branch", self.branch),
            ("atomic", self.atomic),
            ("barrier", self.barrier),
            ("bytes uniform", self.uniform_bytes),
            ("bytes contiguous", self.contiguous_bytes),
            ("bytes strided", self.strided_bytes),
            ("bytes gathered", self.gather_bytes),
            ("bytes work-group", self.workgroup_bytes),
        ];
        let parts: Vec<String> = classes
            .iter()
            .filter(|(_, amount)| *amount > 0.0)
            .map(|(name, amount)| format!("{amount:.1} {name}"))
            .collect();
        f.write_str(&parts.join(", "))?;
        if self.data_dependent { f.write_str("; trip counts depend on data") } else { Ok(()) }
    }
}
