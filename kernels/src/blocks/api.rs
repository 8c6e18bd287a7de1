//! The building blocks as functions of a runtime, documented.

use super::{
    Axis, Number, Order, Stream, bins, compact, convolve, random, rearrange, reduce, reduce::Extreme, scan, sort,
};
use crate::{
    data::{Input, Output},
    reports::Done,
};
use evener::{Result, prelude::*};
use evener_shaders::blocks as wgsl;
use std::borrow::Borrow;

/// The building blocks as functions. Each returns when its results are where they belong, with a report of each call.
///
/// Indices are of 32 bits: each function refuses 2^32 - 2^16 elements or more, with `ItemCount`.
pub trait Blocks: Borrow<Runtime> {
    /// The compensated sum of the elements; of integers the sum modulo 2^32 or 2^64. Of nothing it is zero.
    ///
    /// Of floats the error is at most `u |sum| + n^2 u^2 sum |x[i]|`, with `u` 2^-24 or 2^-53: that of one rounding, unless the
    /// elements cancel (Ogita, Rump and Oishi, SIAM J. Sci. Comput. 26(6), 2005). Infinities and NaN give what plain addition
    /// gives. The order of the additions depends on the length alone, so the bits are the same on every device and split; a
    /// device that flushes subnormal numbers to zero may differ where there are any.
    ///
    /// # Errors
    /// `ItemCount`: too many elements.
    ///
    /// ```
    /// # use evener::prelude::*;
    /// # use evener_kernels::{Blocks};
    /// # fn main() -> evener::Result<()> {
    /// # let rt = Runtime::builder().gpu(false).profile(None).build()?;
    /// let x = [1.0e8f32, 1.0, -1.0e8, 1.0];
    /// assert_eq!(rt.sum(&x)?.value, 2.0); // plain f32 additions give 1
    /// # Ok(()) }
    /// ```
    fn sum<T: Number>(&self, x: impl Input<T>) -> Result<Done<T>> {
        reduce::sum(self.borrow(), &x)
    }

    /// The sum of `x[i] y[i]`: each product rounded once, their sum compensated as in [`Blocks::sum`], with the same bits on
    /// every device and split. Of nothing it is zero.
    ///
    /// # Errors
    /// `ArgumentSize`: the lengths differ. `ItemCount`: too many elements.
    ///
    /// ```
    /// # use evener::prelude::*;
    /// # use evener_kernels::{Blocks};
    /// # fn main() -> evener::Result<()> {
    /// # let rt = Runtime::builder().gpu(false).profile(None).build()?;
    /// assert_eq!(rt.sum_of_products(&[1.0f64, 2.0, 3.0], &[4.0, 5.0, 6.0])?.value, 32.0);
    /// # Ok(()) }
    /// ```
    fn sum_of_products<T: Number>(&self, x: impl Input<T>, y: impl Input<T>) -> Result<Done<T>> {
        reduce::sum_of_products(self.borrow(), &x, &y)
    }

    /// The least element, in the order of [`Number`].
    ///
    /// # Errors
    /// `ArgumentSize`: there are no elements. `ItemCount`: too many elements.
    ///
    /// ```
    /// # use evener::prelude::*;
    /// # use evener_kernels::{Blocks};
    /// # fn main() -> evener::Result<()> {
    /// # let rt = Runtime::builder().gpu(false).profile(None).build()?;
    /// assert_eq!(rt.min(&[3, -7, 5])?.value, -7);
    /// # Ok(()) }
    /// ```
    fn min<T: Number>(&self, x: impl Input<T>) -> Result<Done<T>> {
        reduce::extreme(self.borrow(), &x, Extreme::Least)
    }

    /// The greatest element, in the order of [`Number`]: a NaN without sign is greater than infinity.
    ///
    /// # Errors
    /// `ArgumentSize`: there are no elements. `ItemCount`: too many elements.
    ///
    /// ```
    /// # use evener::prelude::*;
    /// # use evener_kernels::{Blocks};
    /// # fn main() -> evener::Result<()> {
    /// # let rt = Runtime::builder().gpu(false).profile(None).build()?;
    /// assert_eq!(rt.max(&[3.0f32, -7.0, 5.0])?.value, 5.0);
    /// # Ok(()) }
    /// ```
    fn max<T: Number>(&self, x: impl Input<T>) -> Result<Done<T>> {
        reduce::extreme(self.borrow(), &x, Extreme::Greatest)
    }

    /// Where the least element is: the first place, if there are several.
    ///
    /// # Errors
    /// `ArgumentSize`: there are no elements. `ItemCount`: too many elements.
    ///
    /// ```
    /// # use evener::prelude::*;
    /// # use evener_kernels::{Blocks};
    /// # fn main() -> evener::Result<()> {
    /// # let rt = Runtime::builder().gpu(false).profile(None).build()?;
    /// assert_eq!(rt.arg_min(&[3u32, 1, 1, 2])?.value, 1);
    /// # Ok(()) }
    /// ```
    fn arg_min<T: Number>(&self, x: impl Input<T>) -> Result<Done<usize>> {
        reduce::place(self.borrow(), &x, Extreme::Least)
    }

    /// Where the greatest element is: the first place, if there are several.
    ///
    /// # Errors
    /// `ArgumentSize`: there are no elements. `ItemCount`: too many elements.
    ///
    /// ```
    /// # use evener::prelude::*;
    /// # use evener_kernels::{Blocks};
    /// # fn main() -> evener::Result<()> {
    /// # let rt = Runtime::builder().gpu(false).profile(None).build()?;
    /// assert_eq!(rt.arg_max(&[3i64, -1, 3])?.value, 0);
    /// # Ok(()) }
    /// ```
    fn arg_max<T: Number>(&self, x: impl Input<T>) -> Result<Done<usize>> {
        reduce::place(self.borrow(), &x, Extreme::Greatest)
    }

    /// Sums of a row-major matrix over one of its axes, compensated as in [`Blocks::sum`]: `result[c] = sum over r of x[r][c]`
    /// with [`Axis::Rows`], `result[r] = sum over c of x[r][c]` with [`Axis::Columns`].
    ///
    /// # Errors
    /// `ArgumentSize`: `x` is not `shape` (rows, columns) long, or `result` not as long as what is left.
    /// `ItemCount`: too many elements.
    ///
    /// ```
    /// # use evener::prelude::*;
    /// # use evener_kernels::{Axis, Blocks};
    /// # fn main() -> evener::Result<()> {
    /// # let rt = Runtime::builder().gpu(false).profile(None).build()?;
    /// let x = [1.0f32, 2.0, 3.0, 4.0, 5.0, 6.0];
    /// let (mut columns, mut rows) = ([0.0f32; 3], [0.0f32; 2]);
    /// rt.sum_axis(&x, [2, 3], Axis::Rows, &mut columns)?;
    /// rt.sum_axis(&x, [2, 3], Axis::Columns, &mut rows)?;
    /// assert_eq!((columns, rows), ([5.0, 7.0, 9.0], [6.0, 15.0]));
    /// # Ok(()) }
    /// ```
    fn sum_axis<T: Number>(
        &self,
        x: impl Input<T>,
        shape: [usize; 2],
        axis: Axis,
        mut result: impl Output<T>,
    ) -> Result<Done<()>> {
        reduce::sum_axis(self.borrow(), &x, shape, axis, &mut result)
    }

    /// Least elements of a row-major matrix over one of its axes.
    ///
    /// # Errors
    /// `ArgumentSize`: `x` is not `shape` (rows, columns) long, or `result` not as long as what is left,
    /// or there is no element to choose from. `ItemCount`: too many elements.
    ///
    /// ```
    /// # use evener::prelude::*;
    /// # use evener_kernels::{Axis, Blocks};
    /// # fn main() -> evener::Result<()> {
    /// # let rt = Runtime::builder().gpu(false).profile(None).build()?;
    /// let mut of_rows = [0u32; 2];
    /// rt.min_axis(&[4u32, 1, 5, 0], [2, 2], Axis::Columns, &mut of_rows)?;
    /// assert_eq!(of_rows, [1, 0]);
    /// # Ok(()) }
    /// ```
    fn min_axis<T: Number>(
        &self,
        x: impl Input<T>,
        shape: [usize; 2],
        axis: Axis,
        mut result: impl Output<T>,
    ) -> Result<Done<()>> {
        reduce::extreme_axis(self.borrow(), &x, shape, axis, &mut result, Extreme::Least)
    }

    /// As [`Blocks::min_axis`], the greatest elements.
    ///
    /// # Errors
    /// As [`Blocks::min_axis`].
    ///
    /// ```
    /// # use evener::prelude::*;
    /// # use evener_kernels::{Axis, Blocks};
    /// # fn main() -> evener::Result<()> {
    /// # let rt = Runtime::builder().gpu(false).profile(None).build()?;
    /// let mut of_rows = [0u32; 2];
    /// rt.max_axis(&[4u32, 1, 5, 0], [2, 2], Axis::Columns, &mut of_rows)?;
    /// assert_eq!(of_rows, [4, 5]);
    /// # Ok(()) }
    /// ```
    fn max_axis<T: Number>(
        &self,
        x: impl Input<T>,
        shape: [usize; 2],
        axis: Axis,
        mut result: impl Output<T>,
    ) -> Result<Done<()>> {
        reduce::extreme_axis(self.borrow(), &x, shape, axis, &mut result, Extreme::Greatest)
    }

    /// Where the least elements of a row-major matrix are, over one of its axes: row or column numbers, the first if there are
    /// several.
    ///
    /// # Errors
    /// As [`Blocks::min_axis`].
    ///
    /// ```
    /// # use evener::prelude::*;
    /// # use evener_kernels::{Axis, Blocks};
    /// # fn main() -> evener::Result<()> {
    /// # let rt = Runtime::builder().gpu(false).profile(None).build()?;
    /// let mut of_rows = [0u32; 2];
    /// rt.arg_min_axis(&[4u32, 1, 5, 0], [2, 2], Axis::Columns, &mut of_rows)?;
    /// assert_eq!(of_rows, [1, 1]);
    /// # Ok(()) }
    /// ```
    fn arg_min_axis<T: Number>(
        &self,
        x: impl Input<T>,
        shape: [usize; 2],
        axis: Axis,
        mut result: impl Output<u32>,
    ) -> Result<Done<()>> {
        reduce::place_axis(self.borrow(), &x, shape, axis, &mut result, Extreme::Least)
    }

    /// As [`Blocks::arg_min_axis`], of the greatest elements.
    ///
    /// # Errors
    /// As [`Blocks::min_axis`].
    ///
    /// ```
    /// # use evener::prelude::*;
    /// # use evener_kernels::{Axis, Blocks};
    /// # fn main() -> evener::Result<()> {
    /// # let rt = Runtime::builder().gpu(false).profile(None).build()?;
    /// let mut of_rows = [0u32; 2];
    /// rt.arg_max_axis(&[4u32, 1, 5, 0], [2, 2], Axis::Columns, &mut of_rows)?;
    /// assert_eq!(of_rows, [0, 0]);
    /// # Ok(()) }
    /// ```
    fn arg_max_axis<T: Number>(
        &self,
        x: impl Input<T>,
        shape: [usize; 2],
        axis: Axis,
        mut result: impl Output<u32>,
    ) -> Result<Done<()>> {
        reduce::place_axis(self.borrow(), &x, shape, axis, &mut result, Extreme::Greatest)
    }

    /// Sums of the elements up to and with each: `y[i] = x[0] + ... + x[i]`.
    ///
    /// By tiles of 3840: their sums, a scan of these, then each tile. The order of the additions depends on the length alone,
    /// so floats have the same bits on every device and split. They are not compensated: the relative error of a sum of
    /// positive numbers grows with the logarithm of the length.
    ///
    /// # Errors
    /// `ArgumentSize`: the lengths differ. `ItemCount`: too many elements.
    ///
    /// ```
    /// # use evener::prelude::*;
    /// # use evener_kernels::{Blocks};
    /// # fn main() -> evener::Result<()> {
    /// # let rt = Runtime::builder().gpu(false).profile(None).build()?;
    /// let mut y = [0u32; 4];
    /// rt.inclusive_scan(&[1u32, 2, 3, 4], &mut y)?;
    /// assert_eq!(y, [1, 3, 6, 10]);
    /// # Ok(()) }
    /// ```
    fn inclusive_scan<T: Number>(&self, x: impl Input<T>, mut y: impl Output<T>) -> Result<Done<()>> {
        scan::scan(self.borrow(), &x, &mut y, true)
    }

    /// Sums of the elements before each: `y[i] = x[0] + ... + x[i - 1]`, and `y[0]` is zero. As [`Blocks::inclusive_scan`].
    ///
    /// # Errors
    /// `ArgumentSize`: the lengths differ. `ItemCount`: too many elements.
    ///
    /// ```
    /// # use evener::prelude::*;
    /// # use evener_kernels::{Blocks};
    /// # fn main() -> evener::Result<()> {
    /// # let rt = Runtime::builder().gpu(false).profile(None).build()?;
    /// let mut y = [0u32; 4];
    /// rt.exclusive_scan(&[1u32, 2, 3, 4], &mut y)?;
    /// assert_eq!(y, [0, 1, 3, 6]);
    /// # Ok(()) }
    /// ```
    fn exclusive_scan<T: Number>(&self, x: impl Input<T>, mut y: impl Output<T>) -> Result<Done<()>> {
        scan::scan(self.borrow(), &x, &mut y, false)
    }

    /// Writes the elements whose mask is not zero, in their order, to the front of `kept`, and gives their count. What is behind
    /// them in `kept` stays as it is.
    ///
    /// # Errors
    /// `ArgumentSize`: `mask` is not as long as `x`, or `kept` shorter than what is kept. `ItemCount`: too many elements.
    ///
    /// ```
    /// # use evener::prelude::*;
    /// # use evener_kernels::{Blocks};
    /// # fn main() -> evener::Result<()> {
    /// # let rt = Runtime::builder().gpu(false).profile(None).build()?;
    /// let mut kept = [0.0f32; 4];
    /// let count = rt.compact(&[1.0f32, 2.0, 3.0, 4.0], &[0u32, 1, 0, 7], &mut kept)?.value;
    /// assert_eq!(kept[..count], [2.0, 4.0]);
    /// # Ok(()) }
    /// ```
    fn compact<T: Number>(
        &self,
        x: impl Input<T>,
        mask: impl Input<u32>,
        mut kept: impl Output<T>,
    ) -> Result<Done<usize>> {
        compact::compact(self.borrow(), &x, &mask, &mut kept)
    }

    /// The distinct elements, in ascending order (that of [`Number`]: zeros of different sign are distinct, as are NaN of
    /// different bits). Sorts, then keeps what differs from the element before.
    ///
    /// # Errors
    /// `ItemCount`: too many elements. `OutOfMemory`: no room for two copies.
    ///
    /// ```
    /// # use evener::prelude::*;
    /// # use evener_kernels::{Blocks};
    /// # fn main() -> evener::Result<()> {
    /// # let rt = Runtime::builder().gpu(false).profile(None).build()?;
    /// assert_eq!(rt.unique(&[3, 1, 3, 2, 1])?.value.to_vec()?, [1, 2, 3]);
    /// # Ok(()) }
    /// ```
    fn unique<T: Number>(&self, x: impl Input<T>) -> Result<Done<Array<T>>> {
        compact::unique(self.borrow(), &x)
    }

    /// Adds to `counts[b]` how many elements are in bin `b` of `counts.len()` bins of equal width over `[low, high]`.
    ///
    /// An element is in bin `floor((x - low) scale)` with `scale = bins / (high - low)`, all in f32 and the same on every
    /// device; `high` itself is in the last one. Elements outside and NaN are not counted.
    ///
    /// # Errors
    /// `ArgumentType`: the range does not rise, is not finite, or there are no bins. `ItemCount`: too many elements.
    ///
    /// ```
    /// # use evener::prelude::*;
    /// # use evener_kernels::{Blocks};
    /// # fn main() -> evener::Result<()> {
    /// # let rt = Runtime::builder().gpu(false).profile(None).build()?;
    /// let mut counts = [0u32; 4];
    /// rt.count_bins(&[0.0f32, 0.3, 0.9, 1.0, 5.0], [0.0, 1.0], &mut counts)?;
    /// assert_eq!(counts, [1, 1, 0, 2]);
    /// # Ok(()) }
    /// ```
    fn count_bins(&self, x: impl Input<f32>, range: [f32; 2], mut counts: impl Output<u32>) -> Result<Done<()>> {
        bins::count_bins(self.borrow(), &x, range, &mut counts)
    }

    /// Sorts, in the order of [`Number`], by a stable radix sort: on GPUs four bits a pass (after Satish, Harris and Garland,
    /// IPDPS 2009), on the CPU by one digit into parts that fit into a core's cache.
    ///
    /// # Errors
    /// `ItemCount`: too many elements. `OutOfMemory`: no room for two copies.
    ///
    /// ```
    /// # use evener::prelude::*;
    /// # use evener_kernels::{Blocks, Order};
    /// # fn main() -> evener::Result<()> {
    /// # let rt = Runtime::builder().gpu(false).profile(None).build()?;
    /// let mut x = [2.0f32, -1.0, f32::INFINITY, 0.0];
    /// rt.sort(&mut x, Order::Descending)?;
    /// assert_eq!(x, [f32::INFINITY, 2.0, 0.0, -1.0]);
    /// # Ok(()) }
    /// ```
    fn sort<T: Number>(&self, mut x: impl Output<T>, order: Order) -> Result<Done<()>> {
        sort::sort(self.borrow(), &mut x, order)
    }

    /// Sorts `keys` as [`Blocks::sort`] does, and moves `values` with them. Values of equal keys keep their order.
    ///
    /// # Errors
    /// `ArgumentSize`: the lengths differ. `ItemCount`: too many elements. `OutOfMemory`: no room for two copies.
    ///
    /// ```
    /// # use evener::prelude::*;
    /// # use evener_kernels::{Blocks, Order};
    /// # fn main() -> evener::Result<()> {
    /// # let rt = Runtime::builder().gpu(false).profile(None).build()?;
    /// let (mut keys, mut values) = ([3u32, 1, 2, 1], [0.3f32, 0.1, 0.2, 0.11]);
    /// rt.sort_by_key(&mut keys, &mut values, Order::Ascending)?;
    /// assert_eq!((keys, values), ([1, 1, 2, 3], [0.1, 0.11, 0.2, 0.3]));
    /// # Ok(()) }
    /// ```
    fn sort_by_key<K: Number, V: Number>(
        &self,
        mut keys: impl Output<K>,
        mut values: impl Output<V>,
        order: Order,
    ) -> Result<Done<()>> {
        sort::sort_by_key(self.borrow(), &mut keys, &mut values, order)
    }

    /// `y[i] = x[index[i]]`. What is past the end of `x` is zero.
    ///
    /// # Errors
    /// `ArgumentSize`: `y` is not as long as `index`. `ItemCount`: too many elements.
    ///
    /// ```
    /// # use evener::prelude::*;
    /// # use evener_kernels::{Blocks};
    /// # fn main() -> evener::Result<()> {
    /// # let rt = Runtime::builder().gpu(false).profile(None).build()?;
    /// let mut y = [0; 3];
    /// rt.gather(&[10, 20, 30], &[2u32, 0, 9], &mut y)?;
    /// assert_eq!(y, [30, 10, 0]);
    /// # Ok(()) }
    /// ```
    fn gather<T: Number>(&self, x: impl Input<T>, index: impl Input<u32>, mut y: impl Output<T>) -> Result<Done<()>> {
        rearrange::gather(self.borrow(), &x, &index, &mut y)
    }

    /// `y[index[i]] = x[i]`. What is past the end of `y` is dropped; of several elements for one place any one may be there.
    ///
    /// # Errors
    /// `ArgumentSize`: `index` is not as long as `x`. `ItemCount`: too many elements.
    ///
    /// ```
    /// # use evener::prelude::*;
    /// # use evener_kernels::{Blocks};
    /// # fn main() -> evener::Result<()> {
    /// # let rt = Runtime::builder().gpu(false).profile(None).build()?;
    /// let mut y = [0; 4];
    /// rt.scatter(&[10, 20, 30], &[2u32, 0, 9], &mut y)?;
    /// assert_eq!(y, [20, 0, 10, 0]);
    /// # Ok(()) }
    /// ```
    fn scatter<T: Number>(&self, x: impl Input<T>, index: impl Input<u32>, mut y: impl Output<T>) -> Result<Done<()>> {
        rearrange::scatter(self.borrow(), &x, &index, &mut y)
    }

    /// The transpose of a row-major matrix: `y[c][r] = x[r][c]`.
    ///
    /// # Errors
    /// `ArgumentSize`: `x` is not `shape` (rows, columns) long, or `y` not as long. `ItemCount`: too many elements.
    ///
    /// ```
    /// # use evener::prelude::*;
    /// # use evener_kernels::{Blocks};
    /// # fn main() -> evener::Result<()> {
    /// # let rt = Runtime::builder().gpu(false).profile(None).build()?;
    /// let mut y = [0; 6];
    /// rt.transpose(&[1, 2, 3, 4, 5, 6], [2, 3], &mut y)?;
    /// assert_eq!(y, [1, 4, 2, 5, 3, 6]);
    /// # Ok(()) }
    /// ```
    fn transpose<T: Number>(&self, x: impl Input<T>, shape: [usize; 2], mut y: impl Output<T>) -> Result<Done<()>> {
        rearrange::transpose(self.borrow(), &x, shape, &mut y)
    }

    /// The convolution of a row-major image with weights, of the image's size:
    /// `y[r][c] = sum over i, j of weights[i][j] x[r + i0 - i][c + j0 - j]`, with `i0 = (height - 1) / 2` and
    /// `j0 = (width - 1) / 2` rounded down, and zero outside of the image.
    ///
    /// `shape` is the image's rows and columns, `area` the weights'. Products may be fused with additions, as the device does.
    ///
    /// # Errors
    /// `ArgumentSize`: a length does not fit its shape, or there are no weights. `ItemCount`: a side longer than 2^30.
    ///
    /// ```
    /// # use evener::prelude::*;
    /// # use evener_kernels::{Blocks};
    /// # fn main() -> evener::Result<()> {
    /// # let rt = Runtime::builder().gpu(false).profile(None).build()?;
    /// let (x, mut y) = ([0.0f32, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0], [0.0f32; 9]);
    /// let weights = [1.0f32, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0];
    /// rt.convolve(&x, [3, 3], &weights, [3, 3], &mut y)?;
    /// assert_eq!(y, weights); // a point becomes the weights
    /// # Ok(()) }
    /// ```
    fn convolve<T: Number>(
        &self,
        x: impl Input<T>,
        shape: [usize; 2],
        weights: impl Input<T>,
        area: [usize; 2],
        mut y: impl Output<T>,
    ) -> Result<Done<()>> {
        convolve::convolve(self.borrow(), &x, shape, &weights, area, &mut y)
    }

    /// The convolution with `weights[i][j] = column[i] row[j]`, as [`Blocks::convolve`] in `height + width` instead of
    /// `height x width` products a pixel: along the rows first.
    ///
    /// # Errors
    /// As [`Blocks::convolve`]; memory for a copy.
    ///
    /// ```
    /// # use evener::prelude::*;
    /// # use evener_kernels::{Blocks};
    /// # fn main() -> evener::Result<()> {
    /// # let rt = Runtime::builder().gpu(false).profile(None).build()?;
    /// let (x, mut y) = ([1.0f32; 9], [0.0f32; 9]);
    /// rt.convolve_separable(&x, [3, 3], &[1.0f32, 1.0, 1.0], &[1.0f32, 1.0, 1.0], &mut y)?;
    /// assert_eq!(y, [4.0, 6.0, 4.0, 6.0, 9.0, 6.0, 4.0, 6.0, 4.0]);
    /// # Ok(()) }
    /// ```
    fn convolve_separable<T: Number>(
        &self,
        x: impl Input<T>,
        shape: [usize; 2],
        column: impl Input<T>,
        row: impl Input<T>,
        mut y: impl Output<T>,
    ) -> Result<Done<()>> {
        convolve::convolve_separable(self.borrow(), &x, shape, &column, &row, &mut y)
    }

    /// Random words: element `e` is word `e % 4` of Philox 4x32-10 (Salmon, Moraes, Dror and Shaw, SC 2011) with counter
    /// `(e / 4, 0, stream.number)` and key `stream.seed`, the low word first. The same bits on every device and split.
    ///
    /// # Errors
    /// `ItemCount`: too many elements.
    ///
    /// ```
    /// # use evener::prelude::*;
    /// # use evener_kernels::{Blocks};
    /// # fn main() -> evener::Result<()> {
    /// # let rt = Runtime::builder().gpu(false).profile(None).build()?;
    /// let mut y = [0u32; 4];
    /// rt.random_u32(0, &mut y)?;
    /// assert_eq!(y, [0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8]); // as Random123's known answers
    /// # Ok(()) }
    /// ```
    fn random_u32(&self, stream: impl Into<Stream>, mut y: impl Output<u32>) -> Result<Done<()>> {
        random::random(self.borrow(), wgsl::RANDOM_WORDS, stream.into(), &mut y)
    }

    /// Uniform random numbers in [0, 1): the upper 24 bits of the words of [`Blocks::random_u32`], over 2^24. The same bits on
    /// every device and split.
    ///
    /// # Errors
    /// `ItemCount`: too many elements.
    ///
    /// ```
    /// # use evener::prelude::*;
    /// # use evener_kernels::{Blocks, Stream};
    /// # fn main() -> evener::Result<()> {
    /// # let rt = Runtime::builder().gpu(false).profile(None).build()?;
    /// let mut y = vec![0.0f32; 10_000];
    /// rt.random_uniform(Stream { seed: 7, number: 3 }, &mut y)?;
    /// assert!(y.iter().all(|u| (0.0..1.0).contains(u)));
    /// assert!((rt.sum(&y)?.value / 10_000.0 - 0.5).abs() < 0.02);
    /// # Ok(()) }
    /// ```
    fn random_uniform(&self, stream: impl Into<Stream>, mut y: impl Output<f32>) -> Result<Done<()>> {
        random::random(self.borrow(), wgsl::RANDOM_UNIFORM, stream.into(), &mut y)
    }

    /// Normal random numbers of mean 0 and variance 1, by the method of Box and Muller (1958): two words of
    /// [`Blocks::random_u32`] become `u = (w0 / 2^8 + 1) / 2^24` and `v = (w1 / 2^8) / 2^24`, and these
    /// `sqrt(-2 ln u) cos(2 pi v)` and `sqrt(-2 ln u) sin(2 pi v)`.
    ///
    /// On every device within 8 ULP of the formula; the last bits differ between devices.
    ///
    /// # Errors
    /// `ItemCount`: too many elements.
    ///
    /// ```
    /// # use evener::prelude::*;
    /// # use evener_kernels::{Blocks};
    /// # fn main() -> evener::Result<()> {
    /// # let rt = Runtime::builder().gpu(false).profile(None).build()?;
    /// let mut y = vec![0.0f32; 10_000];
    /// rt.random_normal(1, &mut y)?;
    /// assert!((rt.sum_of_products(&y, &y)?.value / 10_000.0 - 1.0).abs() < 0.1);
    /// # Ok(()) }
    /// ```
    fn random_normal(&self, stream: impl Into<Stream>, mut y: impl Output<f32>) -> Result<Done<()>> {
        random::random(self.borrow(), wgsl::RANDOM_NORMAL, stream.into(), &mut y)
    }
}

impl Blocks for Runtime {}
