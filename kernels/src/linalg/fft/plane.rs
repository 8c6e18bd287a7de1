//! Complex transforms of planes, along both axes.

use super::{
    Direction,
    axis::{Axis, Extent},
    vectors,
};
use crate::{
    data::{Input, Output},
    linalg::{Real, call_size},
    passes::Passes,
    reports::Reports,
};
use evener::{Result, Runtime, call::args::IntoArg};

/// Complex Fourier transforms of planes of `rows` by `cols` elements, row by row, any number of them at once, made by
/// [`Linalg::fft2`](super::super::Linalg::fft2).
///
/// `X[k][l] = sum_ij x[i][j] exp(-2 pi i (i k / rows + j l / cols))`. Rows are transformed first, then columns, where they
/// are: nothing is transposed.
///
/// ```
/// use evener::prelude::*;
/// use evener_kernels::Linalg;
///
/// # fn main() -> evener::Result<()> {
/// # let rt = Runtime::builder().gpu(false).profile(None).build()?;
/// let fft = rt.fft2::<f32>(2, 3)?;
/// let (mut spectrum, mut back) = ([[0.0f32; 2]; 6], [[0.0f32; 2]; 6]);
/// fft.forward(&[[1.0, 0.0]; 6], &mut spectrum)?;
/// assert!((spectrum[0][0] - 6.0).abs() < 1e-5);
/// fft.backward(&spectrum, &mut back)?;
/// assert!((back[4][0] - 1.0).abs() < 1e-5);
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct Fft2<T: Real> {
    rt: Runtime,
    rows: Axis<T>,
    cols: Axis<T>,
}

impl<T: Real> Fft2<T> {
    pub(in crate::linalg) fn new(rt: &Runtime, rows: usize, cols: usize) -> Result<Self> {
        call_size(rows.saturating_mul(cols))?;
        Ok(Fft2 { rt: rt.clone(), rows: Axis::new(rt, rows)?, cols: Axis::new(rt, cols)? })
    }

    /// Rows and columns of a plane.
    pub fn shape(&self) -> [usize; 2] {
        [self.rows.length, self.cols.length]
    }

    /// Transforms each plane of `src`, one after the other, into `dst`.
    ///
    /// # Errors
    /// As [`Fft::forward`](super::Fft::forward).
    pub fn forward(&self, src: impl Input<[T; 2]>, dst: impl Output<[T; 2]>) -> Result<Reports> {
        self.run(src, dst, [Direction::FORWARD; 2])
    }

    /// The reverse of [`Fft2::forward`].
    ///
    /// # Errors
    /// As [`Fft2::forward`].
    pub fn backward(&self, src: impl Input<[T; 2]>, dst: impl Output<[T; 2]>) -> Result<Reports> {
        self.run(src, dst, self.shape().map(Direction::backward))
    }

    fn run(
        &self,
        src: impl Input<[T; 2]>,
        mut dst: impl Output<[T; 2]>,
        [along_columns, along_rows]: [Direction; 2],
    ) -> Result<Reports> {
        let [rows, cols] = self.shape();
        let planes = vectors([src.count(), rows * cols], [dst.count(), rows * cols])?;
        let mut passes = Passes::new(&self.rt);
        if planes > 0 {
            let mut between = self.rt.zeros::<[T; 2]>(src.count())?;
            let extent = Extent { vectors: planes * rows, inner: 1 };
            let operands = [src.as_arg(), (&mut between).into_arg()];
            self.cols.run(&mut passes, operands, extent, along_rows)?;
            let extent = Extent { vectors: planes, inner: cols };
            let operands = [(&between).into_arg(), dst.as_arg_mut()];
            self.rows.run(&mut passes, operands, extent, along_columns)?;
        }
        Ok(passes.reports())
    }
}
