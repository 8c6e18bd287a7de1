//! The Mandelbrot set: arithmetic with data-dependent loops, with a picture.

use super::{
    Check, Context, Demo, Outcome,
    canvas::{Canvas, Rgb, ramp, rgb},
};
use anyhow::Result;
use evener_kernels::{Kernels, View};
use serde_json::json;

pub struct Mandelbrot;

const CAP: u32 = 500;

/// Colours around the set, periodic.
const BANDS: [(f32, [f32; 3]); 6] = [
    (0.0, [8.0, 20.0, 70.0]),
    (0.2, [32.0, 107.0, 203.0]),
    (0.45, [237.0, 250.0, 255.0]),
    (0.68, [255.0, 170.0, 20.0]),
    (0.88, [90.0, 10.0, 30.0]),
    (1.0, [8.0, 20.0, 70.0]),
];

impl Demo for Mandelbrot {
    fn name(&self) -> &'static str {
        "mandelbrot"
    }

    fn about(&self) -> &'static str {
        "the Mandelbrot set, --size pixels wide (960), at most 500 iterations a pixel"
    }

    fn run(&self, context: &Context) -> Result<Outcome> {
        let width = context.size(960, 3..=16_384)? as u32;
        let height = width * 2 / 3;
        let view = View { width, height, cap: CAP, left: -2.2, top: 1.1, pixel: 3.3 / width as f32 };
        let mut count = vec![0u32; (width * height) as usize];
        let report = context.rt.mandelbrot(&view, &mut count)?;
        let file = context.file("mandelbrot.png")?;
        draw(&view, &count).save(&file)?;
        Ok(Outcome {
            name: self.name(),
            checks: vec![Check::below("share of pixels that differ from a plain loop", differing(&view, &count), 0.01)],
            details: json!({ "width": width, "height": height, "cap": CAP }),
            files: vec![file],
            report: Some(report),
        })
    }
}

/// Share of pixels with another count than a plain loop's, on every 7th row. Near the set one rounding (a fused
/// multiply-add) changes the orbit, so a few may differ.
fn differing(view: &View, count: &[u32]) -> f64 {
    let rows = (0..view.height).step_by(7);
    let pixels: Vec<(u32, u32)> = rows.flat_map(|y| (0..view.width).map(move |x| (x, y))).collect();
    let differs = |(x, y): &&(u32, u32)| count[(y * view.width + x) as usize] != escape(view, *x, *y);
    pixels.iter().filter(differs).count() as f64 / pixels.len().max(1) as f64
}

fn escape(view: &View, x: u32, y: u32) -> u32 {
    let c = [view.left + view.pixel * x as f32, view.top - view.pixel * y as f32];
    let (mut re, mut im, mut n) = (0.0f32, 0.0f32, 0);
    while n < view.cap && re * re + im * im <= 4.0 {
        (re, im) = (re * re - im * im + c[0], 2.0 * re * im + c[1]);
        n += 1;
    }
    n
}

fn draw(view: &View, count: &[u32]) -> Canvas {
    let mut canvas = Canvas::new(view.width as usize, view.height as usize, [0; 3]);
    let colour = |n: u32| -> Rgb {
        if n == view.cap { [4, 6, 16] } else { rgb(ramp(&BANDS, ((n as f32 + 1.0).ln() * 0.6).fract())) }
    };
    for (pixel, n) in canvas.pixels.iter_mut().zip(count) {
        *pixel = colour(*n);
    }
    canvas
}
