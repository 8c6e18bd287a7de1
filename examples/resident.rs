//! Heat spreads over many steps on arrays that stay on the device: `cargo run --release --example resident`.

use evener::prelude::*;

fn main() -> anyhow::Result<()> {
    let (width, height, steps) = (512usize, 512usize, 100);
    // A hot square in the middle of a cold plate.
    let hot = |k: usize| (200..312).contains(&(k % width)) && (200..312).contains(&(k / width));
    let plate: Vec<f32> = (0..width * height).map(|k| if hot(k) { 1.0 } else { 0.0 }).collect();
    let before: f64 = plate.iter().map(|t| f64::from(*t)).sum();

    let rt = Runtime::new()?;
    let kernel = rt.kernel(evener_shaders::STENCIL5)?;
    let mut now = rt.array(&plate)?;
    let mut next = rt.zeros::<f32>(plate.len())?;
    let call = kernel.call().set("grid.width", width as u32).set("grid.height", height as u32);
    let call = call.set("grid.rate", 0.2f32).arg("now", &mut now).arg("next", &mut next).items([width, height]);
    // All steps at once; after each the two arrays change places. `now` is the last one.
    let report = call.iterate(steps, ("now", "next"))?;
    print!("{}", report.explain());

    // The host looks at one row: only that comes down.
    let row = now.view(256 * width..257 * width)?.read()?;
    println!("the middle row from {:.4} to {:.4}", row[256], row[190]);
    // No heat has reached the edge yet, so none may be lost.
    let after: f64 = now.read()?.iter().map(|t| f64::from(*t)).sum();
    println!("heat {before:.3} before, {after:.3} after {steps} steps");
    anyhow::ensure!((after - before).abs() < 1e-5 * before, "heat was lost");
    anyhow::ensure!(row[190] > 0.01, "the heat did not spread");
    Ok(())
}
