//! Calls whose items an array counts: found by the device that has the count, or read.

use super::{Call, args::Pinned, size::Size};
use crate::{
    array::{Array, View},
    backend::Counted,
    clock::ns,
    error::{Error, ErrorKind, Result},
    report::{Facts, Report},
    schedule::{
        coexec::{self, Job, Outcome},
        movement,
        placement::Placement,
        plan::{Assignment, Plan},
        remember::Decision,
    },
};
use evener_lanes::{Grid, GroupRange, analysis::Footprint};
use std::{sync::Arc, time::Instant};

impl<'a> Call<'a> {
    /// As many invocations on the x axis as element `index` of an array says, for instance as another kernel counted them;
    /// the call looks at it when it runs. With a count of zero nothing runs.
    ///
    /// Where one GPU runs the call, all its buffers are arrays, and the count is only there, the count is not brought to
    /// the host: the GPU sizes the call itself, however large the count is, and the report has the work-groups that it
    /// found. On the CPU, in a split, and with host slices the element is read first.
    ///
    /// ```
    /// # use evener::prelude::*;
    /// # fn main() -> evener::Result<()> {
    /// # let rt = Runtime::builder().gpu(false).profile(None).build()?;
    /// let (counts, mut y) = (rt.array(&[3u32, 0])?, rt.zeros::<u32>(5)?);
    /// let kernel = rt.kernel(
    ///     "@group(0) @binding(0) var<storage, read_write> y: array<u32>;
    ///      @compute @workgroup_size(1) fn mark(@builtin(global_invocation_id) id: vec3u) { y[id.x] = 1u; }",
    /// )?;
    /// kernel.call().arg("y", &mut y).items_from(&counts, 0).run()?;
    /// kernel.call().arg("y", &mut y).items_from(&counts, 1).run()?;
    /// assert_eq!(y.to_vec()?, [1, 1, 1, 0, 0]);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// Of [`Call::run`]: `ArgumentSize` if the array has no such element, `ArgumentType` if it is of another runtime,
    /// `DeviceLost` if the count was lost with the device that had it.
    pub fn items_from(mut self, counts: &'a Array<u32>, index: usize) -> Self {
        let element =
            counts.view(index..index.saturating_add(1)).and_then(|view| match view.is_of(self.runtime.places()) {
                true => Ok(view),
                false => {
                    let why = "the array that counts the items is of another runtime: make it with this one";
                    Err(Error::new(ErrorKind::ArgumentType, why))
                }
            });
        let result = element.map(|element| self.size = Size::Counted(element));
        self.note(result);
        self
    }

    /// Runs a call whose count only devices have, on the one that has all it needs. `None`: the count must be read first.
    pub(super) fn run_counted(&self, count: &View<'a, u32>, start: Instant) -> Result<Option<Report>> {
        let given = self.assignments.is_some() || self.workers.is_some();
        let one_gpu = matches!(self.placement, Placement::Auto | Placement::Gpu(_));
        let (memory, element) = count.place();
        if given || !one_gpu || memory.missing(0, std::slice::from_ref(&element)).0 == 0 {
            return Ok(None);
        }
        // What the call would be with an item for each element decides where it runs.
        let group_items = self.kernel.reflection.workgroup_size[0];
        let grid = |items: u64| Size::Items(items.into()).grid(self.kernel);
        let expected = self.prepare_for(grid(self.arguments.longest().clamp(1, u32::MAX.into()))?)?;
        let (decision, calibration) = self.decide(&expected)?;
        let [Assignment { device, .. }] = decision.plan.assignments[..] else { return Ok(None) };
        if !self.runtime.places().device(device).counts_items() {
            return Ok(None);
        }
        // What any count may touch is there, and all of it that the call may leave as it is.
        let bounded = self.prepare_for(grid(u32::MAX.into())?)?;
        let range = GroupRange::all(bounded.grid);
        let mut footprint: Footprint = bounded.footprint(self.kernel, &range).as_ref().clone();
        footprint.bindings.iter_mut().for_each(|b| b.certain.clear());
        let counted = Counted::new(memory.part(element.start), group_items);
        let (uniforms, footprints) = (bounded.uniform_slices(), [Arc::new(footprint)]);
        // A device that fails leaves the count unknown: no recovery.
        let job = Job { counted: Some(&counted), strict: true, ..self.job(&bounded, &uniforms, &footprints) };
        let only = Assignment { device, range };
        let pinned = Pinned::new(memory);
        let in_place = movement::is_resident(&job, only)
            && pinned.acquire(device, std::slice::from_ref(&element), &mut Vec::new()).is_ok();
        if !in_place {
            return Ok(None);
        }
        let decide_ns = ns(start.elapsed().saturating_sub(calibration));
        let outcome = match coexec::execute(&job, &[only]) {
            Ok(outcome) => outcome,
            Err(e) if !self.strict && !e.is_invalid_input() && e.kind() != ErrorKind::KernelFault => return Ok(None),
            Err(e) => return Err(e),
        };
        bounded.arrays.iter().flatten().for_each(|a| a.set_owners(None));
        let groups = counted.found().unwrap_or(0);
        let (decision, outcome) = counted_by_device(&decision, device, groups, outcome);
        let facts = self.facts(Arc::new(decision), outcome, calibration, decide_ns);
        let actual_ns = ns(start.elapsed().saturating_sub(calibration));
        Ok(Some(Report::new(Facts { actual_ns, ..facts })))
    }
}

/// The decision on as many work-groups as the device found, and what ran of them.
fn counted_by_device(was: &Decision, device: usize, groups: u32, mut outcome: Outcome) -> (Decision, Outcome) {
    let id = &was.candidates[device].id;
    let range = GroupRange::all(Grid { groups: [groups, 1, 1] });
    outcome.ran.iter_mut().for_each(|part| part.assignment.range = range);
    let plan = match groups {
        0 => {
            outcome.ran.clear();
            Plan::nothing(&format!("the array counts no items, as {id} found"))
        }
        _ => Plan {
            reason: format!("{}; it counted the items itself", was.plan.reason),
            assignments: vec![Assignment { device, range }],
            groups: [groups, 1, 1],
            ..was.plan.clone()
        },
    };
    (Decision::new(plan, was.candidates.clone(), None), outcome)
}
