//! Random structured kernels against the reference, one invocation at a time.

use crate::{build::Build, reference::Machine, rng::Random};
use evener_lanes::{Buffer, Grid, GroupRange, Program, interp::Level, ir::*};
use naga::Span;

const TYPES: [Ty; 6] = [Ty::U32, Ty::I32, Ty::F32, Ty::Bool, Ty::U64, Ty::F64];
/// Outputs of each invocation.
const SLOTS: u32 = 4;

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
            match self.below(12) {
                0 | 1 if depth < 4 => self.branch(depth),
                2 | 3 if depth < 4 => self.repeat(depth),
                4 => self.store(),
                5 => self.load(),
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
        let base = [self.data, self.out][self.below(4) / 3];
        let index = if base == self.out { self.own_index() } else { self.pick(Ty::U32) };
        let v = self.b.load(Ty::F32, base, index);
        self.keep(v);
    }

    /// An index into the invocation's own outputs.
    fn own_index(&mut self) -> Value {
        let n = self.pick(Ty::U32);
        let slots = self.b.u32(SLOTS);
        let k = self.b.binary(BinaryOp::Rem, n, slots);
        self.b.binary(BinaryOp::Add, self.own, k)
    }

    fn store(&mut self) {
        let index = self.own_index();
        let ty = [Ty::F32, Ty::U32, Ty::Bool][self.below(3)];
        let value = self.pick(ty);
        self.b.store(self.out, index, value);
    }

    fn private(&mut self) {
        let index = self.pick(Ty::U32);
        let (ty, stride) = [(Ty::U32, 4), (Ty::U64, 8), (Ty::Bool, 4)][self.below(3)];
        let place = Place { base: self.private, offset: 8, steps: vec![Step { index, stride, len: Len::Const(5) }] };
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
}

fn kernel(rng: Random, size: [u32; 3], budget: usize) -> Kernel {
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
        budget,
    };
    w.sight.push(own);
    w.statements(0);
    w.store();
    w.store();
    w.b.done()
}

#[test]
fn random_kernels_do_what_the_reference_does() {
    let shapes = [([32, 1, 1], [3, 1, 1]), ([8, 4, 1], [5, 2, 1]), ([3, 5, 1], [2, 9, 1]), ([1, 1, 1], [7, 3, 1])];
    for case in 0..1500usize {
        let (size, groups) = shapes[case % shapes.len()];
        // NaN payloads are not specified: no kernel turns a float into bits.
        let kernel = kernel(Random(1 + case as u64 * 0x9e37_79b9), size, 1 + case / 20);
        let n: u32 = (0..3).map(|a| size[a] * groups[a]).product();
        let data: Vec<u8> = (0..n).flat_map(|i| ((i * 37 % 101) as f32 - 30.0).to_le_bytes()).collect();
        // Too short for the last invocations.
        let out = vec![0u8; (n * SLOTS * 4 - 20) as usize];
        let mut machine = Machine::new(&kernel, vec![data.clone(), out.clone()], groups);
        machine.run([0; 3], groups);
        let levels: Vec<Level> = Level::available().collect();
        let level = levels[case / 4 % levels.len()];
        let (mut data, mut out) = (data, out);
        let program = Program::with_level(kernel.clone(), level).unwrap();
        let grid = Grid { groups };
        program.run(&[Buffer::write(&mut data), Buffer::write(&mut out)], grid, GroupRange::all(grid)).unwrap();
        let same = out.chunks(4).zip(machine.memory[1].chunks(4)).position(|(a, b)| {
            let [a, b] = [a, b].map(|c| f32::from_le_bytes(c.try_into().unwrap()));
            a.to_bits() != b.to_bits() && !(a.is_nan() && b.is_nan())
        });
        let words = |m: &[u8]| m.chunks(4).map(|c| u32::from_le_bytes(c.try_into().unwrap())).collect::<Vec<_>>();
        assert!(
            same.is_none(),
            "case {case} {level:?}: word {same:?} differs, {:?} for {:?} in {kernel:?}",
            words(&out),
            words(&machine.memory[1])
        );
    }
}
