//! Transforms of real vectors.

use super::{
    Direction,
    axis::{Axis, Extent, Operands},
    roots::{roots, rounded},
    vectors,
};
use crate::{
    data::{Input, Output},
    linalg::{Real, call_size, kernel},
    passes::Passes,
    reports::Reports,
};
use evener::{Array, Result, Runtime, call::args::IntoArg};
use evener_shaders::linalg as wgsl;

/// Fourier transforms of real vectors of one length n, any number of them at once, made by
/// [`Linalg::real_fft`](super::super::Linalg::real_fft).
///
/// The spectrum of a real vector is its own conjugate read backwards, so `n / 2 + 1` elements (rounded down) hold it. Even
/// lengths take a complex transform of half the length; odd ones a complex transform of the whole.
///
/// ```
/// use evener::prelude::*;
/// use evener_kernels::Linalg;
///
/// # fn main() -> evener::Result<()> {
/// # let rt = Runtime::builder().gpu(false).profile(None).build()?;
/// let fft = rt.real_fft::<f64>(4)?;
/// let mut spectrum = [[0.0; 2]; 3];
/// fft.forward(&[1.0, 2.0, 3.0, 4.0], &mut spectrum)?;
/// assert_eq!(spectrum, [[10.0, 0.0], [-2.0, 2.0], [-2.0, 0.0]]);
/// let mut back = [0.0; 4];
/// fft.backward(&spectrum, &mut back)?;
/// assert_eq!(back, [1.0, 2.0, 3.0, 4.0]);
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct RealFft<T: Real> {
    rt: Runtime,
    length: usize,
    /// Half of an even length; 0 of an odd one.
    half: usize,
    axis: Axis<T>,
    root: Array<[T; 2]>,
}

impl<T: Real> RealFft<T> {
    pub(in crate::linalg) fn new(rt: &Runtime, length: usize) -> Result<Self> {
        let half = if length.is_multiple_of(2) { length / 2 } else { 0 };
        let axis = Axis::new(rt, if half > 0 { half } else { length })?;
        let root = rt.array_from_vec(rounded(&roots(length, half + 1)));
        Ok(RealFft { rt: rt.clone(), length, half, axis, root })
    }

    /// Elements of a real vector.
    pub fn length(&self) -> usize {
        self.length
    }

    /// Elements of its spectrum.
    pub fn spectrum(&self) -> usize {
        self.length / 2 + 1
    }

    /// Transforms each vector of `src`, one after the other, into `dst`.
    ///
    /// # Errors
    /// `ArgumentSize`: `src` is no whole number of vectors, or `dst` has not [`RealFft::spectrum`] elements for each.
    /// `ItemCount`: more than 2^32 elements.
    pub fn forward(&self, src: impl Input<T>, mut dst: impl Output<[T; 2]>) -> Result<Reports> {
        let vectors = vectors([src.count(), self.length], [dst.count(), self.spectrum()])?;
        let mut passes = Passes::new(&self.rt);
        if vectors > 0 {
            let (mut packed, mut turned) = (self.room(vectors)?, self.room(vectors)?);
            self.change(&mut passes, wgsl::FFT_PACK, [src.as_arg(), (&mut packed).into_arg()], vectors)?;
            let extent = Extent { vectors, inner: 1 };
            self.axis.run(&mut passes, [(&packed).into_arg(), (&mut turned).into_arg()], extent, Direction::FORWARD)?;
            let lengths = [self.axis.length, self.spectrum()];
            self.regroup(&mut passes, [(&turned).into_arg(), dst.as_arg_mut()], vectors, lengths, 1.0)?;
        }
        Ok(passes.reports())
    }

    /// The reverse of [`RealFft::forward`]. Imaginary parts of elements that are real in the spectrum of a real vector, the
    /// first and of even lengths the last, are not read.
    ///
    /// # Errors
    /// As [`RealFft::forward`], with `src` and `dst` in each other's place.
    pub fn backward(&self, src: impl Input<[T; 2]>, mut dst: impl Output<T>) -> Result<Reports> {
        let vectors = vectors([src.count(), self.spectrum()], [dst.count(), self.length])?;
        let mut passes = Passes::new(&self.rt);
        if vectors > 0 {
            let (mut joined, mut turned) = (self.room(vectors)?, self.room(vectors)?);
            let lengths = [self.spectrum(), self.axis.length];
            self.regroup(&mut passes, [src.as_arg(), (&mut joined).into_arg()], vectors, lengths, -1.0)?;
            let (extent, direction) = (Extent { vectors, inner: 1 }, Direction::backward(self.axis.length));
            self.axis.run(&mut passes, [(&joined).into_arg(), (&mut turned).into_arg()], extent, direction)?;
            self.change(&mut passes, wgsl::FFT_UNPACK, [(&turned).into_arg(), dst.as_arg_mut()], vectors)?;
        }
        Ok(passes.reports())
    }

    /// Room for the complex vectors.
    fn room(&self, vectors: usize) -> Result<Array<[T; 2]>> {
        call_size(vectors.saturating_mul(self.length))?;
        self.rt.zeros(vectors * self.axis.length)
    }

    /// Between real and complex vectors.
    fn change(&self, passes: &mut Passes<'_>, source: &str, [src, dst]: Operands<'_>, vectors: usize) -> Result<()> {
        let elements = (vectors * self.axis.length) as u32;
        let kernel = kernel::<T>(&self.rt, source)?;
        let call = kernel.call().set("p.elements", elements).set("p.paired", u32::from(self.half > 0));
        passes.run(call.arg("src", src).arg("dst", dst).items(elements))
    }

    /// Between spectra of real vectors and complex transforms: to the spectra with the sign 1, from them with -1.
    fn regroup(
        &self,
        passes: &mut Passes<'_>,
        [src, dst]: Operands<'_>,
        vectors: usize,
        [src_length, dst_length]: [usize; 2],
        sign: f64,
    ) -> Result<()> {
        let elements = (vectors * dst_length) as u32;
        let kernel = kernel::<T>(&self.rt, wgsl::FFT_REGROUP)?;
        let call = kernel.call().set("p.elements", elements).set("p.dst_length", dst_length as u32);
        let call = call.set("p.src_length", src_length as u32).set("p.half", self.half as u32);
        let call = call.set("p.sign", T::from_f64(sign)).arg("root", &self.root);
        passes.run(call.arg("src", src).arg("dst", dst).items(elements))
    }
}
