//! wgpu devices.
