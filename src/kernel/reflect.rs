//! What an entry point binds: names, types, strides, access as really used.

use crate::{backend::Capabilities, error::Result};
use evener_lanes::{Module, ir};

/// The interface of a kernel.
#[derive(Clone, Debug)]
pub struct Reflection {
    /// Name of the entry point.
    pub entry: String,
    /// Invocations of a work-group on each axis.
    pub workgroup_size: [u32; 3],
    /// Bytes of work-group memory.
    pub workgroup_bytes: u32,
    /// One per binding really used, in the order of the lane kernel's bindings.
    pub parameters: Vec<Parameter>,
    /// What a device must have.
    pub needs: Capabilities,
}

/// One binding.
#[derive(Clone, Debug)]
pub struct Parameter {
    /// The lane kernel's view: name, group, binding, space, access, sizes.
    pub binding: ir::Binding,
    /// Its WGSL type.
    pub ty: super::layout::WgslType,
}

impl Reflection {
    /// Reflects an entry point.
    ///
    /// # Errors
    /// A binding of a type that evener does not take.
    pub fn new(module: &Module, entry: &str, lane: &ir::Kernel) -> Result<Self> {
        let _ = (module, entry, lane);
        unimplemented!()
    }
}
