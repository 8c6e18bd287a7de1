//! Heat spreads over a plate: many steps of the 5-point stencil, with a picture.

use super::{
    Check, Context, Demo, Outcome,
    canvas::{Canvas, ramp, rgb},
};
use anyhow::Result;
use evener_kernels::Kernels;
use serde_json::json;

pub struct Stencil;

const STEPS: usize = 200;
const RATE: f32 = 0.2;

/// Temperatures from cold to hot.
const HEAT: [(f32, [f32; 3]); 5] = [
    (0.0, [12.0, 10.0, 38.0]),
    (0.25, [94.0, 24.0, 110.0]),
    (0.5, [200.0, 52.0, 82.0]),
    (0.75, [248.0, 142.0, 50.0]),
    (1.0, [252.0, 246.0, 190.0]),
];

impl Demo for Stencil {
    fn name(&self) -> &'static str {
        "stencil"
    }

    fn about(&self) -> &'static str {
        "heat on a plate of --size squared cells (512), 200 steps of the 5-point stencil"
    }

    fn run(&self, context: &Context) -> Result<Outcome> {
        let n = context.size(512, 8..=8192)?;
        let mut now = plate(n);
        let mut next = vec![0.0f32; n * n];
        let want = reference(now.clone(), n);
        let mut report = None;
        for _ in 0..STEPS {
            report = Some(context.rt.stencil5(RATE, n, &now, &mut next)?);
            std::mem::swap(&mut now, &mut next);
        }
        let file = context.file("stencil.png")?;
        draw(&now, n).save(&file)?;
        let pairs = now.iter().zip(&want).map(|(got, want)| (f64::from(*got), f64::from(*want)));
        Ok(Outcome {
            name: self.name(),
            checks: vec![Check::close("error against a plain loop", pairs, 1.0, 1e-5)],
            details: json!({ "cells": n * n, "steps": STEPS }),
            files: vec![file],
            report,
        })
    }
}

/// A cold plate with hot bars and a hot edge.
fn plate(n: usize) -> Vec<f32> {
    let hot = |k: usize| {
        let (x, y) = (k % n, k / n);
        y == 0 || (x * 8 / n % 2 == 1 && y * 8 / n % 2 == 1)
    };
    (0..n * n).map(|k| if hot(k) { 1.0 } else { 0.0 }).collect()
}

/// The same steps, without evener.
fn reference(mut now: Vec<f32>, n: usize) -> Vec<f32> {
    let mut next = now.clone();
    for _ in 0..STEPS {
        for row in 1..n - 1 {
            for k in row * n + 1..row * n + n - 1 {
                next[k] = now[k] + RATE * (now[k - 1] + now[k + 1] + now[k - n] + now[k + n] - 4.0 * now[k]);
            }
        }
        std::mem::swap(&mut now, &mut next);
    }
    now
}

fn draw(heat: &[f32], n: usize) -> Canvas {
    let mut canvas = Canvas::new(n, n, [0; 3]);
    for (pixel, t) in canvas.pixels.iter_mut().zip(heat) {
        *pixel = rgb(ramp(&HEAT, *t));
    }
    canvas
}
