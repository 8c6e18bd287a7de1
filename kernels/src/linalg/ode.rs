//! Ordinary differential equations, many at once.

use super::{Real, Reports, call_size};
use crate::{
    data::{Input, Output},
    sizes::agree,
};
use evener::{Error, ErrorKind, Kernel, Result, Runtime};
use evener_shaders::linalg as wgsl;

/// Steps that follow the error of a solution: of [`Ode::rk45`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Adaptive {
    /// Error of a step that is tolerated, over the size of the component; at least 0.
    pub relative: f64,
    /// And beside it; above 0.
    pub absolute: f64,
    /// The first step that is tried; 0: a hundredth of the time.
    pub first: f64,
    /// Most steps that a member tries.
    pub steps: u32,
}

impl Default for Adaptive {
    fn default() -> Self {
        Adaptive { relative: 1e-4, absolute: 1e-6, first: 0.0, steps: 10_000 }
    }
}

/// A system of ordinary differential equations `y' = f(t, y, p)`, solved for many initial states and parameters at once;
/// made by [`Linalg::ode`](super::Linalg::ode).
///
/// The right-hand side is a WGSL function of the source, over the scalar type `T`:
///
/// ```wgsl
/// fn derivative(t: T, y: array<T, SIZE>, p: array<T, PARAMETERS>) -> array<T, SIZE> { .. }
/// ```
///
/// Literals are written `T(0.5)`, so that the source does for f32 and f64. Without parameters `p` has one element, 0.
///
/// ```
/// use evener::prelude::*;
/// use evener_kernels::Linalg;
///
/// # fn main() -> evener::Result<()> {
/// # let rt = Runtime::builder().gpu(false).profile(None).build()?;
/// // An oscillator, y'' = -w^2 y, for two w.
/// let oscillator = rt.ode::<f64>(
///     2,
///     1,
///     "fn derivative(t: T, y: array<T, SIZE>, p: array<T, PARAMETERS>) -> array<T, SIZE> {
///          return array<T, SIZE>(y[1], -p[0] * p[0] * y[0]);
///      }",
/// )?;
/// let w = [1.0f64, 2.0];
/// let mut y = [1.0, 0.0, 1.0, 0.0];
/// oscillator.rk4(0.0, 0.01, 100, &w, &mut y)?; // to t = 1
/// assert!((y[0] - 1.0f64.cos()).abs() < 1e-8);
/// assert!((y[2] - 2.0f64.cos()).abs() < 1e-8);
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct Ode<T: Real> {
    size: usize,
    parameters: usize,
    rk4: Kernel,
    rk45: Kernel,
    zero: [T; 1],
}

/// Components and parameters that kernels keep in registers and private memory.
const MOST: usize = 64;

impl<T: Real> Ode<T> {
    pub(super) fn new(rt: &Runtime, size: usize, parameters: usize, derivative: &str) -> Result<Self> {
        if size == 0 || size > MOST || parameters > MOST {
            let why = format!(
                "a system of {size} equations with {parameters} parameters: it has 1 to {MOST} equations and at most \
                 {MOST} parameters"
            );
            return Err(Error::new(ErrorKind::Limit, why));
        }
        let constants = format!("const SIZE = {size}u;\nconst PARAMETERS = {}u;\n", parameters.max(1));
        let kernel = |method| rt.kernel([T::PRELUDE, constants.as_str(), derivative, wgsl::ODE_MEMBER, method]);
        let (rk4, rk45) = (kernel(wgsl::ODE_RK4)?, kernel(wgsl::ODE_RK45)?);
        Ok(Ode { size, parameters, rk4, rk45, zero: [T::default()] })
    }

    /// Equations.
    pub fn size(&self) -> usize {
        self.size
    }

    /// Takes `steps` steps of `step` from the time `start` on, by the classical method of Runge and Kutta (W. Kutta, Z.
    /// Math. Phys. 46, 1901): the error falls with the fourth power of the step.
    ///
    /// `state` is `[members][size]`, the states before and after; `parameters` is `[members][parameters]`.
    ///
    /// # Errors
    /// `ArgumentSize`: sizes that do not agree. `ArgumentType`: `start` or `step` is not finite.
    pub fn rk4(
        &self,
        start: T,
        step: T,
        steps: u32,
        parameters: impl Input<T>,
        mut state: impl Output<T>,
    ) -> Result<Reports> {
        finite("start", start)?;
        finite("step", step)?;
        let members = self.members(parameters.count(), state.count())?;
        let Some(members) = call_size(members)? else { return Ok(Reports::none()) };
        let call = self.rk4.call().set("params.start", start).set("params.step", step).set("params.steps", steps);
        let call = call.set("params.members", members).arg("state", state.as_arg_mut());
        let parameters = super::or_zero(parameters.as_arg(), self.parameters == 0, &self.zero);
        Ok(call.arg("parameter", parameters).items(members).run()?.into())
    }

    /// Follows each member from `span[0]` to `span[1]` with steps of its own, so that the error of each stays within what
    /// `steps` tolerates, by the pair of orders 5 and 4 of J. Dormand and P. Prince (J. Comput. Appl. Math. 6(1), 1980).
    ///
    /// `reached` holds for each member the time of its state afterwards: `span[1]` to the bit, or less where
    /// `steps.steps` were not enough. Time may run backwards.
    ///
    /// ```
    /// # use evener::prelude::*;
    /// # use evener_kernels::{Linalg, linalg::Adaptive};
    /// # fn main() -> evener::Result<()> {
    /// # let rt = Runtime::builder().gpu(false).profile(None).build()?;
    /// let decay = rt.ode::<f64>(
    ///     1,
    ///     1,
    ///     "fn derivative(t: T, y: array<T, SIZE>, p: array<T, PARAMETERS>) -> array<T, SIZE> {
    ///          return array<T, SIZE>(-p[0] * y[0]);
    ///      }",
    /// )?;
    /// let (mut y, mut reached) = ([1.0, 1.0], [0.0; 2]);
    /// decay.rk45([0.0, 2.0], &Adaptive::default(), &[1.0, 3.0], &mut y, &mut reached)?;
    /// assert_eq!(reached, [2.0, 2.0]);
    /// assert!((y[1] - (-6.0f64).exp()).abs() < 1e-4);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// `ArgumentSize`: sizes that do not agree. `ArgumentType`: times that are not finite, tolerances that are negative, or
    /// an absolute one that is not above 0.
    pub fn rk45(
        &self,
        span: [T; 2],
        steps: &Adaptive,
        parameters: impl Input<T>,
        mut state: impl Output<T>,
        mut reached: impl Output<T>,
    ) -> Result<Reports> {
        let first = steps.first_of(span)?;
        let members = self.members(parameters.count(), state.count())?;
        agree("reached", "elements", reached.count(), "state", "members", members)?;
        let Some(members) = call_size(members)? else { return Ok(Reports::none()) };
        let call = self.rk45.call().set("params.start", span[0]).set("params.end", span[1]);
        let call = call.set("params.first", first).set("params.relative", T::from_f64(steps.relative));
        let call = call.set("params.absolute", T::from_f64(steps.absolute)).set("params.most", steps.steps);
        let call = call.set("params.members", members).arg("state", state.as_arg_mut());
        let parameters = super::or_zero(parameters.as_arg(), self.parameters == 0, &self.zero);
        let call = call.arg("parameter", parameters).arg("reached", reached.as_arg_mut());
        Ok(call.items(members).run()?.into())
    }

    /// Members of an ensemble with so many elements of parameters and states.
    fn members(&self, parameters: usize, state: usize) -> Result<usize> {
        if !state.is_multiple_of(self.size) {
            let why = format!("`state` has {state} elements, which is no whole number of members of {}", self.size);
            return Err(Error::new(ErrorKind::ArgumentSize, why));
        }
        let members = state / self.size;
        if members.checked_mul(self.parameters) != Some(parameters) {
            let why =
                format!("`parameters` has {parameters} elements; {members} members have {} each", self.parameters);
            return Err(Error::new(ErrorKind::ArgumentSize, why));
        }
        Ok(members)
    }
}

impl Adaptive {
    /// Checks everything, and gives the first step with its sign.
    fn first_of<T: Real>(&self, span: [T; 2]) -> Result<T> {
        span.into_iter().try_for_each(|t| finite("span", t))?;
        let given = [("relative", self.relative), ("absolute", self.absolute), ("first", self.first)];
        for (name, value) in given {
            if !value.is_finite() || value < 0.0 {
                let why = format!("`{name}` is {value}; it must be finite and not negative");
                return Err(Error::new(ErrorKind::ArgumentType, why));
            }
        }
        if T::from_f64(self.absolute) <= T::default() {
            let why = format!("`absolute` is {}; it must be above 0, or a component of 0 has no error", self.absolute);
            return Err(Error::new(ErrorKind::ArgumentType, why));
        }
        let time = span[1].to_f64() - span[0].to_f64();
        let first = if self.first > 0.0 { self.first } else { time.abs() / 100.0 };
        Ok(T::from_f64(first.copysign(time)))
    }
}

fn finite<T: Real>(name: &str, value: T) -> Result<()> {
    if value.to_f64().is_finite() {
        return Ok(());
    }
    Err(Error::new(ErrorKind::ArgumentType, format!("`{name}` is {value}; it must be finite")))
}
