//! Rough costs of pure operations, for passes that weigh computing a value in vain against a branch.

use super::{BinaryOp, Op, Ty, UnaryOp};

/// Rough cost of a pure operation; an addition is 1, and so is a load, whose cost depends on its address.
pub(crate) fn weight(op: &Op, ty: Ty) -> u32 {
    match op {
        Op::Const(_) | Op::Builtin(_) | Op::ArrayLength(_) | Op::Bitcast(_) => 0,
        Op::Binary(BinaryOp::Div | BinaryOp::Rem, ..) if !ty.is_float() => 16,
        Op::Binary(BinaryOp::Div | BinaryOp::Rem, ..) | Op::Unary(UnaryOp::Sqrt | UnaryOp::InverseSqrt, _) => 6,
        Op::Binary(BinaryOp::Pow | BinaryOp::Atan2, ..) => 32,
        Op::Unary(op, _) if is_transcendental(*op) => 32,
        _ => 1,
    }
}

fn is_transcendental(op: UnaryOp) -> bool {
    use UnaryOp::*;
    matches!(
        op,
        Exp | Exp2 | Log | Log2 | Sin | Cos | Tan | Asin | Acos | Atan | Sinh | Cosh | Tanh | Asinh | Acosh | Atanh
    )
}
