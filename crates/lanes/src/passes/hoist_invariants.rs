//! Moves what a loop does not change in front of it (loop-invariant motion).
//!
//! Operations are total, so they may run where they would not have run. A load moves if nothing in the loop may change its
//! memory, and only if each iteration makes it, or if the memory never changes: a branch may be there to avoid the
//! traffic. Costly operations stay in branches, too. Inner loops come first, so that an operation leaves as many loops as
//! it can.

use super::memory::Memories;
use crate::ir::{Inst, Kernel, Op, Region, Ty, Value, weight::weight};

/// Weight from which an operation in a branch stays there.
const COSTLY: u32 = 6;

/// Runs the pass.
pub fn hoist_invariants(kernel: &mut Kernel) {
    let memories = Memories::new(kernel);
    let mut body = std::mem::take(&mut kernel.body);
    let mut pass = Hoisting { types: &kernel.values, memories, level: vec![0; kernel.values.len()], loops: Vec::new() };
    pass.region(&mut body, false);
    kernel.body = body;
}

/// A loop around the current instruction.
struct Around {
    /// For each memory, whether the loop may change it.
    written: Vec<bool>,
    /// What moves in front of it.
    hoisted: Vec<Inst>,
}

struct Hoisting<'k> {
    types: &'k [Ty],
    memories: Memories,
    /// Loops around the definition of each value.
    level: Vec<usize>,
    loops: Vec<Around>,
}

impl Hoisting<'_> {
    /// Walks a region, which in its loop is `guarded` by a branch.
    fn region(&mut self, region: &mut Region, guarded: bool) {
        let mut kept = Vec::with_capacity(region.insts.len());
        for inst in std::mem::take(&mut region.insts) {
            self.inst(inst, guarded, &mut kept);
        }
        region.insts = kept;
    }

    fn inst(&mut self, mut inst: Inst, guarded: bool, kept: &mut Vec<Inst>) {
        if let Inst::Op { dst, op, .. } = &inst
            && self.is_invariant(op, *dst, guarded)
            && let Some(around) = self.loops.last_mut()
        {
            self.level[dst.index()] = 0;
            around.hoisted.push(inst);
            return;
        }
        if let Inst::Loop { params, body, .. } = &mut inst {
            params.iter().for_each(|p| self.level[p.dst.index()] = self.loops.len() + 1);
            let mut written = vec![false; self.memories.count()];
            self.memories.each_write(body, &mut |m| written[m] = true);
            self.loops.push(Around { written, hoisted: Vec::new() });
            self.region(body, false);
            let around = self.loops.pop().expect("pushed above");
            // They may leave this loop as well.
            around.hoisted.into_iter().for_each(|inst| self.inst(inst, guarded, kept));
        } else {
            inst.regions_mut().for_each(|r| self.region(r, true));
        }
        let level = self.loops.len();
        if let Inst::Loop { params, .. } = &inst {
            params.iter().for_each(|p| self.level[p.result.index()] = level);
        } else {
            inst.results_mut(|v| self.level[v.index()] = level);
        }
        kept.push(inst);
    }

    /// Whether an operation gives the same in each iteration of the innermost loop, and pays in front of it.
    fn is_invariant(&self, op: &Op, dst: Value, guarded: bool) -> bool {
        let mut invariant = true;
        op.operands(|v| invariant &= self.level[v.index()] < self.loops.len());
        if !invariant {
            return false;
        }
        match op {
            Op::Load(place) => {
                let changes = |a: &Around| a.written[self.memories.number(place.base)];
                !self.loops.last().is_none_or(changes) && (!guarded || !self.memories.is_written(place.base))
            }
            op => !guarded || weight(op, self.types[dst.index()]) < COSTLY,
        }
    }
}
