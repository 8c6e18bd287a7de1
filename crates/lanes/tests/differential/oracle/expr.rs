//! Expressions.

use super::{
    Machine, Pointer, Root, Slot, Value,
    scalar::{self, Fn1, Fn2, Kind},
    shape::Shape,
};
use naga::{BinaryOperator, Expression, Handle, RelationalFunction, ScalarKind};
use std::rc::Rc;

impl Machine<'_, '_> {
    /// The value or pointer of an expression.
    pub(super) fn slot(&mut self, expr: Handle<Expression>) -> Result<Slot, String> {
        if let Some(known) = &self.frame().slots[expr.index()] {
            return Ok(known.clone());
        }
        // Not emitted, so the same at all times and in all invocations.
        let slot = self.evaluate(expr, &self.all.clone())?;
        self.frame().slots[expr.index()] = Some(slot.clone());
        Ok(slot)
    }

    pub(super) fn value(&mut self, expr: Handle<Expression>) -> Result<Rc<Value>, String> {
        match self.slot(expr)? {
            Slot::Value(value) => Ok(value),
            Slot::Pointer(_) => Err("a pointer where a value is due".into()),
        }
    }

    pub(super) fn pointer(&mut self, expr: Handle<Expression>) -> Result<Rc<Pointer>, String> {
        match self.slot(expr)? {
            Slot::Pointer(pointer) => Ok(pointer),
            Slot::Value(_) => Err("a value where a pointer is due".into()),
        }
    }

    /// The type of an expression (of a pointer: of what it points to).
    pub(super) fn shape(&mut self, expr: Handle<Expression>) -> Result<Rc<Shape>, String> {
        let module = self.module;
        let info = self.frame().info;
        Shape::of_inner(module, info[expr].ty.inner_with(&module.types))
    }

    /// A value from its scalars, the same in all invocations.
    fn uniform(&self, scalars: &[u64]) -> Slot {
        let data = scalars.iter().flat_map(|s| std::iter::repeat_n(*s, self.lanes)).collect();
        Slot::Value(Rc::new(Value { data }))
    }

    /// Evaluates an expression in some invocations.
    pub(super) fn evaluate(&mut self, expr: Handle<Expression>, active: &[usize]) -> Result<Slot, String> {
        let (module, function) = (self.module, self.frame().function);
        Ok(match function.expressions[expr] {
            Expression::Literal(literal) => self.uniform(&[scalar::literal(literal)?.1]),
            Expression::Constant(h) => self.uniform(&self.constant(module.constants[h].init)?),
            Expression::ZeroValue(ty) => self.uniform(&vec![0; Shape::of(module, ty)?.leaves()]),
            Expression::FunctionArgument(i) => self.frame().arguments[i as usize].clone(),
            Expression::GlobalVariable(h) => {
                let (root, shape) = self.globals.get(&h).ok_or("an unknown global variable")?.clone();
                Slot::Pointer(Rc::new(self.whole(root, shape)))
            }
            Expression::LocalVariable(h) => {
                let shape = Shape::of(module, function.local_variables[h].ty)?;
                Slot::Pointer(Rc::new(self.whole(self.local(h.index()), shape)))
            }
            Expression::Access { base, index } => {
                let kind = self.shape(index)?.kind()?;
                let index = self.value(index)?;
                match self.slot(base)? {
                    Slot::Pointer(p) => Slot::Pointer(Rc::new(self.element_of(&p, &index, kind, active)?)),
                    Slot::Value(v) => {
                        let shape = self.shape(base)?;
                        Slot::Value(Rc::new(self.element_of_value(&v, &shape, &index, kind, active)?))
                    }
                }
            }
            Expression::AccessIndex { base, index } => match self.slot(base)? {
                Slot::Pointer(p) => Slot::Pointer(Rc::new(self.part_of(&p, index, active)?)),
                Slot::Value(v) => {
                    let shape = self.shape(base)?;
                    let (at, part) = shape.part(index, super::shape::Layout::Leaves).ok_or("no such part")?;
                    let (from, n) = (at as usize * self.lanes, part.leaves() * self.lanes);
                    Slot::Value(Rc::new(Value { data: v.data[from..from + n].to_vec() }))
                }
            },
            Expression::Load { pointer } => {
                let pointer = self.pointer(pointer)?;
                Slot::Value(Rc::new(self.load(&pointer, active)))
            }
            _ => Slot::Value(Rc::new(self.plain(expr, active)?)),
        })
    }

    /// Expressions that compute values from values.
    fn plain(&mut self, expr: Handle<Expression>, active: &[usize]) -> Result<Value, String> {
        let function = self.frame().function;
        match function.expressions[expr] {
            Expression::Compose { ref components, .. } => {
                let mut data = Vec::new();
                for component in components {
                    data.extend_from_slice(&self.value(*component)?.data);
                }
                Ok(Value { data })
            }
            Expression::Splat { size, value } => {
                let value = self.value(value)?;
                Ok(Value { data: value.data.repeat(size as usize) })
            }
            Expression::Swizzle { size, vector, pattern } => {
                let vector = self.value(vector)?;
                let leaf = |c: &naga::SwizzleComponent| {
                    let at = *c as usize * self.lanes;
                    vector.data[at..at + self.lanes].iter().copied()
                };
                Ok(Value { data: pattern[..size as usize].iter().flat_map(leaf).collect() })
            }
            Expression::Unary { op, expr } => {
                let f = scalar::unary(op, self.shape(expr)?.kind()?)?;
                let value = self.value(expr)?;
                Ok(self.map1(&value, f, active))
            }
            Expression::Binary { op, left, right } => self.binary(op, left, right, active),
            Expression::Select { condition, accept, reject } => {
                let condition = self.value(condition)?;
                let (accept, reject) = (self.value(accept)?, self.value(reject)?);
                Ok(self.select(&condition, &accept, &reject, active))
            }
            Expression::Relational { fun, argument } => self.relational(fun, argument, active),
            Expression::Math { fun, arg, arg1, arg2, arg3 } => {
                let arguments: Vec<_> = [Some(arg), arg1, arg2, arg3].into_iter().flatten().collect();
                self.math(fun, &arguments, active)
            }
            Expression::As { expr, kind, convert } => {
                let from = self.shape(expr)?.kind()?;
                let value = self.value(expr)?;
                self.conversion(&value, from, kind, convert, active)
            }
            Expression::ArrayLength(array) => {
                let pointer = self.pointer(array)?;
                let Root::Buffer(i) = pointer.root else { return Err("the length of no buffer".into()) };
                let len = self.runtime_len(i, &pointer.shape).min(u32::MAX.into());
                Ok(Value { data: vec![len; self.lanes] })
            }
            ref other => Err(format!("the expression {other:?}")),
        }
    }

    /// A function on each scalar.
    pub(super) fn map1(&self, a: &Value, f: Fn1, active: &[usize]) -> Value {
        let mut data = vec![0; a.data.len()];
        for (to, a) in data.chunks_exact_mut(self.lanes).zip(a.data.chunks_exact(self.lanes)) {
            active.iter().for_each(|l| to[*l] = f(a[*l]));
        }
        Value { data }
    }

    /// A function on pairs of scalars; one alone goes with all of the other's.
    pub(super) fn map2(&self, a: &Value, b: &Value, f: Fn2, active: &[usize]) -> Value {
        let lanes = self.lanes;
        let leaves = a.data.len().max(b.data.len()) / lanes;
        let mut data = vec![0; leaves * lanes];
        for (leaf, to) in data.chunks_exact_mut(lanes).enumerate() {
            let (a, b) = (self.leaf(a, leaf), self.leaf(b, leaf));
            active.iter().for_each(|l| to[*l] = f(a[*l], b[*l]));
        }
        Value { data }
    }

    /// A scalar of a value in all invocations; the first where there is only one.
    pub(super) fn leaf<'v>(&self, v: &'v Value, leaf: usize) -> &'v [u64] {
        let leaf = if v.data.len() == self.lanes { 0 } else { leaf };
        &v.data[leaf * self.lanes..(leaf + 1) * self.lanes]
    }

    fn select(&self, condition: &Value, accept: &Value, reject: &Value, active: &[usize]) -> Value {
        let mut data = vec![0; accept.data.len()];
        for (leaf, to) in data.chunks_exact_mut(self.lanes).enumerate() {
            let (c, a, r) = (self.leaf(condition, leaf), self.leaf(accept, leaf), self.leaf(reject, leaf));
            active.iter().for_each(|l| to[*l] = if c[*l] != 0 { a[*l] } else { r[*l] });
        }
        Value { data }
    }

    fn relational(
        &mut self,
        fun: RelationalFunction,
        argument: Handle<Expression>,
        active: &[usize],
    ) -> Result<Value, String> {
        let kind = self.shape(argument)?.kind()?;
        let value = self.value(argument)?;
        let fold = |start: u64, f: Fn2| {
            let mut data = vec![start; self.lanes];
            for leaf in value.data.chunks_exact(self.lanes) {
                active.iter().for_each(|l| data[*l] = f(data[*l], leaf[*l]));
            }
            Value { data }
        };
        Ok(match (fun, kind) {
            (RelationalFunction::All, _) => fold(1, |a, b| a & b),
            (RelationalFunction::Any, _) => fold(0, |a, b| a | b),
            (RelationalFunction::IsNan, Kind::F32) => {
                self.map1(&value, |a| f32::from_bits(a as u32).is_nan().into(), active)
            }
            (RelationalFunction::IsNan, _) => self.map1(&value, |a| f64::from_bits(a).is_nan().into(), active),
            (RelationalFunction::IsInf, Kind::F32) => {
                self.map1(&value, |a| f32::from_bits(a as u32).is_infinite().into(), active)
            }
            (RelationalFunction::IsInf, _) => self.map1(&value, |a| f64::from_bits(a).is_infinite().into(), active),
        })
    }

    fn conversion(
        &self,
        value: &Value,
        from: Kind,
        kind: ScalarKind,
        convert: Option<naga::Bytes>,
        active: &[usize],
    ) -> Result<Value, String> {
        let Some(width) = convert else { return Ok(Value { data: value.data.clone() }) };
        let to = Kind::of(naga::Scalar { kind, width })?;
        let mut data = vec![0; value.data.len()];
        for (to_leaf, leaf) in data.chunks_exact_mut(self.lanes).zip(value.data.chunks_exact(self.lanes)) {
            active.iter().for_each(|l| to_leaf[*l] = scalar::convert(from, to, leaf[*l]));
        }
        Ok(Value { data })
    }

    fn binary(
        &mut self,
        op: BinaryOperator,
        left: Handle<Expression>,
        right: Handle<Expression>,
        active: &[usize],
    ) -> Result<Value, String> {
        let (x, y) = (self.shape(left)?, self.shape(right)?);
        let (a, b) = (self.value(left)?, self.value(right)?);
        let kind = x.kind()?;
        let product = op == BinaryOperator::Multiply;
        match (&*x, &*y) {
            (Shape::Matrix { columns, rows, .. }, Shape::Matrix { .. } | Shape::Vector(..)) if product => {
                self.matrix_times(kind, &a, (*columns, *rows), &b, active)
            }
            (Shape::Vector(..), Shape::Matrix { rows, .. }) if product => {
                self.vector_times_matrix(kind, &a, &b, *rows, active)
            }
            _ => Ok(self.map2(&a, &b, scalar::binary(op, kind)?, active)),
        }
    }
}
