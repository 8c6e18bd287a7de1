//! The first kernel of one's own: `cargo run --release --example saxpy`.

use evener::prelude::*;

const SAXPY: &str = "
    @group(0) @binding(0) var<uniform> a: f32;
    @group(0) @binding(1) var<storage, read> x: array<f32>;
    @group(0) @binding(2) var<storage, read_write> y: array<f32>;

    @compute @workgroup_size(256)
    fn saxpy(@builtin(global_invocation_id) id: vec3<u32>) {
        if id.x >= arrayLength(&y) { return; }
        y[id.x] = a * x[id.x] + y[id.x];
    }";

fn main() -> anyhow::Result<()> {
    let n = 1 << 20;
    let x: Vec<f32> = (0..n).map(|i| i as f32).collect();
    let mut y = vec![1.0f32; n];

    let rt = Runtime::new()?;
    let saxpy = rt.kernel(SAXPY)?;
    let report = saxpy.call().set("a", 2.0f32).arg("x", &x).arg("y", &mut y).items(n).run()?;

    println!("{report}");
    anyhow::ensure!((0..n).all(|i| y[i] == 2.0 * i as f32 + 1.0), "wrong result");
    Ok(())
}
