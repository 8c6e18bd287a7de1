//! Which kernels must not make comparisons for whole blocks: those that carry what follows from one over a barrier.
//!
//! A block that gives up on a comparison runs again lane by lane, so only within the block's own run may a value be
//! taken for uniform because of it. Another run, after a barrier, reads the value back without making the test.

use super::class::Classes;
use crate::ir::{Inst, Kernel, Op, Region, Value};

/// Whether a value that is not varying only because of a comparison made for the whole block is used in another run.
pub(super) fn carries_comparisons(kernel: &Kernel, classes: &Classes) -> bool {
    if !kernel.is_cooperative() {
        return false;
    }
    let n = kernel.values.len();
    let mut walk = Walk { classes, run: 0, effects: false, runs: vec![0; n], depends: vec![false; n], found: false };
    // What a loop carries depends on what its body made of it: again until nothing changes.
    loop {
        let before = walk.depends.clone();
        (walk.run, walk.effects) = (0, false);
        walk.region(&kernel.body, true);
        if walk.found || walk.depends == before {
            return walk.found;
        }
    }
}

struct Walk<'k> {
    classes: &'k Classes,
    /// The current run: a new one from each barrier on, around what holds one, and where the group loads what an
    /// effect of the run may have changed.
    run: u32,
    /// Whether the current run had an effect.
    effects: bool,
    /// The run that defines each value.
    runs: Vec<u32>,
    /// Values whose class depends on a comparison made for the whole block.
    depends: Vec<bool>,
    found: bool,
}

impl Walk<'_> {
    /// `cut`: whether runs may end inside.
    fn region(&mut self, region: &Region, cut: bool) {
        region.insts.iter().for_each(|inst| self.inst(inst, cut));
    }

    fn next_run(&mut self, cut: bool) {
        if cut {
            self.run += 1;
            self.effects = false;
        }
    }

    fn inst(&mut self, inst: &Inst, cut: bool) {
        match inst {
            Inst::Op { dst, op, .. } => {
                if matches!(op, Op::Load(_)) && self.effects && self.classes.is_uniform(*dst) {
                    self.next_run(cut);
                }
                let mut depends = self.classes.is_checked(*dst);
                op.operands(|v| depends |= self.uses(v));
                // What is loaded through such an index depends on it as well.
                self.define(*dst, depends && !matches!(op, Op::Const(_)));
            }
            Inst::Store { place, value, .. } => {
                place.steps.iter().for_each(|s| _ = self.uses(s.index));
                self.uses(*value);
                self.effects = true;
            }
            Inst::Atomic { dst, place, value, compare, .. } => {
                place.steps.iter().for_each(|s| _ = self.uses(s.index));
                [Some(*value), *compare].into_iter().flatten().for_each(|v| _ = self.uses(v));
                dst.iter().for_each(|d| self.define(*d, false));
                self.effects = true;
            }
            Inst::Subgroup { dst, value, lane, .. } => {
                [Some(*value), *lane].into_iter().flatten().for_each(|v| _ = self.uses(v));
                self.define(*dst, false);
            }
            Inst::Barrier { .. } => self.next_run(true),
            Inst::If { cond, then, other, phis, .. } => {
                let cut = holds_barrier(inst);
                let depends = self.uses(*cond);
                for region in [then, other] {
                    self.next_run(cut);
                    self.region(region, cut);
                }
                for p in phis {
                    let depends = self.uses(p.then) | self.uses(p.other) | depends;
                    self.define(p.dst, depends);
                }
                self.next_run(cut);
            }
            Inst::Loop { params, body, again, .. } => {
                let cut = holds_barrier(inst);
                for p in params {
                    let depends = self.uses(p.init) | self.depends[p.next.index()];
                    self.define(p.dst, depends);
                }
                self.next_run(cut);
                self.region(body, cut);
                let leaves = self.uses(*again);
                for p in params {
                    let depends = self.uses(p.next) | self.depends[p.dst.index()] | leaves;
                    self.define(p.result, depends);
                }
                self.next_run(cut);
            }
        }
    }

    /// Whether a value depends on such a comparison. Notes one that another run made.
    fn uses(&mut self, v: Value) -> bool {
        let depends = self.depends[v.index()];
        self.found |= depends && self.runs[v.index()] != self.run;
        depends
    }

    fn define(&mut self, v: Value, depends: bool) {
        self.runs[v.index()] = self.run;
        self.depends[v.index()] = depends && self.classes.of(v) != super::class::Class::Varying;
    }
}

fn holds_barrier(inst: &Inst) -> bool {
    let inside = |region: &Region| region.insts.iter().any(|i| matches!(i, Inst::Barrier { .. }) || holds_barrier(i));
    inst.regions().any(inside)
}
