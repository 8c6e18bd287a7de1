//! Rewrites built-ins into those that a batch's shape provides.

use crate::{
    analysis::uniformity::BatchShape,
    ir::{BinaryOp, Builtin, Inst, Kernel, Op, Region, Ty, Value},
};
use naga::Span;

/// Replaces built-ins that selection does not read by arithmetic on those that it does.
pub(super) fn rewrite_builtins(kernel: &mut Kernel, shape: BatchShape) {
    let mut body = std::mem::take(&mut kernel.body);
    let mut r = Rewrite { kernel, group: shape == BatchShape::Group, out: Vec::new() };
    r.region(&mut body);
    kernel.body = body;
}

struct Rewrite<'k> {
    kernel: &'k mut Kernel,
    group: bool,
    out: Vec<Inst>,
}

impl Rewrite<'_> {
    fn region(&mut self, region: &mut Region) {
        let outer = std::mem::take(&mut self.out);
        for mut inst in std::mem::take(&mut region.insts) {
            inst.regions_mut().for_each(|r| self.region(r));
            match inst {
                Inst::Op { dst, op: Op::Builtin(b), .. } if !self.is_primitive(b) => self.builtin(dst, b),
                inst => self.out.push(inst),
            }
        }
        region.insts = std::mem::replace(&mut self.out, outer);
    }

    fn is_primitive(&self, builtin: Builtin) -> bool {
        match builtin {
            Builtin::GlobalId(_) => !self.group,
            Builtin::LocalId(_) | Builtin::LocalIndex | Builtin::GroupId(_) => self.group,
            Builtin::NumGroups(_) => true,
        }
    }

    fn fresh(&mut self) -> Value {
        self.kernel.values.push(Ty::U32);
        Value(self.kernel.values.len() as u32 - 1)
    }

    fn put(&mut self, dst: Value, op: Op) -> Value {
        self.out.push(Inst::Op { dst, op, span: Span::UNDEFINED });
        dst
    }

    fn add(&mut self, op: Op) -> Value {
        let dst = self.fresh();
        self.put(dst, op)
    }

    fn builtin(&mut self, dst: Value, builtin: Builtin) {
        let size = |a: u8, k: &Kernel| k.workgroup_size[usize::from(a)];
        match builtin {
            Builtin::GlobalId(a) => {
                let group = self.add(Op::Builtin(Builtin::GroupId(a)));
                let size = self.add(Op::Const(size(a, self.kernel).into()));
                let base = self.add(Op::Binary(BinaryOp::Mul, group, size));
                let local = self.add(Op::Builtin(Builtin::LocalId(a)));
                self.put(dst, Op::Binary(BinaryOp::Add, base, local));
            }
            Builtin::GroupId(a) => {
                let id = self.add(Op::Builtin(Builtin::GlobalId(a)));
                self.divided(dst, id, size(a, self.kernel), BinaryOp::Div);
            }
            Builtin::LocalId(a) => {
                let id = self.add(Op::Builtin(Builtin::GlobalId(a)));
                self.divided(dst, id, size(a, self.kernel), BinaryOp::Rem);
            }
            Builtin::LocalIndex => {
                let [x, y, z] = [0, 1, 2].map(|a| {
                    let id = self.add(Op::Builtin(Builtin::GlobalId(a)));
                    let local = self.fresh();
                    self.divided(local, id, size(a, self.kernel), BinaryOp::Rem);
                    local
                });
                let rows = self.add(Op::Const(size(1, self.kernel).into()));
                let plane = self.add(Op::Binary(BinaryOp::Mul, z, rows));
                let row = self.add(Op::Binary(BinaryOp::Add, plane, y));
                let columns = self.add(Op::Const(size(0, self.kernel).into()));
                let first = self.add(Op::Binary(BinaryOp::Mul, row, columns));
                self.put(dst, Op::Binary(BinaryOp::Add, first, x));
            }
            Builtin::NumGroups(_) => {}
        }
    }

    fn divided(&mut self, dst: Value, id: Value, by: u32, op: BinaryOp) {
        let (op, constant) = match (by.is_power_of_two(), op) {
            (true, BinaryOp::Div) => (BinaryOp::Shr, by.trailing_zeros()),
            (true, _) => (BinaryOp::And, by - 1),
            (false, op) => (op, by),
        };
        let constant = self.add(Op::Const(constant.into()));
        self.put(dst, Op::Binary(op, id, constant));
    }
}
