//! What a call would do, without doing it: bindings, footprint, split axis, features, predicted times by device and size.

use super::{Call, Ready, size::Size};
use crate::{
    cost::Cost,
    device::Slot,
    error::Result,
    report::human_bytes,
    schedule::{
        plan::{Candidate, plan},
        windows,
    },
};
use evener_lanes::{
    GroupRange,
    analysis::{Features, Split, Strided},
    ir::{Access, Space},
};
use serde::Serialize;
use std::fmt;

/// Sizes shown when the call does not say its own: items in all, on as many axes as the work-group has.
const SIZES: [u64; 4] = [1 << 10, 1 << 15, 1 << 20, 1 << 24];

/// Everything evener knows of a call before it runs.
#[derive(Clone, Debug, Serialize)]
pub struct Explanation {
    /// The entry point.
    pub entry: String,
    /// Invocations of a work-group on each axis.
    pub workgroup_size: [u32; 3],
    /// The bindings with the bytes touched at the first of the sizes.
    pub bindings: Vec<BindingExplanation>,
    /// `x`, `y` or `z` where the call may be cut.
    pub split_axis: Option<&'static str>,
    /// Why it must run whole, where it may not.
    pub whole_because: Option<String>,
    /// How the CPU runs it: `machine code`, `native body`, or `interpreted` and why.
    pub cpu: String,
    /// Work of one invocation on average.
    pub features: Features,
    /// Predicted times.
    pub sizes: Vec<SizeExplanation>,
    /// What was assumed because the call does not say it.
    pub assumptions: Vec<String>,
}

/// One binding.
#[derive(Clone, Debug, Serialize)]
pub struct BindingExplanation {
    /// Its name.
    pub name: String,
    /// `@group`.
    pub group: u32,
    /// `@binding`.
    pub binding: u32,
    /// `uniform` or `storage`.
    pub space: &'static str,
    /// Its WGSL type.
    pub ty: String,
    /// `read`, `write`, `read+write`, `atomic`, as really used.
    pub access: &'static str,
    /// The accesses, as index forms: `read old[w*gid.y + gid.x]`.
    pub sites: Vec<String>,
    /// Bytes of the binding.
    pub bytes: u64,
    /// Bytes that may be read.
    pub read_bytes: u64,
    /// Bytes that may be written.
    pub written_bytes: u64,
    /// Bytes that are certainly overwritten, and so never uploaded.
    pub certain_bytes: u64,
}

/// Predicted times of one size.
#[derive(Clone, Debug, Serialize)]
pub struct SizeExplanation {
    /// Work-groups on each axis.
    pub groups: [u32; 3],
    /// Invocations.
    pub invocations: u64,
    /// By placement: `cpu`, `gpu:0`, ..., `split`.
    pub predicted: Vec<(String, f64)>,
    /// Devices that cannot run it, and why.
    pub refused: Vec<(String, String)>,
    /// Devices that cannot hold the arrays whole and would run it in windows, and why.
    pub windows: Vec<(String, String)>,
    /// What would be chosen.
    pub chose: String,
    /// Why.
    pub reason: String,
}

impl Call<'_> {
    /// Explains the call without running it. What it does not say is assumed, and said so: without a size several are
    /// shown, arrays that are not bound have one element an item, unset uniform integers are the items of an axis.
    ///
    /// # Errors
    /// As [`Call::run`] for what the call does say.
    pub fn explain(mut self) -> Result<Explanation> {
        if let Some(error) = self.error.take() {
            return Err(error);
        }
        let given = !matches!(self.size, Size::Unset);
        let sizes: Vec<Size<'_>> = if given { vec![self.size.clone()] } else { SIZES.map(|n| self.spread(n)).to_vec() };
        let mut shown = Vec::new();
        let mut first = None;
        for size in sizes {
            let grid = size.grid(self.kernel)?;
            let mut assumptions = Vec::new();
            let ready = self.ready(grid, |arguments| Ok(arguments.assume(grid, &mut assumptions)))?;
            shown.push(self.explain_size(&ready)?);
            first.get_or_insert((ready, assumptions));
        }
        let Some((ready, mut assumptions)) = first else { unreachable!("there is at least one size") };
        if !given {
            assumptions.insert(0, "the size of the call: several are shown".into());
        }
        Ok(self.describe(&ready, shown, assumptions))
    }

    /// About `n` items, a line, a square or a cube as the work-group is.
    fn spread(&self, n: u64) -> Size<'static> {
        let axes = self.kernel.reflection.workgroup_size.map(|size| size > 1);
        let side = |dimensions: f64| (n as f64).powf(1.0 / dimensions).round() as u64;
        Size::Items(match axes {
            [_, _, true] => [side(3.0); 3].into(),
            [_, true, _] => [side(2.0); 2].into(),
            _ => n.into(),
        })
    }

    fn describe(&self, ready: &Ready, sizes: Vec<SizeExplanation>, assumptions: Vec<String>) -> Explanation {
        let (split_axis, whole_because) = match ready.split(self.kernel) {
            Split::Axis(axis) => (Some(["x", "y", "z"][usize::from(*axis).min(2)]), None),
            Split::Whole(why) => (None, Some(why.clone())),
        };
        let reflection = &self.kernel.reflection;
        Explanation {
            entry: reflection.entry.clone(),
            workgroup_size: reflection.workgroup_size,
            bindings: self.bindings(ready),
            split_axis,
            whole_because,
            cpu: match self.kernel.interpreted() {
                Some(why) => format!("interpreted: {why}"),
                None if self.kernel.native.is_some() => "native body".into(),
                None => "machine code".into(),
            },
            features: ready.features(self.kernel),
            sizes,
            assumptions,
        }
    }

    fn bindings(&self, ready: &Ready) -> Vec<BindingExplanation> {
        let footprint = ready.footprint(self.kernel, &GroupRange::all(ready.grid));
        let sites = self.kernel.analysis.sites(&ready.shape(&ready.uniform_slices()));
        let total = |sets: &[Strided]| sets.iter().map(Strided::bytes).sum();
        self.kernel
            .reflection
            .parameters
            .iter()
            .zip(&footprint.bindings)
            .enumerate()
            .map(|(k, (parameter, touched))| BindingExplanation {
                name: parameter.binding.name.clone(),
                group: parameter.binding.group,
                binding: parameter.binding.binding,
                space: if parameter.binding.space == Space::Uniform { "uniform" } else { "storage" },
                ty: parameter.ty.to_string(),
                access: access_name(parameter.binding.access),
                sites: sites
                    .iter()
                    .filter(|s| s.binding as usize == k)
                    .map(|s| format!("{} {}", format!("{:?}", s.kind).to_lowercase(), s.form))
                    .collect(),
                bytes: ready.sizes[k],
                read_bytes: total(&touched.reads),
                written_bytes: total(&touched.writes),
                certain_bytes: total(&touched.certain),
            })
            .collect()
    }

    fn explain_size(&self, ready: &Ready) -> Result<SizeExplanation> {
        let candidates = self.candidates(ready);
        let split = ready.split(self.kernel);
        let decided = plan(&self.question(ready, split, &candidates, self.adapts(ready, split, &candidates)))?;
        let chose = match decided.assignments.as_slice() {
            [one] => candidates[one.device].id.to_string(),
            _ => "split".into(),
        };
        let groups = GroupRange::all(ready.grid).count();
        Ok(SizeExplanation {
            groups: ready.grid.groups,
            invocations: groups.saturating_mul(self.kernel.program.kernel().group_invocations().into()),
            predicted: decided
                .considered
                .iter()
                .filter(|(_, c)| c.is_finite())
                .map(|(id, c)| (id.to_string(), c.ns()))
                .collect(),
            windows: self.windowed(ready, &candidates),
            refused: candidates.iter().filter_map(|c| Some((c.id.to_string(), c.refusal.clone()?))).collect(),
            chose,
            reason: decided.reason,
        })
    }
}

impl Call<'_> {
    fn windowed(&self, ready: &Ready, candidates: &[Candidate]) -> Vec<(String, String)> {
        let usable = self.runtime.slots().iter().zip(candidates).filter(|(_, c)| c.refusal.is_none());
        let why = |(slot, c): (&Slot, &Candidate)| {
            let room = slot.backend.room()?;
            Some((c.id.to_string(), windows::whole_misfit(self.kernel.bindings(), &ready.sizes, &room)?))
        };
        usable.filter_map(why).collect()
    }
}

fn access_name(access: Access) -> &'static str {
    match (access.atomic, access.read, access.write) {
        (true, ..) => "atomic",
        (_, true, true) => "read+write",
        (_, false, true) => "write",
        _ => "read",
    }
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [x, y, z] = self.workgroup_size;
        writeln!(f, "kernel {} (work-group {x} x {y} x {z})", self.entry)?;
        for b in &self.bindings {
            writeln!(
                f,
                "  @group({}) @binding({}) {} {}: {}, {}",
                b.group, b.binding, b.space, b.name, b.ty, b.access
            )?;
            for site in &b.sites {
                writeln!(f, "      {site}")?;
            }
            let bytes = human_bytes;
            let (read, written) = (bytes(b.read_bytes), bytes(b.written_bytes));
            let certain = if b.certain_bytes > 0 { ", overwritten without upload" } else { "" };
            writeln!(f, "      footprint: reads {read}, writes {written} of {}{certain}", bytes(b.bytes))?;
        }
        writeln!(f, "on the CPU: {}", self.cpu)?;
        match (self.split_axis, &self.whole_because) {
            (Some(axis), _) => writeln!(f, "splits on axis {axis} at any work-group")?,
            (_, Some(why)) => writeln!(f, "runs whole: {why}")?,
            _ => {}
        }
        writeln!(f, "an invocation on average: {}", self.features)?;
        for size in &self.sizes {
            let [x, y, z] = size.groups;
            write!(f, "{} invocations ({x} x {y} x {z} work-groups): ", size.invocations)?;
            let times = size.predicted.iter().map(|(id, ns)| format!("{id} {}", Cost::from_ns(*ns)));
            writeln!(f, "{}; chooses {}: {}", times.collect::<Vec<_>>().join(", "), size.chose, size.reason)?;
            for (id, why) in &size.refused {
                writeln!(f, "  {id} cannot: {why}")?;
            }
            for (id, why) in &size.windows {
                writeln!(f, "  {id} runs it in windows: {why}")?;
            }
        }
        for assumption in &self.assumptions {
            writeln!(f, "assumed: {assumption}")?;
        }
        Ok(())
    }
}
