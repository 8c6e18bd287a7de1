//! Counts of byte values: atomics in work-group memory and in the result.

use super::{Check, Context, Demo, Outcome};
use anyhow::Result;
use evener_kernels::Kernels;
use serde_json::json;

pub struct Histogram;

impl Demo for Histogram {
    fn name(&self) -> &'static str {
        "histogram"
    }

    fn about(&self) -> &'static str {
        "256 bins of --size values (4 Mi), with atomics"
    }

    fn run(&self, context: &Context) -> Result<Outcome> {
        let n = context.size(4 << 20, 1..=1 << 30)?;
        // A product of two bytes of a hash: many small values, few large ones.
        let value = |i: u32| {
            let hash = i.wrapping_mul(0x9e37_79b9).rotate_left(13).wrapping_mul(0x85eb_ca6b);
            (hash & 255) * (hash >> 8 & 255) / 256
        };
        let values: Vec<u32> = (0..n as u32).map(value).collect();
        let mut bins = [0u32; 256];
        let report = context.rt.histogram(&values, &mut bins)?;
        let mut want = [0u32; 256];
        values.iter().for_each(|v| want[*v as usize & 255] += 1);
        let wrong = bins.iter().zip(&want).filter(|(got, want)| got != want).count();
        let total: u64 = bins.iter().map(|b| u64::from(*b)).sum();
        Ok(Outcome {
            name: self.name(),
            checks: vec![
                Check::none("bins that differ from a plain count", wrong),
                Check::none("values lost or doubled", total.abs_diff(n as u64) as usize),
            ],
            details: json!({ "values": n, "largest_bin": bins.iter().max() }),
            files: Vec::new(),
            report: Some(report),
        })
    }
}
