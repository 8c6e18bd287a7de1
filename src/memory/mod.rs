//! Device memory: buffers kept for reuse and what travels between host and device.
//!
//! Nothing here touches a device: [`pool`] keeps whatever buffer type it is given, [`staging`] computes
//! ranges and copies host bytes, [`window`] says where a part of a binding lies in a buffer of its own.

#[cfg(feature = "gpu")]
pub(crate) mod pool;
#[cfg(feature = "gpu")]
pub(crate) mod staging;
pub mod window;
