//! Identities that hold for every value, NaN, infinities and both zeros included.

use super::{BinaryOp, Op, Ty, UnaryOp, Value, fold};

/// The code around an operation: what its operands are, and where new operations go.
pub(crate) trait Context {
    /// The type of a value.
    fn ty(&self, value: Value) -> Ty;
    /// The operation that defines a value, where that is known.
    fn def(&self, value: Value) -> Option<&Op>;
    /// The value of an operation, simplified in its turn.
    fn op(&mut self, ty: Ty, op: Op) -> Value;

    /// The bits of a constant.
    fn as_const(&self, value: Value) -> Option<u64> {
        match self.def(value) {
            Some(Op::Const(bits)) => Some(*bits),
            _ => None,
        }
    }

    /// The truth of a constant Bool.
    fn as_bool(&self, value: Value) -> Option<bool> {
        self.as_const(value).map(|bits| bits != 0)
    }

    /// A constant of the type with these bits.
    fn constant(&mut self, ty: Ty, bits: u64) -> Value {
        self.op(ty, Op::Const(fold::truncate(ty, bits)))
    }

    /// A truth value.
    fn bool(&mut self, value: bool) -> Value {
        self.constant(Ty::Bool, value.into())
    }

    /// `a op b`.
    fn binary(&mut self, op: BinaryOp, a: Value, b: Value) -> Value {
        let ty = if op.is_comparison() { Ty::Bool } else { self.ty(a) };
        self.op(ty, Op::Binary(op, a, b))
    }

    /// The logical complement, comparisons of integers inverted.
    fn not(&mut self, a: Value) -> Value {
        self.op(Ty::Bool, Op::Unary(UnaryOp::Not, a))
    }

    /// `if cond { accept } else { reject }`.
    fn select(&mut self, cond: Value, accept: Value, reject: Value) -> Value {
        self.op(self.ty(accept), Op::Select { cond, accept, reject })
    }

    /// The value's bits as another type of its size.
    fn bitcast(&mut self, ty: Ty, a: Value) -> Value {
        self.op(ty, Op::Bitcast(a))
    }
}

/// What an operation became.
pub(crate) enum Step {
    /// An existing value.
    Value(Value),
    /// This operation, to be emitted.
    Op(Op),
}

/// Whether operands may be swapped. Not for floats: which NaN comes out may depend on the order.
pub(crate) fn is_commutative(op: BinaryOp, ty: Ty) -> bool {
    use BinaryOp::*;
    matches!(op, Add | Mul | MulHigh | Min | Max | And | Or | Xor | Eq | Ne) && !ty.is_float()
}

/// The comparison that holds where `op` does not; integers and Bools only (a NaN makes both false).
pub(crate) fn inverse(op: BinaryOp) -> Option<BinaryOp> {
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
pub(crate) fn mirrored(op: BinaryOp) -> Option<BinaryOp> {
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
pub(crate) fn step(b: &mut impl Context, ty: Ty, op: Op) -> Step {
    match op {
        Op::Unary(o, a) => unary(b, ty, o, a),
        Op::Binary(o, x, y) => binary(b, ty, o, x, y),
        Op::Fma(x, y, z) => match (b.as_const(x), b.as_const(y), b.as_const(z)) {
            (Some(p), Some(q), Some(r)) => folded(b, ty, op, fold::fma(ty, p, q, r)),
            _ => Step::Op(op),
        },
        Op::Select { cond, accept, reject } => select(b, ty, cond, accept, reject),
        Op::Convert(a) if b.ty(a) == ty => Step::Value(a),
        Op::Convert(a) => convert(b, ty, a),
        Op::Bitcast(a) => bitcast(b, ty, a),
        Op::Const(_) | Op::Builtin(_) | Op::Load(_) | Op::ArrayLength(_) => Step::Op(op),
    }
}

fn folded(b: &mut impl Context, ty: Ty, op: Op, bits: Option<u64>) -> Step {
    match bits {
        Some(bits) => Step::Value(b.constant(ty, bits)),
        None => Step::Op(op),
    }
}

fn convert(b: &mut impl Context, ty: Ty, a: Value) -> Step {
    // What came from 16 bits goes back to the same 16 bits.
    if ty.is_memory_only()
        && let Some(inner) = converted_from(b, a, ty)
    {
        return Step::Value(inner);
    }
    // The conversion rounds anyway.
    if ty == Ty::F16
        && let Some(&Op::Unary(UnaryOp::QuantizeF16, x)) = b.def(a)
    {
        return Step::Value(b.op(ty, Op::Convert(x)));
    }
    let bits = b.as_const(a).and_then(|bits| fold::convert(b.ty(a), ty, bits));
    folded(b, ty, Op::Convert(a), bits)
}

/// What a value was converted from, where that has the type.
fn converted_from(b: &impl Context, value: Value, ty: Ty) -> Option<Value> {
    match b.def(value) {
        Some(&Op::Convert(inner)) if b.ty(inner) == ty => Some(inner),
        _ => None,
    }
}

fn bitcast(b: &mut impl Context, ty: Ty, a: Value) -> Step {
    if b.ty(a) == ty {
        return Step::Value(a);
    }
    match b.def(a) {
        Some(&Op::Bitcast(inner)) => Step::Value(b.bitcast(ty, inner)),
        Some(&Op::Const(bits)) => Step::Value(b.constant(ty, bits)),
        _ => Step::Op(Op::Bitcast(a)),
    }
}

fn unary(b: &mut impl Context, ty: Ty, op: UnaryOp, a: Value) -> Step {
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
        (UnaryOp::QuantizeF16, Some(Op::Unary(UnaryOp::QuantizeF16, _))) => Step::Value(a),
        (UnaryOp::QuantizeF16, _) if converted_from(b, a, Ty::F16).is_some() => Step::Value(a),
        _ => Step::Op(Op::Unary(op, a)),
    }
}

fn binary(b: &mut impl Context, ty: Ty, op: BinaryOp, x: Value, y: Value) -> Step {
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
        Ty::F32 | Ty::F64 => float_identity(b, operand, op, x, y),
        Ty::F16 | Ty::I16 | Ty::U16 => None,
        Ty::I32 | Ty::U32 | Ty::I64 | Ty::U64 => int_identity(b, operand, op, x, y),
    };
    simpler.map_or(Step::Op(Op::Binary(op, x, y)), Step::Value)
}

fn bool_identity(b: &mut impl Context, op: BinaryOp, x: Value, y: Value) -> Option<Value> {
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
fn float_identity(b: &impl Context, ty: Ty, op: BinaryOp, x: Value, y: Value) -> Option<Value> {
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

fn int_identity(b: &mut impl Context, ty: Ty, op: BinaryOp, x: Value, y: Value) -> Option<Value> {
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

fn select(b: &mut impl Context, ty: Ty, cond: Value, accept: Value, reject: Value) -> Step {
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
