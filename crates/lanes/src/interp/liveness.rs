//! Which values anything uses: computed backwards from effects and control.

use crate::ir::{Inst, Kernel, Op, Param, Phi, Region, Value};

/// What defines a value, as far as liveness needs it.
enum Def<'k> {
    Op(&'k Op),
    /// The operands of a subgroup operation.
    Subgroup(Value, Option<Value>),
    Phi(&'k Phi),
    Param(&'k Param),
    Result(&'k Param),
}

/// Marks what stores, atomics, conditions and loop exits need.
pub(super) fn live_values(kernel: &Kernel) -> Vec<bool> {
    fn collect<'k>(region: &'k Region, defs: &mut Vec<Option<Def<'k>>>, work: &mut Vec<Value>) {
        for inst in &region.insts {
            match inst {
                Inst::Op { dst, op, .. } => defs[dst.index()] = Some(Def::Op(op)),
                Inst::Store { place, value, .. } => {
                    work.push(*value);
                    work.extend(place.steps.iter().map(|s| s.index));
                }
                Inst::Atomic { place, value, compare, .. } => {
                    work.push(*value);
                    work.extend(compare);
                    work.extend(place.steps.iter().map(|s| s.index));
                }
                Inst::Subgroup { dst, value, lane, .. } => defs[dst.index()] = Some(Def::Subgroup(*value, *lane)),
                Inst::Barrier { .. } => {}
                Inst::If { cond, then, other, phis, .. } => {
                    work.push(*cond);
                    collect(then, defs, work);
                    collect(other, defs, work);
                    phis.iter().for_each(|p| defs[p.dst.index()] = Some(Def::Phi(p)));
                }
                Inst::Loop { params, body, again, .. } => {
                    work.push(*again);
                    for p in params {
                        defs[p.dst.index()] = Some(Def::Param(p));
                        defs[p.result.index()] = Some(Def::Result(p));
                    }
                    collect(body, defs, work);
                }
            }
        }
    }
    let mut defs: Vec<Option<Def<'_>>> = (0..kernel.values.len()).map(|_| None).collect();
    let mut work = Vec::new();
    collect(&kernel.body, &mut defs, &mut work);
    let mut live = vec![false; kernel.values.len()];
    while let Some(v) = work.pop() {
        if std::mem::replace(&mut live[v.index()], true) {
            continue;
        }
        match &defs[v.index()] {
            Some(Def::Op(op)) => op.operands(|v| work.push(v)),
            Some(Def::Subgroup(value, lane)) => work.extend([*value].into_iter().chain(*lane)),
            Some(Def::Phi(p)) => work.extend([p.then, p.other]),
            Some(Def::Param(p)) => work.extend([p.init, p.next]),
            Some(Def::Result(p)) => work.push(p.next),
            None => {}
        }
    }
    live
}
