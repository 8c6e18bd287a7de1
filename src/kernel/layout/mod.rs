//! Host types against WGSL types.
//!
//! - [`wgsl_type`]: a host-shareable WGSL type with its layout
//! - [`host`]: how a Rust type lies in memory, and the trait [`Element`] of what can be bound
//! - [`check`]: whether host elements, or raw bytes of a file, fit a binding

pub mod check;
pub mod host;
pub mod wgsl_type;

pub use check::{FileScalar, check_bytes, check_elements, check_size};
pub use host::{Element, HostMember, HostShape, HostType};
pub use wgsl_type::{Scalar, WgslMember, WgslType};
