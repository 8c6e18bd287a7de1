//! The errors of the `f64` functions, against results of 300 bits and more.
//!
//! A line of `double.txt` holds a function, its arguments and its result rounded to `f64` (as bits in hexadecimal), and
//! what the rounding left, in thousandths of a unit in the last place. The library mpmath computed it.

use crate::{functions::FUNCTIONS, program, run};
use evener_lanes::{Engine, Level, ir::Ty};

/// WGSL says nothing of `f64`; this is what the functions promise.
const LIMIT: f64 = 2.0;

/// The distance of `got` from the true result in units of the last place.
fn ulps(got: f64, nearest: f64, tail: f64) -> f64 {
    let exponent = (nearest.abs().to_bits() >> 52).max(1) as i32 - 1023 - 52;
    // In two steps: the unit may be subnormal.
    let unit = 2f64.powi(exponent / 2) * 2f64.powi(exponent - exponent / 2);
    ((got - nearest) / unit - tail).abs()
}

fn float(bits: &str) -> f64 {
    f64::from_bits(u64::from_str_radix(bits, 16).unwrap())
}

#[test]
fn functions_of_f64_are_within_two_ulp() {
    for function in &FUNCTIONS {
        let lines = include_str!("double.txt").lines().map(|line| line.split(' ').collect::<Vec<_>>());
        let lines: Vec<_> = lines.filter(|words| words[0] == function.name).collect();
        assert!(lines.len() > 100, "{}", function.name);
        let x: Vec<f64> = lines.iter().map(|words| float(words[1])).collect();
        let y: Vec<f64> = lines.iter().map(|words| float(words[words.len() - 3])).collect();
        let program = program(function.kernel(Ty::F64), Engine::Interpreter(Level::detect()));
        let got = run(&program, &x, &y);
        let mut worst = 0.0;
        for (i, words) in lines.iter().enumerate() {
            let nearest = float(words[words.len() - 2]);
            let tail = words[words.len() - 1].parse::<f64>().unwrap() / 1000.0;
            let error = ulps(got[i], nearest, tail);
            let (x, y, got) = (x[i], y[i], got[i]);
            assert!(error <= LIMIT, "{}({x:e}, {y:e}) = {got:e}, not {nearest:e}: {error} ULP", function.name);
            worst = f64::max(worst, error);
        }
        println!("{}: {worst:.3} ULP of {} results", function.name, lines.len());
    }
}

/// Random arguments against the standard library, which is within an ULP or two itself.
#[test]
fn functions_of_f64_are_those_of_the_standard_library() {
    let mut r = crate::Random(5);
    let mut x: Vec<f64> = (0..200_000).map(|_| f64::from_bits(r.next())).collect();
    x.extend((0..200_000).map(|_| r.next() as f64 / (1u64 << 63) as f64 - 1.0));
    x.extend((0..200_000).map(|_| (r.next() as f64 / (1u64 << 63) as f64 - 1.0) * 700.0));
    let y: Vec<f64> = x.iter().rev().copied().collect();
    for function in &FUNCTIONS {
        let program = program(function.kernel(Ty::F64), Engine::Interpreter(Level::detect()));
        let got = run(&program, &x, &y);
        for i in 0..x.len() {
            let expected = (function.truth)(x[i], y[i]);
            let same = got[i] == expected || (got[i].is_nan() && expected.is_nan());
            let error = if same { 0.0 } else { ulps(got[i], expected, 0.0) };
            // Not so, or NaN.
            assert!(
                error <= 5.0,
                "{}({:e}, {:e}) = {:e}, not {expected:e}: {error} ULP",
                function.name,
                x[i],
                y[i],
                got[i]
            );
        }
    }
}
