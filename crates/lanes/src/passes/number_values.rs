//! Gives equal computations one value (common subexpressions).
//!
//! A table of the operations in sight, with the regions as scopes: what a region computes is out of sight after it.
//! Operands are taken as already numbered, those of commutative integer operations in order. Two loads of one place
//! are equal unless something between them may change the memory: each memory has a version, renewed where it may be
//! written, and at the start of a loop that writes it. A comparison whose complement is known becomes `not` of it, so
//! that conditions and their complements are seen as such. Equal params of a loop and equal phis become one.

use super::{hash::FastMap, memory::Memories};
use crate::ir::{
    BinaryOp, Inst, Kernel, Op, Place, Region, Ty, UnaryOp, Value,
    simplify::{inverse, is_commutative, mirrored},
    substitute,
};

/// Runs the pass. Dead code may be left behind.
pub fn number_values(kernel: &mut Kernel) {
    let memories = Memories::new(kernel);
    let mut body = std::mem::take(&mut kernel.body);
    let mut pass = Numbering {
        types: &kernel.values,
        versions: vec![0; memories.count()],
        clock: 0,
        memories,
        table: FastMap::default(),
        open: vec![false],
        scope: 0,
        replaced: (0..kernel.values.len() as u32).map(Value).collect(),
        is_replaced_late: false,
    };
    pass.region(&mut body);
    if pass.is_replaced_late {
        substitute(&mut body, &mut |v| pass.follow(v));
    }
    kernel.body = body;
}

type Key = (Op, Ty);

/// A known operation: its value, the region that it is in, and the version of the memory that it loads from (0 for
/// no load).
#[derive(Clone, Copy)]
struct Known {
    value: Value,
    scope: usize,
    version: u32,
}

struct Numbering<'k> {
    types: &'k [Ty],
    memories: Memories,
    versions: Vec<u32>,
    clock: u32,
    table: FastMap<Key, Known>,
    /// For each region, whether it is around the current instruction.
    open: Vec<bool>,
    /// The current region.
    scope: usize,
    replaced: Vec<Value>,
    is_replaced_late: bool,
}

impl Numbering<'_> {
    fn follow(&self, mut value: Value) -> Value {
        while self.replaced[value.index()] != value {
            value = self.replaced[value.index()];
        }
        value
    }

    /// Numbers a region; its values are out of sight after it.
    fn region(&mut self, region: &mut Region) {
        let around = std::mem::replace(&mut self.scope, self.open.len());
        self.open.push(true);
        region.insts.retain_mut(|inst| self.inst(inst));
        self.open[self.scope] = false;
        self.scope = around;
    }

    /// Whether the instruction stays.
    fn inst(&mut self, inst: &mut Inst) -> bool {
        if let Inst::Op { dst, op, .. } = inst {
            op.operands_mut(|v| *v = self.follow(*v));
            return self.op(*dst, op);
        }
        if let Inst::Loop { params, body, .. } = inst {
            params.iter_mut().for_each(|p| p.init = self.follow(p.init));
            // What an earlier iteration wrote.
            self.renew(body);
            self.region(body);
        }
        if let Inst::If { then, other, .. } = inst {
            let before = self.versions.clone();
            self.region(then);
            let after = std::mem::replace(&mut self.versions, before);
            self.region(other);
            // Memory that either branch wrote is at a version that no load before this has.
            (self.versions.iter_mut().zip(after)).for_each(|(version, then)| *version = (*version).max(then));
        }
        inst.operands_mut(|v| *v = self.follow(*v));
        match inst {
            Inst::If { phis, .. } => self.merge_equal(phis, |p| (p.dst, p.dst), |p| (p.then, p.other)),
            Inst::Loop { params, .. } => self.merge_equal(params, |p| (p.dst, p.result), |p| (p.init, p.next)),
            _ => {
                let clock = &mut self.clock;
                let versions = &mut self.versions;
                self.memories.writes(inst, &mut |m| {
                    *clock += 1;
                    versions[m] = *clock;
                });
            }
        }
        true
    }

    /// New versions of what a region may write.
    fn renew(&mut self, region: &Region) {
        self.clock += 1;
        let (clock, versions) = (self.clock, &mut self.versions);
        self.memories.each_write(region, &mut |m| versions[m] = clock);
    }

    /// Drops all but the first of entries with equal sources; `names` are the values that an entry defines.
    fn merge_equal<T: Copy>(
        &mut self,
        entries: &mut Vec<T>,
        names: impl Fn(&T) -> (Value, Value),
        sources: impl Fn(&T) -> (Value, Value),
    ) {
        let mut kept: Vec<T> = Vec::with_capacity(entries.len());
        for entry in entries.drain(..) {
            let Some(same) = kept.iter().find(|k| sources(k) == sources(&entry)) else {
                kept.push(entry);
                continue;
            };
            let (from, to) = (names(&entry), names(same));
            self.replaced[from.0.index()] = to.0;
            self.replaced[from.1.index()] = to.1;
            self.is_replaced_late = true;
        }
        *entries = kept;
    }

    /// Numbers an operation; whether it stays.
    fn op(&mut self, dst: Value, op: &mut Op) -> bool {
        let ty = self.types[dst.index()];
        if let Some(known) = self.lookup(op, ty) {
            self.replaced[dst.index()] = known;
            return false;
        }
        if let Some(complement) = self.complement(op) {
            *op = Op::Unary(UnaryOp::Not, complement);
            if let Some(known) = self.lookup(op, ty) {
                self.replaced[dst.index()] = known;
                return false;
            }
        }
        let version = self.version(op);
        self.table.insert((self.canonical(op), ty), Known { value: dst, scope: self.scope, version });
        true
    }

    fn lookup(&self, op: &Op, ty: Ty) -> Option<Value> {
        let known = self.table.get(&(self.canonical(op), ty))?;
        (self.open[known.scope] && known.version == self.version(op)).then_some(known.value)
    }

    fn version(&self, op: &Op) -> u32 {
        match op {
            Op::Load(Place { base, .. }) => self.versions[self.memories.number(*base)],
            _ => 0,
        }
    }

    /// The value that a comparison is the complement of. A NaN makes both `<` and `>=` false, but only one of `==`, `!=`.
    fn complement(&self, op: &Op) -> Option<Value> {
        let Op::Binary(op, a, b) = *op else { return None };
        let is_total = !self.types[a.index()].is_float() || matches!(op, BinaryOp::Eq | BinaryOp::Ne);
        let inverse = inverse(op).filter(|_| is_total)?;
        self.lookup(&Op::Binary(inverse, a, b), Ty::Bool)
    }

    /// One form for operations that give the same.
    fn canonical(&self, op: &Op) -> Op {
        match *op {
            Op::Binary(o, a, b) if a > b && is_commutative(o, self.types[a.index()]) => Op::Binary(o, b, a),
            Op::Binary(o @ (BinaryOp::Eq | BinaryOp::Ne), a, b) if a > b => Op::Binary(o, b, a),
            Op::Binary(o @ (BinaryOp::Gt | BinaryOp::Ge), a, b) => Op::Binary(mirrored(o).unwrap_or(o), b, a),
            _ => op.clone(),
        }
    }
}
