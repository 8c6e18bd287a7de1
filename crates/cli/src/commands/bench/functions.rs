//! Functions of the library as they are called, each on the arguments of its shape in their order.

use super::data::{Operand, Store};
use anyhow::{Result, bail};
use evener::prelude::{Report, Runtime};
use evener_kernels::{Blocks, Input, Order, Output};
use std::collections::BTreeMap;

/// Makes its calls on a runtime, one after the other.
pub type Function = fn(&Runtime, &mut [Store]) -> Result<Vec<Report>>;

/// Factor of BabelStream's kernels.
pub const SCALAR: f32 = 0.4;

/// The range of [`count_bins`]: all that is counted lies in it.
pub const RANGE: [f32; 2] = [0.5, 1.5];

/// Seed of the random numbers.
pub const SEED: u64 = 1;

/// The arguments, if there are as many.
fn exactly<const N: usize>(stores: &mut [Store]) -> Result<&mut [Store; N]> {
    let given = stores.len();
    match stores.try_into() {
        Ok(stores) => Ok(stores),
        Err(_) => bail!("{given} arguments instead of {N}"),
    }
}

/// One expression over `x` and, where it is there, `y`.
fn mapped(rt: &Runtime, expression: &str, stores: &mut [Store]) -> Result<Vec<Report>> {
    let Some((out, inputs)) = stores.split_last_mut() else { bail!("no arguments") };
    let inputs = inputs.iter_mut().map(Store::floats).collect::<Result<Vec<Operand<'_, f32>>>>()?;
    let mut out = out.floats()?;
    let mut map = rt.map(expression);
    if expression.contains("scalar") {
        map = map.set("scalar", SCALAR);
    }
    for (name, input) in ["x", "y"].into_iter().zip(&inputs) {
        map = map.arg(name, input.as_arg());
    }
    Ok(vec![map.arg("out", out.as_arg_mut()).run()?])
}

/// BabelStream's copy.
pub fn copy(rt: &Runtime, stores: &mut [Store]) -> Result<Vec<Report>> {
    mapped(rt, "x", stores)
}

/// BabelStream's mul.
pub fn mul(rt: &Runtime, stores: &mut [Store]) -> Result<Vec<Report>> {
    mapped(rt, "scalar * x", stores)
}

/// BabelStream's add.
pub fn add(rt: &Runtime, stores: &mut [Store]) -> Result<Vec<Report>> {
    mapped(rt, "x + y", stores)
}

/// BabelStream's triad.
pub fn triad(rt: &Runtime, stores: &mut [Store]) -> Result<Vec<Report>> {
    mapped(rt, "x + scalar * y", stores)
}

/// BabelStream's dot.
pub fn dot(rt: &Runtime, stores: &mut [Store]) -> Result<Vec<Report>> {
    let [x, y, total] = exactly(stores)?;
    let done = rt.sum_of_products(x.floats()?, y.floats()?)?;
    total.floats()?.fill(done.value)?;
    Ok(done.reports.into_iter().collect())
}

/// The sum.
pub fn sum(rt: &Runtime, stores: &mut [Store]) -> Result<Vec<Report>> {
    let [x, total] = exactly(stores)?;
    let done = rt.sum(x.floats()?)?;
    total.floats()?.fill(done.value)?;
    Ok(done.reports.into_iter().collect())
}

/// The inclusive scan.
pub fn scan(rt: &Runtime, stores: &mut [Store]) -> Result<Vec<Report>> {
    let [x, y] = exactly(stores)?;
    Ok(rt.inclusive_scan(x.floats()?, y.floats()?)?.reports.into_iter().collect())
}

/// What a mask keeps.
pub fn compact(rt: &Runtime, stores: &mut [Store]) -> Result<Vec<Report>> {
    let [x, mask, kept] = exactly(stores)?;
    Ok(rt.compact(x.floats()?, mask.words()?, kept.floats()?)?.reports.into_iter().collect())
}

/// The histogram over a range.
pub fn count_bins(rt: &Runtime, stores: &mut [Store]) -> Result<Vec<Report>> {
    let [x, counts] = exactly(stores)?;
    Ok(rt.count_bins(x.floats()?, RANGE, counts.words()?)?.reports.into_iter().collect())
}

/// The sort of a copy, so that each call finds the same.
pub fn sort(rt: &Runtime, stores: &mut [Store]) -> Result<Vec<Report>> {
    let [x, y] = exactly(stores)?;
    let (x, mut y) = (x.words()?, y.words()?);
    let copy = rt.map("x").arg("x", x.as_arg()).arg("y", y.as_arg_mut()).run()?;
    Ok([copy].into_iter().chain(rt.sort(y, Order::Ascending)?.reports).collect())
}

/// The transpose of a square.
pub fn transpose(rt: &Runtime, stores: &mut [Store]) -> Result<Vec<Report>> {
    let [x, y] = exactly(stores)?;
    let (x, y) = (x.floats()?, y.floats()?);
    let side = Input::count(&x).isqrt();
    Ok(rt.transpose(x, [side, side], y)?.reports.into_iter().collect())
}

/// The convolution of a square.
pub fn convolve(rt: &Runtime, stores: &mut [Store]) -> Result<Vec<Report>> {
    let [x, weights, y] = exactly(stores)?;
    let x = x.floats()?;
    let side = Input::count(&x).isqrt();
    let done = rt.convolve(x, [side, side], weights.floats()?, [5, 5], y.floats()?)?;
    Ok(done.reports.into_iter().collect())
}

/// Random words.
pub fn random(rt: &Runtime, stores: &mut [Store]) -> Result<Vec<Report>> {
    let [y] = exactly(stores)?;
    Ok(rt.random_u32(SEED, y.words()?)?.reports.into_iter().collect())
}

/// Normal random numbers.
pub fn normal(rt: &Runtime, stores: &mut [Store]) -> Result<Vec<Report>> {
    let [y] = exactly(stores)?;
    Ok(rt.random_normal(SEED, y.floats()?)?.reports.into_iter().collect())
}

/// One report of several calls: times and what moved are those of all, all else that of the longest. Where not all chose
/// the same, `chose` is `several`.
pub fn together(reports: Vec<Report>) -> Option<Report> {
    let longest = reports.iter().max_by(|a, b| a.actual_ns.total_cmp(&b.actual_ns))?;
    let mut all = longest.clone();
    if reports.len() == 1 {
        return Some(all);
    }
    if reports.iter().any(|r| r.chose != all.chose) {
        all.chose = "several".into();
    }
    let sum = |of: fn(&Report) -> f64| reports.iter().map(of).sum::<f64>();
    all.actual_ns = sum(|r| r.actual_ns);
    all.predicted_ns = sum(|r| r.predicted_ns);
    all.phases.upload.actual_ns = sum(|r| r.phases.upload.actual_ns);
    all.phases.run.actual_ns = sum(|r| r.phases.run.actual_ns);
    all.phases.download.actual_ns = sum(|r| r.phases.download.actual_ns);
    all.moves = reports.iter().flat_map(|r| r.moves.iter().cloned()).collect();
    // Shares of the work, which the time stands for.
    let mut shares = BTreeMap::new();
    for report in &reports {
        for (device, share) in &report.placement {
            *shares.entry(device.clone()).or_insert(0.0) += share * report.actual_ns / all.actual_ns;
        }
    }
    all.placement = shares;
    Some(all)
}
