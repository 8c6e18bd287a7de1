//! Counts with atomics: `cargo run --release --example histogram`.

use evener::prelude::*;

fn main() -> anyhow::Result<()> {
    let n = 1 << 20;
    // The sum of two dice of 100 sides, so a triangle.
    let die = |i: u32| (i.wrapping_mul(0x9e37_79b9) >> 8) % 100;
    let values: Vec<u32> = (0..n).map(|i| die(i) + die(i ^ 0x5bd1_e995)).collect();
    let mut bins = vec![0u32; 256];

    let rt = Runtime::new()?;
    let kernel = rt.kernel(evener_shaders::HISTOGRAM)?;
    let report = kernel.call().arg("values", &values).arg("bins", &mut bins).items(n).run()?;

    for (sum, count) in bins.iter().enumerate().take(200).step_by(10) {
        println!("{sum:>4} {}", "*".repeat((count / 200) as usize));
    }
    println!("{report}");
    let mut want = vec![0u32; 256];
    values.iter().for_each(|v| want[*v as usize] += 1);
    anyhow::ensure!(bins == want, "wrong counts");
    Ok(())
}
