//! Conjugate gradients: sparse systems with a symmetric definite matrix.

use super::{
    Csr, Real, Reports, agree, csr, kernel,
    vector::{Partial, combine, dot},
};
use evener::{Array, Error, ErrorKind, Report, Result, Runtime};
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
    partial: Partial<T>,
    reports: Reports,
}

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
    let squared = dot(rt, b, b)?;
    let norm = squared.value.to_f64().sqrt();
    let mut state = State::new(rt, a, b, x)?;
    state.keep(squared.reports);
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
        let (r, d, q, partial) = (zeros()?, zeros()?, zeros()?, Partial::new(rt, n)?);
        let mut state = State { rt, a, x, r, d, q, rho: 0.0, curvature: 0.0, partial, reports: Reports::none() };
        let (zero, one) = (T::from_f64(0.0), T::from_f64(1.0));
        let reports = csr::spmv(rt, a, &*state.x, &mut state.q)?;
        state.keep(reports);
        let reports = combine(rt, one, b, zero, &mut state.r)?;
        state.keep(reports);
        let reports = combine(rt, T::from_f64(-1.0), &state.q, one, &mut state.r)?;
        state.keep(reports);
        let reports = combine(rt, one, &state.r, zero, &mut state.d)?;
        state.keep(reports);
        state.rho = state.dot_of_residual()?;
        Ok(state)
    }

    fn keep(&mut self, reports: Reports) {
        reports.iter().for_each(|r| self.reports.push(r.clone()));
    }

    fn dot_of_residual(&mut self) -> Result<f64> {
        let rho = dot(self.rt, &self.r, &self.r)?;
        self.keep(rho.reports);
        Ok(rho.value.to_f64())
    }

    fn step(&mut self) -> Result<()> {
        let reports = csr::spmv(self.rt, self.a, &self.d, &mut self.q)?;
        self.keep(reports);
        let curvature = dot(self.rt, &self.d, &self.q)?;
        self.keep(curvature.reports);
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
        let report = self.advance(self.rho / curvature)?;
        self.reports.push(report);
        let rho = self.partial.total()?;
        let beta = rho / self.rho;
        self.rho = rho;
        let reports = combine(self.rt, T::from_f64(1.0), &self.r, T::from_f64(beta), &mut self.d)?;
        self.keep(reports);
        Ok(())
    }

    /// Moves along the direction, and leaves the new `r . r` in parts.
    fn advance(&mut self, alpha: f64) -> Result<Report> {
        let kernel = kernel::<T>(self.rt, wgsl::CG_ADVANCE)?;
        let groups = self.partial.groups();
        let call = kernel.call().set("params.alpha", T::from_f64(alpha)).set("params.count", self.r.len() as u32);
        let call = call.arg("d", &self.d).arg("q", &self.q).arg("x", &mut *self.x).arg("r", &mut self.r);
        call.arg("partial", &mut self.partial.sums).groups(groups).run()
    }
}
