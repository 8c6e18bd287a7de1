//! `y = a x + y`: the smallest kernel, bound by memory.

use super::{Check, Context, Demo, Outcome};
use anyhow::Result;
use evener_kernels::Kernels;
use serde_json::json;

pub struct Saxpy;

impl Demo for Saxpy {
    fn name(&self) -> &'static str {
        "saxpy"
    }

    fn about(&self) -> &'static str {
        "y = a x + y over --size elements (4 Mi)"
    }

    fn run(&self, context: &Context) -> Result<Outcome> {
        let n = context.size(4 << 20, 1..=1 << 30)?;
        let x: Vec<f32> = (0..n).map(|i| (i % 1000) as f32).collect();
        let mut y: Vec<f32> = (0..n).map(|i| (i % 77) as f32).collect();
        let report = context.rt.saxpy(0.5, &x, &mut y)?;
        let wrong = (0..n).filter(|i| y[*i] != 0.5 * (i % 1000) as f32 + (i % 77) as f32).count();
        Ok(Outcome {
            name: self.name(),
            checks: vec![Check::none("elements that differ from a x + y", wrong)],
            details: json!({ "elements": n }),
            files: Vec::new(),
            report: Some(report),
        })
    }
}
