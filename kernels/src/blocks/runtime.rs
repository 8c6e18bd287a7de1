//! Where each building block is.

use super::{
    Axis, Blocks, Done, Input, Number, Order, Output, Stream, bins, compact, convolve, random, rearrange, reduce,
    reduce::Extreme, scan, sort,
};
use evener::{Result, prelude::*};
use evener_shaders::blocks as wgsl;

impl Blocks for Runtime {
    fn sum<T: Number>(&self, x: impl Input<T>) -> Result<Done<T>> {
        reduce::sum(self, &x)
    }

    fn sum_of_products<T: Number>(&self, x: impl Input<T>, y: impl Input<T>) -> Result<Done<T>> {
        reduce::sum_of_products(self, &x, &y)
    }

    fn min<T: Number>(&self, x: impl Input<T>) -> Result<Done<T>> {
        reduce::extreme(self, &x, Extreme::Least)
    }

    fn max<T: Number>(&self, x: impl Input<T>) -> Result<Done<T>> {
        reduce::extreme(self, &x, Extreme::Greatest)
    }

    fn arg_min<T: Number>(&self, x: impl Input<T>) -> Result<Done<usize>> {
        reduce::place(self, &x, Extreme::Least)
    }

    fn arg_max<T: Number>(&self, x: impl Input<T>) -> Result<Done<usize>> {
        reduce::place(self, &x, Extreme::Greatest)
    }

    fn sum_axis<T: Number>(
        &self,
        x: impl Input<T>,
        shape: [usize; 2],
        axis: Axis,
        result: impl Output<T>,
    ) -> Result<Done<()>> {
        let mut result = result;
        reduce::sum_axis(self, &x, shape, axis, &mut result)
    }

    fn min_axis<T: Number>(
        &self,
        x: impl Input<T>,
        shape: [usize; 2],
        axis: Axis,
        result: impl Output<T>,
    ) -> Result<Done<()>> {
        let mut result = result;
        reduce::extreme_axis(self, &x, shape, axis, &mut result, Extreme::Least)
    }

    fn max_axis<T: Number>(
        &self,
        x: impl Input<T>,
        shape: [usize; 2],
        axis: Axis,
        result: impl Output<T>,
    ) -> Result<Done<()>> {
        let mut result = result;
        reduce::extreme_axis(self, &x, shape, axis, &mut result, Extreme::Greatest)
    }

    fn arg_min_axis<T: Number>(
        &self,
        x: impl Input<T>,
        shape: [usize; 2],
        axis: Axis,
        result: impl Output<u32>,
    ) -> Result<Done<()>> {
        let mut result = result;
        reduce::place_axis(self, &x, shape, axis, &mut result, Extreme::Least)
    }

    fn arg_max_axis<T: Number>(
        &self,
        x: impl Input<T>,
        shape: [usize; 2],
        axis: Axis,
        result: impl Output<u32>,
    ) -> Result<Done<()>> {
        let mut result = result;
        reduce::place_axis(self, &x, shape, axis, &mut result, Extreme::Greatest)
    }

    fn inclusive_scan<T: Number>(&self, x: impl Input<T>, y: impl Output<T>) -> Result<Done<()>> {
        let mut y = y;
        scan::scan(self, &x, &mut y, true)
    }

    fn exclusive_scan<T: Number>(&self, x: impl Input<T>, y: impl Output<T>) -> Result<Done<()>> {
        let mut y = y;
        scan::scan(self, &x, &mut y, false)
    }

    fn compact<T: Number>(&self, x: impl Input<T>, mask: impl Input<u32>, kept: impl Output<T>) -> Result<Done<usize>> {
        let mut kept = kept;
        compact::compact(self, &x, &mask, &mut kept)
    }

    fn unique<T: Number>(&self, x: impl Input<T>) -> Result<Done<Array<T>>> {
        compact::unique(self, &x)
    }

    fn count_bins(&self, x: impl Input<f32>, range: [f32; 2], counts: impl Output<u32>) -> Result<Done<()>> {
        let mut counts = counts;
        bins::count_bins(self, &x, range, &mut counts)
    }

    fn sort<T: Number>(&self, x: impl Output<T>, order: Order) -> Result<Done<()>> {
        let mut x = x;
        sort::sort(self, &mut x, order)
    }

    fn sort_by_key<K: Number, V: Number>(
        &self,
        keys: impl Output<K>,
        values: impl Output<V>,
        order: Order,
    ) -> Result<Done<()>> {
        let (mut keys, mut values) = (keys, values);
        sort::sort_by_key(self, &mut keys, &mut values, order)
    }

    fn gather<T: Number>(&self, x: impl Input<T>, index: impl Input<u32>, y: impl Output<T>) -> Result<Done<()>> {
        let mut y = y;
        rearrange::gather(self, &x, &index, &mut y)
    }

    fn scatter<T: Number>(&self, x: impl Input<T>, index: impl Input<u32>, y: impl Output<T>) -> Result<Done<()>> {
        let mut y = y;
        rearrange::scatter(self, &x, &index, &mut y)
    }

    fn transpose<T: Number>(&self, x: impl Input<T>, shape: [usize; 2], y: impl Output<T>) -> Result<Done<()>> {
        let mut y = y;
        rearrange::transpose(self, &x, shape, &mut y)
    }

    fn convolve<T: Number>(
        &self,
        x: impl Input<T>,
        shape: [usize; 2],
        weights: impl Input<T>,
        area: [usize; 2],
        y: impl Output<T>,
    ) -> Result<Done<()>> {
        let mut y = y;
        convolve::convolve(self, &x, shape, &weights, area, &mut y)
    }

    fn convolve_separable<T: Number>(
        &self,
        x: impl Input<T>,
        shape: [usize; 2],
        column: impl Input<T>,
        row: impl Input<T>,
        y: impl Output<T>,
    ) -> Result<Done<()>> {
        let mut y = y;
        convolve::convolve_separable(self, &x, shape, &column, &row, &mut y)
    }

    fn random_u32(&self, stream: impl Into<Stream>, y: impl Output<u32>) -> Result<Done<()>> {
        let mut y = y;
        random::random(self, wgsl::RANDOM_WORDS, stream.into(), &mut y)
    }

    fn random_uniform(&self, stream: impl Into<Stream>, y: impl Output<f32>) -> Result<Done<()>> {
        let mut y = y;
        random::random(self, wgsl::RANDOM_UNIFORM, stream.into(), &mut y)
    }

    fn random_normal(&self, stream: impl Into<Stream>, y: impl Output<f32>) -> Result<Done<()>> {
        let mut y = y;
        random::random(self, wgsl::RANDOM_NORMAL, stream.into(), &mut y)
    }
}
