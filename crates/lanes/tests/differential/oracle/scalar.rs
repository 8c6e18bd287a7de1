//! Scalars: operators and conversions on bits, written from the WGSL specification.
//!
//! A value is its bits, zero-extended to 64; a bool is 0 or 1.

use naga::{BinaryOperator as B, Literal, Scalar, ScalarKind, UnaryOperator};

/// The scalar types.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Bool,
    I32,
    U32,
    I64,
    U64,
    F32,
    F64,
}

impl Kind {
    pub fn of(scalar: Scalar) -> Result<Kind, String> {
        Ok(match (scalar.kind, scalar.width) {
            (ScalarKind::Bool, _) => Kind::Bool,
            (ScalarKind::Sint, 4) => Kind::I32,
            (ScalarKind::Uint, 4) => Kind::U32,
            (ScalarKind::Sint, 8) => Kind::I64,
            (ScalarKind::Uint, 8) => Kind::U64,
            (ScalarKind::Float, 4) => Kind::F32,
            (ScalarKind::Float, 8) => Kind::F64,
            _ => return Err(format!("the scalar type {scalar:?}")),
        })
    }

    pub fn bytes(self) -> usize {
        match self {
            Kind::I64 | Kind::U64 | Kind::F64 => 8,
            _ => 4,
        }
    }
}

pub fn literal(literal: Literal) -> Result<(Kind, u64), String> {
    Ok(match literal {
        Literal::Bool(x) => (Kind::Bool, x.into()),
        Literal::I32(x) => (Kind::I32, x.bits()),
        Literal::U32(x) => (Kind::U32, x.bits()),
        Literal::I64(x) => (Kind::I64, x.bits()),
        Literal::U64(x) => (Kind::U64, x.bits()),
        Literal::F32(x) => (Kind::F32, x.bits()),
        Literal::F64(x) => (Kind::F64, x.bits()),
        other => return Err(format!("the literal {other:?}")),
    })
}

/// A number type as bits.
pub trait Bits: Copy {
    fn from_bits(bits: u64) -> Self;
    fn bits(self) -> u64;
}

/// An integer type.
pub trait Int: Bits + Ord {
    const WIDTH: u32;
    fn add(self, b: Self) -> Self;
    fn sub(self, b: Self) -> Self;
    fn mul(self, b: Self) -> Self;
    /// Total: `x / 0 = x`.
    fn div(self, b: Self) -> Self;
    /// Total: `x % 0 = 0`.
    fn rem(self, b: Self) -> Self;
    fn shl(self, amount: u32) -> Self;
    fn shr(self, amount: u32) -> Self;
    fn abs(self) -> Self;
    fn sign(self) -> Self;
    /// As a signed 128-bit number.
    fn wide(self) -> i128;
}

macro_rules! int {
    ($t:ty, $u:ty, $abs:expr) => {
        impl Bits for $t {
            fn from_bits(bits: u64) -> Self {
                bits as $t
            }
            fn bits(self) -> u64 {
                u64::from(self as $u)
            }
        }
        impl Int for $t {
            const WIDTH: u32 = <$t>::BITS;
            fn add(self, b: Self) -> Self {
                self.wrapping_add(b)
            }
            fn sub(self, b: Self) -> Self {
                self.wrapping_sub(b)
            }
            fn mul(self, b: Self) -> Self {
                self.wrapping_mul(b)
            }
            fn div(self, b: Self) -> Self {
                if b == 0 { self } else { self.wrapping_div(b) }
            }
            fn rem(self, b: Self) -> Self {
                if b == 0 { 0 } else { self.wrapping_rem(b) }
            }
            fn shl(self, amount: u32) -> Self {
                self << (amount % Self::WIDTH)
            }
            fn shr(self, amount: u32) -> Self {
                self >> (amount % Self::WIDTH)
            }
            fn abs(self) -> Self {
                $abs(self)
            }
            fn sign(self) -> Self {
                match self.cmp(&0) {
                    std::cmp::Ordering::Greater => 1,
                    std::cmp::Ordering::Equal => 0,
                    std::cmp::Ordering::Less => (0 as $t).wrapping_sub(1),
                }
            }
            fn wide(self) -> i128 {
                i128::from(self)
            }
        }
    };
}
int!(i32, u32, i32::wrapping_abs);
int!(u32, u32, |x| x);
int!(i64, u64, i64::wrapping_abs);
int!(u64, u64, |x| x);

/// A floating-point type.
pub trait Float: Bits + PartialOrd {
    fn of(x: f64) -> Self;
    fn add(self, b: Self) -> Self;
    fn sub(self, b: Self) -> Self;
    fn mul(self, b: Self) -> Self;
    fn div(self, b: Self) -> Self;
    fn neg(self) -> Self;
    fn abs(self) -> Self;
    fn floor(self) -> Self;
    fn ceil(self) -> Self;
    fn round(self) -> Self;
    fn trunc(self) -> Self;
    fn sqrt(self) -> Self;
    fn fma(self, b: Self, c: Self) -> Self;
    fn nan(self) -> bool;
    /// The next power of two's exponent and the fraction in [0.5, 1), zero and specials as they are.
    fn frexp(self) -> (Self, i32);
    /// `self * 2^e`, rounded at most twice.
    fn ldexp(self, e: i32) -> Self;
}

macro_rules! float {
    ($t:ty, $bias:expr) => {
        impl Bits for $t {
            fn from_bits(bits: u64) -> Self {
                <$t>::from_bits(bits as _)
            }
            fn bits(self) -> u64 {
                self.to_bits().into()
            }
        }
        impl Float for $t {
            fn of(x: f64) -> Self {
                x as $t
            }
            fn add(self, b: Self) -> Self {
                self + b
            }
            fn sub(self, b: Self) -> Self {
                self - b
            }
            fn mul(self, b: Self) -> Self {
                self * b
            }
            fn div(self, b: Self) -> Self {
                self / b
            }
            fn neg(self) -> Self {
                -self
            }
            fn abs(self) -> Self {
                self.abs()
            }
            fn floor(self) -> Self {
                self.floor()
            }
            fn ceil(self) -> Self {
                self.ceil()
            }
            fn round(self) -> Self {
                self.round_ties_even()
            }
            fn trunc(self) -> Self {
                self.trunc()
            }
            fn sqrt(self) -> Self {
                self.sqrt()
            }
            fn fma(self, b: Self, c: Self) -> Self {
                self.mul_add(b, c)
            }
            fn nan(self) -> bool {
                self.is_nan()
            }
            fn frexp(self) -> (Self, i32) {
                if self == 0.0 || !self.is_finite() {
                    return (self, 0);
                }
                let (mut x, mut e) = (self, 0);
                while x.abs() >= 1.0 {
                    x /= 2.0;
                    e += 1;
                }
                while x.abs() < 0.5 {
                    x *= 2.0;
                    e -= 1;
                }
                (x, e)
            }
            fn ldexp(self, e: i32) -> Self {
                let (mut x, mut e) = (self, e);
                for _ in 0..3 {
                    let part = e.clamp(1 - $bias, $bias);
                    e -= part;
                    x *= (2.0 as $t).powi(part);
                }
                x
            }
        }
    };
}
float!(f32, 127);
float!(f64, 1023);

/// A function of two scalars.
pub type Fn2 = fn(u64, u64) -> u64;
/// A function of one scalar.
pub type Fn1 = fn(u64) -> u64;

fn i2<T: Int>(op: B) -> Option<Fn2> {
    macro_rules! f {
        (|$a:ident, $b:ident| $e:expr) => {{
            fn f<T: Int>(a: u64, b: u64) -> u64 {
                let ($a, $b) = (T::from_bits(a), T::from_bits(b));
                $e
            }
            f::<T>
        }};
    }
    Some(match op {
        B::Add => f!(|a, b| a.add(b).bits()),
        B::Subtract => f!(|a, b| a.sub(b).bits()),
        B::Multiply => f!(|a, b| a.mul(b).bits()),
        B::Divide => f!(|a, b| a.div(b).bits()),
        B::Modulo => f!(|a, b| a.rem(b).bits()),
        B::Equal => f!(|a, b| u64::from(a == b)),
        B::NotEqual => f!(|a, b| u64::from(a != b)),
        B::Less => f!(|a, b| u64::from(a < b)),
        B::LessEqual => f!(|a, b| u64::from(a <= b)),
        B::Greater => f!(|a, b| u64::from(a > b)),
        B::GreaterEqual => f!(|a, b| u64::from(a >= b)),
        B::And => |a, b| a & b,
        B::ExclusiveOr => |a, b| a ^ b,
        B::InclusiveOr => |a, b| a | b,
        B::ShiftLeft => |a, b| T::from_bits(a).shl(b as u32).bits(),
        B::ShiftRight => |a, b| T::from_bits(a).shr(b as u32).bits(),
        B::LogicalAnd | B::LogicalOr => return None,
    })
}

fn f2<T: Float>(op: B) -> Option<Fn2> {
    macro_rules! f {
        (|$a:ident, $b:ident| $e:expr) => {{
            fn f<T: Float>(a: u64, b: u64) -> u64 {
                let ($a, $b) = (T::from_bits(a), T::from_bits(b));
                $e
            }
            f::<T>
        }};
    }
    Some(match op {
        B::Add => f!(|a, b| a.add(b).bits()),
        B::Subtract => f!(|a, b| a.sub(b).bits()),
        B::Multiply => f!(|a, b| a.mul(b).bits()),
        B::Divide => f!(|a, b| a.div(b).bits()),
        B::Modulo => f!(|a, b| a.sub(b.mul(a.div(b).trunc())).bits()),
        B::Equal => f!(|a, b| u64::from(a == b)),
        B::NotEqual => f!(|a, b| u64::from(a != b)),
        B::Less => f!(|a, b| u64::from(a < b)),
        B::LessEqual => f!(|a, b| u64::from(a <= b)),
        B::Greater => f!(|a, b| u64::from(a > b)),
        B::GreaterEqual => f!(|a, b| u64::from(a >= b)),
        _ => return None,
    })
}

/// The operator on two scalars of a kind (a shift's amount is a u32).
pub fn binary(op: B, kind: Kind) -> Result<Fn2, String> {
    let f: Option<Fn2> = match kind {
        Kind::I32 => i2::<i32>(op),
        Kind::U32 => i2::<u32>(op),
        Kind::I64 => i2::<i64>(op),
        Kind::U64 => i2::<u64>(op),
        Kind::F32 => f2::<f32>(op),
        Kind::F64 => f2::<f64>(op),
        Kind::Bool => match op {
            B::And | B::LogicalAnd => Some(|a, b| a & b),
            B::InclusiveOr | B::LogicalOr => Some(|a, b| a | b),
            B::ExclusiveOr | B::NotEqual => Some(|a, b| a ^ b),
            B::Equal => Some(|a, b| u64::from(a == b)),
            _ => None,
        },
    };
    f.ok_or_else(|| format!("{op:?} on {kind:?}"))
}

pub fn unary(op: UnaryOperator, kind: Kind) -> Result<Fn1, String> {
    use UnaryOperator as U;
    Ok(match (op, kind) {
        (U::Negate, Kind::I32) => |a| i32::from_bits(a).wrapping_neg().bits(),
        (U::Negate, Kind::I64) => |a| i64::from_bits(a).wrapping_neg().bits(),
        (U::Negate, Kind::F32) => |a| Float::neg(<f32 as Bits>::from_bits(a)).bits(),
        (U::Negate, Kind::F64) => |a| Float::neg(<f64 as Bits>::from_bits(a)).bits(),
        (U::LogicalNot, Kind::Bool) => |a| a ^ 1,
        (U::BitwiseNot, Kind::I32 | Kind::U32) => |a| (!a as u32).bits(),
        (U::BitwiseNot, Kind::I64 | Kind::U64) => |a| !a,
        _ => return Err(format!("{op:?} on {kind:?}")),
    })
}

/// The largest finite value that both a float of `precision` bits and an integer of `bits` value bits have.
fn ceiling(precision: i32, bits: i32) -> f64 {
    2f64.powi(bits) - if bits > precision { 2f64.powi(bits - precision) } else { 1.0 }
}

/// A float's value as an integer: truncated, clamped to what both types have, zero for NaN.
fn to_int(x: f64, precision: i32, to: Kind) -> u64 {
    let (low, bits) = match to {
        Kind::I32 => (-(2f64.powi(31)), 31),
        Kind::U32 => (0.0, 32),
        Kind::I64 => (-(2f64.powi(63)), 63),
        _ => (0.0, 64),
    };
    if x.is_nan() {
        return 0;
    }
    let whole = x.trunc().clamp(low, ceiling(precision, bits)) as i128;
    match to {
        Kind::I32 => (whole as i32).bits(),
        Kind::U32 => (whole as u32).bits(),
        Kind::I64 => (whole as i64).bits(),
        _ => (whole as u64).bits(),
    }
}

/// The value conversion of WGSL's constructors.
pub fn convert(from: Kind, to: Kind, a: u64) -> u64 {
    if from == to {
        return a;
    }
    let float = match from {
        Kind::F32 => Some((f64::from(f32::from_bits(a as u32)), 24)),
        Kind::F64 => Some((f64::from_bits(a), 53)),
        _ => None,
    };
    if let Some((x, precision)) = float {
        return match to {
            Kind::Bool => u64::from(x != 0.0),
            Kind::F32 => (x as f32).bits(),
            Kind::F64 => x.bits(),
            _ => to_int(x, precision, to),
        };
    }
    let whole: i128 = match from {
        Kind::I32 => i32::from_bits(a).wide(),
        Kind::I64 => i64::from_bits(a).wide(),
        _ => a.into(),
    };
    match to {
        Kind::Bool => u64::from(whole != 0),
        Kind::I32 | Kind::U32 => (whole as u32).bits(),
        Kind::I64 | Kind::U64 => whole as u64,
        Kind::F32 => (whole as f32).bits(),
        Kind::F64 => (whole as f64).bits(),
    }
}
