//! The address-relevant slice of a kernel: which integer values the analysis has to follow, and
//! where each value is defined.

use super::uniformity::{BatchShape, Uniformity};
use crate::ir::{Base, Inst, Kernel, Op, Place, Region, Space, Ty, Value};

/// Where a value comes from.
#[derive(Clone, Debug)]
pub(super) enum Def {
    /// Not defined (yet) or of no interest.
    None,
    Op(Op),
    Phi {
        cond: Value,
        then: Value,
        other: Value,
    },
    /// A loop parameter.
    Param,
    /// A value known only at run time (an atomic's result, a loop's result).
    Opaque,
}

/// Definitions and needed values of a kernel.
#[derive(Debug)]
pub(super) struct Slice {
    pub defs: Vec<Def>,
    /// Integers that decide an address, a guard or a trip count.
    pub needed: Vec<bool>,
    /// Values that something uses.
    pub used: Vec<bool>,
    /// Which values are the same in all invocations of a work-group.
    pub uniform: Uniformity,
}

impl Slice {
    pub fn new(kernel: &Kernel) -> Self {
        let count = kernel.values.len();
        let uniform = Uniformity::new(kernel, BatchShape::Group);
        let mut used = vec![false; count];
        mark_used(&kernel.body, &mut used);
        let mut slice = Slice { defs: vec![Def::None; count], needed: vec![false; count], used, uniform };
        let mut roots = Vec::new();
        slice.collect(&kernel.body, &mut roots);
        let flows = flows(&kernel.body);
        slice.close(kernel, roots, &flows);
        slice
    }

    fn collect(&mut self, region: &Region, roots: &mut Vec<Value>) {
        let indices = |place: &Place, roots: &mut Vec<Value>| {
            if let Base::Binding(_) = place.base {
                roots.extend(place.steps.iter().map(|s| s.index));
            }
        };
        for inst in &region.insts {
            match inst {
                Inst::Op { dst, op, .. } => {
                    if let Op::Load(place) = op {
                        indices(place, roots);
                    }
                    self.defs[dst.index()] = Def::Op(op.clone());
                }
                Inst::Store { place, .. } => indices(place, roots),
                Inst::Atomic { dst, place, .. } => {
                    indices(place, roots);
                    if let Some(dst) = dst {
                        self.defs[dst.index()] = Def::Opaque;
                    }
                }
                Inst::Subgroup { dst, .. } => self.defs[dst.index()] = Def::Opaque,
                Inst::Barrier { .. } => {}
                Inst::If { cond, then, other, phis, .. } => {
                    roots.push(*cond);
                    self.collect(then, roots);
                    self.collect(other, roots);
                    for p in phis {
                        self.defs[p.dst.index()] = Def::Phi { cond: *cond, then: p.then, other: p.other };
                    }
                }
                Inst::Loop { params, body, again, .. } => {
                    roots.push(*again);
                    for p in params {
                        self.defs[p.dst.index()] = Def::Param;
                        self.defs[p.result.index()] = Def::Opaque;
                    }
                    self.collect(body, roots);
                }
            }
        }
    }

    /// Marks the roots and all integer and Bool values they are computed from.
    fn close(&mut self, kernel: &Kernel, mut work: Vec<Value>, flows: &[(Value, Value)]) {
        while let Some(v) = work.pop() {
            if self.needed[v.index()] || kernel.ty(v).is_float() {
                continue;
            }
            self.needed[v.index()] = true;
            match &self.defs[v.index()] {
                Def::Op(Op::Load(place)) if !is_uniform(kernel, place) => {}
                Def::Op(op) => op.operands(|o| work.push(o)),
                Def::Phi { cond, then, other } => work.extend([*cond, *then, *other]),
                Def::Param | Def::Opaque => {
                    let from = flows.partition_point(|f| f.0 < v);
                    work.extend(flows[from..].iter().take_while(|f| f.0 == v).map(|f| f.1));
                }
                Def::None => {}
            }
        }
    }
}

/// Marks what the instructions of a region use.
fn mark_used(region: &Region, used: &mut [bool]) {
    for inst in &region.insts {
        let mut mark = |v: Value| used[v.index()] = true;
        match inst {
            Inst::Op { op, .. } => op.operands(mark),
            Inst::Store { place, value, .. } => {
                place.steps.iter().for_each(|s| mark(s.index));
                mark(*value);
            }
            Inst::Atomic { place, value, compare, .. } => {
                place.steps.iter().for_each(|s| mark(s.index));
                mark(*value);
                compare.iter().for_each(|v| mark(*v));
            }
            Inst::Subgroup { value, lane, .. } => {
                mark(*value);
                lane.iter().for_each(|v| mark(*v));
            }
            Inst::Barrier { .. } => {}
            Inst::If { cond, then, other, phis, .. } => {
                mark(*cond);
                phis.iter().for_each(|p| [p.then, p.other].into_iter().for_each(&mut mark));
                mark_used(then, used);
                mark_used(other, used);
            }
            Inst::Loop { params, body, again, .. } => {
                mark(*again);
                params.iter().for_each(|p| [p.init, p.next].into_iter().for_each(&mut mark));
                mark_used(body, used);
            }
        }
    }
}

/// What loop parameters and results are computed from, sorted by the former.
fn flows(region: &Region) -> Vec<(Value, Value)> {
    fn walk(region: &Region, out: &mut Vec<(Value, Value)>) {
        for inst in &region.insts {
            match inst {
                Inst::If { then, other, .. } => {
                    walk(then, out);
                    walk(other, out);
                }
                Inst::Loop { params, body, again, .. } => {
                    for p in params {
                        out.extend([(p.dst, p.init), (p.dst, p.next), (p.result, p.next), (p.result, p.dst)]);
                        out.push((p.result, *again));
                    }
                    walk(body, out);
                }
                _ => {}
            }
        }
    }
    let mut out = Vec::new();
    walk(region, &mut out);
    out.sort_unstable();
    out
}

/// Whether a place is in a uniform binding.
pub(super) fn is_uniform(kernel: &Kernel, place: &Place) -> bool {
    matches!(place.base, Base::Binding(b) if kernel.bindings[b as usize].space == Space::Uniform)
}

/// Bits of an integer type, `None` for others.
pub(super) fn int_bits(ty: Ty) -> Option<u32> {
    match ty {
        Ty::I16 | Ty::U16 => Some(16),
        Ty::I32 | Ty::U32 => Some(32),
        Ty::I64 | Ty::U64 => Some(64),
        _ => None,
    }
}

/// Least and greatest value of an integer type.
pub(super) fn type_range(ty: Ty) -> (i128, i128) {
    let bits = int_bits(ty).unwrap_or(32);
    if ty.is_signed() { (-(1 << (bits - 1)), (1 << (bits - 1)) - 1) } else { (0, (1 << bits) - 1) }
}
