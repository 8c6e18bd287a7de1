//! The operations of the lane IR on single values, as bits.

use crate::ir::{BinaryOp, Ty, UnaryOp, half};

/// A value by class of type.
#[derive(Clone, Copy)]
enum Number {
    Int(i128),
    Float(f64),
}

fn decode(ty: Ty, bits: u64) -> Number {
    match ty {
        Ty::Bool => Number::Int(i128::from(bits != 0)),
        Ty::I32 => Number::Int((bits as u32 as i32).into()),
        Ty::U32 => Number::Int((bits as u32).into()),
        Ty::I64 => Number::Int((bits as i64).into()),
        Ty::U64 => Number::Int(bits.into()),
        Ty::I16 => Number::Int((bits as u16 as i16).into()),
        Ty::U16 => Number::Int((bits as u16).into()),
        Ty::F16 => Number::Float(half::to_f32(bits as u16).into()),
        Ty::F32 => Number::Float(f32::from_bits(bits as u32).into()),
        Ty::F64 => Number::Float(f64::from_bits(bits)),
    }
}

fn encode_int(ty: Ty, v: i128) -> u64 {
    match ty {
        Ty::Bool => u64::from(v & 1 != 0),
        Ty::I16 | Ty::U16 => u64::from(v as u16),
        Ty::I64 | Ty::U64 => v as u64,
        _ => u64::from(v as u32),
    }
}

/// Rounding twice, to binary64 first, is right for one operation on binary32.
fn encode_float(ty: Ty, v: f64) -> u64 {
    match ty {
        Ty::F64 => v.to_bits(),
        Ty::F16 => half::from_f32(v as f32).into(),
        _ => u64::from((v as f32).to_bits()),
    }
}

fn width(ty: Ty) -> u32 {
    ty.bytes() * 8
}

fn low(ty: Ty, v: i128) -> u64 {
    encode_int(ty, v)
}

pub(super) fn unary(op: UnaryOp, ty: Ty, a: u64) -> u64 {
    match decode(ty, a) {
        Number::Int(v) => encode_int(ty, int_unary(op, ty, v)),
        Number::Float(v) => encode_float(ty, float_unary(op, v)),
    }
}

fn int_unary(op: UnaryOp, ty: Ty, v: i128) -> i128 {
    let bits = low(ty, v);
    let spare = 64 - width(ty);
    match op {
        UnaryOp::Neg => -v,
        UnaryOp::Not => !v,
        UnaryOp::Abs => v.abs(),
        UnaryOp::CountOneBits => bits.count_ones().into(),
        UnaryOp::CountLeadingZeros => (bits.leading_zeros() - spare).into(),
        UnaryOp::CountTrailingZeros => bits.trailing_zeros().min(width(ty)).into(),
        UnaryOp::ReverseBits => (bits.reverse_bits() >> spare).into(),
        UnaryOp::FirstTrailingBit if bits == 0 => -1,
        UnaryOp::FirstTrailingBit => bits.trailing_zeros().into(),
        UnaryOp::FirstLeadingBit => {
            let bits = if v < 0 { low(ty, !v) } else { bits };
            if bits == 0 { -1 } else { i128::from(63 - bits.leading_zeros()) }
        }
        _ => v,
    }
}

fn float_unary(op: UnaryOp, v: f64) -> f64 {
    match op {
        UnaryOp::Neg => -v,
        UnaryOp::Abs => v.abs(),
        UnaryOp::Floor => v.floor(),
        UnaryOp::Ceil => v.ceil(),
        UnaryOp::Round => v.round_ties_even(),
        UnaryOp::Trunc => v.trunc(),
        UnaryOp::Sqrt => v.sqrt(),
        UnaryOp::QuantizeF16 => half::quantize(v as f32).into(),
        UnaryOp::InverseSqrt => 1.0 / v.sqrt(),
        UnaryOp::Exp => v.exp(),
        UnaryOp::Exp2 => v.exp2(),
        UnaryOp::Log => v.ln(),
        UnaryOp::Log2 => v.log2(),
        UnaryOp::Sin => v.sin(),
        UnaryOp::Cos => v.cos(),
        UnaryOp::Tan => v.tan(),
        UnaryOp::Asin => v.asin(),
        UnaryOp::Acos => v.acos(),
        UnaryOp::Atan => v.atan(),
        UnaryOp::Sinh => v.sinh(),
        UnaryOp::Cosh => v.cosh(),
        UnaryOp::Tanh => v.tanh(),
        UnaryOp::Asinh => v.asinh(),
        UnaryOp::Acosh => v.acosh(),
        UnaryOp::Atanh => v.atanh(),
        _ => v,
    }
}

pub(super) fn binary(op: BinaryOp, ty: Ty, a: u64, b: u64) -> u64 {
    match (decode(ty, a), decode(ty, b)) {
        (Number::Int(x), Number::Int(y)) if op.is_comparison() => compare(op, &x, &y),
        (Number::Float(x), Number::Float(y)) if op.is_comparison() => compare(op, &x, &y),
        (Number::Int(x), Number::Int(y)) => encode_int(ty, int_binary(op, ty, x, y)),
        (Number::Float(x), Number::Float(y)) => encode_float(ty, float_binary(op, x, y)),
        _ => 0,
    }
}

fn compare<T: PartialOrd>(op: BinaryOp, a: &T, b: &T) -> u64 {
    u64::from(match op {
        BinaryOp::Eq => a == b,
        BinaryOp::Ne => a != b,
        BinaryOp::Lt => a < b,
        BinaryOp::Le => a <= b,
        BinaryOp::Gt => a > b,
        _ => a >= b,
    })
}

fn int_binary(op: BinaryOp, ty: Ty, a: i128, b: i128) -> i128 {
    let amount = b.rem_euclid(i128::from(width(ty)));
    match op {
        BinaryOp::Add => a + b,
        BinaryOp::Sub => a - b,
        BinaryOp::Mul => a.wrapping_mul(b),
        BinaryOp::MulHigh => (a * b) >> 32,
        BinaryOp::Div => {
            if b == 0 {
                a
            } else {
                a / b
            }
        }
        BinaryOp::Rem => {
            if b == 0 {
                0
            } else {
                a % b
            }
        }
        BinaryOp::Min => a.min(b),
        BinaryOp::Max => a.max(b),
        BinaryOp::And => a & b,
        BinaryOp::Or => a | b,
        BinaryOp::Xor => a ^ b,
        BinaryOp::Shl => a << amount,
        BinaryOp::Shr => a >> amount,
        _ => 0,
    }
}

fn float_binary(op: BinaryOp, a: f64, b: f64) -> f64 {
    match op {
        BinaryOp::Add => a + b,
        BinaryOp::Sub => a - b,
        BinaryOp::Mul => a * b,
        BinaryOp::Div => a / b,
        BinaryOp::Rem => a % b,
        BinaryOp::Min => a.min(b),
        BinaryOp::Max => a.max(b),
        BinaryOp::Pow => a.powf(b),
        BinaryOp::Atan2 => a.atan2(b),
        _ => 0.0,
    }
}

pub(super) fn fma(ty: Ty, a: u64, b: u64, c: u64) -> u64 {
    match (decode(ty, a), decode(ty, b), decode(ty, c)) {
        (Number::Float(x), Number::Float(y), Number::Float(z)) if ty == Ty::F64 => x.mul_add(y, z).to_bits(),
        (Number::Float(x), Number::Float(y), Number::Float(z)) => {
            u64::from((x as f32).mul_add(y as f32, z as f32).to_bits())
        }
        _ => 0,
    }
}

pub(super) fn convert(from: Ty, to: Ty, bits: u64) -> u64 {
    match (decode(from, bits), to) {
        (Number::Int(v), Ty::Bool) => u64::from(v != 0),
        (Number::Float(v), Ty::Bool) => u64::from(v != 0.0),
        (Number::Int(v), Ty::F64) => (v as f64).to_bits(),
        (Number::Int(v), Ty::F32) => u64::from((v as f32).to_bits()),
        (Number::Int(v), _) => encode_int(to, v),
        (Number::Float(v), Ty::I32) => u64::from(v as i32 as u32),
        (Number::Float(v), Ty::U32) => u64::from(v as u32),
        (Number::Float(v), Ty::I64) => v as i64 as u64,
        (Number::Float(v), Ty::U64) => v as u64,
        (Number::Float(v), _) => encode_float(to, v),
    }
}
