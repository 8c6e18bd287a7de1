//! A runtime over a wgpu device that the program made itself.
#![cfg(feature = "interop-wgpu")]

mod table;

use evener::prelude::*;
use table::{cases::cases, run_case, software_runtime};

/// A device of the first adapter there is, software included.
fn own_device() -> Option<(wgpu::Device, wgpu::Queue)> {
    let instance = wgpu::Instance::default();
    let adapter = pollster::block_on(instance.request_adapter(&wgpu::RequestAdapterOptions::default())).ok()?;
    // What a program does not ask for its device lacks, and kernels that need it go elsewhere.
    let required_features = adapter.features() & (wgpu::Features::SHADER_F16 | wgpu::Features::SUBGROUP);
    let descriptor =
        wgpu::DeviceDescriptor { required_limits: adapter.limits(), required_features, ..Default::default() };
    pollster::block_on(adapter.request_device(&descriptor)).ok()
}

#[test]
fn calls_run_on_a_device_of_the_programs_own() {
    if software_runtime(None).is_none() {
        return;
    }
    let (device, queue) = own_device().expect("a device, since there is an adapter");
    let builder = Runtime::builder().gpu(false).profile(table::profile_path());
    let rt = builder.wgpu_device(device, queue).build().unwrap();
    assert_eq!(rt.devices()[1].id, "gpu:0");
    for case in cases(5000) {
        for placement in [Placement::Gpu(Some(0)), Placement::Split(0.5)] {
            run_case(&rt, &case, 5000, |call| call.on(placement));
        }
    }
}
