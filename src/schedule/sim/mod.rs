//! The scheduler under a virtual clock: the real plan, learning and chunk policy on machines whose truth they do not know.
//!
//! A [`machine`] file holds hardware as it is; [`truth`] turns work into time by rules that are not the cost model's;
//! [`testbed`] lets the real calibration measure it through noise; [`engine`] runs the chunks that the real policy sizes;
//! [`oracle`] knows everything; [`study`] plays the conditions and gives regret: `T / T_oracle - 1`, where T includes the
//! decision, exploring, transfers and waiting, each averaged over independent histories. Everything follows from the
//! seed. Kernels are taken as compiled and devices as warm: the first use of either is decided by
//! [`Plan::lost`](super::plan::Plan::lost).

pub mod engine;
pub mod loss;
pub mod machine;
pub mod noise;
pub mod oracle;
pub mod player;
pub mod study;
pub mod table;
pub mod testbed;
pub mod truth;
pub mod workload;
