//! How many vectors of a kernel live at once: decides how many parts a block has.

use super::class::{Class, Classes};
use crate::ir::{Inst, Kernel, Op, Param, Region, Ty, Value};

/// Most vectors a part that live at once, 64-bit ones counted twice, Bools not. `mask`: vectors that an execution mask
/// takes.
pub(super) fn pressure(kernel: &Kernel, classes: &Classes, mask: usize) -> usize {
    let live = vec![false; kernel.values.len()];
    let mut p = Pressure { kernel, classes, mask, live, now: 0, most: 0 };
    p.region(&kernel.body);
    p.most
}

/// The same of a loop alone, with what it only reads and without what lives on after it.
pub(super) fn of_loop(
    kernel: &Kernel,
    classes: &Classes,
    params: &[Param],
    body: &Region,
    again: Value,
    mask: usize,
) -> usize {
    let live = vec![false; kernel.values.len()];
    let mut p = Pressure { kernel, classes, mask, live, now: 0, most: 0 };
    p.repeat(params, body, again);
    p.most
}

struct Pressure<'k> {
    kernel: &'k Kernel,
    classes: &'k Classes,
    mask: usize,
    live: Vec<bool>,
    now: usize,
    most: usize,
}

impl Pressure<'_> {
    fn weight(&self, v: Value) -> usize {
        match (self.classes.of(v), self.kernel.ty(v)) {
            (Class::Varying, Ty::Bool) => 0,
            (Class::Varying, ty) => {
                if ty.bytes() == 8 {
                    2
                } else {
                    1
                }
            }
            _ => 0,
        }
    }

    fn start(&mut self, v: Value) {
        if !std::mem::replace(&mut self.live[v.index()], true) {
            self.now += self.weight(v);
            self.most = self.most.max(self.now);
        }
    }

    fn end(&mut self, v: Value) {
        if std::mem::replace(&mut self.live[v.index()], false) {
            self.now -= self.weight(v);
        }
    }

    /// Backwards: a value is live from its last use to its definition.
    fn region(&mut self, region: &Region) {
        for inst in region.insts.iter().rev() {
            self.inst(inst);
        }
    }

    fn inst(&mut self, inst: &Inst) {
        match inst {
            Inst::Op { dst, op, .. } => {
                self.end(*dst);
                op.operands(|v| self.start(v));
            }
            Inst::If { phis, span, .. } => {
                phis.iter().for_each(|p| self.end(p.dst));
                inst.operands(|v| self.start(v));
                // Full blocks have no code for rare cases.
                if span.is_defined() {
                    inst.regions().for_each(|r| self.region(r));
                }
            }
            Inst::Loop { params, body, again, .. } => self.repeat(params, body, *again),
            // What lives over a barrier lies in slots.
            Inst::Barrier { .. } => {
                self.live.fill(false);
                self.now = 0;
            }
            inst => {
                if let Inst::Atomic { dst: Some(dst), .. } = inst {
                    self.end(*dst);
                }
                inst.operands(|v| self.start(v));
            }
        }
    }

    fn repeat(&mut self, params: &[Param], body: &Region, again: Value) {
        // Lanes that left need a mask, and registers where results differ that are the same in the loop.
        let collected = |p: &&Param| self.live[p.result.index()] && self.weight(p.dst) < self.weight(p.result);
        let extra = match self.classes.of(again) {
            Class::Varying => self.mask + params.iter().filter(collected).count(),
            _ => 0,
        };
        params.iter().for_each(|p| self.end(p.result));
        self.now += extra;
        let mut outside = Vec::new();
        reads(body, &mut outside);
        params.iter().for_each(|p| self.start(p.next));
        self.start(again);
        // What the body reads from outside lives through all of it.
        outside.into_iter().for_each(|v| self.start(v));
        self.region(body);
        self.now -= extra.min(self.now);
        params.iter().for_each(|p| {
            self.end(p.dst);
            self.start(p.init);
        });
    }
}

/// Values that a region reads and does not define.
fn reads(region: &Region, out: &mut Vec<Value>) {
    let mut defined = Vec::new();
    let mut used = Vec::new();
    walk(region, &mut defined, &mut used);
    defined.sort_unstable();
    out.extend(used.into_iter().filter(|v| defined.binary_search(v).is_err()));
}

fn walk(region: &Region, defined: &mut Vec<Value>, used: &mut Vec<Value>) {
    for inst in &region.insts {
        inst.operands(|v| used.push(v));
        match inst {
            Inst::Op { dst, .. } => defined.push(*dst),
            Inst::Atomic { dst: Some(dst), .. } => defined.push(*dst),
            Inst::If { phis, .. } => defined.extend(phis.iter().map(|p| p.dst)),
            Inst::Loop { params, .. } => defined.extend(params.iter().flat_map(|p| [p.dst, p.result])),
            _ => {}
        }
        inst.regions().for_each(|r| walk(r, defined, used));
    }
}

/// Operations of the longest code that runs without a loop, branches that are hardly ever taken left out.
pub(super) fn longest(region: &Region) -> usize {
    let (mut straight, mut inner) = (0, 0);
    for inst in &region.insts {
        match inst {
            Inst::Op { op: Op::Const(_), .. } => {}
            Inst::If { span, .. } if !span.is_defined() => {}
            Inst::Loop { body, .. } => inner = inner.max(longest(body)),
            inst => straight += 1 + inst.regions().map(longest).sum::<usize>(),
        }
    }
    straight.max(inner)
}

/// Whether a kernel uses what is done lane by lane, where more parts only cost.
pub(super) fn is_scalar_bound(region: &Region) -> bool {
    region.insts.iter().any(|inst| match inst {
        Inst::Atomic { .. } => true,
        Inst::Op { op: Op::Load(_), .. } => false,
        inst => inst.regions().any(is_scalar_bound),
    })
}
