//! Host types against WGSL types.

/// A host-shareable WGSL type with its layout.
#[derive(Clone, Debug, PartialEq)]
pub struct WgslType {}
