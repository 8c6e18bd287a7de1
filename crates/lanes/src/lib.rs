//! Runs and analyses WGSL compute shaders on any CPU.
//!
//! The way of a kernel: [`Module::parse`] (naga) -> [`Module::specialize`] (overrides) ->
//! [`Module::lower`] (inline, SSA, lane IR: [`ir`]) -> [`Program`] (vector interpreter) and
//! [`Analysis`] (features, footprint, splittability).

pub mod analysis;
pub mod error;
pub mod front;
pub mod interp;
pub mod ir;
pub mod passes;
pub mod run;

pub use analysis::Analysis;
pub use error::{Error, ErrorKind};
pub use front::Module;
pub use run::{Buffer, Grid, GroupRange, Program};
