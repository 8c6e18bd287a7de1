//! Heat spreads along a grid, many steps with two buffers: `cargo run --release --example stencil`.

use evener::prelude::*;

fn main() -> anyhow::Result<()> {
    let (width, height, steps) = (512usize, 512usize, 50);
    // A hot square in the middle of a cold plate.
    let hot = |k: usize| (200..312).contains(&(k % width)) && (200..312).contains(&(k / width));
    let mut now: Vec<f32> = (0..width * height).map(|k| if hot(k) { 1.0 } else { 0.0 }).collect();
    let mut next = vec![0.0f32; width * height];
    let before: f64 = now.iter().map(|t| f64::from(*t)).sum();

    let rt = Runtime::new()?;
    let kernel = rt.kernel(evener_shaders::STENCIL5)?;
    for step in 0..steps {
        let call = kernel.call().set("grid.width", width as u32).set("grid.height", height as u32);
        let call = call.set("grid.rate", 0.2f32).arg("now", &now).arg("next", &mut next);
        let report = call.items([width, height]).run()?;
        if step == steps - 1 {
            println!("{report}");
        }
        std::mem::swap(&mut now, &mut next);
    }

    // No heat has reached the edge yet, so none may be lost; it spreads and does not overshoot.
    let after: f64 = now.iter().map(|t| f64::from(*t)).sum();
    println!("heat {before:.3} before, {after:.3} after {steps} steps");
    anyhow::ensure!((after - before).abs() < 1e-5 * before, "heat was lost");
    anyhow::ensure!(now.iter().all(|t| (-1e-6..=1.000_001).contains(t)), "a value out of range");
    anyhow::ensure!(now[256 * width + 190] > 0.01, "the heat did not spread");
    Ok(())
}
