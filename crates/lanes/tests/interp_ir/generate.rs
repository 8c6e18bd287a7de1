//! Writes random structured kernels: an invocation reads `data` and writes outputs of its own.

use crate::{build::Build, rng::Random};
use evener_lanes::ir::*;
use naga::Span;

const TYPES: [Ty; 6] = [Ty::U32, Ty::I32, Ty::F32, Ty::Bool, Ty::U64, Ty::F64];
/// Outputs of each invocation.
pub const SLOTS: u32 = 4;

struct Writer {
    b: Build,
    rng: Random,
    /// Values in sight, by type.
    sight: Vec<Value>,
    /// Read-only data, outputs.
    data: Base,
    out: Base,
    private: Base,
    own: Value,
    /// What was loaded and stored, to be loaded again.
    places: Vec<(Ty, Place)>,
    budget: usize,
}

impl Writer {
    fn below(&mut self, n: usize) -> usize {
        self.rng.below(n)
    }

    fn pick(&mut self, ty: Ty) -> Value {
        let all: Vec<Value> = self.sight.iter().copied().filter(|v| self.b.kernel.ty(*v) == ty).collect();
        if all.is_empty() || self.below(8) == 0 {
            let bits = self.rng.next();
            let bits = match ty {
                Ty::Bool => bits & 1,
                Ty::F32 => u64::from(((bits % 64) as f32 - 20.0).to_bits()),
                Ty::F64 => ((bits % 64) as f64 - 20.0).to_bits(),
                Ty::U64 => bits >> (bits % 60),
                _ => bits % 11,
            };
            return self.b.op(ty, Op::Const(bits));
        }
        // Recent values are likelier, so that chains form.
        let back = self.below(all.len()).min(self.below(all.len()));
        all[all.len() - 1 - back]
    }

    fn keep(&mut self, v: Value) {
        self.sight.push(v);
    }

    fn statements(&mut self, depth: usize) {
        for _ in 0..2 + self.below(5) {
            if self.budget == 0 {
                return;
            }
            self.budget -= 1;
            match self.below(14) {
                0 | 1 if depth < 4 => self.branch(depth),
                2 if depth < 4 => self.repeat(depth),
                3 if depth < 4 => self.repeat_while(depth),
                4 => self.store(),
                5 | 12 => self.load(),
                13 => self.digest(),
                6 => self.private(),
                _ => self.operation(),
            }
        }
    }

    fn operation(&mut self) {
        use BinaryOp::*;
        let ty = TYPES[self.below(6)];
        let a = self.pick(ty);
        let b = self.pick(ty);
        let v = match (self.below(6), ty) {
            (0, _) => {
                let cond = self.pick(Ty::Bool);
                self.b.op(ty, Op::Select { cond, accept: a, reject: b })
            }
            (1, _) => {
                let to = TYPES[self.below(6)];
                self.b.op(to, Op::Convert(a))
            }
            (2, Ty::U32) => self.b.op(Ty::F32, Op::Bitcast(a)),
            (2, Ty::I32) => self.b.op(Ty::U32, Op::Bitcast(a)),
            (3, Ty::U32 | Ty::I32 | Ty::F32 | Ty::U64 | Ty::F64) => {
                let op = [Eq, Ne, Lt, Le, Gt, Ge][self.below(6)];
                self.b.binary(op, a, b)
            }
            (_, Ty::Bool) => {
                let op = [And, Or, Xor][self.below(3)];
                self.b.binary(op, a, b)
            }
            _ => {
                let op = [Add, Sub, Mul, Min, Max, Div][self.below(6)];
                self.b.binary(op, a, b)
            }
        };
        self.keep(v);
    }

    fn load(&mut self) {
        if self.below(4) > 0 && !self.places.is_empty() {
            let back = self.below(self.places.len()).min(self.below(self.places.len()));
            let (ty, place) = self.places[self.places.len() - 1 - back].clone();
            if place.steps.iter().all(|s| self.sight.contains(&s.index)) {
                let v = self.b.op(ty, Op::Load(place));
                return self.keep(v);
            }
        }
        let base = [self.data, self.out][self.below(2)];
        let index = if base == self.out { self.own_index() } else { self.pick(Ty::U32) };
        let place = self.b.at(base, index);
        self.places.push((Ty::F32, place.clone()));
        let v = self.b.op(Ty::F32, Op::Load(place));
        self.keep(v);
    }

    /// An index into the invocation's own outputs.
    fn own_index(&mut self) -> Value {
        let n = self.pick(Ty::U32);
        let slots = self.b.u32(SLOTS);
        let k = self.b.binary(BinaryOp::Rem, n, slots);
        let index = self.b.binary(BinaryOp::Add, self.own, k);
        self.keep(index);
        index
    }

    fn store(&mut self) {
        let index = self.own_index();
        let ty = [Ty::F32, Ty::U32, Ty::Bool][self.below(3)];
        let value = self.pick(ty);
        if ty == Ty::F32 {
            self.places.push((ty, self.b.at(self.out, index)));
        }
        self.b.store(self.out, index, value);
    }

    /// Stores a number that depends on the values made last.
    fn digest(&mut self) {
        let mut sum = self.b.u32(17);
        let seven = self.b.u32(7);
        for k in 0..self.sight.len().min(12) {
            let v = self.sight[self.sight.len() - 1 - k];
            let bits = if self.b.kernel.ty(v) == Ty::U32 { v } else { self.b.op(Ty::U32, Op::Convert(v)) };
            let scaled = self.b.binary(BinaryOp::Mul, sum, seven);
            sum = self.b.binary(BinaryOp::Add, scaled, bits);
        }
        let index = self.own_index();
        self.b.store(self.out, index, sum);
    }

    fn private(&mut self) {
        let index = self.pick(Ty::U32);
        let (ty, stride) = [(Ty::U32, 4), (Ty::U64, 8), (Ty::Bool, 4)][self.below(3)];
        let place = Place { base: self.private, offset: 8, steps: vec![Step { index, stride, len: Len::Const(5) }] };
        if ty != Ty::Bool {
            self.places.push((ty, place.clone()));
        }
        if self.below(2) == 0 {
            let value = self.pick(ty);
            self.b.push(Inst::Store { place, value, span: Span::UNDEFINED });
        } else if ty == Ty::Bool {
            // Only 0 and 1 are Bools in memory, other stores may have left anything: read it as a number.
            let v = self.b.op(Ty::U32, Op::Load(place));
            self.keep(v);
        } else if ty == Ty::U32 {
            let v = self.b.op(ty, Op::Load(place));
            self.keep(v);
        } else {
            let v = self.b.op(Ty::U64, Op::Load(place));
            self.keep(v);
        }
    }

    /// Statements in a region of their own; returns it and a value of each type asked for, in sight at its end.
    fn inner(&mut self, depth: usize, tys: &[Ty]) -> (Region, Vec<Value>) {
        let mark = self.sight.len();
        self.b.begin();
        self.statements(depth + 1);
        if self.below(3) == 0 {
            self.digest();
        }
        let ends = tys.iter().map(|t| self.pick(*t)).collect();
        self.sight.truncate(mark);
        (self.b.end(), ends)
    }

    fn branch(&mut self, depth: usize) {
        let cond = self.pick(Ty::Bool);
        let tys: Vec<Ty> = (0..self.below(4)).map(|_| TYPES[self.below(6)]).collect();
        let (then, t) = self.inner(depth, &tys);
        let (other, o) = self.inner(depth, &tys);
        let phis: Vec<Phi> =
            tys.iter().enumerate().map(|(k, ty)| Phi { dst: self.b.value(*ty), then: t[k], other: o[k] }).collect();
        phis.iter().for_each(|p| self.keep(p.dst));
        self.b.push(Inst::If { cond, then, other, phis, span: Span::UNDEFINED });
    }

    fn repeat(&mut self, depth: usize) {
        let tys: Vec<Ty> = (0..1 + self.below(4)).map(|_| TYPES[self.below(6)]).collect();
        let inits: Vec<Value> = tys.iter().map(|t| self.pick(*t)).collect();
        // A counter bounds the trips.
        let (zero, one, six) = (self.b.u32(0), self.b.u32(1), self.b.u32(6));
        let some = self.pick(Ty::U32);
        let bound = self.b.binary(BinaryOp::Rem, some, six);
        let counter = self.b.value(Ty::U32);
        let dsts: Vec<Value> = tys.iter().map(|t| self.b.value(*t)).collect();
        let mark = self.sight.len();
        self.sight.extend(&dsts);
        self.keep(counter);
        self.b.begin();
        self.statements(depth + 1);
        let next: Vec<Value> = tys.iter().map(|t| self.pick(*t)).collect();
        let next_counter = self.b.binary(BinaryOp::Add, counter, one);
        let mut again = self.b.binary(BinaryOp::Lt, next_counter, bound);
        if self.below(2) == 0 {
            let more = self.pick(Ty::Bool);
            again = self.b.binary(BinaryOp::And, again, more);
        }
        let body = self.b.end();
        self.sight.truncate(mark);
        let mut params = vec![Param { dst: counter, init: zero, next: next_counter, result: self.b.value(Ty::U32) }];
        for (k, ty) in tys.iter().enumerate() {
            params.push(Param { dst: dsts[k], init: inits[k], next: next[k], result: self.b.value(*ty) });
        }
        params.iter().for_each(|p| self.keep(p.result));
        self.b.push(Inst::Loop { params, body, again, span: Span::UNDEFINED });
    }

    /// A loop that tests at its head, as the front end makes them, perhaps with a way out of its body.
    fn repeat_while(&mut self, depth: usize) {
        let tys: Vec<Ty> = (0..1 + self.below(3)).map(|_| TYPES[self.below(6)]).collect();
        let inits: Vec<Value> = tys.iter().map(|t| self.pick(*t)).collect();
        let (zero, one, six, no) = (self.b.u32(0), self.b.u32(1), self.b.u32(6), self.b.op(Ty::Bool, Op::Const(0)));
        let some = self.pick(Ty::U32);
        let bound = self.b.binary(BinaryOp::Rem, some, six);
        let counter = self.b.value(Ty::U32);
        let dsts: Vec<Value> = tys.iter().map(|t| self.b.value(*t)).collect();
        let mark = self.sight.len();
        self.sight.extend(&dsts);
        self.keep(counter);
        self.b.begin();
        (0..self.below(3)).for_each(|_| self.operation());
        let mut stay = self.b.binary(BinaryOp::Lt, counter, bound);
        if self.below(3) == 0 {
            let more = self.pick(Ty::Bool);
            stay = self.b.binary(BinaryOp::And, stay, more);
        }
        let all: Vec<Ty> = tys.iter().copied().chain([Ty::Bool]).collect();
        let (mut body, mut ends) = self.inner(depth, &all);
        let next_counter = self.b.value(Ty::U32);
        let op = Op::Binary(BinaryOp::Add, counter, one);
        body.insts.push(Inst::Op { dst: next_counter, op, span: Span::UNDEFINED });
        let goes_on = if self.below(2) == 0 { ends.pop() } else { None };
        let mut leaves: Vec<Value> = dsts.clone();
        for (k, ty) in tys.iter().enumerate() {
            if self.below(4) == 0 {
                leaves[k] = self.pick(*ty);
            }
        }
        let mut phis = Vec::new();
        let mut phi = |s: &mut Self, ty, then, other| {
            phis.push(Phi { dst: s.b.value(ty), then, other });
            phis[phis.len() - 1].dst
        };
        let counted = phi(self, Ty::U32, next_counter, counter);
        let next: Vec<Value> = (0..tys.len()).map(|k| phi(self, tys[k], ends[k], leaves[k])).collect();
        let again = goes_on.map_or(stay, |more| phi(self, Ty::Bool, more, no));
        // A test that stays where it does not hold.
        let (cond, then, other) = if self.below(3) == 0 {
            phis.iter_mut().for_each(|p| (p.then, p.other) = (p.other, p.then));
            (self.b.op(Ty::Bool, Op::Unary(UnaryOp::Not, stay)), Region::default(), body)
        } else {
            (stay, body, Region::default())
        };
        self.b.push(Inst::If { cond, then, other, phis, span: Span::UNDEFINED });
        let body = self.b.end();
        self.sight.truncate(mark);
        let mut params = vec![Param { dst: counter, init: zero, next: counted, result: self.b.value(Ty::U32) }];
        for (k, ty) in tys.iter().enumerate() {
            params.push(Param { dst: dsts[k], init: inits[k], next: next[k], result: self.b.value(*ty) });
        }
        params.iter().for_each(|p| self.keep(p.result));
        self.b.push(Inst::Loop { params, body, again, span: Span::UNDEFINED });
    }
}

/// A kernel of about `budget` statements. NaN payloads are not specified: none turns a float into bits.
pub fn kernel(rng: Random, size: [u32; 3], budget: usize) -> Kernel {
    let mut b = Build::new(size);
    let (data, out) = (b.array("data", 4), b.array("out", 4));
    b.kernel.private.push(Variable { name: "p".into(), bytes: 48 });
    let ids = [b.gid(0), b.gid(1), b.op(Ty::U32, Op::Builtin(Builtin::LocalIndex))];
    let more = [Builtin::LocalId(0), Builtin::GroupId(0), Builtin::GroupId(1), Builtin::NumGroups(0)]
        .map(|i| b.op(Ty::U32, Op::Builtin(i)));
    // own = (x + y * width) * SLOTS
    let (wx, n) = (b.u32(size[0]), b.op(Ty::U32, Op::Builtin(Builtin::NumGroups(0))));
    let width = b.binary(BinaryOp::Mul, wx, n);
    let row = b.binary(BinaryOp::Mul, ids[1], width);
    let linear = b.binary(BinaryOp::Add, row, ids[0]);
    let slots = b.u32(SLOTS);
    let own = b.binary(BinaryOp::Mul, linear, slots);
    let mut w = Writer {
        b,
        rng,
        sight: ids.into_iter().chain(more).collect(),
        data,
        out,
        private: Base::Private(0),
        own,
        places: vec![],
        budget,
    };
    w.sight.push(own);
    w.statements(0);
    w.store();
    w.digest();
    w.b.done()
}
