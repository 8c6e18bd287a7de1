//! Matrices in slices and arrays: any strides, so that a transpose costs no copy, and batches of them.

use crate::data::{Input, Output};
use evener::{
    Error, ErrorKind, Result,
    call::args::{HostArg, IntoArg},
    kernel::layout::Element,
};
use std::marker::PhantomData;

/// Rows, columns, and matrices of a batch that kernels count.
const MOST: usize = 1 << 31;

/// Where the elements of a batch of matrices lie: element (i, j) of matrix k at
/// `k * batch_stride + i * row_stride + j * col_stride`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Layout {
    pub(crate) rows: usize,
    pub(crate) cols: usize,
    pub(crate) row_stride: usize,
    pub(crate) col_stride: usize,
    pub(crate) batch: usize,
    pub(crate) batch_stride: usize,
}

impl Layout {
    fn rows_of(rows: usize, cols: usize, strides: [usize; 2]) -> Self {
        Layout { rows, cols, row_stride: strides[0], col_stride: strides[1], batch: 1, batch_stride: 0 }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rows == 0 || self.cols == 0 || self.batch == 0
    }

    fn axes(&self) -> [(usize, usize); 3] {
        [(self.rows, self.row_stride), (self.cols, self.col_stride), (self.batch, self.batch_stride)]
    }

    /// Checks that all elements lie in `len` and are counted by u32.
    fn check(&self, len: usize) -> Result<()> {
        if self.is_empty() {
            return Ok(());
        }
        let last = self
            .axes()
            .iter()
            .try_fold(0usize, |at, (extent, stride)| extent.checked_sub(1)?.checked_mul(*stride)?.checked_add(at));
        let what = self.describe();
        match last {
            Some(last) if last < len => {}
            Some(last) => {
                let why = format!("{what} ends with element {last} and the data has {len}: give at least {}", last + 1);
                return Err(Error::new(ErrorKind::ArgumentSize, why));
            }
            None => return Err(Error::new(ErrorKind::ArgumentSize, format!("{what} ends beyond 2^64 elements"))),
        }
        let small = self.axes().iter().all(|(extent, _)| *extent <= MOST);
        if !small || last.is_some_and(|last| last > u32::MAX as usize) {
            let why = format!("{what}: kernels count 2^31 rows and columns and 2^32 elements; take parts of it");
            return Err(Error::new(ErrorKind::ItemCount, why));
        }
        Ok(())
    }

    /// Checks that no two elements are one. Sufficient: each stride steps over all that the smaller ones reach.
    fn check_apart(&self) -> Result<()> {
        if self.is_empty() {
            return Ok(());
        }
        let mut axes = self.axes();
        axes.sort_by_key(|(_, stride)| *stride);
        let mut reach = 0;
        for (extent, stride) in axes.into_iter().filter(|(extent, _)| *extent > 1) {
            if stride <= reach {
                let why = format!(
                    "{} is written and a stride of {stride} does not step over what the smaller ones reach, {} elements",
                    self.describe(),
                    reach + 1
                );
                return Err(Error::new(ErrorKind::Aliasing, why));
            }
            reach += (extent - 1) * stride;
        }
        Ok(())
    }

    fn describe(&self) -> String {
        let Layout { rows, cols, row_stride, col_stride, batch, batch_stride } = self;
        let one = format!("a matrix of {rows} by {cols} with strides {row_stride} and {col_stride}");
        if *batch == 1 { one } else { format!("a batch of {batch}, {batch_stride} apart, of {one}") }
    }

    fn transposed(self) -> Self {
        Layout { rows: self.cols, cols: self.rows, row_stride: self.col_stride, col_stride: self.row_stride, ..self }
    }
}

macro_rules! matrix {
    ($(#[$doc:meta])* $name:ident, $operand:ident, $example:literal) => {
        $(#[$doc])*
        #[derive(Debug)]
        pub struct $name<'a, T: Element> {
            pub(crate) data: HostArg<'a>,
            pub(crate) layout: Layout,
            len: usize,
            _elements: PhantomData<T>,
        }

        impl<'a, T: Element> $name<'a, T> {
            /// `rows` by `cols` elements, row by row.
            ///
            #[doc = $example]
            ///
            /// # Errors
            /// `ArgumentSize`: not `rows * cols` elements; `ItemCount`: more than kernels count.
            pub fn new(data: impl $operand<T> + IntoArg<'a>, rows: usize, cols: usize) -> Result<Self> {
                let len = data.count();
                if rows.checked_mul(cols) != Some(len) {
                    let why = format!("a matrix of {rows} by {cols} of {len} elements: give rows times columns of them");
                    return Err(Error::new(ErrorKind::ArgumentSize, why));
                }
                Self::with_strides(data, rows, cols, [cols, 1])
            }

            /// Element (i, j) at `i * strides[0] + j * strides[1]`: `[1, rows]` is column by column.
            ///
            /// # Errors
            /// `ArgumentSize`: an element lies outside of the data; `ItemCount`: more than kernels count; `Aliasing`: a
            /// matrix that is written and strides with which two elements are, or might be, one.
            pub fn with_strides(
                data: impl $operand<T> + IntoArg<'a>,
                rows: usize,
                cols: usize,
                strides: [usize; 2],
            ) -> Result<Self> {
                let len = data.count();
                let layout = Layout::rows_of(rows, cols, strides);
                Self { data: data.into_arg(), layout, len, _elements: PhantomData }.checked()
            }

            /// The same as the first of `count` matrices, the first elements `stride` apart.
            ///
            /// # Errors
            /// As [`Self::with_strides`].
            pub fn batch(self, count: usize, stride: usize) -> Result<Self> {
                let layout = Layout { batch: count, batch_stride: stride, ..self.layout };
                Self { layout, ..self }.checked()
            }

            /// Rows for columns. Nothing is copied.
            pub fn transposed(self) -> Self {
                Self { layout: self.layout.transposed(), ..self }
            }

            /// Rows.
            pub fn rows(&self) -> usize {
                self.layout.rows
            }

            /// Columns.
            pub fn cols(&self) -> usize {
                self.layout.cols
            }
        }
    };
}

matrix! {
    /// A matrix, or a batch of equal ones, that is read.
    Matrix, Input, "```
# use evener_kernels::linalg::Matrix;
# fn main() -> evener::Result<()> {
let data = [1.0f32, 2.0, 3.0, 4.0, 5.0, 6.0];
let a = Matrix::new(&data, 2, 3)?; // rows 1 2 3 and 4 5 6
let t = a.transposed(); // rows 1 4, 2 5 and 3 6
assert_eq!((t.rows(), t.cols()), (3, 2));
assert!(Matrix::new(&data, 2, 2).is_err());
# Ok(()) }
```"
}

matrix! {
    /// A matrix, or a batch of equal ones, that is written. What lies between its elements is left as it is.
    MatrixMut, Output, "```
# use evener_kernels::linalg::MatrixMut;
# fn main() -> evener::Result<()> {
let mut data = [0.0f32; 6];
assert_eq!(MatrixMut::new(&mut data, 2, 3)?.rows(), 2);
assert!(MatrixMut::with_strides(&mut data, 2, 3, [1, 1]).is_err()); // two elements in one place
# Ok(()) }
```"
}

impl<T: Element> Matrix<'_, T> {
    fn checked(self) -> Result<Self> {
        self.layout.check(self.len)?;
        Ok(self)
    }
}

impl<T: Element> MatrixMut<'_, T> {
    fn checked(self) -> Result<Self> {
        self.layout.check(self.len)?;
        self.layout.check_apart()?;
        Ok(self)
    }
}
