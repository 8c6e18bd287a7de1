//! Transcendental functions and the inverse square root, each written once.
//!
//! A function is a text over `machine::Machine`. The interpreter evaluates it lane by lane
//! (`scalar::Scalar`, in loops that the compiler vectorises); [`expand`] writes it into a kernel as instructions,
//! for back ends that have no such operations. So all engines give the same bits, whatever the instruction set.
//!
//! - Functions of `f32` and of `f64` are the same texts with other constants (`format::Format`): they compute in
//!   their own type, with fused multiply-adds where those save an operation or a rounding. The fusing is part of the
//!   text and does not depend on whether a kernel's own arithmetic is contracted.
//! - Cases that hardly ever occur (angles above 10^5, arguments that are no positive normal numbers) take a path of
//!   their own (`Machine::rare`), which is skipped where no lane needs it.
//! - Angles of any size are reduced exactly (`reduction`).

mod angle;
mod arc;
mod bits;
mod emit;
mod expand;
mod exponential;
pub(crate) mod format;
mod hyperbolic;
mod logarithm;
pub(crate) mod machine;
mod power;
mod reduction;
mod root;
pub(crate) mod scalar;

pub use expand::expand;

/// The functions by name.
pub(crate) mod library {
    pub(crate) use super::{
        angle::{cos, sin, tan},
        arc::{acos, asin, atan, atan2},
        exponential::{exp, exp2},
        hyperbolic::{acosh, asinh, atanh, cosh, sinh, tanh},
        logarithm::{log, log2},
        power::pow,
        root::inverse_sqrt,
    };
}

/// Calls a macro with the functions: operation of the IR and name in [`library`], unary and binary.
macro_rules! functions {
    ($visit:ident) => {
        $visit! {
            [
                Exp exp, Exp2 exp2, Log log, Log2 log2, InverseSqrt inverse_sqrt,
                Sin sin, Cos cos, Tan tan, Asin asin, Acos acos, Atan atan,
                Sinh sinh, Cosh cosh, Tanh tanh, Asinh asinh, Acosh acosh, Atanh atanh
            ]
            [Pow pow, Atan2 atan2]
        }
    };
}
pub(crate) use functions;
