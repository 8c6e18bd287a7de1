//! wgpu devices: Vulkan, Metal and DX12.
//!
//! [`devices`] lists the physical cards of the machine, each once, without creating a device. A [`GpuDevice`]
//! is a [`Backend`](crate::backend::Backend); its wgpu device is created at the first chunk and can be
//! created again after a loss.
//!
//! - `adapter`: enumeration, one card listed by two APIs, software adapters
//! - `device`: the [`Backend`](crate::backend::Backend), creation on first use, loss and recreation
//! - `live`: a created wgpu device with what is kept on it
//! - `limits`: what a device accepts, and why not
//! - `faults`: wgpu's errors, panics and losses as values
//! - `pipeline`: compiled kernels and bind group layouts
//! - `lease`: pooled buffers; `arrays`: memory of arrays; `mapped`: how the host reaches it where it shares it
//! - `storage`: where a chunk's arguments are
//! - `counter`: item counts that the device takes from an array
//! - `prepared`: bind groups and uniforms, kept for equal dispatches
//! - `waiter`: the one thread per device that blocks on the driver
//! - `run`, `upload`, `readback`: a chunk from upload to results; `batch`: chunks that share a submission
//! - `timing`: device timestamps
//!
//! No wgpu type is in the public interface except behind `interop-wgpu`.

mod adapter;
mod arrays;
mod batch;
mod counter;
mod device;
mod faults;
mod lease;
mod limits;
mod live;
mod mapped;
mod pages;
mod pipeline;
mod prepared;
mod readback;
mod run;
mod storage;
mod timing;
mod upload;
mod waiter;

use crate::backend::DeviceKind;
pub use adapter::{Found, LeftOut, devices};
pub use device::GpuDevice;
#[doc(hidden)]
pub use run::{Job, Shader};
#[cfg(feature = "interop-wgpu")]
pub use wgpu;

/// Writes a validated module's entry point as SPIR-V, or says why not.
#[doc(hidden)]
pub type SpirvWriter = fn(&naga::Module, &naga::valid::ModuleInfo, &str) -> Result<Vec<u32>, String>;

/// Which devices are listed and how they are set up.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// Whether software rasterisers (lavapipe, WARP) are listed too.
    pub software: bool,
    /// Bytes of device memory that buffers may take; `None`: as many as the driver gives.
    pub memory: Option<u64>,
    /// Whether arrays go through staging even where the host shares the device's memory.
    pub staged: bool,
    /// For tests: bytes of one storage binding, if fewer than the device takes.
    #[doc(hidden)]
    pub binding_bytes: Option<u64>,
    /// For tests: load this writer's SPIR-V instead of what wgpu would make of the module. With a writer
    /// that clamps indices, a driver that drops accesses out of bounds shows what one that does not would do.
    #[doc(hidden)]
    pub spirv: Option<SpirvWriter>,
}

impl Options {
    /// Whether arrays on a device are mapped: its memory is the host's too, and the driver lets buffers that kernels use be
    /// mapped. Over a link mapped memory would be read by kernels again and again.
    fn maps(self, info: &wgpu::AdapterInfo, features: wgpu::Features) -> bool {
        let shared = matches!(limits::kind(info), DeviceKind::Integrated | DeviceKind::Software);
        shared && !self.staged && features.contains(wgpu::Features::MAPPABLE_PRIMARY_BUFFERS)
    }
}
