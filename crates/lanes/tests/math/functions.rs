//! The functions under test: what they should be, and how far off they may be.

use crate::build::Build;
use evener_lanes::ir::*;

/// The operation of a function.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Operation {
    Unary(UnaryOp),
    Binary(BinaryOp),
}

/// A function of one or two arguments.
pub struct Function {
    /// WGSL's name.
    pub name: &'static str,
    pub operation: Operation,
    /// The function in `f64`, within an ULP or two of that.
    pub truth: fn(f64, f64) -> f64,
    /// Largest error of the `f32` function in units of the last place, over all arguments.
    pub limit: f64,
}

const fn unary(name: &'static str, op: UnaryOp, truth: fn(f64, f64) -> f64, limit: f64) -> Function {
    Function { name, operation: Operation::Unary(op), truth, limit }
}

const fn binary(name: &'static str, op: BinaryOp, truth: fn(f64, f64) -> f64, limit: f64) -> Function {
    Function { name, operation: Operation::Binary(op), truth, limit }
}

/// All functions.
pub const FUNCTIONS: [Function; 19] = [
    unary("exp", UnaryOp::Exp, |x, _| x.exp(), 1.6),
    unary("exp2", UnaryOp::Exp2, |x, _| x.exp2(), 1.3),
    unary("log", UnaryOp::Log, |x, _| x.ln(), 1.1),
    unary("log2", UnaryOp::Log2, |x, _| x.log2(), 1.9),
    unary("inverseSqrt", UnaryOp::InverseSqrt, |x, _| 1.0 / x.sqrt(), 0.9),
    unary("sin", UnaryOp::Sin, |x, _| x.sin(), 1.9),
    unary("cos", UnaryOp::Cos, |x, _| x.cos(), 1.9),
    unary("tan", UnaryOp::Tan, |x, _| x.tan(), 2.0),
    unary("asin", UnaryOp::Asin, |x, _| x.asin(), 1.4),
    unary("acos", UnaryOp::Acos, |x, _| x.acos(), 1.2),
    unary("atan", UnaryOp::Atan, |x, _| x.atan(), 1.5),
    unary("sinh", UnaryOp::Sinh, |x, _| x.sinh(), 1.6),
    unary("cosh", UnaryOp::Cosh, |x, _| x.cosh(), 1.4),
    unary("tanh", UnaryOp::Tanh, |x, _| x.tanh(), 1.4),
    unary("asinh", UnaryOp::Asinh, asinh, 1.9),
    unary("acosh", UnaryOp::Acosh, acosh, 1.9),
    unary("atanh", UnaryOp::Atanh, atanh, 1.9),
    binary("pow", BinaryOp::Pow, f64::powf, 3.2),
    binary("atan2", BinaryOp::Atan2, f64::atan2, 1.9),
];

// The standard library's formulas for these lose digits.

fn asinh(x: f64, _: f64) -> f64 {
    let a = x.abs();
    let log =
        if a > 1e9 { a.ln() + std::f64::consts::LN_2 } else { (a + a * a / (1.0 + (a * a + 1.0).sqrt())).ln_1p() };
    log.copysign(x)
}

fn acosh(x: f64, _: f64) -> f64 {
    let t = x - 1.0;
    if x < 1.0 {
        f64::NAN
    } else if x > 1e9 {
        x.ln() + std::f64::consts::LN_2
    } else {
        (t + (t * (x + 1.0)).sqrt()).ln_1p()
    }
}

fn atanh(x: f64, _: f64) -> f64 {
    let a = x.abs();
    (0.5 * (2.0 * a / (1.0 - a)).ln_1p()).copysign(x)
}

impl Function {
    /// `out[i] = f(x[i], y[i])`.
    pub fn kernel(&self, ty: Ty) -> Kernel {
        let mut b = Build::new([64, 1, 1]);
        let [x, y, out] = ["x", "y", "out"].map(|name| b.array(name, ty.bytes()));
        let i = b.gid(0);
        let x = b.load(ty, x, i);
        let op = match self.operation {
            Operation::Unary(op) => Op::Unary(op, x),
            Operation::Binary(op) => Op::Binary(op, x, b.load(ty, y, i)),
        };
        let result = b.op(ty, op);
        b.store(out, i, result);
        b.done()
    }
}

/// The distance of `got` from the truth in units of the last place of the nearest `f32`; zeros are alike.
pub fn ulps(got: f32, truth: f64) -> f64 {
    let nearest = truth as f32;
    if got == nearest || (got.is_nan() && nearest.is_nan()) {
        return 0.0;
    }
    // What lies between the largest number and infinity is counted as if there were numbers.
    let end = 2f64.powi(128);
    let [got, truth] = [f64::from(got), truth].map(|x| if x.is_infinite() { end.copysign(x) } else { x });
    let exponent = (nearest.abs().to_bits() >> 23).clamp(1, 254) as i32 - 127 - 23;
    let error = (got - truth).abs() / 2f64.powi(exponent);
    if error.is_nan() { f64::INFINITY } else { error }
}
