//! Chooses the code of an operation from its kind, type, level and which operands are uniform.

use super::{
    level::Level,
    machine::Exec,
    ops::*,
    subgroups::pick_scan,
    vector::{pick_select, pick1, pick1_rare, pick2, pick2_rare, pick3, select_scalar},
};
use crate::{
    ir::{BinaryOp, Ty, UnaryOp},
    math::functions,
};

/// Picks the instance of `$op` for a float type.
macro_rules! float {
    ($pick:ident, $op:ident, $ty:expr, $level:expr $(, $flag:expr)*) => {
        match $ty {
            Ty::F32 => Some($pick::<$op<f32>>($level $(, $flag)*)),
            Ty::F64 => Some($pick::<$op<f64>>($level $(, $flag)*)),
            _ => None,
        }
    };
}

/// Picks the instance of `$op` for an integer type where signedness does not matter.
macro_rules! bits {
    ($pick:ident, $op:ident, $ty:expr, $level:expr $(, $flag:expr)*) => {
        match $ty {
            Ty::Bool | Ty::I32 | Ty::U32 => Some($pick::<$op<u32>>($level $(, $flag)*)),
            Ty::I64 | Ty::U64 => Some($pick::<$op<u64>>($level $(, $flag)*)),
            _ => None,
        }
    };
}

/// Picks the instance of `$op` for an integer type where signedness matters.
macro_rules! signed {
    ($pick:ident, $op:ident, $ty:expr, $level:expr $(, $flag:expr)*) => {
        match $ty {
            Ty::I32 => Some($pick::<$op<i32>>($level $(, $flag)*)),
            Ty::I64 => Some($pick::<$op<i64>>($level $(, $flag)*)),
            Ty::U32 => Some($pick::<$op<u32>>($level $(, $flag)*)),
            Ty::U64 => Some($pick::<$op<u64>>($level $(, $flag)*)),
            _ => None,
        }
    };
}

/// The code of a unary operation on `ty`; `uniform` where the operand is a scalar slot. `None` where the
/// type does not have the operation.
pub(super) fn unary(op: UnaryOp, ty: Ty, level: Level, uniform: bool) -> Option<Exec> {
    use UnaryOp as U;
    macro_rules! math {
        ([$($unary:ident $name1:ident),*] $binary:tt) => {
            match op {
                $(U::$unary => return float!(pick1_rare, $unary, ty, level, uniform),)*
                _ => {}
            }
        };
    }
    functions!(math);
    match op {
        U::Neg if ty.is_float() => float!(pick1, Neg, ty, level, uniform),
        U::Abs if ty.is_float() => float!(pick1, Abs, ty, level, uniform),
        U::Floor => float!(pick1, Floor, ty, level, uniform),
        U::Ceil => float!(pick1, Ceil, ty, level, uniform),
        U::Round => float!(pick1, Round, ty, level, uniform),
        U::Trunc => float!(pick1, Trunc, ty, level, uniform),
        U::Sqrt => float!(pick1, Sqrt, ty, level, uniform),
        U::QuantizeF16 if ty == Ty::F32 => Some(pick1::<QuantizeF16>(level, uniform)),
        _ => unary_integer(op, ty, level, uniform),
    }
}

fn unary_integer(op: UnaryOp, ty: Ty, level: Level, uniform: bool) -> Option<Exec> {
    use UnaryOp as U;
    if ty == Ty::Bool && op != U::Not {
        return None;
    }
    match op {
        U::Neg => bits!(pick1, Neg, ty, level, uniform),
        U::Not => bits!(pick1, Not, ty, level, uniform),
        U::Abs => match ty {
            Ty::I32 => Some(pick1::<Abs<i32>>(level, uniform)),
            Ty::I64 => Some(pick1::<Abs<i64>>(level, uniform)),
            Ty::U32 | Ty::U64 => Some(copy(ty, level, uniform, uniform)),
            _ => None,
        },
        U::CountOneBits => bits!(pick1, CountOneBits, ty, level, uniform),
        U::ReverseBits => bits!(pick1, ReverseBits, ty, level, uniform),
        U::CountLeadingZeros => bits!(pick1, CountLeadingZeros, ty, level, uniform),
        U::CountTrailingZeros => bits!(pick1, CountTrailingZeros, ty, level, uniform),
        U::FirstLeadingBit => signed!(pick1, FirstLeadingBit, ty, level, uniform),
        U::FirstTrailingBit => bits!(pick1, FirstTrailingBit, ty, level, uniform),
        _ => None,
    }
}

/// Comparisons that have no loop of their own, with operands exchanged: `a > b` is `b < a`.
pub(super) fn exchanged(op: BinaryOp) -> Option<BinaryOp> {
    match op {
        BinaryOp::Gt => Some(BinaryOp::Lt),
        BinaryOp::Ge => Some(BinaryOp::Le),
        _ => None,
    }
}

/// The code of a binary operation on operands of `ty`; `a` and `b` where an operand is a scalar slot.
/// [`exchanged`] operations are not here.
pub(super) fn binary(op: BinaryOp, ty: Ty, level: Level, a: bool, b: bool) -> Option<Exec> {
    use BinaryOp as B;
    if ty.is_float() {
        return binary_float(op, ty, level, a, b);
    }
    if ty == Ty::Bool && !matches!(op, B::And | B::Or | B::Xor | B::Eq | B::Ne) {
        return None;
    }
    match op {
        B::Add => bits!(pick2, Add, ty, level, a, b),
        B::Sub => bits!(pick2, Sub, ty, level, a, b),
        B::Mul => bits!(pick2, Mul, ty, level, a, b),
        B::MulHigh => match ty {
            Ty::I32 => Some(pick2::<MulHigh<i32>>(level, a, b)),
            Ty::U32 => Some(pick2::<MulHigh<u32>>(level, a, b)),
            _ => None,
        },
        B::Div => signed!(pick2, Div, ty, level, a, b),
        B::Rem => signed!(pick2, Rem, ty, level, a, b),
        B::Min => signed!(pick2, Min, ty, level, a, b),
        B::Max => signed!(pick2, Max, ty, level, a, b),
        B::And => bits!(pick2, And, ty, level, a, b),
        B::Or => bits!(pick2, Or, ty, level, a, b),
        B::Xor => bits!(pick2, Xor, ty, level, a, b),
        B::Shl => bits!(pick2, Shl, ty, level, a, b),
        B::Shr => signed!(pick2, Shr, ty, level, a, b),
        B::Eq => bits!(pick2, Eq, ty, level, a, b),
        B::Ne => bits!(pick2, Ne, ty, level, a, b),
        B::Lt => signed!(pick2, Lt, ty, level, a, b),
        B::Le => signed!(pick2, Le, ty, level, a, b),
        B::Gt | B::Ge | B::Pow | B::Atan2 => None,
    }
}

fn binary_float(op: BinaryOp, ty: Ty, level: Level, a: bool, b: bool) -> Option<Exec> {
    use BinaryOp as B;
    match op {
        B::Add => float!(pick2, Add, ty, level, a, b),
        B::Sub => float!(pick2, Sub, ty, level, a, b),
        B::Mul => float!(pick2, Mul, ty, level, a, b),
        B::Div => float!(pick2, Div, ty, level, a, b),
        B::Rem => float!(pick2, Rem, ty, level, a, b),
        B::Min => float!(pick2, Min, ty, level, a, b),
        B::Max => float!(pick2, Max, ty, level, a, b),
        B::Eq => float!(pick2, Eq, ty, level, a, b),
        B::Ne => float!(pick2, Ne, ty, level, a, b),
        B::Lt => float!(pick2, Lt, ty, level, a, b),
        B::Le => float!(pick2, Le, ty, level, a, b),
        B::Pow => float!(pick2_rare, Pow, ty, level, a, b),
        B::Atan2 => float!(pick2_rare, Atan2, ty, level, a, b),
        B::MulHigh | B::And | B::Or | B::Xor | B::Shl | B::Shr | B::Gt | B::Ge => None,
    }
}

/// The code of a fused multiply-add, all operands alike.
pub(super) fn fma(ty: Ty, level: Level, uniform: bool) -> Option<Exec> {
    float!(pick3, Fma, ty, level, uniform)
}

/// The code of a reduction over subgroups, or of a scan.
pub(super) fn scan(op: BinaryOp, ty: Ty, level: Level, reduce: bool, exclusive: bool) -> Option<Exec> {
    use BinaryOp as B;
    match op {
        B::Add if ty.is_float() => float!(pick_scan, Add, ty, level, reduce, exclusive),
        B::Mul if ty.is_float() => float!(pick_scan, Mul, ty, level, reduce, exclusive),
        B::Min if ty.is_float() => float!(pick_scan, Min, ty, level, reduce, exclusive),
        B::Max if ty.is_float() => float!(pick_scan, Max, ty, level, reduce, exclusive),
        B::Add => bits!(pick_scan, Add, ty, level, reduce, exclusive),
        B::Mul => bits!(pick_scan, Mul, ty, level, reduce, exclusive),
        B::Min => signed!(pick_scan, Min, ty, level, reduce, exclusive),
        B::Max => signed!(pick_scan, Max, ty, level, reduce, exclusive),
        B::And => bits!(pick_scan, And, ty, level, reduce, exclusive),
        B::Or => bits!(pick_scan, Or, ty, level, reduce, exclusive),
        B::Xor => bits!(pick_scan, Xor, ty, level, reduce, exclusive),
        _ => None,
    }
}

/// The code of a select with a vector condition; `b` and `c` where an arm is a scalar slot.
pub(super) fn select(ty: Ty, level: Level, b: bool, c: bool) -> Exec {
    if ty.bytes() == 8 { pick_select::<u64>(level, b, c) } else { pick_select::<u32>(level, b, c) }
}

/// The code of a select among scalar slots.
pub(super) fn select_uniform(ty: Ty) -> Exec {
    if ty.bytes() == 8 { select_scalar::<u64> } else { select_scalar::<u32> }
}

/// The code of a copy; `from` and `to` where a slot is scalar (a scalar never takes a vector).
pub(super) fn copy(ty: Ty, level: Level, from: bool, to: bool) -> Exec {
    use super::vector::{copy, copy_scalar};
    match (ty.bytes() == 8, from, to) {
        (true, _, true) => copy_scalar::<u64>,
        (false, _, true) => copy_scalar::<u32>,
        (true, true, false) => copy::<u64, true>(level),
        (false, true, false) => copy::<u32, true>(level),
        (true, false, false) => copy::<u64, false>(level),
        (false, false, false) => copy::<u32, false>(level),
    }
}

/// The code of a copy to a vector slot in the live lanes; `from` where the source is a scalar slot.
pub(super) fn blend(ty: Ty, level: Level, from: bool) -> Exec {
    use super::vector::blend;
    match (ty.bytes() == 8, from) {
        (true, true) => blend::<u64, true>(level),
        (true, false) => blend::<u64, false>(level),
        (false, true) => blend::<u32, true>(level),
        (false, false) => blend::<u32, false>(level),
    }
}

/// The code of a value conversion; `None` where there is none or it keeps the bits.
pub(super) fn convert(from: Ty, to: Ty, level: Level, uniform: bool) -> Option<Exec> {
    macro_rules! p {
        ($op:ty) => {
            Some(pick1::<$op>(level, uniform))
        };
    }
    use Ty::*;
    match (from, to) {
        (I32 | U32, Bool) => p!(ToMask<u32>),
        (I64 | U64, Bool) => p!(ToMask<u64>),
        (F32, Bool) => p!(ToMask<f32>),
        (F64, Bool) => p!(ToMask<f64>),
        (Bool, I32 | U32) => p!(FromMask),
        (Bool, I64 | U64) => p!(BoolAs<u64>),
        (Bool, F32) => p!(BoolAs<f32>),
        (Bool, F64) => p!(BoolAs<f64>),
        (U32, I64 | U64) => p!(As<u32, u64>),
        (I32, I64 | U64) => p!(As<i32, i64>),
        (I64 | U64, I32 | U32) => p!(As<u64, u32>),
        (U32, F32) => p!(As<u32, f32>),
        (U32, F64) => p!(As<u32, f64>),
        (I32, F32) => p!(As<i32, f32>),
        (I32, F64) => p!(As<i32, f64>),
        (U64, F32) => p!(As<u64, f32>),
        (U64, F64) => p!(As<u64, f64>),
        (I64, F32) => p!(As<i64, f32>),
        (I64, F64) => p!(As<i64, f64>),
        (F32, U32) => p!(As<f32, u32>),
        (F32, I32) => p!(As<f32, i32>),
        (F32, U64) => p!(As<f32, u64>),
        (F32, I64) => p!(As<f32, i64>),
        (F32, F64) => p!(As<f32, f64>),
        (F64, U32) => p!(As<f64, u32>),
        (F64, I32) => p!(As<f64, i32>),
        (F64, U64) => p!(As<f64, u64>),
        (F64, I64) => p!(As<f64, i64>),
        (F64, F32) => p!(As<f64, f32>),
        (F16, F32) => p!(Widen<f32>),
        (I16, I32) => p!(Widen<i32>),
        (F32, F16) => p!(Shorten<f32>),
        (I32, I16) | (U32, U16) => p!(Shorten<u32>),
        _ => None,
    }
}

/// Whether a conversion keeps the bits of the register.
pub(super) fn converts_in_place(from: Ty, to: Ty) -> bool {
    use Ty::*;
    from == to || matches!((from, to), (I32, U32) | (U32, I32) | (I64, U64) | (U64, I64) | (U16, U32))
}
