//! Linear algebra and transforms: vectors, dense and sparse matrices, systems of equations, Fourier transforms, and
//! ordinary differential equations.
//!
//! All functions take f32 or f64, slices or [`Array`]s, and run where they are fastest. Each returns when
//! the result is there. f64 runs on the CPU and on GPUs that have it.
//!
//! ```
//! use evener::prelude::*;
//! use evener_kernels::{Linalg, linalg::{Matrix, MatrixMut}};
//!
//! # fn main() -> evener::Result<()> {
//! # let rt = Runtime::builder().gpu(false).profile(None).build()?;
//! let (a, b) = ([1.0f32, 2.0, 3.0, 4.0], [1.0f32, 0.0, 1.0, 1.0]);
//! let mut c = [0.0f32; 4];
//! // C = A transposed times B
//! let a = Matrix::new(&a, 2, 2)?.transposed();
//! rt.gemm(1.0, a, Matrix::new(&b, 2, 2)?, 0.0, MatrixMut::new(&mut c, 2, 2)?)?;
//! assert_eq!(c, [4.0, 3.0, 6.0, 4.0]);
//! # Ok(()) }
//! ```

mod conjugate_gradient;
mod csr;
mod fft;
mod gemm;
mod gemm_native;
mod gemv;
mod matrix;
mod ode;
mod real;
mod tridiagonal;
mod vector;

pub use conjugate_gradient::{Ending, Solved};
pub use csr::Csr;
pub use fft::{Fft, Fft2, RealFft};
pub use matrix::{Matrix, MatrixMut};
pub use ode::{Adaptive, Ode};
pub use real::Real;

use crate::{
    blocks::Blocks,
    data::{Input, Output},
    reports::{Done, Reports},
};
use evener::{
    Array, Error, ErrorKind, Kernel, Result, Runtime,
    call::args::{HostArg, IntoArg},
    kernel::layout::Element,
};
use std::borrow::Borrow;

/// Linear algebra, transforms and differential equations on a [`Runtime`].
pub trait Linalg: Borrow<Runtime> {
    /// `y = alpha x + y`.
    ///
    /// # Errors
    /// `ArgumentSize`: `x` and `y` differ in length. `ItemCount`: more than 2^32 elements.
    ///
    /// ```
    /// # use evener::prelude::*;
    /// # use evener_kernels::Linalg;
    /// # fn main() -> evener::Result<()> {
    /// # let rt = Runtime::builder().gpu(false).profile(None).build()?;
    /// let (x, mut y) = ([1.0f64, 2.0], [10.0, 20.0]);
    /// rt.axpy(3.0, &x, &mut y)?;
    /// assert_eq!(y, [13.0, 26.0]);
    /// # Ok(()) }
    /// ```
    fn axpy<T: Real>(&self, alpha: T, x: impl Input<T>, y: impl Output<T>) -> Result<Reports> {
        vector::axpy(self.borrow(), alpha, x, y)
    }

    /// `x . y`: [`Blocks::sum_of_products`] under the name that it has in linear algebra.
    ///
    /// # Errors
    /// As [`Linalg::axpy`].
    ///
    /// ```
    /// # use evener::prelude::*;
    /// # use evener_kernels::Linalg;
    /// # fn main() -> evener::Result<()> {
    /// # let rt = Runtime::builder().gpu(false).profile(None).build()?;
    /// assert_eq!(rt.dot(&[1.0f32, 2.0, 3.0], &[4.0, 5.0, 6.0])?.value, 32.0);
    /// # Ok(()) }
    /// ```
    fn dot<T: Real>(&self, x: impl Input<T>, y: impl Input<T>) -> Result<Done<T>> {
        Blocks::sum_of_products::<T>(Borrow::<Runtime>::borrow(self), x, y)
    }

    /// `y = alpha A x + beta y`. With `beta` zero, `y` may hold anything before, NaN too.
    ///
    /// # Errors
    /// `ArgumentSize`: `x` has not as many elements as `a` columns, or `y` as `a` rows, or `a` is a batch.
    ///
    /// ```
    /// # use evener::prelude::*;
    /// # use evener_kernels::{Linalg, linalg::Matrix};
    /// # fn main() -> evener::Result<()> {
    /// # let rt = Runtime::builder().gpu(false).profile(None).build()?;
    /// let a = [1.0f32, 2.0, 3.0, 4.0, 5.0, 6.0];
    /// let mut y = [0.0f32; 2];
    /// rt.gemv(1.0, Matrix::new(&a, 2, 3)?, &[1.0, 1.0, 1.0], 0.0, &mut y)?;
    /// assert_eq!(y, [6.0, 15.0]);
    /// # Ok(()) }
    /// ```
    fn gemv<T: Real>(
        &self,
        alpha: T,
        a: Matrix<'_, T>,
        x: impl Input<T>,
        beta: T,
        y: impl Output<T>,
    ) -> Result<Reports> {
        gemv::gemv(self.borrow(), alpha, a, x, beta, y)
    }

    /// `C = alpha A B + beta C`, for each matrix of the batch `c`; of `a` and `b` there are as many, or one for all. With
    /// `beta` zero, `C` may hold anything before, NaN too.
    ///
    /// Tiles of 64 by 64 through work-group memory, 4 by 4 in the registers of an invocation, after the scheme of
    /// K. Goto and R. van de Geijn, "Anatomy of high-performance matrix multiplication" (ACM TOMS 34(3), 2008). On the CPU
    /// the crate `gemm` multiplies matrices that lie row by row or column by column, without gaps; others the same tiles.
    ///
    /// # Errors
    /// `ArgumentSize`: shapes or batches that do not agree. `Aliasing`: `c` shares memory with `a` or `b`.
    ///
    /// See the [module](self) for an example.
    fn gemm<T: Real>(
        &self,
        alpha: T,
        a: Matrix<'_, T>,
        b: Matrix<'_, T>,
        beta: T,
        c: MatrixMut<'_, T>,
    ) -> Result<Reports> {
        gemm::gemm(self.borrow(), alpha, a, b, beta, c)
    }

    /// `y = A x` for a sparse matrix in compressed rows. Rows of 8 elements and more, on average, are shared by 16
    /// invocations (N. Bell and M. Garland, "Implementing sparse matrix-vector multiplication on throughput-oriented
    /// processors", SC 2009).
    ///
    /// # Errors
    /// `ArgumentSize`: `x` has not as many elements as `a` columns, or `y` as `a` rows.
    ///
    /// See [`Csr`] for an example.
    fn spmv<T: Real>(&self, a: &Csr<T>, x: impl Input<T>, y: impl Output<T>) -> Result<Reports> {
        csr::spmv(self.borrow(), a, x, y)
    }

    /// Solves `A x = b` for a symmetric definite `a`, from the guess in `x` on, by conjugate gradients (M. Hestenes and
    /// E. Stiefel, J. Res. Nat. Bur. Standards 49(6), 1952). A negative definite matrix takes the same steps as its
    /// negative. All vectors stay on their device; each step brings two lists of partial sums to the host.
    ///
    /// Symmetry is not checked. Not converging is no error: see [`Solved::converged`].
    ///
    /// # Errors
    /// `ArgumentSize`: `a` is not square, or `b` or `x` have not as many elements as it rows. `KernelFault`: `d . A d` is
    /// zero or changes its sign from direction to direction (the matrix is not definite), or numbers are out of range; `x`
    /// then holds the last step.
    ///
    /// ```
    /// # use evener::prelude::*;
    /// # use evener_kernels::{Linalg, linalg::{Csr, Ending}};
    /// # fn main() -> evener::Result<()> {
    /// # let rt = Runtime::builder().gpu(false).profile(None).build()?;
    /// let a = Csr::new(&rt, 2, &[0, 2, 4], &[0, 1, 0, 1], &[4.0f64, 1.0, 1.0, 3.0])?;
    /// let (b, mut x) = (rt.array(&[1.0, 2.0])?, rt.zeros(2)?);
    /// let solved = rt.conjugate_gradient(&a, &b, &mut x, &Ending { tolerance: 1e-12, steps: 10 })?;
    /// assert!(solved.converged && solved.steps <= 3);
    /// assert!((x.read()?[0] - 1.0 / 11.0).abs() < 1e-12);
    /// # Ok(()) }
    /// ```
    fn conjugate_gradient<T: Real>(
        &self,
        a: &Csr<T>,
        b: &Array<T>,
        x: &mut Array<T>,
        ending: &Ending,
    ) -> Result<Solved> {
        conjugate_gradient::solve(self.borrow(), a, b, x, ending)
    }

    /// Solves tridiagonal systems, each a row of the four matrices:
    /// `lower[i] x[i-1] + diagonal[i] x[i] + upper[i] x[i+1] = rhs[i]`. `x` holds the right-hand sides before and the
    /// solutions after; the first element of `lower` and the last of `upper` are not read.
    ///
    /// By elimination without pivoting (L. Thomas, 1949): stable for matrices that are diagonally dominant, or symmetric
    /// positive definite; a zero pivot gives infinities and NaN. GPUs are fastest where neighbouring systems lie side by
    /// side: transposed matrices.
    ///
    /// # Errors
    /// `ArgumentSize`: shapes that do not agree, or batches.
    ///
    /// ```
    /// # use evener::prelude::*;
    /// # use evener_kernels::{Linalg, linalg::{Matrix, MatrixMut}};
    /// # fn main() -> evener::Result<()> {
    /// # let rt = Runtime::builder().gpu(false).profile(None).build()?;
    /// let (ones, twos) = ([-1.0f64; 3], [2.0f64; 3]);
    /// let row = |data| Matrix::new(data, 1, 3);
    /// let mut x = [1.0f64, 0.0, 1.0];
    /// rt.tridiagonal(row(&ones)?, row(&twos)?, row(&ones)?, MatrixMut::new(&mut x, 1, 3)?)?;
    /// assert!(x.iter().all(|x| (x - 1.0).abs() < 1e-12));
    /// # Ok(()) }
    /// ```
    fn tridiagonal<T: Real>(
        &self,
        lower: Matrix<'_, T>,
        diagonal: Matrix<'_, T>,
        upper: Matrix<'_, T>,
        x: MatrixMut<'_, T>,
    ) -> Result<Reports> {
        tridiagonal::solve(self.borrow(), lower, diagonal, upper, x)
    }

    /// Complex Fourier transforms of `length` elements: computes their tables, and transforms nothing yet.
    ///
    /// # Errors
    /// `ItemCount`: no elements, or more than 2^30.
    fn fft<T: Real>(&self, length: usize) -> Result<Fft<T>> {
        Fft::new(self.borrow(), length)
    }

    /// Complex Fourier transforms of planes of `rows` by `cols` elements.
    ///
    /// # Errors
    /// As [`Linalg::fft`], for each axis.
    fn fft2<T: Real>(&self, rows: usize, cols: usize) -> Result<Fft2<T>> {
        Fft2::new(self.borrow(), rows, cols)
    }

    /// Fourier transforms of real vectors of `length` elements.
    ///
    /// # Errors
    /// As [`Linalg::fft`].
    fn real_fft<T: Real>(&self, length: usize) -> Result<RealFft<T>> {
        RealFft::new(self.borrow(), length)
    }

    /// A system of `size` ordinary differential equations with `parameters` parameters, whose right-hand side is the WGSL
    /// function `derivative` of a source.
    ///
    /// # Errors
    /// `Limit`: no equations, or more than 64 equations or parameters. `InvalidKernel`: the source, with line and caret.
    fn ode<T: Real>(&self, size: usize, parameters: usize, derivative: &str) -> Result<Ode<T>> {
        Ode::new(self.borrow(), size, parameters, derivative)
    }
}

impl Linalg for Runtime {}

/// The kernel of a source for a scalar type.
fn kernel<T: Real>(rt: &Runtime, source: &str) -> Result<Kernel> {
    rt.kept_kernel([T::PRELUDE, source])
}

/// Elements as WGSL counts them; none where there is nothing to do.
fn call_size(count: usize) -> Result<Option<u32>> {
    match u32::try_from(count) {
        Ok(0) => Ok(None),
        Ok(count) => Ok(Some(count)),
        Err(_) => {
            let why = format!("{count} elements are more than the 2^32 that the kernel's indices count: take parts");
            Err(Error::new(ErrorKind::ItemCount, why))
        }
    }
}

/// The argument, or a zero that is never used where it has no elements: a binding has at least one.
fn or_zero<'a, T: Element>(argument: HostArg<'a>, is_empty: bool, zero: &'a [T; 1]) -> HostArg<'a> {
    if is_empty { zero.into_arg() } else { argument }
}
