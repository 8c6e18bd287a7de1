//! Pointers, loads, stores and atomics.

use super::{
    lower::{Lower, Lowered, Pointer, Root},
    shape::Shape,
};
use crate::{
    error::Error,
    ir::{AtomicOp, BarrierScope, Base, BinaryOp, Len, Place, Step, Ty, Value},
};
use naga::{AtomicFunction, Expression, Handle};
use std::rc::Rc;

/// Leaves up to which a by-value composite is indexed by selects, and up to which memory is cleared by single stores.
const FEW: u64 = 16;

impl Lower<'_> {
    /// A pointer to the part that a constant index selects.
    pub(super) fn part_of(&mut self, pointer: &Pointer, index: u32) -> Result<Pointer, Error> {
        let is_runtime = pointer.shape.parts().is_none();
        if is_runtime {
            let index = self.b.u32(index);
            return self.element_of(pointer, index);
        }
        let Some(part) = pointer.shape.part(index) else { return self.invalid("an index out of range") };
        let root = match &pointer.root {
            Root::Variables(first) => Root::Variables(first + part.leaf),
            Root::Component { .. } => return self.invalid("a part of a component"),
            Root::Memory { base, offset, steps } => {
                let Some(offset) = offset.checked_add(part.offset) else {
                    return self.invalid("an offset over 4 GiB");
                };
                Root::Memory { base: *base, offset, steps: steps.clone() }
            }
        };
        Ok(Pointer { root, shape: part.shape })
    }

    /// A pointer to the part that a computed index selects.
    pub(super) fn element_of(&mut self, pointer: &Pointer, index: Value) -> Result<Pointer, Error> {
        let parts = pointer.shape.parts();
        if let (Some(n), Some(i)) = (parts, self.b.as_const(index))
            && i < u64::from(n)
        {
            return self.part_of(pointer, i as u32);
        }
        let Some(part) = pointer.shape.part(0) else { return self.invalid("an index of a scalar") };
        let (base, offset, steps) = match &pointer.root {
            Root::Memory { base, offset, steps } => (base, offset, steps),
            Root::Variables(first) if matches!(*pointer.shape, Shape::Vector(..)) => {
                let root = Root::Component { first: *first, count: parts.unwrap_or(0) as usize, index };
                return Ok(Pointer { root, shape: part.shape });
            }
            _ => return self.invalid("a computed index of a split variable"),
        };
        let index = self.index(index);
        let len = parts.map_or(Len::Runtime, Len::Const);
        let mut steps = steps.clone();
        steps.push(Step { index, stride: pointer.shape.stride(), len });
        Ok(Pointer { root: Root::Memory { base: *base, offset: *offset, steps }, shape: part.shape })
    }

    /// The index as 32 bits; a 64-bit one that does not fit stays out of bounds.
    fn index(&mut self, index: Value) -> Value {
        let wide = match self.b.ty(index) {
            Ty::I64 => self.b.bitcast(Ty::U64, index),
            Ty::U64 => index,
            _ => return index,
        };
        let (max, all) = (self.b.constant(Ty::U64, u32::MAX.into()), self.b.u32(u32::MAX));
        let fits = self.b.binary(BinaryOp::Lt, wide, max);
        let low = self.b.convert(Ty::U32, wide);
        self.b.select(fits, low, all)
    }

    /// The leaves of a composite value's part that a computed index selects; zero out of range.
    pub(super) fn element_of_value(
        &mut self,
        values: &Rc<[Value]>,
        shape: &Rc<Shape>,
        index: Value,
    ) -> Result<Rc<[Value]>, Error> {
        let (Some(n), Some(part)) = (shape.parts(), shape.part(0)) else {
            return self.invalid("an index of a scalar");
        };
        let width = part.shape.leaves() as usize;
        if let Some(i) = self.b.as_const(index) {
            return match values.chunks_exact(width.max(1)).nth(i as usize) {
                Some(leaves) if i < u64::from(n) => Ok(leaves.into()),
                _ => self.zeros(&part.shape),
            };
        }
        if shape.leaves() > FEW {
            return self.element_of_spilled(values, shape, index);
        }
        let mut selected = self.zeros(&part.shape)?.to_vec();
        for (i, leaves) in values.chunks_exact(width.max(1)).enumerate() {
            let this = self.b.constant(self.b.ty(index), i as u64);
            let hit = self.b.binary(BinaryOp::Eq, index, this);
            for (s, leaf) in selected.iter_mut().zip(leaves) {
                *s = self.b.select(hit, *leaf, *s);
            }
        }
        Ok(selected.into())
    }

    /// The same through private memory. A constant table is filled once, before the body.
    fn element_of_spilled(
        &mut self,
        values: &Rc<[Value]>,
        shape: &Rc<Shape>,
        index: Value,
    ) -> Result<Rc<[Value]>, Error> {
        let own = own_layout(shape);
        let is_table = values.iter().all(|v| self.b.as_const(*v).is_some());
        let known = if is_table { self.tables.get(values).copied() } else { None };
        let pointer = match known {
            Some(i) => Pointer { root: memory(Base::Private(i)), shape: own },
            None => {
                let pointer = self.private_memory(if is_table { "table" } else { "indexed" }, own)?;
                if is_table {
                    self.tables.insert(values.clone(), self.private.len() as u32 - 1);
                    let places = self.places(&pointer)?;
                    places.into_iter().zip(values.iter()).for_each(|((p, _), v)| self.b.store_first(p, *v));
                } else {
                    self.store(&pointer, values)?;
                }
                pointer
            }
        };
        let element = self.element_of(&pointer, index)?;
        self.load(&element)
    }

    /// The place and type of each leaf behind a pointer to memory.
    fn places(&self, pointer: &Pointer) -> Result<Vec<(Place, Ty)>, Error> {
        self.check_leaves(&pointer.shape)?;
        let Root::Memory { base, offset, ref steps } = pointer.root else {
            return self.invalid("a split variable has no place");
        };
        let mut places = Vec::new();
        pointer.shape.each_leaf(offset, &mut |offset, ty| {
            places.push((Place { base, offset, steps: steps.clone() }, ty));
        });
        Ok(places)
    }

    /// What a pointer points to.
    pub(super) fn load(&mut self, pointer: &Pointer) -> Result<Rc<[Value]>, Error> {
        if let Root::Variables(first) = pointer.root {
            return Ok((first..first + pointer.shape.leaves() as usize).map(|v| self.env.get(v)).collect());
        }
        if let Root::Component { first, count, index } = pointer.root {
            let values: Rc<[Value]> = (first..first + count).map(|v| self.env.get(v)).collect();
            let Some(ty) = values.first().map(|v| self.b.ty(*v)) else { return self.invalid("an empty vector") };
            let vector = Rc::new(Shape::Vector(ty, count as u32));
            return self.element_of_value(&values, &vector, index);
        }
        let places = self.places(pointer)?;
        if let Shape::Atomic(ty) = *pointer.shape {
            let zero = self.b.constant(ty, 0);
            return Ok(places.into_iter().map(|(p, _)| self.b.atomic(AtomicOp::Load, p, zero, None)).collect());
        }
        let load = |(place, ty): (Place, Ty)| {
            let stored = self.b.load(ty, place);
            self.b.convert(ty.carrier(), stored)
        };
        Ok(places.into_iter().map(load).collect())
    }

    /// Writes what a pointer points to.
    pub(super) fn store(&mut self, pointer: &Pointer, values: &[Value]) -> Result<(), Error> {
        if pointer.shape.leaves() != values.len() as u64 {
            return self.invalid("a store of another type");
        }
        if let Root::Variables(first) = pointer.root {
            values.iter().enumerate().for_each(|(i, v)| self.env.set(first + i, *v));
            return Ok(());
        }
        if let Root::Component { first, count, index } = pointer.root {
            for i in 0..count {
                let this = self.b.constant(self.b.ty(index), i as u64);
                let hit = self.b.binary(BinaryOp::Eq, index, this);
                let value = self.b.select(hit, values[0], self.env.get(first + i));
                self.env.set(first + i, value);
            }
            return Ok(());
        }
        let is_atomic = matches!(*pointer.shape, Shape::Atomic(_));
        for ((place, ty), value) in self.places(pointer)?.into_iter().zip(values) {
            if is_atomic {
                self.b.atomic(AtomicOp::Store, place, *value, None);
            } else {
                let value = self.stored(ty, *value);
                self.b.store(place, value);
            }
        }
        Ok(())
    }

    /// Sets what a pointer points to to zero; a loop over words where it is long and no host sees its padding.
    pub(super) fn clear(&mut self, pointer: &Pointer) -> Result<(), Error> {
        if let Root::Memory { base: base @ (Base::Private(_) | Base::Workgroup(_)), offset, ref steps } = pointer.root
            && pointer.shape.leaves() > FEW
        {
            let words = pointer.shape.size() / 4;
            let (zero, one, end) = (self.b.u32(0), self.b.u32(1), self.b.u32(words));
            let index = self.b.open_loop(&[zero])[0];
            let mut steps = steps.clone();
            steps.push(Step { index, stride: 4, len: Len::Const(words) });
            self.b.store(Place { base, offset, steps }, zero);
            let next = self.b.binary(BinaryOp::Add, index, one);
            let again = self.b.binary(BinaryOp::Lt, next, end);
            self.b.end_loop(&[(zero, index, next)], again);
            return Ok(());
        }
        let zeros = self.zeros(&pointer.shape)?;
        self.store(pointer, &zeros)
    }

    pub(super) fn pointer(&mut self, expr: Handle<Expression>) -> Result<Rc<Pointer>, Error> {
        match self.eval(expr)? {
            Lowered::Pointer(pointer) => Ok(pointer),
            Lowered::Value(_) => self.invalid("a value where a pointer is due"),
        }
    }

    pub(super) fn store_statement(
        &mut self,
        pointer: Handle<Expression>,
        value: Handle<Expression>,
    ) -> Result<(), Error> {
        let pointer = self.pointer(pointer)?;
        if matches!(self.frame().function.expressions[value], Expression::ZeroValue(_)) {
            return self.clear(&pointer);
        }
        let values = self.value(value)?;
        self.store(&pointer, &values)
    }

    /// `workgroupUniformLoad`.
    pub(super) fn uniform_load(
        &mut self,
        pointer: Handle<Expression>,
        result: Handle<Expression>,
    ) -> Result<(), Error> {
        let pointer = self.pointer(pointer)?;
        self.b.barrier(BarrierScope::Group);
        let values = self.load(&pointer)?;
        self.b.barrier(BarrierScope::Group);
        self.cache(result, Lowered::Value(values));
        Ok(())
    }

    pub(super) fn atomic(
        &mut self,
        pointer: Handle<Expression>,
        fun: &AtomicFunction,
        value: Handle<Expression>,
        result: Option<Handle<Expression>>,
    ) -> Result<(), Error> {
        let pointer = self.pointer(pointer)?;
        if !matches!(*pointer.shape, Shape::Atomic(_)) {
            return self.invalid("an atomic on a plain variable");
        }
        let operand = self.scalar(value)?;
        let (op, compare) = match *fun {
            AtomicFunction::Add => (AtomicOp::Add, None),
            AtomicFunction::Subtract => (AtomicOp::Sub, None),
            AtomicFunction::And => (AtomicOp::And, None),
            AtomicFunction::ExclusiveOr => (AtomicOp::Xor, None),
            AtomicFunction::InclusiveOr => (AtomicOp::Or, None),
            AtomicFunction::Min => (AtomicOp::Min, None),
            AtomicFunction::Max => (AtomicOp::Max, None),
            AtomicFunction::Exchange { compare: None } => (AtomicOp::Exchange, None),
            AtomicFunction::Exchange { compare: Some(c) } => (AtomicOp::CompareExchange, Some(self.scalar(c)?)),
        };
        let Some((place, _)) = self.places(&pointer)?.pop() else { return self.invalid("an atomic of nothing") };
        let old = self.b.atomic(op, place, operand, compare);
        if let Some(result) = result {
            let values: Rc<[Value]> = match compare {
                Some(c) => [old, self.b.binary(BinaryOp::Eq, old, c)].into(),
                None => [old].into(),
            };
            self.cache(result, Lowered::Value(values));
        }
        Ok(())
    }

    pub(super) fn scalar(&mut self, expr: Handle<Expression>) -> Result<Value, Error> {
        match self.value(expr)?[..] {
            [value] => Ok(value),
            _ => self.invalid("a composite where a scalar is due"),
        }
    }
}

fn memory(base: Base) -> Root {
    Root::Memory { base, offset: 0, steps: Vec::new() }
}

/// The type as private memory holds it.
fn own_layout(shape: &Rc<Shape>) -> Rc<Shape> {
    match &**shape {
        Shape::Array { element, len, .. } => {
            let element = own_layout(element);
            let stride = element.size().next_multiple_of(element.align());
            Rc::new(Shape::Array { element, len: *len, stride })
        }
        Shape::Struct { members, .. } => {
            let (mut end, mut align) = (0u32, 4);
            let mut parts = Vec::with_capacity(members.len());
            for (_, member) in members {
                let member = own_layout(member);
                let offset = end.next_multiple_of(member.align());
                align = align.max(member.align());
                end = offset + member.size();
                parts.push((offset, member));
            }
            Rc::new(Shape::Struct { members: parts, size: end.next_multiple_of(align), align })
        }
        Shape::Matrix { columns, column } => Rc::new(Shape::Matrix { columns: *columns, column: own_layout(column) }),
        Shape::Vector(ty, n) => Rc::new(Shape::Vector(ty.carrier(), *n)),
        Shape::Scalar(ty) => Rc::new(Shape::Scalar(ty.carrier())),
        Shape::Atomic(_) => shape.clone(),
    }
}
