//! Unary and binary operators on scalars, vectors and matrices.

use super::{lower::Lower, shape::Shape};
use crate::{
    error::Error,
    ir::{BinaryOp, Ty, UnaryOp, Value},
};
use naga::{BinaryOperator, Expression, Handle, UnaryOperator};
use std::rc::Rc;

impl Lower<'_> {
    pub(super) fn unary_expr(&mut self, op: UnaryOperator, expr: Handle<Expression>) -> Result<Rc<[Value]>, Error> {
        let op = match op {
            UnaryOperator::Negate => UnaryOp::Neg,
            UnaryOperator::LogicalNot | UnaryOperator::BitwiseNot => UnaryOp::Not,
        };
        let (values, ty) = (self.value(expr)?, self.scalar_of(expr)?);
        let results: Vec<Value> = values.iter().map(|v| self.b.unary(op, *v)).collect();
        // A half has its negative; an integer may wrap.
        Ok(self.all_narrowed(ty.filter(|ty| !ty.is_float()), results).into())
    }

    pub(super) fn binary_expr(
        &mut self,
        op: BinaryOperator,
        left: Handle<Expression>,
        right: Handle<Expression>,
    ) -> Result<Rc<[Value]>, Error> {
        let (a, b) = (self.value(left)?, self.value(right)?);
        let ty = self.scalar_of(left)?;
        if op == BinaryOperator::Multiply {
            let (x, y) = (self.shape_of(left)?, self.shape_of(right)?);
            match (&*x, &*y) {
                (Shape::Matrix { .. }, Shape::Matrix { .. } | Shape::Vector(..)) => {
                    let rows = x.part(0).map_or(1, |column| column.shape.leaves() as usize);
                    let product = self.matrix_times(&a, rows, &b);
                    return Ok(self.all_narrowed(ty, product).into());
                }
                (Shape::Vector(..), Shape::Matrix { .. }) => {
                    let product = self.vector_times_matrix(&a, &b);
                    return Ok(self.all_narrowed(ty, product).into());
                }
                _ => {}
            }
        }
        let op = binary_op(op);
        let Some(short) = ty.filter(|ty| ty.is_memory_only() && !op.is_comparison()) else {
            return self.elementwise(op, &a, &b);
        };
        let b = if matches!(op, BinaryOp::Shl | BinaryOp::Shr) { self.within_16(&b) } else { b };
        let results = self.elementwise(op, &a, &b)?;
        Ok(self.all_narrowed(Some(short), results).into())
    }

    /// Amounts of shifts of 16-bit integers.
    fn within_16(&mut self, amounts: &[Value]) -> Rc<[Value]> {
        let mask = self.b.u32(15);
        amounts.iter().map(|v| self.b.binary(BinaryOp::And, *v, mask)).collect()
    }

    /// The operator on each pair of components; a scalar goes with every component.
    fn elementwise(&mut self, op: BinaryOp, a: &[Value], b: &[Value]) -> Result<Rc<[Value]>, Error> {
        let pick = |list: &[Value], i: usize| if list.len() == 1 { list[0] } else { list[i] };
        if a.len() != b.len() && a.len() != 1 && b.len() != 1 {
            return self.invalid("operands of different sizes");
        }
        Ok((0..a.len().max(b.len())).map(|i| self.b.binary(op, pick(a, i), pick(b, i))).collect())
    }

    /// A constant of a float type.
    pub(super) fn float(&mut self, ty: Ty, x: f64) -> Value {
        let bits = if ty == Ty::F64 { x.to_bits() } else { u64::from((x as f32).to_bits()) };
        self.b.constant(ty, bits)
    }

    /// A constant of any numeric type.
    pub(super) fn number(&mut self, ty: Ty, x: i32) -> Value {
        if ty.is_float() { self.float(ty, x.into()) } else { self.b.constant(ty, i64::from(x) as u64) }
    }

    pub(super) fn add(&mut self, a: Value, b: Value) -> Value {
        self.b.binary(BinaryOp::Add, a, b)
    }

    pub(super) fn sub(&mut self, a: Value, b: Value) -> Value {
        self.b.binary(BinaryOp::Sub, a, b)
    }

    pub(super) fn mul(&mut self, a: Value, b: Value) -> Value {
        self.b.binary(BinaryOp::Mul, a, b)
    }
}

fn binary_op(op: BinaryOperator) -> BinaryOp {
    match op {
        BinaryOperator::Add => BinaryOp::Add,
        BinaryOperator::Subtract => BinaryOp::Sub,
        BinaryOperator::Multiply => BinaryOp::Mul,
        BinaryOperator::Divide => BinaryOp::Div,
        BinaryOperator::Modulo => BinaryOp::Rem,
        BinaryOperator::Equal => BinaryOp::Eq,
        BinaryOperator::NotEqual => BinaryOp::Ne,
        BinaryOperator::Less => BinaryOp::Lt,
        BinaryOperator::LessEqual => BinaryOp::Le,
        BinaryOperator::Greater => BinaryOp::Gt,
        BinaryOperator::GreaterEqual => BinaryOp::Ge,
        BinaryOperator::And | BinaryOperator::LogicalAnd => BinaryOp::And,
        BinaryOperator::ExclusiveOr => BinaryOp::Xor,
        BinaryOperator::InclusiveOr | BinaryOperator::LogicalOr => BinaryOp::Or,
        BinaryOperator::ShiftLeft => BinaryOp::Shl,
        BinaryOperator::ShiftRight => BinaryOp::Shr,
    }
}
