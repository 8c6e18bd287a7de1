//! Passes over the lane IR.

pub mod dce;

pub use dce::remove_dead;
