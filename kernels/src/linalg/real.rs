//! The scalar types of the library.

use crate::blocks::Number;
use std::fmt::{Debug, Display};

mod sealed {
    use crate::linalg::fft::{Transform, planned};
    use std::{
        ops::{Add, Mul},
        sync::Arc,
    };

    /// Closed: the kernels are written for two types.
    pub trait Sealed: Add<Output = Self> + Mul<Output = Self> + Sized {
        /// Plans Fourier transforms on the CPU.
        fn transform(length: usize, forward: bool) -> Arc<dyn Transform<Self>>;
    }

    impl Sealed for f32 {
        fn transform(length: usize, forward: bool) -> Arc<dyn Transform<f32>> {
            planned(length, forward)
        }
    }

    impl Sealed for f64 {
        fn transform(length: usize, forward: bool) -> Arc<dyn Transform<f64>> {
            planned(length, forward)
        }
    }
}

/// f32 or f64. Kernels of f64 run on the CPU and on GPUs that have f64; they are never computed in f32.
pub trait Real: Number + Debug + Display + PartialOrd + sealed::Sealed {
    /// The line that makes a source of [`evener_shaders::linalg`] one of this type.
    const PRELUDE: &'static str;
    /// The distance from 1 to the next number.
    const EPSILON: f64;

    /// The nearest value.
    fn from_f64(value: f64) -> Self;

    /// The value, exactly.
    fn to_f64(self) -> f64;
}

impl Real for f32 {
    const PRELUDE: &'static str = evener_shaders::linalg::F32;
    const EPSILON: f64 = f32::EPSILON as f64;

    fn from_f64(value: f64) -> Self {
        value as f32
    }

    fn to_f64(self) -> f64 {
        f64::from(self)
    }
}

impl Real for f64 {
    const PRELUDE: &'static str = evener_shaders::linalg::F64;
    const EPSILON: f64 = f64::EPSILON;

    fn from_f64(value: f64) -> Self {
        value
    }

    fn to_f64(self) -> f64 {
        self
    }
}
