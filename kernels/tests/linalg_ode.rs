//! Ensembles of differential equations against exact solutions and a plain f64 reference, on every placement.
#![cfg(feature = "linalg")]

mod support;

use evener::prelude::*;
use evener_kernels::{
    Linalg,
    linalg::{Adaptive, Ode, Real},
};
use support::{close, cpu, runtimes};

/// `y'' = -w^2 y`.
const OSCILLATOR: &str = "
fn derivative(t: T, y: array<T, SIZE>, p: array<T, PARAMETERS>) -> array<T, SIZE> {
    return array<T, SIZE>(y[1], -p[0] * p[0] * y[0]);
}";

/// More than a work-group, and no multiple of it.
const MEMBERS: usize = 67;

fn frequencies<T: Real>() -> Vec<T> {
    (0..MEMBERS).map(|m| T::from_f64(0.5 + m as f64 / 64.0)).collect()
}

/// From rest at 1.
fn start<T: Real>() -> Vec<T> {
    (0..2 * MEMBERS).map(|i| T::from_f64(if i % 2 == 0 { 1.0 } else { 0.0 })).collect()
}

fn exact<T: Real>(w: &[T], t: f64) -> Vec<f64> {
    w.iter().map(|w| w.to_f64()).flat_map(|w| [(w * t).cos(), -w * (w * t).sin()]).collect()
}

fn largest_error<T: Real>(got: &[T], want: &[f64]) -> f64 {
    got.iter().zip(want).map(|(got, want)| (got.to_f64() - want).abs()).fold(0.0, f64::max)
}

fn fixed<T: Real>(ode: &Ode<T>, steps: u32) -> f64 {
    let (w, mut y) = (frequencies::<T>(), start::<T>());
    let reports = ode.rk4(T::from_f64(0.0), T::from_f64(2.0 / f64::from(steps)), steps, &w, &mut y).unwrap();
    assert_eq!(reports.interpreted(), None);
    largest_error(&y, &exact(&w, 2.0))
}

#[test]
fn fixed_steps_follow_the_exact_solution_with_order_four() {
    for (place, rt) in runtimes() {
        let ode = rt.ode::<f64>(2, 1, OSCILLATOR).unwrap();
        let (coarse, fine) = (fixed(&ode, 40), fixed(&ode, 80));
        let order = (coarse / fine).log2();
        assert!((3.8..4.3).contains(&order), "{coarse:e} and {fine:e} on {place}: order {order}");
        let error = fixed(&rt.ode::<f32>(2, 1, OSCILLATOR).unwrap(), 80);
        assert!(error < 2e-5, "{error:e} on {place}");
    }
}

fn adaptive<T: Real>(place: &str, rt: &Runtime, tolerance: f64) {
    let ode = rt.ode::<T>(2, 1, OSCILLATOR).unwrap();
    let (w, mut y, mut reached) = (frequencies::<T>(), start::<T>(), vec![T::default(); MEMBERS]);
    let steps = Adaptive { relative: tolerance, absolute: tolerance, first: 0.0, steps: 500 };
    let span = [T::from_f64(0.0), T::from_f64(2.0)];
    let reports = ode.rk45(span, &steps, &w, &mut y, &mut reached).unwrap();
    assert_eq!(reports.interpreted(), None);
    assert!(reached.iter().all(|t| *t == span[1]), "on {place}");
    let error = largest_error(&y, &exact(&w, 2.0));
    assert!(error < 50.0 * tolerance, "{error:e} on {place}");
    // And back to where it came from.
    ode.rk45([span[1], span[0]], &steps, &w, &mut y, &mut reached).unwrap();
    assert!(reached.iter().all(|t| *t == span[0]), "on {place}");
    let before: Vec<f64> = start::<f64>();
    close(&format!("back on {place}"), &y, &before, 100.0 * tolerance);
}

#[test]
fn steps_of_their_own_keep_the_error_within_what_is_tolerated() {
    for (place, rt) in runtimes() {
        adaptive::<f32>(place, rt, 1e-5);
        adaptive::<f64>(place, rt, 1e-9);
    }
}

#[test]
fn a_smaller_tolerance_gives_a_smaller_error() {
    let rt = cpu();
    let ode = rt.ode::<f64>(2, 1, OSCILLATOR).unwrap();
    let error = |tolerance: f64| {
        let (w, mut y, mut reached) = (frequencies::<f64>(), start::<f64>(), vec![0.0; MEMBERS]);
        let steps = Adaptive { relative: tolerance, absolute: tolerance, ..Adaptive::default() };
        ode.rk45([0.0, 10.0], &steps, &w, &mut y, &mut reached).unwrap();
        largest_error(&y, &exact(&w, 10.0))
    };
    let errors = [1e-4, 1e-6, 1e-8, 1e-10].map(error);
    assert!(errors.windows(2).all(|pair| pair[1] < pair[0] / 20.0), "{errors:?}");
}

/// The equations of E. Lorenz (1963), sigma = 10, beta = 8/3, for several rho.
const LORENZ: &str = "
fn derivative(t: T, y: array<T, SIZE>, p: array<T, PARAMETERS>) -> array<T, SIZE> {
    return array<T, SIZE>(
        T(10) * (y[1] - y[0]),
        y[0] * (p[0] - y[2]) - y[1],
        y[0] * y[1] - T(8.0 / 3.0) * y[2],
    );
}";

fn lorenz(y: [f64; 3], rho: f64) -> [f64; 3] {
    [10.0 * (y[1] - y[0]), y[0] * (rho - y[2]) - y[1], y[0] * y[1] - 8.0 / 3.0 * y[2]]
}

fn lorenz_steps(mut y: [f64; 3], rho: f64, h: f64, steps: u32) -> [f64; 3] {
    let moved = |y: [f64; 3], h: f64, k: [f64; 3]| [0, 1, 2].map(|i: usize| y[i] + h * k[i]);
    for _ in 0..steps {
        let k1 = lorenz(y, rho);
        let k2 = lorenz(moved(y, h / 2.0, k1), rho);
        let k3 = lorenz(moved(y, h / 2.0, k2), rho);
        let k4 = lorenz(moved(y, h, k3), rho);
        y = [0, 1, 2].map(|i: usize| y[i] + h * (k1[i] + 2.0 * (k2[i] + k3[i]) + k4[i]) / 6.0);
    }
    y
}

#[test]
fn an_ensemble_of_lorenz_systems_is_that_of_a_plain_loop() {
    let rho: Vec<f64> = (0..MEMBERS).map(|m| 20.0 + m as f64 / 8.0).collect();
    let want: Vec<f64> = rho.iter().flat_map(|rho| lorenz_steps([1.0, 1.0, 1.0], *rho, 0.01, 100)).collect();
    for (place, rt) in runtimes() {
        let mut y = vec![1.0f64; 3 * MEMBERS];
        rt.ode::<f64>(3, 1, LORENZ).unwrap().rk4(0.0, 0.01, 100, &rho, &mut y).unwrap();
        close(&format!("lorenz on {place}"), &y, &want, 1e-9);
    }
}

#[test]
fn time_is_given_and_parameters_may_be_missing() {
    let rt = cpu();
    // Of a polynomial of degree 3 the method is exact.
    let source = "fn derivative(t: T, y: array<T, SIZE>, p: array<T, PARAMETERS>) -> array<T, SIZE> {
        return array<T, SIZE>(T(4) * t * t * t + p[0]);
    }";
    let ode = rt.ode::<f64>(1, 0, source).unwrap();
    let none: &[f64] = &[];
    let mut y = [1.0, 17.0];
    ode.rk4(1.0, 0.25, 4, none, &mut y).unwrap();
    close("t^4", &y, &[16.0, 32.0], 1e-12);
    assert!(ode.rk4(1.0, 0.25, 4, none, &mut [0.0f64; 0]).unwrap().is_empty());
}

#[test]
fn a_member_that_needs_more_steps_says_where_it_stopped() {
    let rt = cpu();
    let ode = rt.ode::<f64>(2, 1, OSCILLATOR).unwrap();
    let (mut y, mut reached) = ([1.0, 0.0, 1.0, 0.0], [0.0; 2]);
    let steps = Adaptive { relative: 1e-8, absolute: 1e-8, first: 0.01, steps: 60 };
    ode.rk45([0.0, 5.0], &steps, &[1.0, 1000.0], &mut y, &mut reached).unwrap();
    assert_eq!(reached[0], 5.0);
    assert!(reached[1] > 0.0 && reached[1] < 5.0, "{reached:?}");
    assert!((y[2] - (1000.0 * reached[1]).cos()).abs() < 1e-4);

    // What grows beyond all bounds in finite time stops before, with a state that is a number.
    let source = "fn derivative(t: T, y: array<T, SIZE>, p: array<T, PARAMETERS>) -> array<T, SIZE> {
        return array<T, SIZE>(y[0] * y[0]);
    }";
    let none: &[f64] = &[];
    let (mut y, mut reached) = ([1.0f64], [0.0f64]);
    let steps = Adaptive { steps: 300, ..Adaptive::default() };
    rt.ode::<f64>(1, 0, source).unwrap().rk45([0.0, 2.0], &steps, none, &mut y, &mut reached).unwrap();
    assert!(reached[0] > 0.9 && reached[0] < 1.1 && y[0].is_finite(), "{y:?} at {reached:?}");
}

#[test]
fn what_does_not_fit_is_a_typed_error() {
    let rt = cpu();
    let kind = |size, parameters, source| rt.ode::<f32>(size, parameters, source).map(|_| ()).unwrap_err().kind();
    assert_eq!(kind(0, 1, OSCILLATOR), ErrorKind::Limit);
    assert_eq!(kind(65, 1, OSCILLATOR), ErrorKind::Limit);
    assert_eq!(kind(2, 1, "fn other() {}"), ErrorKind::InvalidKernel);
    let error = rt.ode::<f32>(2, 1, "fn derivative() { nonsense }").unwrap_err();
    assert!(error.to_string().contains("nonsense"), "{error}");

    let ode = rt.ode::<f32>(2, 1, OSCILLATOR).unwrap();
    let error = ode.rk4(0.0, 0.1, 1, &[1.0], &mut [0.0; 3]).unwrap_err();
    assert!(error.to_string().contains("`state` has 3 elements"), "{error}");
    let error = ode.rk4(0.0, 0.1, 1, &[1.0], &mut [0.0; 4]).unwrap_err();
    assert!(error.to_string().contains("`parameters` has 1 elements; 2 members have 1 each"), "{error}");
    assert_eq!(ode.rk4(0.0, f32::NAN, 1, &[1.0], &mut [0.0; 2]).unwrap_err().kind(), ErrorKind::ArgumentType);
    let adaptive = |steps: Adaptive, reached: &mut [f32]| {
        ode.rk45([0.0, 1.0], &steps, &[1.0], &mut [1.0, 0.0], reached).map(|_| ()).unwrap_err().to_string()
    };
    assert!(adaptive(Adaptive { absolute: 0.0, ..Adaptive::default() }, &mut [0.0]).contains("`absolute`"));
    assert!(adaptive(Adaptive { relative: -1.0, ..Adaptive::default() }, &mut [0.0]).contains("`relative`"));
    assert!(adaptive(Adaptive::default(), &mut [0.0; 2]).contains("`reached` has 2 elements"));
}
