//! evener runs data-parallel WGSL kernels on the CPU, the GPU, or both at once, chosen per call by a cost model.

pub mod backend;
pub mod error;
pub mod kernel;
#[cfg(feature = "gpu")]
mod memory;

pub use error::{Error, ErrorKind, Result};
