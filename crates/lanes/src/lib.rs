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
#[cfg(all(feature = "jit", target_arch = "x86_64"))]
mod jit;
pub mod math;
pub mod passes;
pub mod run;

pub use analysis::Analysis;
pub use error::{Error, ErrorKind};
pub use front::Module;
pub use interp::Level;
pub use ir::SUBGROUP_LANES;
pub use run::{Buffer, Engine, Grid, GroupRange, Program, Settings};

/// One value for each binding: few lie in place, as a short call would wait for memory.
#[doc(hidden)]
pub type Few<T> = smallvec::SmallVec<[T; 8]>;
