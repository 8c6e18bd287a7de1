//! Which values are the same in all lanes of a batch.
//!
//! A back end that runs invocations in lock step computes a uniform value once. "Uniform" is meant
//! *among the lanes active where the value is defined*: inside a divergent loop all lanes still in it
//! have made the same number of iterations, so a counter is uniform there although the value it ends
//! with is not. A load at a uniform place is executed once for all lanes, so it is uniform whatever
//! other threads write meanwhile.
//!
//! [`Uniformity`] holds the answer for one kernel and one [`BatchShape`].

use crate::ir::{AtomicOp, Base, Builtin, Inst, Kernel, Op, Place, Region, Value};

/// How the lanes of a batch are laid over the grid: it decides which built-ins are uniform.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BatchShape {
    /// Consecutive invocations along x, on one y and z, across work-groups.
    Row,
    /// Exactly one work-group.
    Group,
    /// Any invocations, in x, y, z order.
    Linear,
}

/// Which values of a kernel are uniform.
#[derive(Clone, Debug)]
pub struct Uniformity {
    uniform: Vec<bool>,
}

/// Passes over the kernel before the remaining loop parameters are given up as varying.
const MAX_PASSES: usize = 64;

impl Uniformity {
    /// Analyses a kernel for batches of a shape.
    pub fn new(kernel: &Kernel, shape: BatchShape) -> Self {
        let mut pass = Pass {
            kernel,
            shape,
            uniform: vec![true; kernel.values.len()],
            varying_params: vec![false; kernel.values.len()],
            changed: false,
            give_up: false,
        };
        for round in 0.. {
            // Optimistic: parameters start uniform and can only become varying.
            pass.changed = false;
            pass.give_up = round == MAX_PASSES;
            pass.region(&kernel.body);
            if !pass.changed {
                break;
            }
        }
        Uniformity { uniform: pass.uniform }
    }

    /// Whether a value is uniform.
    pub fn is_uniform(&self, value: Value) -> bool {
        self.uniform[value.index()]
    }
}

struct Pass<'k> {
    kernel: &'k Kernel,
    shape: BatchShape,
    uniform: Vec<bool>,
    varying_params: Vec<bool>,
    changed: bool,
    give_up: bool,
}

impl Pass<'_> {
    fn is(&self, value: Value) -> bool {
        self.uniform[value.index()]
    }

    fn set(&mut self, value: Value, uniform: bool) {
        self.uniform[value.index()] = uniform;
    }

    fn region(&mut self, region: &Region) {
        for inst in &region.insts {
            self.inst(inst);
        }
    }

    fn inst(&mut self, inst: &Inst) {
        match inst {
            Inst::Op { dst, op, .. } => {
                let uniform = self.op(op);
                self.set(*dst, uniform);
            }
            Inst::Atomic { dst: Some(dst), op, place, .. } => {
                let uniform = *op == AtomicOp::Load && self.place(place);
                self.set(*dst, uniform);
            }
            Inst::Subgroup { dst, .. } => self.set(*dst, false),
            Inst::Store { .. } | Inst::Atomic { .. } | Inst::Barrier { .. } => {}
            Inst::If { cond, then, other, phis, .. } => {
                self.region(then);
                self.region(other);
                for phi in phis {
                    let uniform = self.is(*cond) && self.is(phi.then) && self.is(phi.other);
                    self.set(phi.dst, uniform);
                }
            }
            Inst::Loop { params, body, again, .. } => {
                for p in params {
                    let uniform = self.is(p.init) && !self.varying_params[p.dst.index()] && !self.give_up;
                    self.set(p.dst, uniform);
                }
                self.region(body);
                for p in params {
                    if self.is(p.dst) && !self.is(p.next) {
                        self.varying_params[p.dst.index()] = true;
                        self.set(p.dst, false);
                        self.changed = true;
                    }
                    let uniform = self.is(p.dst) && self.is(p.next) && self.is(*again);
                    self.set(p.result, uniform);
                }
            }
        }
    }

    fn op(&self, op: &Op) -> bool {
        match op {
            Op::Builtin(b) => self.builtin(*b),
            Op::Load(place) => self.place(place),
            _ => {
                let mut uniform = true;
                op.operands(|v| uniform &= self.is(v));
                uniform
            }
        }
    }

    fn place(&self, place: &Place) -> bool {
        // Private memory differs from lane to lane whatever the index.
        !matches!(place.base, Base::Private(_)) && place.steps.iter().all(|s| self.is(s.index))
    }

    fn builtin(&self, builtin: Builtin) -> bool {
        let size = |a: u8| self.kernel.workgroup_size[usize::from(a)];
        // Group and local id on an axis, for a batch of this shape.
        let group = |a: u8| match self.shape {
            BatchShape::Row => a > 0,
            BatchShape::Group => true,
            BatchShape::Linear => false,
        };
        let local = |a: u8| size(a) == 1 || (self.shape == BatchShape::Row && a > 0);
        match builtin {
            Builtin::NumGroups(_) => true,
            Builtin::GroupId(a) => group(a),
            Builtin::LocalId(a) => local(a),
            Builtin::GlobalId(a) => group(a) && local(a),
            Builtin::LocalIndex => (0..3).all(local),
        }
    }
}
