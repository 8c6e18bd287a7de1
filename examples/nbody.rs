//! Two stars circle each other among light bodies: `cargo run --release --example nbody`.

use evener::prelude::*;

const DT: f32 = 0.01;

fn main() -> anyhow::Result<()> {
    let n = 1024;
    let mut bodies: Vec<[f32; 4]> = vec![[-1.0, 0.0, 0.0, 0.5], [1.0, 0.0, 0.0, 0.5]];
    let mut velocity: Vec<[f32; 3]> = vec![[0.0, -0.5 / 2f32.sqrt(), 0.0], [0.0, 0.5 / 2f32.sqrt(), 0.0]];
    // A ring far out, nearly without mass: x, y, z and the mass.
    for i in 2..n {
        let (y, x) = (i as f32 * 0.1).sin_cos();
        bodies.push([6.0 * x, 6.0 * y, 0.0, 1e-9]);
        velocity.push([-y / 6f32.sqrt(), x / 6f32.sqrt(), 0.0]);
    }

    let rt = Runtime::new()?;
    let kernel = rt.kernel(evener_shaders::NBODY)?;
    let mut acceleration = vec![[0.0f32; 4]; n];
    let before = energy(&bodies, &velocity);
    for step in 0..100 {
        drift(&mut bodies, &velocity, DT / 2.0);
        let call = kernel.call().set("system.count", n as u32).set("system.softening2", 1e-6f32);
        let report = call.arg("bodies", &bodies).arg("acceleration", &mut acceleration).items(n).run()?;
        for (v, a) in velocity.iter_mut().zip(&acceleration) {
            (0..3).for_each(|axis| v[axis] += DT * a[axis]);
        }
        drift(&mut bodies, &velocity, DT / 2.0);
        if step == 99 {
            println!("{report}");
        }
    }

    let after = energy(&bodies, &velocity);
    println!("energy of the two stars: {before:.6} before, {after:.6} after 100 steps");
    anyhow::ensure!((after - before).abs() < 1e-3 * before.abs(), "energy is not kept");
    Ok(())
}

fn drift(bodies: &mut [[f32; 4]], velocity: &[[f32; 3]], dt: f32) {
    for (body, v) in bodies.iter_mut().zip(velocity) {
        (0..3).for_each(|axis| body[axis] += dt * v[axis]);
    }
}

/// Kinetic and potential energy of the two heavy bodies (in units where the gravitational constant is 1).
fn energy(bodies: &[[f32; 4]], velocity: &[[f32; 3]]) -> f32 {
    let kinetic = |i: usize| 0.5 * bodies[i][3] * velocity[i].iter().map(|v| v * v).sum::<f32>();
    let distance2: f32 = (0..3).map(|axis| (bodies[0][axis] - bodies[1][axis]).powi(2)).sum();
    kinetic(0) + kinetic(1) - bodies[0][3] * bodies[1][3] / distance2.sqrt()
}
