//! The functions as instructions: a machine whose operations append to a kernel.

use super::{format::Format, machine::Machine};
use crate::ir::{BinaryOp, Inst, Op, Phi, Region, Ty, UnaryOp, Value};
use naga::Span;
use std::{cell::RefCell, collections::HashMap, marker::PhantomData};

/// The code under construction.
pub(super) struct Code<'k> {
    /// The types of the kernel's values.
    pub(super) values: &'k mut Vec<Ty>,
    /// Constants that are visible everywhere from here on.
    pub(super) constants: HashMap<(Ty, u64), Value>,
    /// New constants.
    pub(super) prologue: Vec<Inst>,
    /// Instructions of the open regions.
    pub(super) open: Vec<Vec<Inst>>,
    /// Where the next instructions come from.
    pub(super) span: Span,
}

impl Code<'_> {
    fn value(&mut self, ty: Ty) -> Value {
        self.values.push(ty);
        Value(self.values.len() as u32 - 1)
    }

    /// Appends to the innermost open region.
    pub(super) fn push(&mut self, inst: Inst) {
        if let Some(top) = self.open.last_mut() {
            top.push(inst);
        }
    }

    fn op(&mut self, ty: Ty, op: Op) -> Value {
        let (dst, span) = (self.value(ty), self.span);
        self.push(Inst::Op { dst, op, span });
        dst
    }

    fn constant(&mut self, ty: Ty, bits: u64) -> Value {
        if let Some(&value) = self.constants.get(&(ty, bits)) {
            return value;
        }
        let (dst, span) = (self.value(ty), Span::UNDEFINED);
        self.prologue.push(Inst::Op { dst, op: Op::Const(bits), span });
        self.constants.insert((ty, bits), dst);
        dst
    }
}

/// The emitter for functions of a float type. Floats, words and truth values are values of the kernel.
pub(super) struct Emit<'e, 'k, T> {
    code: &'e RefCell<Code<'k>>,
    float: PhantomData<T>,
}

impl<'e, 'k, T: Types> Emit<'e, 'k, T> {
    /// An emitter into `code`.
    pub(super) fn new(code: &'e RefCell<Code<'k>>) -> Self {
        Emit { code, float: PhantomData }
    }

    fn op(&self, ty: Ty, op: Op) -> Value {
        self.code.borrow_mut().op(ty, op)
    }

    fn unary(&self, op: UnaryOp, a: Value) -> Value {
        self.op(T::FLOAT, Op::Unary(op, a))
    }

    fn float(&self, op: BinaryOp, a: Value, b: Value) -> Value {
        self.op(T::FLOAT, Op::Binary(op, a, b))
    }

    fn word(&self, op: BinaryOp, a: Value, b: Value) -> Value {
        self.op(T::WORD, Op::Binary(op, a, b))
    }

    fn truth(&self, op: BinaryOp, a: Value, b: Value) -> Value {
        self.op(Ty::Bool, Op::Binary(op, a, b))
    }

    fn cast(&self, ty: Ty, a: Value) -> Value {
        self.op(ty, Op::Bitcast(a))
    }

    fn amount(&self, n: u32) -> Value {
        self.code.borrow_mut().constant(Ty::U32, n.into())
    }

    fn shift(&self, op: BinaryOp, a: Value, n: Value) -> Value {
        self.word(op, a, n)
    }
}

/// The types of the IR for a float type.
pub(super) trait Types: Format {
    const FLOAT: Ty;
    const WORD: Ty;
    const SIGNED: Ty;
    /// A word's bits.
    fn wide(word: Self::Word) -> u64;
    /// The high word of a product.
    fn times_high(m: &Emit<'_, '_, Self>, a: Value, b: Value) -> Value;
    /// A word as the amount of a shift.
    fn amount(m: &Emit<'_, '_, Self>, n: Value) -> Value;
}

impl Types for f32 {
    const FLOAT: Ty = Ty::F32;
    const WORD: Ty = Ty::U32;
    const SIGNED: Ty = Ty::I32;

    fn wide(word: u32) -> u64 {
        word.into()
    }

    fn times_high(m: &Emit<'_, '_, f32>, a: Value, b: Value) -> Value {
        let [a, b] = [a, b].map(|v| m.op(Ty::U64, Op::Convert(v)));
        let product = m.op(Ty::U64, Op::Binary(BinaryOp::Mul, a, b));
        let high = m.op(Ty::U64, Op::Binary(BinaryOp::Shr, product, m.amount(32)));
        m.op(Ty::U32, Op::Convert(high))
    }

    fn amount(_: &Emit<'_, '_, f32>, n: Value) -> Value {
        n
    }
}

impl Types for f64 {
    const FLOAT: Ty = Ty::F64;
    const WORD: Ty = Ty::U64;
    const SIGNED: Ty = Ty::I64;

    fn wide(word: u64) -> u64 {
        word
    }

    /// From the products of the halves.
    fn times_high(m: &Emit<'_, '_, f64>, a: Value, b: Value) -> Value {
        let mask = m.w(u64::from(u32::MAX));
        let halves = |v| (m.and(v, mask), m.shr(v, 32));
        let ((a0, a1), (b0, b1)) = (halves(a), halves(b));
        let low = m.shr(m.times(a0, b0), 32);
        let middle = m.plus(m.times(a1, b0), low);
        let (m0, m1) = halves(middle);
        let cross = m.plus(m.times(a0, b1), m0);
        m.plus(m.plus(m.times(a1, b1), m1), m.shr(cross, 32))
    }

    fn amount(m: &Emit<'_, '_, f64>, n: Value) -> Value {
        m.op(Ty::U32, Op::Convert(n))
    }
}

impl<T: Types> Machine for Emit<'_, '_, T> {
    type Float = T;
    type F = Value;
    type U = Value;
    type B = Value;

    fn c(&self, x: T) -> Value {
        self.code.borrow_mut().constant(T::FLOAT, x.bits())
    }

    fn w(&self, x: T::Word) -> Value {
        self.code.borrow_mut().constant(T::WORD, T::wide(x))
    }

    fn add(&self, a: Value, b: Value) -> Value {
        self.float(BinaryOp::Add, a, b)
    }

    fn sub(&self, a: Value, b: Value) -> Value {
        self.float(BinaryOp::Sub, a, b)
    }

    fn mul(&self, a: Value, b: Value) -> Value {
        self.float(BinaryOp::Mul, a, b)
    }

    fn div(&self, a: Value, b: Value) -> Value {
        self.float(BinaryOp::Div, a, b)
    }

    fn fma(&self, a: Value, b: Value, c: Value) -> Value {
        self.op(T::FLOAT, Op::Fma(a, b, c))
    }

    fn sqrt(&self, a: Value) -> Value {
        self.unary(UnaryOp::Sqrt, a)
    }

    fn neg(&self, a: Value) -> Value {
        self.unary(UnaryOp::Neg, a)
    }

    fn abs(&self, a: Value) -> Value {
        self.unary(UnaryOp::Abs, a)
    }

    fn trunc(&self, a: Value) -> Value {
        self.unary(UnaryOp::Trunc, a)
    }

    fn lt(&self, a: Value, b: Value) -> Value {
        self.truth(BinaryOp::Lt, a, b)
    }

    fn eq(&self, a: Value, b: Value) -> Value {
        self.truth(BinaryOp::Eq, a, b)
    }

    fn select(&self, cond: Value, accept: Value, reject: Value) -> Value {
        self.op(T::FLOAT, Op::Select { cond, accept, reject })
    }

    fn both(&self, a: Value, b: Value) -> Value {
        self.truth(BinaryOp::And, a, b)
    }

    fn either(&self, a: Value, b: Value) -> Value {
        self.truth(BinaryOp::Or, a, b)
    }

    fn not(&self, a: Value) -> Value {
        self.op(Ty::Bool, Op::Unary(UnaryOp::Not, a))
    }

    fn bits(&self, a: Value) -> Value {
        self.cast(T::WORD, a)
    }

    fn float(&self, a: Value) -> Value {
        self.cast(T::FLOAT, a)
    }

    fn signed(&self, a: Value) -> Value {
        let a = self.cast(T::SIGNED, a);
        self.op(T::FLOAT, Op::Convert(a))
    }

    fn plus(&self, a: Value, b: Value) -> Value {
        self.word(BinaryOp::Add, a, b)
    }

    fn minus(&self, a: Value, b: Value) -> Value {
        self.word(BinaryOp::Sub, a, b)
    }

    fn times(&self, a: Value, b: Value) -> Value {
        self.word(BinaryOp::Mul, a, b)
    }

    fn times_high(&self, a: Value, b: Value) -> Value {
        T::times_high(self, a, b)
    }

    fn least(&self, a: Value, b: Value) -> Value {
        self.word(BinaryOp::Min, a, b)
    }

    fn and(&self, a: Value, b: Value) -> Value {
        self.word(BinaryOp::And, a, b)
    }

    fn or(&self, a: Value, b: Value) -> Value {
        self.word(BinaryOp::Or, a, b)
    }

    fn xor(&self, a: Value, b: Value) -> Value {
        self.word(BinaryOp::Xor, a, b)
    }

    fn shl(&self, a: Value, n: u32) -> Value {
        self.shift(BinaryOp::Shl, a, self.amount(n))
    }

    fn shr(&self, a: Value, n: u32) -> Value {
        self.shift(BinaryOp::Shr, a, self.amount(n))
    }

    fn sar(&self, a: Value, n: u32) -> Value {
        let a = self.cast(T::SIGNED, a);
        let shifted = self.op(T::SIGNED, Op::Binary(BinaryOp::Shr, a, self.amount(n)));
        self.cast(T::WORD, shifted)
    }

    fn shl_by(&self, a: Value, n: Value) -> Value {
        self.shift(BinaryOp::Shl, a, T::amount(self, n))
    }

    fn shr_by(&self, a: Value, n: Value) -> Value {
        self.shift(BinaryOp::Shr, a, T::amount(self, n))
    }

    fn below(&self, a: Value, b: Value) -> Value {
        let [a, b] = [a, b].map(|v| self.cast(T::SIGNED, v));
        self.truth(BinaryOp::Lt, a, b)
    }

    fn same(&self, a: Value, b: Value) -> Value {
        self.truth(BinaryOp::Eq, a, b)
    }

    fn choose(&self, cond: Value, accept: Value, reject: Value) -> Value {
        self.op(T::WORD, Op::Select { cond, accept, reject })
    }

    fn rare<const N: usize>(&self, cond: Value, fast: [Value; N], slow: impl FnOnce() -> [Value; N]) -> [Value; N] {
        self.code.borrow_mut().open.push(Vec::new());
        let slow = slow();
        let mut code = self.code.borrow_mut();
        let then = Region { insts: code.open.pop().unwrap_or_default() };
        let results = fast.map(|_| code.value(T::FLOAT));
        let phis = (0..N).map(|i| Phi { dst: results[i], then: slow[i], other: fast[i] }).collect();
        // No source: code generators take such a branch for one that is hardly ever taken.
        let span = Span::UNDEFINED;
        code.push(Inst::If { cond, then, other: Region::default(), phis, span });
        results
    }
}
