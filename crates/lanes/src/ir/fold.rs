//! What each exact operation gives on constant bits: the arithmetic that the IR promises.
//!
//! Bits are those of [`Op::Const`](super::Op::Const): zero-extended, Bool 0 or 1. `None` means "not folded":
//! a transcendental function (back ends expand those), a NaN result (its payload belongs to the machine),
//! or a type that the operation does not have.

use super::{BinaryOp, Ty, UnaryOp, half};

/// The low bits that a value of the type has.
pub fn truncate(ty: Ty, bits: u64) -> u64 {
    match ty {
        Ty::Bool => bits & 1,
        Ty::F16 | Ty::I16 | Ty::U16 => bits & 0xffff,
        Ty::I32 | Ty::U32 | Ty::F32 => bits & 0xffff_ffff,
        Ty::I64 | Ty::U64 | Ty::F64 => bits,
    }
}

/// The integer as i64: sign-extended where the type is signed.
fn signed(ty: Ty, bits: u64) -> i64 {
    match ty {
        Ty::I32 => i64::from(bits as u32 as i32),
        _ => bits as i64,
    }
}

fn f32_of(bits: u64) -> f32 {
    f32::from_bits(bits as u32)
}

fn f64_of(bits: u64) -> f64 {
    f64::from_bits(bits)
}

fn f32_bits(x: f32) -> Option<u64> {
    (!x.is_nan()).then(|| u64::from(x.to_bits()))
}

fn f64_bits(x: f64) -> Option<u64> {
    (!x.is_nan()).then(|| x.to_bits())
}

/// `op a` for a value of type `ty`.
pub fn unary(op: UnaryOp, ty: Ty, a: u64) -> Option<u64> {
    match ty {
        Ty::Bool => (op == UnaryOp::Not).then_some(a ^ 1),
        Ty::I32 | Ty::U32 | Ty::I64 | Ty::U64 => int_unary(op, ty, a),
        Ty::F32 => f32_unary(op, f32_of(a)).and_then(f32_bits),
        Ty::F64 => f64_unary(op, f64_of(a)).and_then(f64_bits),
        Ty::F16 | Ty::I16 | Ty::U16 => None,
    }
}

fn int_unary(op: UnaryOp, ty: Ty, a: u64) -> Option<u64> {
    let width = ty.bytes() * 8;
    let leading = |x: u64| x.leading_zeros() - (64 - width);
    let bits = match op {
        UnaryOp::Neg => a.wrapping_neg(),
        UnaryOp::Not => !a,
        UnaryOp::Abs if ty.is_signed() => signed(ty, a).wrapping_abs() as u64,
        UnaryOp::Abs => a,
        UnaryOp::CountOneBits => a.count_ones().into(),
        UnaryOp::ReverseBits => a.reverse_bits() >> (64 - width),
        UnaryOp::CountLeadingZeros => leading(a).into(),
        UnaryOp::CountTrailingZeros => a.trailing_zeros().min(width).into(),
        UnaryOp::FirstTrailingBit if a == 0 => u64::MAX,
        UnaryOp::FirstTrailingBit => a.trailing_zeros().into(),
        UnaryOp::FirstLeadingBit => {
            let x = if ty.is_signed() && signed(ty, a) < 0 { truncate(ty, !a) } else { a };
            if x == 0 { u64::MAX } else { (width - 1 - leading(x)).into() }
        }
        _ => return None,
    };
    Some(truncate(ty, bits))
}

fn f32_unary(op: UnaryOp, a: f32) -> Option<f32> {
    Some(match op {
        UnaryOp::Neg => -a,
        UnaryOp::Abs => a.abs(),
        UnaryOp::Floor => a.floor(),
        UnaryOp::Ceil => a.ceil(),
        UnaryOp::Round => a.round_ties_even(),
        UnaryOp::Trunc => a.trunc(),
        UnaryOp::Sqrt => a.sqrt(),
        UnaryOp::QuantizeF16 => half::quantize(a),
        _ => return None,
    })
}

fn f64_unary(op: UnaryOp, a: f64) -> Option<f64> {
    Some(match op {
        UnaryOp::Neg => -a,
        UnaryOp::Abs => a.abs(),
        UnaryOp::Floor => a.floor(),
        UnaryOp::Ceil => a.ceil(),
        UnaryOp::Round => a.round_ties_even(),
        UnaryOp::Trunc => a.trunc(),
        UnaryOp::Sqrt => a.sqrt(),
        _ => return None,
    })
}

/// `a op b` for operands of type `ty` (a shift's amount is U32).
pub fn binary(op: BinaryOp, ty: Ty, a: u64, b: u64) -> Option<u64> {
    match ty {
        Ty::Bool => bool_binary(op, a, b),
        Ty::I32 | Ty::U32 | Ty::I64 | Ty::U64 => int_binary(op, ty, a, b),
        Ty::F32 => f32_binary(op, f32_of(a), f32_of(b)),
        Ty::F64 => f64_binary(op, f64_of(a), f64_of(b)),
        Ty::F16 | Ty::I16 | Ty::U16 => None,
    }
}

fn bool_binary(op: BinaryOp, a: u64, b: u64) -> Option<u64> {
    Some(match op {
        BinaryOp::And => a & b,
        BinaryOp::Or => a | b,
        BinaryOp::Xor | BinaryOp::Ne => a ^ b,
        BinaryOp::Eq => a ^ b ^ 1,
        _ => return None,
    })
}

fn int_binary(op: BinaryOp, ty: Ty, a: u64, b: u64) -> Option<u64> {
    use BinaryOp::*;
    let (x, y) = (signed(ty, a), signed(ty, b));
    let less = if ty.is_signed() { x < y } else { a < b };
    let amount = (b as u32) % (ty.bytes() * 8);
    let bits = match op {
        Add => a.wrapping_add(b),
        Sub => a.wrapping_sub(b),
        Mul => a.wrapping_mul(b),
        MulHigh if ty.bytes() == 8 => return None,
        MulHigh if ty.is_signed() => ((x * y) >> 32) as u64,
        MulHigh => (a * b) >> 32,
        Div if b == 0 => a,
        Div if ty.is_signed() => x.wrapping_div(y) as u64,
        Div => a / b,
        Rem if b == 0 => 0,
        Rem if ty.is_signed() => x.wrapping_rem(y) as u64,
        Rem => a % b,
        Min => return Some(if less { a } else { b }),
        Max => return Some(if less { b } else { a }),
        And => a & b,
        Or => a | b,
        Xor => a ^ b,
        Shl => a << amount,
        Shr if ty.is_signed() => (x >> amount) as u64,
        Shr => a >> amount,
        Eq => return Some((a == b).into()),
        Ne => return Some((a != b).into()),
        Lt => return Some(less.into()),
        Le => return Some((less || a == b).into()),
        Gt => return Some((!less && a != b).into()),
        Ge => return Some((!less).into()),
        Pow | Atan2 => return None,
    };
    Some(truncate(ty, bits))
}

macro_rules! float_binary {
    ($name:ident, $float:ty, $bits:ident) => {
        fn $name(op: BinaryOp, a: $float, b: $float) -> Option<u64> {
            use BinaryOp::*;
            match op {
                Add => $bits(a + b),
                Sub => $bits(a - b),
                Mul => $bits(a * b),
                Div => $bits(a / b),
                Rem => $bits(a - b * (a / b).trunc()),
                // Which zero, and what NaN, is the back end's choice.
                Min | Max if a == b || a.is_nan() || b.is_nan() => None,
                Min => $bits(if a < b { a } else { b }),
                Max => $bits(if a < b { b } else { a }),
                Eq => Some((a == b).into()),
                Ne => Some((a != b).into()),
                Lt => Some((a < b).into()),
                Le => Some((a <= b).into()),
                Gt => Some((a > b).into()),
                Ge => Some((a >= b).into()),
                MulHigh | And | Or | Xor | Shl | Shr | Pow | Atan2 => None,
            }
        }
    };
}
float_binary!(f32_binary, f32, f32_bits);
float_binary!(f64_binary, f64, f64_bits);

/// `a * b + c` with one rounding.
pub fn fma(ty: Ty, a: u64, b: u64, c: u64) -> Option<u64> {
    match ty {
        Ty::F32 => f32_bits(f32_of(a).mul_add(f32_of(b), f32_of(c))),
        Ty::F64 => f64_bits(f64_of(a).mul_add(f64_of(b), f64_of(c))),
        _ => None,
    }
}

/// The value conversion of [`Op::Convert`](super::Op::Convert).
pub fn convert(from: Ty, to: Ty, a: u64) -> Option<u64> {
    if from.is_memory_only() || to.is_memory_only() {
        return short(from, to, a);
    }
    if to == Ty::Bool {
        return Some(match from {
            Ty::F32 => (f32_of(a) != 0.0).into(),
            Ty::F64 => (f64_of(a) != 0.0).into(),
            _ => (a != 0).into(),
        });
    }
    match from {
        Ty::F32 => from_float(f64::from(f32_of(a)), largest(from, to), to),
        Ty::F64 => from_float(f64_of(a), largest(from, to), to),
        _ => from_int(from, to, a),
    }
}

/// A conversion between a 16-bit type and its carrier.
fn short(from: Ty, to: Ty, a: u64) -> Option<u64> {
    match (from, to) {
        (Ty::F16, Ty::F32) => f32_bits(half::to_f32(a as u16)),
        (Ty::F32, Ty::F16) => Some(half::from_f32(f32_of(a)).into()).filter(|_| !f32_of(a).is_nan()),
        (Ty::I16, Ty::I32) => Some(u64::from(i32::from(a as u16 as i16) as u32)),
        (Ty::U16, Ty::U32) | (Ty::U32, Ty::U16) | (Ty::I32, Ty::I16) => Some(a & 0xffff),
        _ => None,
    }
}

/// The largest value of the float type that an integer type also has; infinite for a float target.
pub fn largest(from: Ty, to: Ty) -> f64 {
    let bits = match to {
        Ty::I32 => 31,
        Ty::U32 => 32,
        Ty::I64 => 63,
        Ty::U64 => 64,
        Ty::Bool | Ty::F16 | Ty::I16 | Ty::U16 | Ty::F32 | Ty::F64 => return f64::INFINITY,
    };
    let precision = if from == Ty::F32 { 24 } else { 53 };
    let unit = if bits > precision { 2f64.powi(bits - precision) } else { 1.0 };
    2f64.powi(bits) - unit
}

/// Every f32 is an f64, so one path serves both: saturation happens at the target's bounds.
fn from_float(x: f64, largest: f64, to: Ty) -> Option<u64> {
    let x = if x > largest { largest } else { x };
    match to {
        Ty::I32 => Some(u64::from(x as i32 as u32)),
        Ty::U32 => Some(u64::from(x as u32)),
        Ty::I64 => Some(x as i64 as u64),
        Ty::U64 => Some(x as u64),
        Ty::F32 => f32_bits(x as f32),
        Ty::F64 => f64_bits(x),
        Ty::Bool | Ty::F16 | Ty::I16 | Ty::U16 => None,
    }
}

fn from_int(from: Ty, to: Ty, a: u64) -> Option<u64> {
    let x = signed(from, a);
    match to {
        Ty::I32 | Ty::U32 | Ty::I64 | Ty::U64 => Some(truncate(to, x as u64)),
        Ty::F32 if from.is_signed() => f32_bits(x as f32),
        Ty::F32 => f32_bits(a as f32),
        Ty::F64 if from.is_signed() => f64_bits(x as f64),
        Ty::F64 => f64_bits(a as f64),
        Ty::Bool | Ty::F16 | Ty::I16 | Ty::U16 => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn i32b(x: i32) -> u64 {
        u64::from(x as u32)
    }

    fn f32b(x: f32) -> u64 {
        u64::from(x.to_bits())
    }

    #[test]
    fn integer_division_is_total() {
        assert_eq!(binary(BinaryOp::Div, Ty::I32, i32b(i32::MIN), i32b(-1)), Some(i32b(i32::MIN)));
        assert_eq!(binary(BinaryOp::Rem, Ty::I32, i32b(i32::MIN), i32b(-1)), Some(0));
        assert_eq!(binary(BinaryOp::Div, Ty::U32, 7, 0), Some(7));
        assert_eq!(binary(BinaryOp::Rem, Ty::I32, i32b(-7), 0), Some(0));
        assert_eq!(binary(BinaryOp::Rem, Ty::I32, i32b(-7), 3), Some(i32b(-1)));
        assert_eq!(binary(BinaryOp::Div, Ty::I64, i64::MIN as u64, u64::MAX), Some(i64::MIN as u64));
    }

    #[test]
    fn shifts_take_the_amount_modulo_the_width() {
        assert_eq!(binary(BinaryOp::Shl, Ty::U32, 1, 33), Some(2));
        assert_eq!(binary(BinaryOp::Shr, Ty::I32, i32b(-8), 1), Some(i32b(-4)));
        assert_eq!(binary(BinaryOp::Shr, Ty::U64, 1 << 63, 63), Some(1));
    }

    #[test]
    fn conversions_saturate_and_nan_is_zero() {
        assert_eq!(convert(Ty::F32, Ty::I32, f32b(3e9)), Some(i32b(2147483520)));
        assert_eq!(convert(Ty::F64, Ty::I32, 3e9f64.to_bits()), Some(i32b(i32::MAX)));
        assert_eq!(convert(Ty::F32, Ty::U32, f32b(f32::INFINITY)), Some(4294967040));
        assert_eq!(convert(Ty::F64, Ty::U64, 1e30f64.to_bits()), Some(0xffff_ffff_ffff_f800));
        assert_eq!(convert(Ty::F32, Ty::U32, f32b(-1.0)), Some(0));
        assert_eq!(convert(Ty::F32, Ty::I32, f32b(f32::NAN)), Some(0));
        assert_eq!(convert(Ty::F32, Ty::I32, f32b(-1.9)), Some(i32b(-1)));
        assert_eq!(convert(Ty::I32, Ty::I64, i32b(-1)), Some(u64::MAX));
        assert_eq!(convert(Ty::U32, Ty::I64, i32b(-1)), Some(0xffff_ffff));
        assert_eq!(convert(Ty::F32, Ty::Bool, f32b(f32::NAN)), Some(1));
        assert_eq!(convert(Ty::I16, Ty::I32, 0xfffe), Some(i32b(-2)));
        assert_eq!(convert(Ty::I32, Ty::I16, i32b(-2)), Some(0xfffe));
        assert_eq!(convert(Ty::F32, Ty::F16, f32b(1.5)), Some(0x3e00));
        assert_eq!(convert(Ty::F16, Ty::F32, 0x3e00), Some(f32b(1.5)));
    }

    #[test]
    fn bits_are_counted_within_the_width() {
        assert_eq!(unary(UnaryOp::CountLeadingZeros, Ty::U32, 1), Some(31));
        assert_eq!(unary(UnaryOp::CountTrailingZeros, Ty::U32, 0), Some(32));
        assert_eq!(unary(UnaryOp::FirstLeadingBit, Ty::I32, i32b(-1)), Some(i32b(-1)));
        assert_eq!(unary(UnaryOp::FirstLeadingBit, Ty::I32, i32b(-2)), Some(0));
        assert_eq!(unary(UnaryOp::ReverseBits, Ty::U32, 1), Some(1 << 31));
        assert_eq!(unary(UnaryOp::Abs, Ty::I32, i32b(i32::MIN)), Some(i32b(i32::MIN)));
    }

    #[test]
    fn a_nan_is_left_to_the_machine() {
        assert_eq!(binary(BinaryOp::Div, Ty::F32, 0, 0), None);
        assert_eq!(unary(UnaryOp::Sqrt, Ty::F32, f32b(-1.0)), None);
    }
}
