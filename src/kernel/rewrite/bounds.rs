//! Guarded access: an index is tested against its own length, the pointer is made with a safe index, and loads,
//! stores and atomics through it ask the guard.
//!
//! A safe index is the index itself, or 0 where it is out of bounds: element 0 is there in every array (bindings
//! hold at least one element). So a scalar or vector is loaded always and the guard selects it or zero; what
//! cannot be selected is loaded inside an `if`.
//!
//! In a module for windows an index into a runtime-sized array is tested against the pieces of the array's window and
//! becomes its place there.

use super::{Storage, emit::Emit, function::Rebuild};
use naga::{
    AtomicFunction, BinaryOperator, Expression, Handle, Literal, MathFunction, Scalar, ScalarKind, Span, Statement,
    Type, TypeInner,
    proc::{IndexableLength, TypeResolution},
};

/// How many elements an index may reach.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Elements {
    /// As the type says.
    Const(u32),
    /// The logical length in this slot of the uniform.
    Runtime(usize),
}

/// An index made safe.
pub(super) struct Tested {
    /// In bounds always.
    pub index: Handle<Expression>,
    /// Whether it is the index that was meant; `None`: certainly.
    pub ok: Option<Handle<Expression>>,
}

impl Rebuild<'_, '_> {
    /// The old type of an old expression.
    pub fn inner(&self, old: Handle<Expression>) -> &TypeInner {
        self.info[old].ty.inner_with(&self.shared.old.types)
    }

    /// A handle for the type of an old expression.
    pub fn type_handle(&mut self, old: Handle<Expression>) -> Handle<Type> {
        match &self.info[old].ty {
            TypeResolution::Handle(ty) => *ty,
            TypeResolution::Value(inner) => {
                self.shared.new.types.insert(Type { name: None, inner: inner.clone() }, Span::UNDEFINED)
            }
        }
    }

    /// The global variable at the root of a pointer.
    pub fn root(&self, mut pointer: Handle<Expression>) -> Option<Storage> {
        loop {
            match self.old.expressions[pointer] {
                Expression::Access { base, .. } | Expression::AccessIndex { base, .. } => pointer = base,
                Expression::GlobalVariable(v) => return self.shared.storage.get(&v).copied(),
                _ => return None,
            }
        }
    }

    /// Whether nothing is bound behind a pointer.
    pub fn is_dead(&self, pointer: Handle<Expression>) -> bool {
        self.root(pointer) == Some(Storage::Dead)
    }

    /// How many elements there are behind or in `base`; `None` for a struct.
    pub fn elements(&self, base: Handle<Expression>) -> Option<Elements> {
        let types = &self.shared.old.types;
        let inner = match self.inner(base) {
            TypeInner::Pointer { base, .. } => &types[*base].inner,
            inner => inner,
        };
        match *inner {
            TypeInner::Vector { size, .. } | TypeInner::ValuePointer { size: Some(size), .. } => {
                Some(Elements::Const(size as u32))
            }
            TypeInner::Matrix { columns, .. } => Some(Elements::Const(columns as u32)),
            TypeInner::Array { size, .. } => match (size.resolve(self.shared.old.to_ctx()).ok()?, self.root(base)) {
                (IndexableLength::Known(n), _) => Some(Elements::Const(n)),
                (IndexableLength::Dynamic, Some(Storage::Runtime(slot))) => Some(Elements::Runtime(slot)),
                (IndexableLength::Dynamic, _) => Some(Elements::Const(0)),
            },
            _ => None,
        }
    }

    /// The logical length in a slot of the uniform.
    pub fn length(&mut self, slot: usize) -> Handle<Expression> {
        let out = &mut self.out;
        let params = out.expression(Expression::GlobalVariable(self.shared.params));
        let lengths = out.at(params, super::params::member::LENGTHS);
        let vector = out.at(lengths, slot as u32 / 4);
        let length = out.at(vector, slot as u32 % 4);
        out.load(length)
    }

    /// A word of a piece of the window in a slot of the uniform.
    fn piece_word(&mut self, slot: usize, piece: usize, word: u32) -> Handle<Expression> {
        let vector = (slot * self.shared.pieces + piece) as u32;
        let out = &mut self.out;
        let params = out.expression(Expression::GlobalVariable(self.shared.params));
        let windows = out.at(params, super::params::member::WINDOWS);
        let piece = out.at(windows, vector);
        let word = out.at(piece, word);
        out.load(word)
    }

    /// The place in its window of a 32-bit index into the array of a slot, where the module is for windows: an index
    /// below a piece wraps to more than the piece has elements.
    fn place(&mut self, index: Handle<Expression>, slot: usize) -> Tested {
        let mut found: Option<(Handle<Expression>, Handle<Expression>)> = None;
        for piece in 0..self.shared.pieces {
            let [base, count] = [0, 1].map(|word| self.piece_word(slot, piece, word));
            let local = self.out.binary(BinaryOperator::Subtract, index, base);
            let here = self.out.binary(BinaryOperator::Less, local, count);
            found = Some(match found {
                // The first piece is at the front of the device's array.
                None => (local, here),
                Some((place, before)) => {
                    let offset = self.piece_word(slot, piece, 2);
                    let local = self.out.binary(BinaryOperator::Add, local, offset);
                    let place = self.out.select(here, local, place);
                    (place, self.out.binary(BinaryOperator::LogicalOr, before, here))
                }
            });
        }
        match found {
            Some((place, ok)) => self.tested(place, ok),
            None => {
                let length = self.length(slot);
                let ok = self.out.binary(BinaryOperator::Less, index, length);
                self.tested(index, ok)
            }
        }
    }

    /// Tests a dynamic index.
    pub fn test(&mut self, old_index: Handle<Expression>, elements: Elements) -> Result<Tested, String> {
        let index = self.get(old_index)?;
        if let (Elements::Const(n), Some(most)) = (elements, self.upper_bound(old_index, 0))
            && most < u64::from(n)
        {
            return Ok(Tested { index, ok: None });
        }
        let scalar = match *self.inner(old_index) {
            TypeInner::Scalar(s) => s,
            _ => return Err("an index is not a scalar".into()),
        };
        let bits = match scalar.kind {
            ScalarKind::Uint => index,
            _ => self.out.unsigned(index, None),
        };
        if scalar.width != 8 {
            return Ok(self.test_bits(bits, elements));
        }
        let length = match elements {
            Elements::Const(n) => self.out.u32(n),
            Elements::Runtime(slot) => self.length(slot),
        };
        let length = self.out.unsigned(length, Some(8));
        let small = self.out.binary(BinaryOperator::Less, bits, length);
        let narrow = self.out.unsigned(bits, Some(4));
        match elements {
            Elements::Runtime(_) if self.shared.pieces > 0 => {
                let Tested { index, ok } = self.test_bits(narrow, elements);
                let Some(ok) = self.both(Some(small), ok) else { return Err("a test without an outcome".into()) };
                Ok(self.tested(index, ok))
            }
            _ => Ok(self.tested(narrow, small)),
        }
    }

    /// Tests 32 bits.
    fn test_bits(&mut self, bits: Handle<Expression>, elements: Elements) -> Tested {
        match elements {
            Elements::Runtime(slot) => self.place(bits, slot),
            Elements::Const(n) => {
                let length = self.out.u32(n);
                let ok = self.out.binary(BinaryOperator::Less, bits, length);
                self.tested(bits, ok)
            }
        }
    }

    /// Tests a constant index into a runtime-sized array.
    pub fn test_constant(&mut self, index: u32, slot: usize) -> Tested {
        let index = self.out.u32(index);
        self.place(index, slot)
    }

    /// Whether a constant index into a runtime-sized array needs no test: element 0 is there, unless a window starts
    /// elsewhere.
    pub fn is_first(&self, index: u32) -> bool {
        index == 0 && self.shared.pieces == 0
    }

    fn tested(&mut self, index: Handle<Expression>, ok: Handle<Expression>) -> Tested {
        let zero = self.out.u32(0);
        Tested { index: self.out.select(ok, index, zero), ok: Some(ok) }
    }

    /// Both guards hold.
    pub fn both(&mut self, a: Option<Handle<Expression>>, b: Option<Handle<Expression>>) -> Option<Handle<Expression>> {
        match (a, b) {
            (Some(a), Some(b)) => Some(self.out.binary(BinaryOperator::LogicalAnd, a, b)),
            (a, b) => a.or(b),
        }
    }

    /// `ok ? value : zero` of the type of an old expression. `value` makes an expression that is safe to
    /// evaluate whatever `ok` is.
    pub fn or_zero(
        &mut self,
        old: Handle<Expression>,
        ok: Option<Handle<Expression>>,
        value: impl FnOnce(&mut Emit) -> Handle<Expression>,
    ) -> Handle<Expression> {
        let Some(ok) = ok else { return value(&mut self.out) };
        let ty = self.type_handle(old);
        let selectable = matches!(self.inner(old), TypeInner::Scalar(_) | TypeInner::Vector { .. });
        let zero = self.out.expression(Expression::ZeroValue(ty));
        if selectable {
            let value = value(&mut self.out);
            return self.out.select(ok, value, zero);
        }
        let local = self.out.local("guarded", ty);
        self.out.store(local, zero);
        self.out.when(ok, |out| {
            let value = value(out);
            out.store(local, value);
        });
        self.out.load(local)
    }

    /// A store that happens only where the pointer is in bounds.
    pub fn store(&mut self, pointer: Handle<Expression>, value: Handle<Expression>, span: Span) -> Result<(), String> {
        if self.is_dead(pointer) {
            return Ok(());
        }
        let store = Statement::Store { pointer: self.get(pointer)?, value: self.get(value)? };
        match self.guard(pointer) {
            None => self.out.statement(store, span),
            Some(ok) => self.out.when(ok, |out| out.statement(store, span)),
        }
        Ok(())
    }

    /// An atomic that happens only where the pointer is in bounds; elsewhere its result is zero.
    pub fn atomic(
        &mut self,
        pointer: Handle<Expression>,
        fun: AtomicFunction,
        value: Handle<Expression>,
        result: Option<Handle<Expression>>,
        span: Span,
    ) -> Result<(), String> {
        if self.is_dead(pointer) {
            if let Some(old) = result {
                let ty = self.type_handle(old);
                let zero = self.out.expression(Expression::ZeroValue(ty));
                self.map.insert(old, zero);
            }
            return Ok(());
        }
        let fun = match fun {
            AtomicFunction::Exchange { compare: Some(c) } => AtomicFunction::Exchange { compare: Some(self.get(c)?) },
            fun => fun,
        };
        let (pointer, guard, value) = (self.get(pointer)?, self.guard(pointer), self.get(value)?);
        let Some(ok) = guard else {
            let new = result.map(|old| {
                let new = self.out.expression(self.old.expressions[old].clone());
                self.map.insert(old, new);
                new
            });
            self.out.statement(Statement::Atomic { pointer, fun, value, result: new }, span);
            return Ok(());
        };
        let Some(old) = result else {
            let atomic = Statement::Atomic { pointer, fun, value, result: None };
            self.out.when(ok, |out| out.statement(atomic, span));
            return Ok(());
        };
        let ty = self.type_handle(old);
        let local = self.out.local("guarded", ty);
        let zero = self.out.expression(Expression::ZeroValue(ty));
        self.out.store(local, zero);
        let expression = self.old.expressions[old].clone();
        self.out.when(ok, |out| {
            let new = out.expression(expression);
            out.statement(Statement::Atomic { pointer, fun, value, result: Some(new) }, span);
            out.store(local, new);
        });
        let new = self.out.load(local);
        self.map.insert(old, new);
        Ok(())
    }

    /// The most that an old index expression can be, if it is certainly not negative.
    ///
    /// Enough to leave out tests such as `tile[local_index]`, `ring[i & 7u]` and `bins[x >> 24u]`.
    fn upper_bound(&self, old: Handle<Expression>, depth: u32) -> Option<u64> {
        let signed = match *self.inner(old) {
            TypeInner::Scalar(Scalar { kind: ScalarKind::Uint, width: 4 }) => false,
            TypeInner::Scalar(Scalar { kind: ScalarKind::Sint, width: 4 }) => true,
            _ => return None,
        };
        if depth > 8 {
            return None;
        }
        let most = if signed { i32::MAX as u64 } else { u64::from(u32::MAX) };
        let bound = |e| self.upper_bound(e, depth + 1);
        match self.old.expressions[old] {
            Expression::Literal(literal) => literal_bound(literal),
            Expression::Constant(c) => match self.shared.old.global_expressions[self.shared.old.constants[c].init] {
                Expression::Literal(literal) => literal_bound(literal),
                _ => None,
            },
            Expression::FunctionArgument(_) | Expression::AccessIndex { .. } => self.builtin_bound(old),
            Expression::As { expr, kind: ScalarKind::Sint | ScalarKind::Uint, .. } => {
                bound(expr).filter(|&b| b <= most)
            }
            Expression::Select { accept, reject, .. } => Some(bound(accept)?.max(bound(reject)?)),
            Expression::Math { fun: MathFunction::Min, arg, arg1: Some(arg1), .. } => match (bound(arg), bound(arg1)) {
                (Some(a), Some(b)) => Some(a.min(b)),
                (a, b) if !signed => a.or(b),
                _ => None,
            },
            Expression::Binary { op, left, right } => {
                let (l, r) = (bound(left), bound(right));
                let l_or_most = if signed { l } else { l.or(Some(most)) };
                match op {
                    BinaryOperator::And => [l, r].into_iter().flatten().min(),
                    BinaryOperator::Modulo => {
                        l_or_most.and(r.filter(|&r| r > 0 && self.is_literal(right))).map(|r| r - 1)
                    }
                    BinaryOperator::Divide if self.is_literal(right) => l_or_most?.checked_div(r?),
                    BinaryOperator::ShiftRight if self.is_literal(right) => Some(l_or_most? >> (r? & 31)),
                    BinaryOperator::Add => l?.checked_add(r?).filter(|&s| s <= most),
                    BinaryOperator::Multiply => l?.checked_mul(r?).filter(|&p| p <= most),
                    _ => None,
                }
            }
            _ => None,
        }
    }

    fn is_literal(&self, old: Handle<Expression>) -> bool {
        matches!(self.old.expressions[old], Expression::Literal(_) | Expression::Constant(_))
    }
}

fn literal_bound(literal: Literal) -> Option<u64> {
    match literal {
        Literal::U32(v) => Some(v.into()),
        Literal::I32(v) => u64::try_from(v).ok(),
        _ => None,
    }
}
