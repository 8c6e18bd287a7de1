//! What a kernel touches and costs, derived from its lane IR: one affine analysis behind
//! the footprint, the split decision, the features of the cost model and the address classes.
//!
//! Compiled once per kernel by [`Analysis::new`]; evaluated per call with the call's real uniforms and sizes.

pub mod address_class;
pub mod check;
mod describe;
mod digits;
mod domain;
mod eval;
mod features;
mod footprint;
mod form;
mod guard;
mod image;
mod loops;
mod memo;
mod merge;
mod ops;
mod search;
mod sites;
mod slice;
mod split;
pub mod uniformity;
mod walked;

pub use sites::SiteKind;

use crate::{
    ir::{BinaryOp, Kernel, Space, Ty, subgroup},
    run::{Grid, GroupRange},
};
use eval::Eval;
use memo::Memo;
use slice::Slice;
use std::sync::Arc;

/// What is known of a call when it is planned.
#[derive(Clone, Copy, Debug)]
pub struct CallShape<'a> {
    /// Work-groups.
    pub grid: Grid,
    /// Size in bytes of each binding, in the order of [`Kernel::bindings`].
    pub sizes: &'a [u64],
    /// Contents of the uniform bindings (empty slices for storage), same order.
    pub uniforms: &'a [&'a [u8]],
}

/// A set of byte runs inside a binding: `start + sum(k_i * stride_i) + [0, run)` for `0 <= k_i < count_i`.
///
/// Strides are positive, at least two levels are not needed for a plain range: `levels` is empty then.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Strided {
    /// First byte.
    pub start: u64,
    /// Bytes of each run.
    pub run: u64,
    /// (stride in bytes, count), innermost first; runs do not overlap.
    pub levels: Vec<(u64, u64)>,
}

/// The bytes of one binding that a range of work-groups touches.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BindingFootprint {
    /// May be read (over-approximation), disjoint and sorted by start.
    pub reads: Vec<Strided>,
    /// May be written (over-approximation), atomics included.
    pub writes: Vec<Strided>,
    /// Touched only by atomics that merge: parts of a split call may update copies of these bytes. They are the same for
    /// every part, and in `reads` and `writes` too.
    pub merges: Vec<MergeRegion>,
    /// Certainly overwritten before any invocation reads what was there (under-approximation, by bytes): need not be
    /// uploaded.
    pub certain: Vec<Strided>,
}

/// Bytes of a binding that several devices may update at once, each in a copy that starts at the identity; the copies
/// are combined with the original by `op`, once each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MergeRegion {
    /// Add, Min, Max, And, Or or Xor.
    pub op: BinaryOp,
    /// I32, U32, I64 or U64.
    pub ty: Ty,
    /// Whole elements of that type; disjoint and sorted by start.
    pub bytes: Vec<Strided>,
}

impl MergeRegion {
    /// The bits of the value that leaves every other one as it is.
    pub fn identity(&self) -> u64 {
        subgroup::identity(self.op, self.ty).unwrap_or_default()
    }
}

/// The bytes of every binding, in the order of [`Kernel::bindings`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Footprint {
    /// One per binding.
    pub bindings: Vec<BindingFootprint>,
}

/// Whether a call may be cut into chunks of work-groups.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Split {
    /// Any cut on this axis (0 x, 1 y, 2 z) is right; the outermost possible axis.
    Axis(u8),
    /// It must run whole, and why, for the user: "`y` is written through an index loaded from `idx`", ...
    Whole(String),
}

/// Work per invocation on average (guards and loops weighted), and bytes by access class.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Features {
    /// f32 adds, subtracts, multiplies and FMAs (an FMA counts 1).
    pub float: f64,
    /// f64 operations.
    pub double: f64,
    /// Divisions and square roots.
    pub divide: f64,
    /// exp, log, sin, pow, ...
    pub transcendental: f64,
    /// Integer, logical, comparison, conversion and select operations; a subgroup operation counts 6.
    pub integer: f64,
    /// Structured branches and loop iterations.
    pub branch: f64,
    /// Atomics on storage.
    pub atomic: f64,
    /// Barriers.
    pub barrier: f64,
    /// Bytes of uniform (same address in all invocations of a work-group) accesses to storage and work-group memory.
    pub uniform_bytes: f64,
    /// Bytes of storage accesses contiguous over neighbouring invocations.
    pub contiguous_bytes: f64,
    /// Bytes of storage accesses at a constant stride over neighbouring invocations.
    pub strided_bytes: f64,
    /// Bytes of other storage accesses.
    pub gather_bytes: f64,
    /// Bytes of other work-group memory accesses.
    pub workgroup_bytes: f64,
    /// Whether a trip count depends on data: the figures assume a few iterations and the cost is learned.
    pub data_dependent: bool,
}

/// One access site of a kernel, for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SiteInfo {
    /// Index into [`Kernel::bindings`].
    pub binding: u32,
    /// Read, write or atomic.
    pub kind: SiteKind,
    /// The access with its index as a form: `u[512*gid.y + gid.x - 1]`.
    pub form: String,
    /// Bytes of one access.
    pub bytes: u32,
}

/// The compiled analysis of a kernel.
#[derive(Debug)]
pub struct Analysis {
    kernel: Kernel,
    slice: Slice,
    memo: Memo,
}

impl Analysis {
    /// Analyses a kernel once.
    pub fn new(kernel: &Kernel) -> Self {
        Analysis { kernel: kernel.clone(), slice: Slice::new(kernel), memo: Memo::default() }
    }

    fn walk<'a>(&'a self, call: &'a CallShape<'a>, range: &GroupRange) -> Eval<'a> {
        let mut eval = Eval::new(&self.kernel, &self.slice, call, range);
        eval.run();
        eval
    }

    fn name(&self, binding: u32) -> &str {
        &self.kernel.bindings[binding as usize].name
    }

    /// The bytes that the work-groups of `range` touch.
    ///
    /// Where [`Analysis::split`] gives an axis, the `writes` of ranges that do not share a group on that axis are
    /// disjoint, and none holds a byte that another such range reads, but for the bytes in `merges`.
    pub fn footprint(&self, call: &CallShape<'_>, range: &GroupRange) -> Arc<Footprint> {
        let whole = self.known(call);
        if let Some(footprint) = whole.part(range) {
            return footprint;
        }
        let part = (*range != GroupRange::all(call.grid)).then(|| self.walk(call, range));
        let chunk = part.as_ref().map_or((&*whole.sites, &whole.domain), |p| (&*p.sites, &p.domain));
        let merges = whole.merges.as_deref().unwrap_or_default();
        let bindings = self.kernel.bindings.iter().zip(0u32..).map(|(binding, b)| match binding.space {
            Space::Uniform if range.is_empty() => BindingFootprint::default(),
            Space::Uniform => footprint::of_uniform(call.sizes[b as usize]),
            Space::Storage => {
                let merges = merges.iter().filter(|m| m.0 == b).map(|m| m.1.clone()).collect();
                footprint::of_binding(&self.kernel, b, (&whole.sites, &whole.domain), chunk, range, merges)
            }
        });
        let footprint = Arc::new(Footprint { bindings: bindings.collect() });
        let looked_at = part.as_ref().map(|p| p.looked_at.borrow().clone()).unwrap_or_default();
        whole.keep_part(range, &footprint, &looked_at);
        footprint
    }

    /// Whether and along which axis the call may be cut: each chunk's writes are disjoint from all other
    /// chunks' writes and reads, for all boundaries.
    pub fn split(&self, call: &CallShape<'_>) -> Split {
        let whole = self.known(call);
        whole.split(|| self.find_split(call, &whole))
    }

    /// Work per invocation, on average over the call.
    pub fn features(&self, call: &CallShape<'_>) -> Features {
        self.known(call).features(|| {
            let mut eval = Eval::new(&self.kernel, &self.slice, call, &GroupRange::all(call.grid));
            eval.counts = Some(Features::default());
            eval.run();
            let mut features = eval.counts.take().unwrap_or_default();
            features::count_bytes(&mut features, &eval.sites, &eval.domain);
            features.data_dependent = eval.data_dependent;
            features
        })
    }

    /// The access sites to storage, in program order, each kind of access once.
    pub fn sites(&self, call: &CallShape<'_>) -> Vec<SiteInfo> {
        let whole = self.known(call);
        let mut out: Vec<SiteInfo> = Vec::new();
        for site in &whole.sites {
            let form = describe::index_text(self, site, &whole.domain);
            let info = SiteInfo { binding: site.binding, kind: site.kind, form, bytes: site.bytes };
            if !out.contains(&info) {
                out.push(info);
            }
        }
        out
    }

    /// One line per binding, for people: `y: read and write y[gid.x], 16 Mi bytes`.
    pub fn describe(&self, call: &CallShape<'_>) -> Vec<String> {
        let footprint = self.footprint(call, &GroupRange::all(call.grid));
        let sites = self.sites(call);
        (self.kernel.bindings.iter().zip(&footprint.bindings).zip(0u32..))
            .map(|((binding, bytes), b)| {
                let own: Vec<&SiteInfo> = sites.iter().filter(|s| s.binding == b).collect();
                describe::binding_line(binding, bytes, &own)
            })
            .collect()
    }
}
