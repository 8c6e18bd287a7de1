//! Where a call runs: a pure [`plan`] over predicted costs, and its co-execution.

pub mod coexec;
pub mod placement;
pub mod plan;
pub mod stream;
pub mod transfers;
pub mod windows;
