//! Atomics: one invocation after the other.

use super::{
    Machine, Slot, Value,
    scalar::{Kind, binary},
    shape::Shape,
};
use naga::{AtomicFunction, BinaryOperator, Expression, Handle};
use std::rc::Rc;

impl Machine<'_, '_> {
    pub(super) fn atomic(
        &mut self,
        pointer: Handle<Expression>,
        fun: &AtomicFunction,
        value: Handle<Expression>,
        result: Option<Handle<Expression>>,
        active: &[usize],
    ) -> Result<(), String> {
        let pointer = self.pointer(pointer)?;
        let Shape::Atomic(kind) = *pointer.shape else { return Err("an atomic on a plain variable".into()) };
        let value = self.value(value)?;
        let compare = match *fun {
            AtomicFunction::Exchange { compare: Some(c) } => Some(self.value(c)?),
            _ => None,
        };
        let lanes = self.lanes;
        let mut data = vec![0; lanes * if compare.is_some() { 2 } else { 1 }];
        for &l in active {
            let old = self.read(pointer.root, pointer.at[l], kind, l);
            let expected = compare.as_ref().map(|c| c.data[l]);
            if let Some(new) = modified(fun, kind, old, value.data[l], expected)? {
                self.write(pointer.root, pointer.at[l], kind, l, new);
            }
            data[l] = old;
            if let Some(expected) = expected {
                data[lanes + l] = u64::from(old == expected);
            }
        }
        if let Some(result) = result {
            self.frame().slots[result.index()] = Some(Slot::Value(Rc::new(Value { data })));
        }
        Ok(())
    }
}

/// What is written, if anything.
fn modified(
    fun: &AtomicFunction,
    kind: Kind,
    old: u64,
    value: u64,
    expected: Option<u64>,
) -> Result<Option<u64>, String> {
    let by = |op| binary(op, kind).map(|f| f(old, value));
    let less = binary(BinaryOperator::Less, kind)?;
    Ok(Some(match fun {
        AtomicFunction::Add => by(BinaryOperator::Add)?,
        AtomicFunction::Subtract => by(BinaryOperator::Subtract)?,
        AtomicFunction::And => by(BinaryOperator::And)?,
        AtomicFunction::ExclusiveOr => by(BinaryOperator::ExclusiveOr)?,
        AtomicFunction::InclusiveOr => by(BinaryOperator::InclusiveOr)?,
        AtomicFunction::Min => {
            if less(value, old) != 0 {
                value
            } else {
                old
            }
        }
        AtomicFunction::Max => {
            if less(old, value) != 0 {
                value
            } else {
                old
            }
        }
        AtomicFunction::Exchange { .. } => match expected {
            Some(expected) if expected != old => return Ok(None),
            _ => value,
        },
    }))
}
