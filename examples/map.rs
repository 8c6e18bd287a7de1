//! One expression over arrays, without a kernel: `cargo run --release --example map`.

use evener::prelude::*;

fn main() -> anyhow::Result<()> {
    let x: Vec<f32> = (0..1 << 20).map(|i| i as f32 * 1e-3).collect();
    let mut y = vec![1.0f32; x.len()];

    let rt = Runtime::new()?;
    // The argument given as `&mut` is read and then replaced.
    let report = rt.map("a * x + y").set("a", 2.0f32).arg("x", &x).arg("y", &mut y).run()?;
    println!("{report}");
    anyhow::ensure!(x.iter().zip(&y).all(|(x, y)| (y - (2.0 * x + 1.0)).abs() <= 1e-6 * y), "wrong result");

    // Any WGSL expression will do.
    let report = rt.map("select(sqrt(x), 0.0, x < 1.0)").arg("x", &x).arg("y", &mut y).run()?;
    println!("{report}");
    let want = |x: f32| if x < 1.0 { 0.0 } else { x.sqrt() };
    anyhow::ensure!(x.iter().zip(&y).all(|(x, y)| (y - want(*x)).abs() <= 1e-5 * y.max(1.0)), "wrong result");
    Ok(())
}
