//! Where a call runs: a pure [`plan`] over predicted costs, and its co-execution.

pub(crate) mod coexec;
pub(crate) mod merge;
pub(crate) mod movement;
pub mod placement;
pub mod plan;
pub mod stream;
pub mod transfers;
pub mod windows;
