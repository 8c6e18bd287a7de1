//! Calls that nobody waits for yet.

use super::{Call, size::Size};
use crate::{
    clock::ns_since,
    error::Result,
    event::Event,
    report::Report,
    schedule::coexec::{self, Job, Outcome},
};
use std::time::Instant;

impl Call<'_> {
    /// Starts the call and returns before it has ended, where one GPU runs it and holds all its arrays or gets them: such
    /// calls share submissions, which takes far less time than to submit each. Any other call, on the CPU, split, in windows
    /// or over host slices, has ended when this returns.
    ///
    /// Calls on arrays keep their order: a call, or the host when it reads, sees what the calls submitted before have
    /// written, with no need to wait for their [`Event`]s. What was recorded is submitted when somebody waits for a call of
    /// it, when its device is given anything else to do or has nothing to do as the next call comes, and when it is
    /// predicted to take as long as drivers let a submission take.
    ///
    /// If the device is lost, so is what only it had: an error of [`Event::wait`], and of the arrays' next use. Such calls
    /// are not run again elsewhere, and teach nothing for later predictions.
    ///
    /// ```
    /// # use evener::prelude::*;
    /// # fn main() -> evener::Result<()> {
    /// # let rt = Runtime::builder().gpu(false).profile(None).build()?;
    /// let double = rt.kernel(
    ///     "@group(0) @binding(0) var<storage, read_write> x: array<f32>;
    ///      @compute @workgroup_size(64) fn double(@builtin(global_invocation_id) id: vec3u) { x[id.x] *= 2.0; }",
    /// )?;
    /// let mut x = rt.array(&[1.0f32, 2.0, 3.0])?;
    /// for _ in 0..9 {
    ///     double.call().arg("x", &mut x).items(3).submit()?;
    /// }
    /// let report = double.call().arg("x", &mut x).items(3).submit()?.wait()?;
    /// println!("{report}");
    /// assert_eq!(x.to_vec()?, [1024.0, 2048.0, 3072.0]);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// As [`Call::run`]; of calls under way `DeviceLost`.
    pub fn submit(mut self) -> Result<Event> {
        let start = Instant::now();
        if let Some(error) = self.error.take() {
            return Err(error);
        }
        if let Size::Counted(_) = &self.size {
            return self.run().map(Event::ended);
        }
        let ready = self.prepare()?;
        let (decision, calibration) = self.decide(&ready)?;
        let start = start + calibration;
        let plan = &decision.plan;
        let mut outcome = Outcome::default();
        let decide_ns = ns_since(start);
        let queued = match plan.assignments.len() {
            1 => {
                let footprints = self.footprints_of(&ready, &decision);
                let uniforms = ready.uniform_slices();
                let job = Job { needs: decision.kept_needs(), ..self.job(&ready, &uniforms, &footprints) };
                coexec::enqueue(&job, &plan.assignments, plan.predicted.ns(), &mut outcome)
            }
            _ => None,
        };
        let Some(queued) = queued else {
            return self.execute(&ready, decision, calibration, (start, outcome)).map(Event::ended);
        };
        ready.arrays.iter().flatten().for_each(|a| a.set_owners(None));
        let report = Report::new(self.facts(decision, outcome, calibration, decide_ns));
        Ok(Event::queued(report, queued, start))
    }
}
