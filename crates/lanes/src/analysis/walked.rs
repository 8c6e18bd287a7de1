//! How often a loop repeats whose end is data: an estimate from the arrays that its counter walks.
//!
//! Rows of a sparse matrix, lists of neighbours, reads of a genome: an array is cut into parts, other data say where each
//! begins and ends, and all invocations together walk the array once. A counter that starts the same for all may walk
//! to the end of the array, and need not.

use super::{
    eval::{Eval, FORCE_DEPTH},
    loops::{Literals, MAX_DEPTH},
    split::is_unknown,
};
use crate::{
    ir::{Base, Inst, Len, Op, Param, Place, Region, Step},
    run::GroupRange,
};

/// Trips assumed where they depend on data and nothing bounds them.
const ASSUMED_TRIPS: f64 = 16.0;
/// Iterations that are never exceeded: the counter of an unbounded loop, and about that of one that only a type's range
/// bounds.
const ENDLESS: f64 = (1u64 << 31) as f64;

/// A walk along an array.
pub(super) struct Walk {
    /// Trips from its one end to the other.
    trips: f64,
    /// Each invocation has a part of it.
    in_parts: bool,
}

impl Eval<'_> {
    /// Executions of a loop's body per entry, where data decide them: `most` bounds them.
    pub(super) fn assumed_times(&self, most: f64, walk: Option<Walk>) -> f64 {
        match walk {
            // One more execution finds that the part has ended.
            Some(walk) if walk.in_parts => (walk.trips / self.entries() + 1.0).min(most).max(1.0),
            Some(walk) => between(walk.trips.min(most)),
            None => between(most),
        }
    }

    /// How often all invocations together get here.
    fn entries(&self) -> f64 {
        let groups = GroupRange::all(self.call.grid).count() as f64;
        (groups * f64::from(self.kernel.group_invocations()) * self.weight).max(1.0)
    }

    /// The walk along the shortest array that a loop's parameter is the index of.
    pub(super) fn walk(
        &mut self,
        params: &[Param],
        steps: &[Option<i128>],
        literals: &Literals,
        body: &Region,
    ) -> Option<Walk> {
        let mut shortest: Option<(f64, usize)> = None;
        for (step, elements) in self.runtime_steps(body) {
            let Some((param, _)) = self.offset_from(step.index, params, literals, MAX_DEPTH) else { continue };
            let Some(by) = steps[param].filter(|&by| by != 0) else { continue };
            let trips = elements / by.abs() as f64;
            if shortest.is_none_or(|(least, _)| trips < least) {
                shortest = Some((trips, param));
            }
        }
        let (trips, param) = shortest?;
        let start = self.force(params[param].init, FORCE_DEPTH);
        let is_data = |s| is_unknown(self.domain.symbol(s).kind);
        let in_parts = start.is_none_or(|form| form.terms.iter().any(|&(s, _)| is_data(s)));
        Some(Walk { trips, in_parts })
    }

    /// The indices into runtime-sized arrays in a region, with the elements of these.
    fn runtime_steps(&self, region: &Region) -> Vec<(Step, f64)> {
        let mut found = Vec::new();
        let mut regions = vec![region];
        while let Some(region) = regions.pop() {
            for inst in &region.insts {
                if let Inst::Op { op: Op::Load(place), .. } | Inst::Store { place, .. } | Inst::Atomic { place, .. } =
                    inst
                {
                    found.extend(self.runtime_step(place));
                }
                regions.extend(inst.regions());
            }
        }
        found
    }

    fn runtime_step(&self, place: &Place) -> Option<(Step, f64)> {
        let Base::Binding(b) = place.base else { return None };
        let step = place.steps.iter().find(|s| s.len == Len::Runtime)?;
        let elements = self.kernel.bindings[b as usize].runtime_len(self.call.sizes[b as usize]);
        Some((*step, elements as f64))
    }
}

/// Between few trips and all of them: their geometric mean. A bound that nothing reaches says nothing.
fn between(most: f64) -> f64 {
    if most > ASSUMED_TRIPS && most < ENDLESS { (ASSUMED_TRIPS * most).sqrt() } else { ASSUMED_TRIPS.min(most) }
}
