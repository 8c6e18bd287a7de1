//! The Mandelbrot set in text: `cargo run --release --example mandelbrot`.

use evener::prelude::*;

fn main() -> anyhow::Result<()> {
    let (width, height, cap) = (768u32, 512u32, 200u32);
    let mut count = vec![0u32; (width * height) as usize];

    let rt = Runtime::new()?;
    let kernel = rt.kernel(evener_shaders::MANDELBROT)?;
    let call = kernel.call().set("view.width", width).set("view.height", height).set("view.cap", cap);
    let call = call.set("view.left", -2.2f32).set("view.top", 1.1f32).set("view.pixel", 3.3 / width as f32);
    let report = call.arg("count", &mut count).items([width, height]).run()?;

    for row in (0..height).step_by(24) {
        let shade = |col: u32| match count[(row * width + col) as usize] {
            n if n == cap => '#',
            0..=3 => ' ',
            4..=7 => '.',
            8..=15 => ':',
            _ => '+',
        };
        println!("{}", (0..width).step_by(12).map(shade).collect::<String>());
    }
    println!("{report}");

    // The set's area is 1.5065918849...
    let inside = count.iter().filter(|n| **n == cap).count() as f64;
    let area = inside * (3.3 / f64::from(width)).powi(2);
    println!("area about {area:.3}");
    anyhow::ensure!((area - 1.507).abs() < 0.05, "area {area}");
    Ok(())
}
