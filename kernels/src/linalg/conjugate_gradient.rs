//! Conjugate gradients: sparse systems with a symmetric definite matrix.

use super::{Csr, Linalg, Real, Reports, csr, kernel, vector::combine};
use crate::sizes::agree;
use evener::{Array, Error, ErrorKind, Result, Runtime};
use evener_shaders::linalg as wgsl;

/// When [`Linalg::conjugate_gradient`](super::Linalg::conjugate_gradient) ends.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ending {
    /// The residual `|b - A x|` over `|b|` that is small enough. With 0 all steps are taken.
    pub tolerance: f64,
    /// Most steps.
    pub steps: usize,
}

/// What [`Linalg::conjugate_gradient`](super::Linalg::conjugate_gradient) did.
#[derive(Clone, Debug)]
pub struct Solved {
    /// Steps taken.
    pub steps: usize,
    /// `|b - A x|` over `|b|`, as the steps carry the residual along.
    pub residual: f64,
    /// Whether the residual is within the tolerance.
    pub converged: bool,
    /// All calls.
    pub reports: Reports,
}

/// The vectors of the iteration.
struct State<'a, T: Real> {
    rt: &'a Runtime,
    a: &'a Csr<T>,
    x: &'a mut Array<T>,
    /// The residual `b - A x`.
    r: Array<T>,
    /// The direction of the next step.
    d: Array<T>,
    /// `A d`.
    q: Array<T>,
    /// `r . r`.
    rho: f64,
    /// `d . A d` of the last step: of one sign, as long as the matrix is definite.
    curvature: f64,
    /// `r . r` in parts, as a step leaves it.
    partial: Array<T>,
    reports: Reports,
}

/// Elements of such a part.
const PARTIAL: usize = 4096;

pub(super) fn solve<T: Real>(
    rt: &Runtime,
    a: &Csr<T>,
    b: &Array<T>,
    x: &mut Array<T>,
    ending: &Ending,
) -> Result<Solved> {
    agree("a", "columns", a.cols(), "a", "rows", a.rows())?;
    agree("b", "elements", b.len(), "a", "rows", a.rows())?;
    agree("x", "elements", x.len(), "a", "columns", a.cols())?;
    if a.rows() == 0 {
        return Ok(Solved { steps: 0, residual: 0.0, converged: true, reports: Reports::none() });
    }
    let squared = rt.dot(b, b)?;
    let norm = squared.value.to_f64().sqrt();
    let mut state = State::new(rt, a, b, x)?;
    state.reports.append(squared.reports);
    // Of b = 0 the solution is 0: the residual is measured against 1.
    let scale = if norm > 0.0 { norm } else { 1.0 };
    let mut steps = 0;
    loop {
        let residual = state.rho.sqrt() / scale;
        let is_done = state.rho == 0.0 || ending.tolerance > 0.0 && residual <= ending.tolerance;
        if is_done || steps == ending.steps {
            let converged = state.rho == 0.0 || residual <= ending.tolerance;
            return Ok(Solved { steps, residual, converged, reports: state.reports });
        }
        state.step()?;
        steps += 1;
    }
}

impl<'a, T: Real> State<'a, T> {
    fn new(rt: &'a Runtime, a: &'a Csr<T>, b: &Array<T>, x: &'a mut Array<T>) -> Result<Self> {
        let n = x.len();
        let zeros = || rt.zeros::<T>(n);
        let (r, d, q, partial) = (zeros()?, zeros()?, zeros()?, rt.zeros(n.div_ceil(PARTIAL))?);
        let mut state = State { rt, a, x, r, d, q, rho: 0.0, curvature: 0.0, partial, reports: Reports::none() };
        let (zero, one) = (T::from_f64(0.0), T::from_f64(1.0));
        state.reports.append(csr::spmv(rt, a, &*state.x, &mut state.q)?);
        state.reports.append(combine(rt, one, b, zero, &mut state.r)?);
        state.reports.append(combine(rt, T::from_f64(-1.0), &state.q, one, &mut state.r)?);
        state.reports.append(combine(rt, one, &state.r, zero, &mut state.d)?);
        state.rho = state.dot_of_residual()?;
        Ok(state)
    }

    fn dot_of_residual(&mut self) -> Result<f64> {
        let rho = self.rt.dot(&self.r, &self.r)?;
        self.reports.append(rho.reports);
        Ok(rho.value.to_f64())
    }

    fn step(&mut self) -> Result<()> {
        self.reports.append(csr::spmv(self.rt, self.a, &self.d, &mut self.q)?);
        let curvature = self.rt.dot(&self.d, &self.q)?;
        self.reports.append(curvature.reports);
        let curvature = curvature.value.to_f64();
        if !curvature.is_finite() || curvature == 0.0 || curvature.signum() * self.curvature < 0.0 {
            let why = format!(
                "`a` is not symmetric and definite, or the numbers are out of range: d . A d is {curvature} for a direction \
                 d of the search{}",
                if self.curvature == 0.0 { String::new() } else { format!(" and {} for the last", self.curvature) }
            );
            return Err(Error::new(ErrorKind::KernelFault, why));
        }
        self.curvature = curvature;
        let rho = self.advance(self.rho / curvature)?;
        let beta = rho / self.rho;
        self.rho = rho;
        self.reports.append(combine(self.rt, T::from_f64(1.0), &self.r, T::from_f64(beta), &mut self.d)?);
        Ok(())
    }

    /// Moves along the direction: the new `r . r`.
    fn advance(&mut self, alpha: f64) -> Result<f64> {
        let kernel = kernel::<T>(self.rt, wgsl::CG_ADVANCE)?;
        let groups = [self.partial.len() as u32, 1, 1];
        let call = kernel.call().set("params.alpha", T::from_f64(alpha)).set("params.count", self.r.len() as u32);
        let call = call.arg("d", &self.d).arg("q", &self.q).arg("x", &mut *self.x).arg("r", &mut self.r);
        self.reports.push(call.arg("partial", &mut self.partial).groups(groups).run()?);
        let parts = self.partial.read()?;
        Ok(T::total(parts.iter().map(|part| (*part, T::Rest::default()))).to_f64())
    }
}
