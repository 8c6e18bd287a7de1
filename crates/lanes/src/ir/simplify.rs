//! Identities that hold for every value, NaN, infinities and both zeros included.

use super::{BinaryOp, Op, Ty, UnaryOp, Value, builder::Builder, fold};

/// What an operation became.
pub(super) enum Step {
    /// An existing value.
    Value(Value),
    /// This operation, to be emitted.
    Op(Op),
}

/// Whether operands may be swapped. Not for floats: which NaN comes out may depend on the order.
pub(super) fn is_commutative(op: BinaryOp, ty: Ty) -> bool {
    use BinaryOp::*;
    matches!(op, Add | Mul | Min | Max | And | Or | Xor | Eq | Ne) && !ty.is_float()
}

/// The comparison that holds where `op` does not; integers and Bools only (a NaN makes both false).
fn inverse(op: BinaryOp) -> Option<BinaryOp> {
    use BinaryOp::*;
    Some(match op {
        Eq => Ne,
        Ne => Eq,
        Lt => Ge,
        Ge => Lt,
        Gt => Le,
        Le => Gt,
        _ => return None,
    })
}

/// The comparison with its operands swapped.
fn mirrored(op: BinaryOp) -> Option<BinaryOp> {
    use BinaryOp::*;
    Some(match op {
        Lt => Gt,
        Gt => Lt,
        Le => Ge,
        Ge => Le,
        _ => return None,
    })
}

/// Simplifies one operation.
pub(super) fn step(b: &mut Builder, ty: Ty, op: Op) -> Step {
    match op {
        Op::Unary(o, a) => unary(b, ty, o, a),
        Op::Binary(o, x, y) => binary(b, ty, o, x, y),
        Op::Fma(x, y, z) => match (b.as_const(x), b.as_const(y), b.as_const(z)) {
            (Some(p), Some(q), Some(r)) => folded(b, ty, op, fold::fma(ty, p, q, r)),
            _ => Step::Op(op),
        },
        Op::Select { cond, accept, reject } => select(b, ty, cond, accept, reject),
        Op::Convert(a) if b.ty(a) == ty => Step::Value(a),
        Op::Convert(a) => {
            let bits = b.as_const(a).and_then(|bits| fold::convert(b.ty(a), ty, bits));
            folded(b, ty, op, bits)
        }
        Op::Bitcast(a) => bitcast(b, ty, a),
        Op::Const(_) | Op::Builtin(_) | Op::Load(_) | Op::ArrayLength(_) => Step::Op(op),
    }
}

fn folded(b: &mut Builder, ty: Ty, op: Op, bits: Option<u64>) -> Step {
    match bits {
        Some(bits) => Step::Value(b.constant(ty, bits)),
        None => Step::Op(op),
    }
}

fn bitcast(b: &mut Builder, ty: Ty, a: Value) -> Step {
    if b.ty(a) == ty {
        return Step::Value(a);
    }
    match b.def(a) {
        Some(&Op::Bitcast(inner)) => Step::Value(b.bitcast(ty, inner)),
        Some(&Op::Const(bits)) => Step::Value(b.constant(ty, bits)),
        _ => Step::Op(Op::Bitcast(a)),
    }
}

fn unary(b: &mut Builder, ty: Ty, op: UnaryOp, a: Value) -> Step {
    if let Some(bits) = b.as_const(a).and_then(|bits| fold::unary(op, ty, bits)) {
        return Step::Value(b.constant(ty, bits));
    }
    match (op, b.def(a)) {
        (UnaryOp::Neg, Some(&Op::Unary(UnaryOp::Neg, x))) => Step::Value(x),
        (UnaryOp::Not, Some(&Op::Unary(UnaryOp::Not, x))) => Step::Value(x),
        (UnaryOp::Not, Some(&Op::Binary(o, x, y))) if ty == Ty::Bool && !b.ty(x).is_float() => match inverse(o) {
            Some(o) => Step::Value(b.binary(o, x, y)),
            None => Step::Op(Op::Unary(op, a)),
        },
        (UnaryOp::Abs, _) if matches!(ty, Ty::U32 | Ty::U64) => Step::Value(a),
        _ => Step::Op(Op::Unary(op, a)),
    }
}

fn binary(b: &mut Builder, ty: Ty, op: BinaryOp, x: Value, y: Value) -> Step {
    let operand = b.ty(x);
    match (b.as_const(x), b.as_const(y)) {
        (Some(p), Some(q)) => {
            let bits = fold::binary(op, operand, p, q);
            return folded(b, ty, Op::Binary(op, x, y), bits);
        }
        // Constants on the right.
        (Some(_), None) if is_commutative(op, operand) => return Step::Value(b.binary(op, y, x)),
        (Some(_), None) if !operand.is_float() && mirrored(op).is_some() => {
            let op = mirrored(op).unwrap_or(op);
            return Step::Value(b.binary(op, y, x));
        }
        _ => {}
    }
    let simpler = match operand {
        Ty::Bool => bool_identity(b, op, x, y),
        Ty::F16 | Ty::F32 | Ty::F64 => float_identity(b, operand, op, x, y),
        Ty::I32 | Ty::U32 | Ty::I64 | Ty::U64 => int_identity(b, operand, op, x, y),
    };
    simpler.map_or(Step::Op(Op::Binary(op, x, y)), Step::Value)
}

fn bool_identity(b: &mut Builder, op: BinaryOp, x: Value, y: Value) -> Option<Value> {
    use BinaryOp::*;
    if x == y {
        return match op {
            And | Or => Some(x),
            Xor | Ne => Some(b.bool(false)),
            Eq => Some(b.bool(true)),
            _ => None,
        };
    }
    match (op, b.as_bool(y)?) {
        (And, true) | (Or, false) | (Xor | Ne, false) | (Eq, true) => Some(x),
        (And, false) | (Or, true) => Some(y),
        (Xor | Ne, true) | (Eq, false) => Some(b.not(x)),
        _ => None,
    }
}

/// `x * 1`, `1 * x`, `x / 1`, `x - 0` (but not `x + 0`, which turns -0 into 0).
fn float_identity(b: &Builder, ty: Ty, op: BinaryOp, x: Value, y: Value) -> Option<Value> {
    let one = match ty {
        Ty::F32 => u64::from(1f32.to_bits()),
        Ty::F64 => 1f64.to_bits(),
        _ => return None,
    };
    match op {
        BinaryOp::Mul if b.as_const(x) == Some(one) => Some(y),
        BinaryOp::Mul | BinaryOp::Div if b.as_const(y) == Some(one) => Some(x),
        BinaryOp::Sub if b.as_const(y) == Some(0) => Some(x),
        _ => None,
    }
}

fn int_identity(b: &mut Builder, ty: Ty, op: BinaryOp, x: Value, y: Value) -> Option<Value> {
    use BinaryOp::*;
    if x == y {
        return match op {
            Sub | Xor => Some(b.constant(ty, 0)),
            And | Or | Min | Max => Some(x),
            Eq | Le | Ge => Some(b.bool(true)),
            Ne | Lt | Gt => Some(b.bool(false)),
            _ => None,
        };
    }
    let ones = fold::truncate(ty, u64::MAX);
    let width = u64::from(ty.bytes() * 8);
    match (op, b.as_const(y)?) {
        (Add | Sub | Or | Xor, 0) | (Mul | Div, 1) => Some(x),
        (Mul | And, 0) => Some(y),
        (Rem, 1) => Some(b.constant(ty, 0)),
        (And, bits) if bits == ones => Some(x),
        (Or, bits) if bits == ones => Some(y),
        (Shl | Shr, bits) if bits % width == 0 => Some(x),
        _ => None,
    }
}

fn select(b: &mut Builder, ty: Ty, cond: Value, accept: Value, reject: Value) -> Step {
    if accept == reject {
        return Step::Value(accept);
    }
    if let Some(c) = b.as_bool(cond) {
        return Step::Value(if c { accept } else { reject });
    }
    if ty == Ty::Bool {
        let value = match (b.as_bool(accept), b.as_bool(reject)) {
            (Some(true), Some(false)) => Some(cond),
            (Some(false), Some(true)) => Some(b.not(cond)),
            (Some(true), None) => Some(b.binary(BinaryOp::Or, cond, reject)),
            (None, Some(false)) => Some(b.binary(BinaryOp::And, cond, accept)),
            (Some(false), None) => {
                let other = b.not(cond);
                Some(b.binary(BinaryOp::And, other, reject))
            }
            (None, Some(true)) => {
                let other = b.not(cond);
                Some(b.binary(BinaryOp::Or, other, accept))
            }
            _ => None,
        };
        if let Some(value) = value {
            return Step::Value(value);
        }
    }
    if let Some(&Op::Unary(UnaryOp::Not, inner)) = b.def(cond) {
        return Step::Value(b.select(inner, reject, accept));
    }
    Step::Op(Op::Select { cond, accept, reject })
}
