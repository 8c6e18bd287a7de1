//! The errors of the `f32` functions, on a dense sample (the example `sweep` takes all arguments).

use crate::{
    Random, arguments,
    functions::{FUNCTIONS, Function, Operation, ulps},
    program, run,
};
use evener_lanes::{Engine, Level, ir::Ty};

/// Each 4096th bit pattern, and the neighbourhoods of special points.
fn sample() -> Vec<f32> {
    (0..=u32::MAX).step_by(4096).map(f32::from_bits).chain(arguments()).collect()
}

/// Arguments of powers and points of the plane: any, and such that the power is in range.
fn samples(function: &Function) -> (Vec<f32>, Vec<f32>) {
    if let Operation::Unary(_) = function.operation {
        let x = sample();
        return (x.clone(), x);
    }
    let mut r = Random(3);
    let mut pair = |i: u32| {
        let bits = r.next();
        let (x, y) = (f32::from_bits(bits as u32), f32::from_bits((bits >> 32) as u32));
        let unit = (bits >> 32) as f32 / 4_294_967_296.0;
        match i % 4 {
            0 => (x, y),
            1 => (x.abs(), (unit * 280.0 - 151.0) / x.abs().log2()),
            2 => (0.5 + unit, x % 100.0),
            _ => (unit, x % 4.0),
        }
    };
    (0..1 << 20).map(&mut pair).unzip()
}

#[test]
fn functions_of_f32_are_nearly_correctly_rounded() {
    for function in &FUNCTIONS {
        let (x, y) = samples(function);
        let program = program(function.kernel(Ty::F32), Engine::Interpreter(Level::detect()));
        let got = run(&program, &x, &y);
        let mut worst = 0.0;
        for i in 0..x.len() {
            let truth = (function.truth)(x[i].into(), y[i].into());
            let error = ulps(got[i], truth);
            assert!(
                error <= function.limit,
                "{}({:e}, {:e}) = {:e}, not {truth:e}: {error} ULP",
                function.name,
                x[i],
                y[i],
                got[i]
            );
            worst = f64::max(worst, error);
        }
        println!("{}: {worst:.3} ULP of {} results", function.name, x.len());
    }
}

#[test]
fn sines_and_cosines_do_not_exceed_one() {
    for name in ["sin", "cos"] {
        let function = FUNCTIONS.iter().find(|f| f.name == name).unwrap();
        let program = program(function.kernel(Ty::F32), Engine::Interpreter(Level::detect()));
        // Around each extremum of some turns, and around zero.
        let near = |k: i32| {
            let top = (f64::from(k) * std::f64::consts::FRAC_PI_2) as f32;
            (-400..400).map(move |d| f32::from_bits(top.to_bits().saturating_add_signed(d)))
        };
        let x: Vec<f32> = (0..300).flat_map(near).chain((0..1 << 18).map(|i| i as f32 * 4e-9)).collect();
        assert!(run(&program, &x, &x).iter().all(|y| y.abs() <= 1.0), "{name}");
    }
}
