//! Device memory: buffers kept for reuse and what travels between host and device.
//!
//! Nothing here touches a device: [`pool`] keeps whatever buffer type it is given, [`staging`] computes
//! ranges and copies host bytes.

pub(crate) mod pool;
pub(crate) mod staging;
