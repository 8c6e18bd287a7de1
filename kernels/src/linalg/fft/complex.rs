//! Complex transforms along one axis.

use super::{
    Direction,
    axis::{Axis, Extent},
    vectors,
};
use crate::{
    data::{Input, Output},
    linalg::Real,
    passes::Passes,
    reports::Reports,
};
use evener::{Result, Runtime};

/// Complex Fourier transforms of one length, any number of them at once, made by [`Linalg::fft`](super::super::Linalg::fft).
///
/// `X[k] = sum_j x[j] exp(-2 pi i j k / n)`; an element is its real and imaginary part. Powers of two take passes of
/// radix 4 and 2 in Stockham's order, other lengths Bluestein's way over the next power of two after twice the length.
/// The error is a few roundings for each doubling of the length. Where everything runs on the CPU (no GPU, or a runtime
/// placed there) the crate `rustfft` transforms whole vectors, several at once.
///
/// ```
/// use evener::prelude::*;
/// use evener_kernels::Linalg;
///
/// # fn main() -> evener::Result<()> {
/// # let rt = Runtime::builder().gpu(false).profile(None).build()?;
/// let fft = rt.fft::<f64>(4)?;
/// // Two vectors: a constant, and one turn of a circle.
/// let x = [[1.0, 0.0], [1.0, 0.0], [1.0, 0.0], [1.0, 0.0], [1.0, 0.0], [0.0, 1.0], [-1.0, 0.0], [0.0, -1.0]];
/// let mut spectrum = [[0.0; 2]; 8];
/// fft.forward(&x, &mut spectrum)?;
/// assert_eq!(spectrum[0], [4.0, 0.0]); // all at frequency 0
/// assert_eq!(spectrum[4 + 1], [4.0, 0.0]); // all at frequency 1
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct Fft<T: Real> {
    rt: Runtime,
    axis: Axis<T>,
}

impl<T: Real> Fft<T> {
    pub(in crate::linalg) fn new(rt: &Runtime, length: usize) -> Result<Self> {
        Ok(Fft { rt: rt.clone(), axis: Axis::new(rt, length)? })
    }

    /// Elements of a transform.
    pub fn length(&self) -> usize {
        self.axis.length
    }

    /// Transforms each vector of `src`, one after the other, into `dst`.
    ///
    /// # Errors
    /// `ArgumentSize`: `src` is no whole number of vectors, or `dst` has another length. `ItemCount`: more than 2^32
    /// elements, for lengths that are no powers of two between the passes.
    pub fn forward(&self, src: impl Input<[T; 2]>, dst: impl Output<[T; 2]>) -> Result<Reports> {
        self.run(src, dst, Direction::FORWARD)
    }

    /// The reverse of [`Fft::forward`]: `x[j] = sum_k X[k] exp(2 pi i j k / n) / n`.
    ///
    /// # Errors
    /// As [`Fft::forward`].
    pub fn backward(&self, src: impl Input<[T; 2]>, dst: impl Output<[T; 2]>) -> Result<Reports> {
        self.run(src, dst, Direction::backward(self.length()))
    }

    fn run(&self, src: impl Input<[T; 2]>, mut dst: impl Output<[T; 2]>, direction: Direction) -> Result<Reports> {
        let vectors = vectors([src.count(), self.length()], [dst.count(), self.length()])?;
        let mut passes = Passes::new(&self.rt);
        if vectors > 0 {
            let extent = Extent { vectors, inner: 1 };
            self.axis.run(&mut passes, [src.as_arg(), dst.as_arg_mut()], extent, direction)?;
        }
        Ok(passes.reports())
    }
}
