//! A call run many times, with two arrays that change places after each step.

use super::{Call, Ready, args::Name, size::Size};
use crate::{
    backend::Repeat,
    clock::ns_since,
    error::{Error, ErrorKind, Result},
    report::{Facts, Report},
    schedule::{
        coexec::{self, Job, Outcome},
        movement,
        plan::{Assignment, Candidate},
        remember::Decision,
    },
};
use std::{sync::Arc, time::Instant};

/// Predicted time of one submission: far under the time after which drivers take a device for hung.
const SUBMISSION_NS: f64 = 250e6;
/// Steps of one submission at most. Even, so that only a last one leaves the arrays changed over.
const SUBMISSION_STEPS: u32 = 4096;

impl<'a> Call<'a> {
    /// Runs the call `steps` times; after each step the two named arguments change places, so that each step reads what the
    /// last wrote. Both are whole arrays of one length, given as `&mut`. At the end the handles have changed places so that
    /// the first named holds the result of the last step, just as after
    ///
    /// ```text
    /// for _ in 0..steps { kernel.call().arg("src", &u).arg("dst", &mut v)..run()?; std::mem::swap(&mut u, &mut v); }
    /// ```
    ///
    /// On one device with its own memory the steps are recorded into few submissions, with nothing between them. Where the
    /// placement is automatic, one device runs all steps; [`Placement::Split`](crate::Placement::Split) splits every step.
    ///
    /// ```
    /// # use evener::prelude::*;
    /// # fn main() -> evener::Result<()> {
    /// # let rt = Runtime::builder().gpu(false).profile(None).build()?;
    /// let shift = rt.kernel(
    ///     "@group(0) @binding(0) var<storage, read> src: array<u32>;
    ///      @group(0) @binding(1) var<storage, read_write> dst: array<u32>;
    ///      @compute @workgroup_size(64) fn shift(@builtin(global_invocation_id) id: vec3u) {
    ///          dst[id.x] = src[(id.x + 1u) % arrayLength(&src)];
    ///      }",
    /// )?;
    /// let (mut u, mut v) = (rt.array(&[0u32, 1, 2, 3])?, rt.zeros::<u32>(4)?);
    /// shift.call().arg("src", &mut u).arg("dst", &mut v).items(4).iterate(3, ("src", "dst"))?;
    /// assert_eq!(u.to_vec()?, [3, 0, 1, 2]);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// As [`Call::run`]. `ArgumentType`: what is swapped are not two whole arrays of one type and length, given as `&mut`;
    /// `ItemCount`: no steps. After a failure at run time the arrays hold the results of some step.
    pub fn iterate<'n>(mut self, steps: u32, swap: (impl Into<Name<'n>>, impl Into<Name<'n>>)) -> Result<Report> {
        let start = Instant::now();
        if let Some(error) = self.error.take() {
            return Err(error);
        }
        if steps == 0 {
            return Err(Error::new(ErrorKind::ItemCount, "zero steps: iterate runs at least one"));
        }
        let swap = self.arguments.check_swap(swap.0.into(), swap.1.into())?;
        if let Size::Counted(count) = &self.size
            && count.read()?[0] == 0
        {
            self.arguments.resolve()?;
            if steps % 2 == 1 {
                self.arguments.swap_handles(swap);
            }
            return Ok(self.nothing_counted());
        }
        let mut ready = self.prepare()?;
        let calibration = self.measure(&ready);
        let start = start + calibration;
        let candidates: Vec<Candidate> =
            self.candidates(&ready).into_iter().map(|c| Candidate { steps: f64::from(steps), ..c }).collect();
        let decided = self.decide_steps(&ready, &candidates)?;
        let decide_ns = ns_since(start);
        let decision = Arc::new(Decision::new(decided, candidates, None));
        let outcome = self.steps(&mut ready, &decision, Repeat { steps, swap });
        // Also after an error: what was computed last is under the first name.
        let (outcome, done) = outcome;
        drop(ready);
        if done % 2 == 1 {
            self.arguments.swap_handles(swap);
        }
        let facts = self.facts(decision, outcome?, calibration, decide_ns);
        Ok(Report::new(Facts { steps, actual_ns: ns_since(start), ..facts }))
    }

    /// Runs all steps and says how many were done.
    fn steps(&self, ready: &mut Ready, decision: &Decision, repeat: Repeat) -> (Result<Outcome>, u32) {
        let Decision { plan: decided, candidates, .. } = decision;
        let footprints = self.footprints(ready, &decided.assignments);
        let mut total = Outcome::default();
        let mut done = 0;
        while done < repeat.steps {
            let uniforms = ready.uniform_slices();
            let mut job = self.job(ready, &uniforms, &footprints);
            let steps = (repeat.steps - done).min(in_one_go(&job, &decided.assignments, candidates));
            job.repeat = (steps > 1).then_some(Repeat { steps, ..repeat });
            match coexec::execute(&job, &decided.assignments) {
                Ok(outcome) => total.add(outcome),
                Err(error) => return (Err(error), done),
            }
            drop(uniforms);
            done += steps;
            if steps % 2 == 1 {
                ready.swap(repeat.swap);
            }
        }
        (Ok(total), done)
    }
}

/// Steps of one submission: several where one device with its own memory runs all and holds all arrays.
fn in_one_go(job: &Job<'_>, assignments: &[Assignment], candidates: &[Candidate]) -> u32 {
    let [one] = assignments else { return 1 };
    if one.device == 0 || !movement::is_resident(job, *one) {
        return 1;
    }
    let step = &candidates[one.device];
    let step_ns = Candidate { steps: 1.0, ..step.clone() }.predict(1.0).run.ns().max(1.0);
    let fit = (SUBMISSION_NS / step_ns).clamp(1.0, f64::from(SUBMISSION_STEPS)) as u32;
    if fit > 1 { fit / 2 * 2 } else { 1 }
}
