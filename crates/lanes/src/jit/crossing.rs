//! Which values are taken for less than varying only because of comparisons made for whole blocks.
//!
//! A block that gives up on a comparison runs again lane by lane, so only within the block's own run may a value be
//! taken for uniform because of it. Another run, after a barrier, must make the test again: by making the value again,
//! not by reading it back.

use super::class::{Class, Classes};
use crate::ir::{Inst, Kernel, Op, Region, Value};

/// The values whose class depends on a comparison made for the whole block.
pub(super) fn dependent(kernel: &Kernel, classes: &Classes) -> Vec<bool> {
    let mut walk = Walk { classes, depends: vec![false; kernel.values.len()] };
    // What a loop carries depends on what its body made of it: again until nothing changes.
    loop {
        let before = walk.depends.clone();
        walk.region(&kernel.body);
        if walk.depends == before {
            return walk.depends;
        }
    }
}

struct Walk<'k> {
    classes: &'k Classes,
    depends: Vec<bool>,
}

impl Walk<'_> {
    fn region(&mut self, region: &Region) {
        region.insts.iter().for_each(|inst| self.inst(inst));
    }

    fn inst(&mut self, inst: &Inst) {
        match inst {
            Inst::Op { dst, op, .. } => {
                let mut depends = self.classes.is_checked(*dst);
                op.operands(|v| depends |= self.of(v));
                // What is loaded through such an index depends on it as well.
                self.define(*dst, depends && !matches!(op, Op::Const(_)));
            }
            Inst::Atomic { dst: Some(dst), .. } | Inst::Subgroup { dst, .. } => self.define(*dst, false),
            Inst::Atomic { dst: None, .. } | Inst::Store { .. } | Inst::Barrier { .. } => {}
            Inst::If { cond, then, other, phis, .. } => {
                self.region(then);
                self.region(other);
                for p in phis {
                    let depends = self.of(p.then) | self.of(p.other) | self.of(*cond);
                    self.define(p.dst, depends);
                }
            }
            Inst::Loop { params, body, again, .. } => {
                for p in params {
                    let depends = self.of(p.init) | self.of(p.next);
                    self.define(p.dst, depends);
                }
                self.region(body);
                for p in params {
                    let depends = self.of(p.next) | self.of(p.dst) | self.of(*again);
                    self.define(p.result, depends);
                }
            }
        }
    }

    fn of(&self, v: Value) -> bool {
        self.depends[v.index()]
    }

    fn define(&mut self, v: Value, depends: bool) {
        self.depends[v.index()] = depends && self.classes.of(v) != Class::Varying;
    }
}
