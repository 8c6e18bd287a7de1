//! Histograms over a range in bins of equal width.

use super::host;
use crate::{
    data::{Input, Output},
    passes::Passes,
    reports::Done,
    sizes::indexable,
};
use evener::{Result, prelude::*};
use evener_shaders::blocks as wgsl;

/// Elements that one work-group counts.
const BLOCK: u32 = 64 * 128;

/// Bins that fit into the memory of a work-group.
const SHARED: u32 = 2048;

pub(super) fn count_bins(
    rt: &Runtime,
    x: &impl Input<f32>,
    [low, high]: [f32; 2],
    counts: &mut impl Output<u32>,
) -> Result<Done<()>> {
    let (count, bins) = (indexable("x", x.count())?, indexable("counts", counts.count())?);
    let scale = bins as f32 / (high - low);
    if !(low < high && scale.is_finite() && scale > 0.0) {
        let why = format!("`range` is [{low}, {high}] for {bins} bins: give a finite range that rises, and a bin");
        return Err(Error::new(ErrorKind::ArgumentType, why));
    }
    let mut passes = Passes::new(rt);
    if count > 0 {
        let body = if bins <= SHARED { wgsl::BINS_SHARED } else { wgsl::BINS_DIRECT };
        let sources = [wgsl::F32, body];
        let is_small = bins <= host::bins::MOST;
        let kernel = if is_small { passes.native(&sources, host::bins::count)? } else { passes.kernel(&sources)? };
        let call = kernel.call().set("range.low", low).set("range.high", high).set("range.scale", scale);
        let call = call.set("range.bins", bins).set("range.count", count);
        let call = call.arg("x", x.as_arg()).arg("counts", counts.as_arg_mut());
        passes.run(call.groups([count.div_ceil(BLOCK), 1, 1]))?;
    }
    Ok(passes.done(()))
}
