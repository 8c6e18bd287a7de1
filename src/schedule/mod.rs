//! Where a call runs: a pure [`plan`] over predicted costs, and its co-execution.

pub mod adaptive;
pub mod choose;
pub(crate) mod chunked;
pub mod chunks;
pub(crate) mod coexec;
mod copy;
pub mod course;
mod desk;
pub mod feedback;
mod keep;
pub(crate) mod merge;
pub(crate) mod movement;
pub mod placement;
pub mod plan;
pub mod remember;
pub(crate) mod shadow;
pub mod sim;
pub mod stream;
mod supply;
pub mod transfers;
pub mod windows;
