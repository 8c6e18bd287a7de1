//! Passes over the lane IR.

pub mod carried;
pub mod dce;

pub use carried::simplify_carried;
pub use dce::remove_dead;
