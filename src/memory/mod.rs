//! Memory of arrays and of devices: what is valid where, what moves, buffers kept for reuse.
//!
//! Bookkeeping: [`intervals`] (sets of bytes), [`segments`] (intervals of an array that a device holds), [`residency`]
//! (valid bytes by place), [`budget`] (what is on a device), [`pool`] (buffers for reuse), [`staging`] (ranges and copies
//! of host bytes), [`window`] (where a part of a binding lies in a buffer of its own). Those touch no device. [`places`]
//! and [`array`] act on them through [`Backend`](crate::backend::Backend).

pub(crate) mod array;
pub(crate) mod budget;
pub(crate) mod intervals;
pub(crate) mod places;
#[cfg(feature = "gpu")]
pub(crate) mod pool;
pub(crate) mod residency;
pub(crate) mod segments;
#[cfg_attr(not(feature = "gpu"), allow(dead_code, reason = "a device with its own memory uses it"))]
pub(crate) mod staging;
pub mod window;
