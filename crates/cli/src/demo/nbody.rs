//! Gravity between all pairs of a cluster of stars: arithmetic through work-group memory.

use super::{Check, Context, Demo, Outcome};
use anyhow::Result;
use evener_kernels::Kernels;
use serde_json::json;

pub struct Nbody;

const SOFTENING: f32 = 0.05;
/// Bodies that are compared with a plain sum in f64.
const COMPARED: usize = 64;

impl Demo for Nbody {
    fn name(&self) -> &'static str {
        "nbody"
    }

    fn about(&self) -> &'static str {
        "gravity between all pairs of --size bodies (8192), tiled through work-group memory"
    }

    fn run(&self, context: &Context) -> Result<Outcome> {
        let n = context.size(8192, 1..=1 << 20)?;
        let bodies = cluster(n);
        let mut acceleration = vec![[0.0f32; 4]; n];
        let report = context.rt.nbody(SOFTENING, &bodies, &mut acceleration)?;
        let pairs = (0..n).step_by(n.div_ceil(COMPARED)).flat_map(|i| {
            let (got, want) = (acceleration[i], plain_sum(&bodies, i));
            let size = want.iter().map(|a| a * a).sum::<f64>().sqrt();
            (0..3).map(move |axis| (f64::from(got[axis]) / size.max(1e-3), want[axis] / size.max(1e-3)))
        });
        Ok(Outcome {
            name: self.name(),
            checks: vec![
                Check::close("error against a plain sum in f64", pairs, 1.0, 1e-4),
                Check::below("net force over all forces (action is reaction)", net_force(&bodies, &acceleration), 1e-4),
            ],
            details: json!({ "bodies": n, "interactions": n as u64 * n as u64 }),
            files: Vec::new(),
            report: Some(report),
        })
    }
}

/// Bodies of equal mass on a spiral through a ball: the golden angle spreads them evenly.
fn cluster(n: usize) -> Vec<[f32; 4]> {
    let golden = std::f64::consts::PI * (3.0 - 5.0f64.sqrt());
    let body = |i: usize| {
        let t = (i as f64 + 0.5) / n as f64;
        let (radius, height, angle) = (t.cbrt(), 1.0 - 2.0 * (t * 97.0).fract(), golden * i as f64);
        let ring = radius * (1.0 - height * height).sqrt();
        [(ring * angle.cos()) as f32, (ring * angle.sin()) as f32, (radius * height) as f32, 1.0 / n as f32]
    };
    (0..n).map(body).collect()
}

fn plain_sum(bodies: &[[f32; 4]], i: usize) -> [f64; 3] {
    let mut sum = [0.0; 3];
    for other in bodies {
        let d: [f64; 3] = std::array::from_fn(|axis| f64::from(other[axis]) - f64::from(bodies[i][axis]));
        let r2 = d.iter().map(|x| x * x).sum::<f64>() + f64::from(SOFTENING * SOFTENING);
        (0..3).for_each(|axis| sum[axis] += f64::from(other[3]) * d[axis] / (r2 * r2.sqrt()));
    }
    sum
}

fn net_force(bodies: &[[f32; 4]], acceleration: &[[f32; 4]]) -> f64 {
    let forces = || bodies.iter().zip(acceleration).map(|(b, a)| a.map(|x| f64::from(x) * f64::from(b[3])));
    let net: f64 = (0..3).map(|axis| forces().map(|f| f[axis]).sum::<f64>().powi(2)).sum::<f64>().sqrt();
    let all: f64 = forces().map(|f| f.iter().map(|x| x * x).sum::<f64>().sqrt()).sum();
    net / all.max(1e-12)
}
