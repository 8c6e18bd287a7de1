//! Plain scalar meaning of the operations, written from the IR's documentation alone.

use evener_lanes::ir::{BinaryOp, Ty, UnaryOp};

pub fn f32_of(bits: u64) -> f32 {
    f32::from_bits(bits as u32)
}

fn truth(b: bool) -> u64 {
    b.into()
}

/// Keeps the low bits of a type.
fn cut(ty: Ty, v: i128) -> u64 {
    if ty.bytes() == 8 { v as u64 } else { u64::from(v as u32) }
}

/// An integer's value.
pub fn int(ty: Ty, bits: u64) -> i128 {
    match ty {
        Ty::I32 => i128::from(bits as u32 as i32),
        Ty::U32 => i128::from(bits as u32),
        Ty::I64 => i128::from(bits as i64),
        Ty::U64 => i128::from(bits),
        _ => unreachable!(),
    }
}

/// `None` where the type does not have the operation.
pub fn binary(op: BinaryOp, ty: Ty, a: u64, b: u64) -> Option<u64> {
    match ty {
        Ty::F32 => binary_f32(op, f32_of(a), f32_of(b)),
        Ty::F64 => binary_f64(op, f64::from_bits(a), f64::from_bits(b)),
        Ty::Bool => Some(match op {
            BinaryOp::And => a & b,
            BinaryOp::Or => a | b,
            BinaryOp::Xor | BinaryOp::Ne => a ^ b,
            BinaryOp::Eq => truth(a == b),
            _ => return None,
        }),
        _ => binary_int(op, ty, a, b),
    }
}

fn binary_int(op: BinaryOp, ty: Ty, a: u64, b: u64) -> Option<u64> {
    use BinaryOp::*;
    let (x, y) = (int(ty, a), int(ty, b));
    let amount = b as u32 % (8 * ty.bytes());
    Some(match op {
        Add => cut(ty, x + y),
        Sub => cut(ty, x - y),
        Mul => cut(ty, x.wrapping_mul(y)),
        Div => cut(ty, if y == 0 { x } else { x / y }),
        Rem => cut(ty, if y == 0 { 0 } else { x % y }),
        Min => cut(ty, x.min(y)),
        Max => cut(ty, x.max(y)),
        And => a & b,
        Or => a | b,
        Xor => a ^ b,
        Shl => cut(ty, x << amount),
        Shr => cut(ty, x >> amount),
        Eq => truth(x == y),
        Ne => truth(x != y),
        Lt => truth(x < y),
        Le => truth(x <= y),
        Gt => truth(x > y),
        Ge => truth(x >= y),
        MulHigh if ty.bytes() == 4 => cut(ty, (x * y) >> 32),
        MulHigh | Pow | Atan2 => return None,
    })
}

macro_rules! binary_float {
    ($name:ident, $t:ty) => {
        fn $name(op: BinaryOp, a: $t, b: $t) -> Option<u64> {
            use BinaryOp::*;
            let r: $t = match op {
                Add => a + b,
                Sub => a - b,
                Mul => a * b,
                Div => a / b,
                Rem => a - b * (a / b).trunc(),
                Min if a.is_nan() => b,
                Max if a.is_nan() => b,
                Min if b.is_nan() || a <= b => a,
                Max if b.is_nan() || a >= b => a,
                Min | Max => b,
                Pow => f64::from(a).powf(f64::from(b)) as $t,
                Atan2 => f64::from(a).atan2(f64::from(b)) as $t,
                Eq => return Some(truth(a == b)),
                Ne => return Some(truth(a != b)),
                Lt => return Some(truth(a < b)),
                Le => return Some(truth(a <= b)),
                Gt => return Some(truth(a > b)),
                Ge => return Some(truth(a >= b)),
                MulHigh | And | Or | Xor | Shl | Shr => return None,
            };
            Some(r.to_bits().into())
        }
    };
}
binary_float!(binary_f32, f32);
binary_float!(binary_f64, f64);

/// `None` where the type does not have the operation.
pub fn unary(op: UnaryOp, ty: Ty, a: u64) -> Option<u64> {
    match ty {
        Ty::F32 if op == UnaryOp::QuantizeF16 => Some(quantize(f32_of(a)).to_bits().into()),
        Ty::F32 => unary_f32(op, f32_of(a)),
        Ty::F64 => unary_f64(op, f64::from_bits(a)),
        Ty::Bool => (op == UnaryOp::Not).then_some(1 - a),
        _ => unary_int(op, ty, a),
    }
}

fn unary_int(op: UnaryOp, ty: Ty, a: u64) -> Option<u64> {
    use UnaryOp::*;
    let width = 8 * ty.bytes();
    let bit = |i: u32| a >> i & 1;
    let x = int(ty, a);
    let none = cut(ty, -1);
    Some(match op {
        Neg => cut(ty, -x),
        Not => cut(ty, !x),
        Abs => cut(ty, x.abs()),
        CountOneBits => (0..width).map(bit).sum(),
        ReverseBits => (0..width).map(|i| bit(i) << (width - 1 - i)).sum(),
        CountLeadingZeros => (0..width).rev().take_while(|i| bit(*i) == 0).count() as u64,
        CountTrailingZeros => (0..width).take_while(|i| bit(*i) == 0).count() as u64,
        FirstLeadingBit => {
            let skip = if ty.is_signed() && x < 0 { 1 } else { 0 };
            (0..width).rev().find(|i| bit(*i) != skip).map_or(none, u64::from)
        }
        FirstTrailingBit => (0..width).find(|i| bit(*i) == 1).map_or(none, u64::from),
        _ => return None,
    })
}

macro_rules! unary_float {
    ($name:ident, $t:ty) => {
        fn $name(op: UnaryOp, a: $t) -> Option<u64> {
            use UnaryOp::*;
            let r: $t = match op {
                Neg => -a,
                Abs => a.abs(),
                Floor => a.floor(),
                Ceil => a.ceil(),
                Round => a.round_ties_even(),
                Trunc => a.trunc(),
                Sqrt => a.sqrt(),
                InverseSqrt => 1.0 / a.sqrt(),
                Exp => f64::from(a).exp() as $t,
                Exp2 => f64::from(a).exp2() as $t,
                Log => f64::from(a).ln() as $t,
                Log2 => f64::from(a).log2() as $t,
                Sin => f64::from(a).sin() as $t,
                Cos => f64::from(a).cos() as $t,
                Tan => f64::from(a).tan() as $t,
                Asin => f64::from(a).asin() as $t,
                Acos => f64::from(a).acos() as $t,
                Atan => f64::from(a).atan() as $t,
                Sinh => f64::from(a).sinh() as $t,
                Cosh => f64::from(a).cosh() as $t,
                Tanh => f64::from(a).tanh() as $t,
                Asinh => f64::from(a).asinh() as $t,
                Acosh => f64::from(a).acosh() as $t,
                Atanh => f64::from(a).atanh() as $t,
                _ => return None,
            };
            Some(r.to_bits().into())
        }
    };
}
unary_float!(unary_f32, f32);
unary_float!(unary_f64, f64);

/// The nearest binary16, by search over all of them.
pub fn quantize(a: f32) -> f32 {
    if a.is_nan() {
        return a;
    }
    let value = |h: u32| -> f64 {
        let (e, m) = (h >> 10, f64::from(h & 0x3ff));
        if e == 0 { m * 2f64.powi(-24) } else { (1.0 + m / 1024.0) * 2f64.powi(e as i32 - 15) }
    };
    let x = f64::from(a.abs());
    // 0x7c00 stands for 2^16, past which all is infinite; halfway rounds to it, being even.
    let low = (0..=0x7c00u32).rev().find(|h| value(*h) <= x).unwrap();
    let nearest = match low {
        0x7c00 => low,
        _ => {
            let (down, up) = (x - value(low), value(low + 1) - x);
            if down < up || (down == up && low % 2 == 0) { low } else { low + 1 }
        }
    };
    let r = if nearest == 0x7c00 { f32::INFINITY } else { value(nearest) as f32 };
    if a.is_sign_negative() { -r } else { r }
}

/// Value conversion.
pub fn convert(from: Ty, to: Ty, a: u64) -> u64 {
    if to == Ty::Bool {
        return truth(match from {
            Ty::F32 => f32_of(a) != 0.0,
            Ty::F64 => f64::from_bits(a) != 0.0,
            _ => a != 0,
        });
    }
    match from {
        Ty::F32 => convert_float(to, f64::from(f32_of(a)), 24),
        Ty::F64 => convert_float(to, f64::from_bits(a), 53),
        _ => {
            let x = if from == Ty::Bool { i128::from(a) } else { int(from, a) };
            match to {
                Ty::F32 => u64::from((x as f32).to_bits()),
                Ty::F64 => (x as f64).to_bits(),
                _ => cut(to, x),
            }
        }
    }
}

/// Clamped to the integers that a float of `precision` bits has too.
fn convert_float(to: Ty, x: f64, precision: u32) -> u64 {
    let clamp = |low: i128, bits: u32| {
        let high = (1i128 << bits) - (1 << bits.saturating_sub(precision));
        if x.is_nan() { 0 } else { (x.trunc() as i128).clamp(low, high) }
    };
    match to {
        Ty::F32 => u64::from((x as f32).to_bits()),
        Ty::F64 => x.to_bits(),
        Ty::I32 => cut(to, clamp(i32::MIN.into(), 31)),
        Ty::U32 => cut(to, clamp(0, 32)),
        Ty::I64 => cut(to, clamp(i64::MIN.into(), 63)),
        Ty::U64 => cut(to, clamp(0, 64)),
        _ => unreachable!(),
    }
}
