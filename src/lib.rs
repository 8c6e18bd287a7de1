//! evener runs data-parallel WGSL kernels on the CPU, the GPU, or both at once, chosen per call by a cost model.
//!
//! ```
//! use evener::prelude::*;
//!
//! # fn main() -> evener::Result<()> {
//! # let rt = Runtime::builder().gpu(false).profile(None).build()?;
//! # #[cfg(any())]
//! let rt = Runtime::new()?;
//! let x = vec![1.0f32; 1000];
//! let mut y = vec![2.0f32; 1000];
//! let report = rt.map("a * x + y").set("a", 3.0f32).arg("x", &x).arg("y", &mut y).run()?;
//! assert_eq!(y[999], 5.0);
//! println!("{report}");
//! # Ok(()) }
//! ```
//!
//! The way of a call: [`Runtime::kernel`] parses, checks and analyses once; [`kernel::Kernel::call`] collects arguments;
//! [`call::Call::run`] validates, computes the footprint, asks the pure [`schedule::plan`], co-executes on the
//! [`backend`]s and returns a [`Report`].

pub mod array;
pub mod backend;
pub mod call;
mod clock;
pub mod cost;
mod device;
pub mod error;
pub mod event;
mod hash;
mod interop;
pub mod kernel;
mod memory;
pub mod report;
pub mod runtime;
pub mod schedule;

pub use array::Array;
pub use error::{Error, ErrorKind, Result};
pub use event::Event;
pub use kernel::{Kernel, KernelOptions};
pub use report::Report;
pub use runtime::Runtime;
pub use schedule::placement::Placement;

/// What a user of the library needs.
pub mod prelude {
    pub use crate::{
        array::Array,
        call::{Call, args::ScalarKind},
        error::{Error, ErrorKind},
        event::Event,
        kernel::{Kernel, KernelOptions, layout::Element},
        report::Report,
        runtime::Runtime,
        schedule::placement::Placement,
    };
}

/// The README's snippets are tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
