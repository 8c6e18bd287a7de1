//! The language: what naga accepts in a compute entry point runs, with the values that WGSL gives it.

#[path = "../lockstep/mod.rs"]
mod lockstep;

mod atomics;
mod constructs;
mod coverage;
mod functions;
#[path = "../differential/guard.rs"]
mod guard;
mod halves;
mod operators;
mod places;
mod shorts;
mod subgroups;
mod support;
