//! Rewrites a module for GPUs.

use super::Compiled;
use evener_lanes::{Grid, GroupRange};

/// A module for GPUs: same bindings as the source plus one uniform of evener's own.
#[derive(Debug)]
pub struct GpuModule {
    /// The rewritten module, validated.
    pub module: naga::Module,
    /// naga's analysis of it.
    pub info: naga::valid::ModuleInfo,
    /// Name of the wrapping entry point.
    pub entry: String,
    /// (group, binding) of evener's dispatch parameters: a free one.
    pub params: (u32, u32),
}

/// A dispatch of a chunk: physical work-groups and the contents of the params uniform.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dispatch {
    /// Work-groups to dispatch on each axis, each within the device's limit.
    pub groups: [u32; 3],
    /// Bytes of the uniform.
    pub params: Vec<u8>,
}

impl GpuModule {
    /// The dispatch for a chunk: `lengths` are the logical sizes in bytes of the bindings, `limit` the device's groups an axis.
    pub fn dispatch(&self, grid: Grid, range: &GroupRange, lengths: &[u64], limit: u32) -> Dispatch {
        let _ = (grid, range, lengths, limit);
        unimplemented!()
    }
}

pub(super) fn rewrite(kernel: &Compiled) -> Result<GpuModule, String> {
    let _ = kernel;
    unimplemented!()
}
