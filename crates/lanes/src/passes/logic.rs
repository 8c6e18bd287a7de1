//! What follows from the truth of a Bool: `a & b` holds only where both do, `!a` where `a` does not.

use crate::ir::{BinaryOp, Inst, Op, Phi, Region, Ty, UnaryOp, Value};

/// How a value is defined, as far as truth decides it.
#[derive(Clone, Copy, Debug)]
enum Def {
    Unknown,
    Const(bool),
    Not(Value),
    And(Value, Value),
    Or(Value, Value),
    /// A select or a phi.
    Choice {
        cond: Value,
        then: Value,
        other: Value,
    },
}

/// The definitions of a kernel's Bools, selects and phis.
pub(super) struct Logic {
    defs: Vec<Def>,
}

impl Logic {
    /// No definition known yet, for `count` values.
    pub fn new(count: usize) -> Self {
        Logic { defs: vec![Def::Unknown; count] }
    }

    /// All definitions of a region and its nested regions.
    pub fn record_region(&mut self, region: &Region, types: &[Ty]) {
        for inst in &region.insts {
            match inst {
                Inst::Op { dst, op, .. } => self.record(*dst, op, types),
                Inst::If { cond, phis, .. } => phis.iter().for_each(|p| self.record_phi(*cond, p)),
                _ => {}
            }
            inst.regions().for_each(|r| self.record_region(r, types));
        }
    }

    /// The operation that defines a value.
    pub fn record(&mut self, dst: Value, op: &Op, types: &[Ty]) {
        let is_bool = types[dst.index()] == Ty::Bool;
        let def = match *op {
            Op::Const(bits) if is_bool => Def::Const(bits != 0),
            Op::Unary(UnaryOp::Not, a) if is_bool => Def::Not(a),
            Op::Binary(BinaryOp::And, a, b) if is_bool => Def::And(a, b),
            Op::Binary(BinaryOp::Or, a, b) if is_bool => Def::Or(a, b),
            Op::Select { cond, accept, reject } => Def::Choice { cond, then: accept, other: reject },
            _ => return,
        };
        self.set(dst, def);
    }

    /// A phi of a branch on `cond`.
    pub fn record_phi(&mut self, cond: Value, phi: &Phi) {
        self.set(phi.dst, Def::Choice { cond, then: phi.then, other: phi.other });
    }

    fn set(&mut self, dst: Value, def: Def) {
        if self.defs.len() <= dst.index() {
            self.defs.resize(dst.index() + 1, Def::Unknown);
        }
        self.defs[dst.index()] = def;
    }

    fn def(&self, value: Value) -> Def {
        self.defs.get(value.index()).copied().unwrap_or(Def::Unknown)
    }

    fn is_const(&self, value: Value, truth: bool) -> bool {
        matches!(self.def(value), Def::Const(t) if t == truth)
    }

    /// The truth of a Bool where the facts decide it, by itself or by the operands of its definition.
    pub fn infer(&self, value: Value, facts: &Facts) -> Option<bool> {
        facts.get(value).or_else(|| match self.def(value) {
            Def::Const(truth) => Some(truth),
            Def::Not(a) => facts.get(a).map(|truth| !truth),
            Def::And(a, b) => match (facts.get(a), facts.get(b)) {
                (Some(false), _) | (_, Some(false)) => Some(false),
                (Some(true), Some(true)) => Some(true),
                _ => None,
            },
            Def::Or(a, b) => match (facts.get(a), facts.get(b)) {
                (Some(true), _) | (_, Some(true)) => Some(true),
                (Some(false), Some(false)) => Some(false),
                _ => None,
            },
            _ => None,
        })
    }

    /// What a value is, given the facts: another value where its definition is a choice or a Bool that they decide.
    /// A value chosen in a branch is not in sight after it.
    pub fn narrow(&self, mut value: Value, facts: &Facts) -> Value {
        loop {
            let next = self.narrow_once(value, facts);
            if next == value {
                return value;
            }
            value = next;
        }
    }

    /// One step of [`Logic::narrow`].
    pub fn narrow_once(&self, value: Value, facts: &Facts) -> Value {
        let truth = |v: Value| self.infer(v, facts);
        match self.def(value) {
            Def::Choice { cond, then, other } => match truth(cond) {
                Some(true) => then,
                Some(false) => other,
                None => value,
            },
            Def::And(a, b) if truth(a) == Some(true) => b,
            Def::And(a, b) if truth(b) == Some(true) => a,
            Def::Or(a, b) if truth(a) == Some(false) => b,
            Def::Or(a, b) if truth(b) == Some(false) => a,
            _ => value,
        }
    }

    /// The parts of a conjunction, itself where it is none; a part that is one is taken apart only where `splits` says so.
    pub fn conjuncts(&self, value: Value, splits: &dyn Fn(Value) -> bool, parts: &mut Vec<Value>) {
        let Def::And(a, b) = self.def(value) else { return parts.push(value) };
        for part in [a, b] {
            if splits(part) {
                self.conjuncts(part, splits, parts);
            } else {
                parts.push(part);
            }
        }
    }

    /// Records what follows from a Bool's truth.
    pub fn assume(&self, value: Value, truth: bool, facts: &mut Facts) {
        if !facts.learn(value, truth) {
            return;
        }
        match self.def(value) {
            Def::Not(a) => self.assume(a, !truth, facts),
            Def::And(a, b) if truth => {
                self.assume(a, true, facts);
                self.assume(b, true, facts);
            }
            Def::Or(a, b) if !truth => {
                self.assume(a, false, facts);
                self.assume(b, false, facts);
            }
            Def::Choice { cond, then, other } if self.is_const(then, !truth) => {
                self.assume(cond, false, facts);
                self.assume(other, truth, facts);
            }
            Def::Choice { cond, then, other } if self.is_const(other, !truth) => {
                self.assume(cond, true, facts);
                self.assume(then, truth, facts);
            }
            _ => {}
        }
    }
}

/// The Bools whose truth is known, with a log to forget what was learnt since a mark.
#[derive(Default)]
pub(super) struct Facts {
    known: Vec<Option<bool>>,
    log: Vec<Value>,
}

impl Facts {
    /// The truth of a Bool, if known.
    pub fn get(&self, value: Value) -> Option<bool> {
        self.known.get(value.index()).copied().flatten()
    }

    /// Whether this is news.
    fn learn(&mut self, value: Value, truth: bool) -> bool {
        if self.known.len() <= value.index() {
            self.known.resize(value.index() + 1, None);
        }
        let known = &mut self.known[value.index()];
        if known.is_some() {
            return false;
        }
        *known = Some(truth);
        self.log.push(value);
        true
    }

    /// A state to come back to.
    pub fn mark(&self) -> usize {
        self.log.len()
    }

    /// Forgets what was learnt since the mark.
    pub fn forget(&mut self, mark: usize) {
        self.log.drain(mark..).for_each(|v| self.known[v.index()] = None);
    }
}
