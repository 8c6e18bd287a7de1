//! The vector interpreter over the lane IR.
//!
//! A batch of invocations runs in lock step: every instruction works on all lanes before the next one
//! starts, so a barrier inside a work-group needs no code and the dispatch cost is shared by the lanes.
//!
//! The way of a kernel: [`uniformity`](crate::analysis::uniformity) (what is computed once for all lanes)
//! -> `liveness`, `slots` (which values live, in which register slots) -> `lower` (bytecode: `code::Code`)
//! -> `exec` (runs a batch).
//! One instruction is a function pointer with slot offsets; the functions are loops over blocks of
//! `machine::W` lanes that the compiler vectorises, compiled once for each `Level` (`vector`).
//!
//! Invariants:
//! - Pure operations run for whole blocks and ignore the mask; stores, atomics and loop exits honour it.
//! - Inside a branch or loop only blocks `b0..b1`, the hull of the live lanes, are computed.
//! - All levels give the same bits (but for the payload of a NaN).

#![allow(clippy::needless_range_loop, reason = "lanes of several arrays are indexed together")]

pub(crate) mod atomics;
pub(crate) mod code;
pub(crate) mod exec;
mod ids;
mod level;
mod liveness;
pub(crate) mod lower;
pub(crate) mod machine;
mod memory;
mod ops;
mod private;
mod select;
mod short;
mod slots;
mod store;
mod subgroups;
mod vector;

pub use level::Level;
