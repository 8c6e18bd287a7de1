//! What a device cannot do is an error that says so.
#![cfg(feature = "gpu")]
#![allow(clippy::single_range_in_vec_init, reason = "transfers are lists of ranges")]

mod support;

use evener::{
    ErrorKind,
    backend::{Backend, DeviceKind, Transfer, gpu},
};
use support::*;

#[test]
fn software_devices_are_listed_only_when_asked_for() {
    let found = gpu::devices(gpu::Options::default());
    assert!(found.devices.iter().all(|d| d.info().kind != DeviceKind::Software));
    assert!(!found.devices.is_empty() || found.reason.is_some());
    if let Some(lavapipe) = software_gpu() {
        let name = &lavapipe.info().name;
        assert!(found.left_out.iter().any(|l| l.name == *name && l.reason.contains("--software-gpu")));
        assert!(lavapipe.info().limits.storage_binding_bytes >= 128 << 20);
    }
}

#[test]
fn a_binding_over_the_limit_is_an_error_and_the_device_goes_on() {
    let Some(gpu) = software_gpu() else { return };
    let case = Case::saxpy();
    let most = gpu.info().limits.storage_binding_bytes as usize;
    let mut buffers = vec![vec![0; 4], vec![0; most + 4], vec![0; 4]];
    let transfers = [Transfer::default(), Transfer::default(), Transfer::default()];
    let error = case.run(&gpu, &mut buffers, &transfers, [1, 1, 1], &[1, 1]).expect_err("too large");
    assert_eq!(error.kind(), ErrorKind::Device);
    check_saxpy(&gpu, 1000);
}

#[test]
fn too_many_work_groups_are_an_error_and_the_device_goes_on() {
    let Some(gpu) = software_gpu() else { return };
    let case = Case::saxpy();
    let mut buffers = vec![vec![0; 4], vec![0; 4], vec![0; 4]];
    let transfers = [Transfer::default(), Transfer::default(), Transfer::default()];
    let error = case.run(&gpu, &mut buffers, &transfers, [65_536, 1, 1], &[1, 1]).expect_err("too many groups");
    assert_eq!(error.kind(), ErrorKind::Device);
    assert!(error.to_string().contains("65535"), "{error}");
    check_saxpy(&gpu, 1000);
}

#[test]
fn an_inconsistent_plan_is_an_error_and_touches_nothing() {
    let Some(gpu) = software_gpu() else { return };
    let case = Case::saxpy();
    let mut buffers = vec![vec![0; 8], vec![0; 8], vec![0; 4]];
    let past_the_end = [transfer(std::slice::from_ref(&(0..12)), &[]), Transfer::default(), Transfer::default()];
    let error = case.run(&gpu, &mut buffers, &past_the_end, [1, 1, 1], &[1, 1]).expect_err("out of range");
    assert!(error.to_string().contains("0..12"), "{error}");
}

#[test]
fn a_module_that_the_driver_refuses_is_an_error_each_time() {
    let Some(gpu) = software_gpu() else { return };
    let wgsl = "
        @group(0) @binding(0) var<storage, read_write> y: array<u32>;
        @compute @workgroup_size(2048)
        fn main(@builtin(global_invocation_id) id: vec3u) { y[id.x] = 1u; }";
    let case = Case { kernel: 6, module: module(wgsl), bindings: vec![storage("y", 0, 0, WRITE)] };
    for _ in 0..2 {
        let mut buffers = vec![bytes(&[0; 4])];
        let error = case.run(&gpu, &mut buffers, &[whole(16, true)], [1, 1, 1], &[]).expect_err("too large");
        assert_eq!(error.kind(), ErrorKind::Device);
        assert!(error.to_string().contains("2048"), "{error}");
    }
    check_saxpy(&gpu, 1000);
}

#[test]
#[cfg(feature = "interop-wgpu")]
fn a_device_of_ones_own_runs_chunks_and_is_not_recreated() {
    use evener::backend::gpu::{GpuDevice, wgpu};
    if software_gpu().is_none() {
        return;
    }
    let instance = wgpu::Instance::new(wgpu::InstanceDescriptor::new_without_display_handle());
    let adapter = pollster::block_on(instance.enumerate_adapters(wgpu::Backends::VULKAN)).remove(0);
    let (device, queue) = pollster::block_on(adapter.request_device(&Default::default())).expect("a device");
    let own = GpuDevice::from_wgpu(device, queue, "gpu:own").expect("a thread");
    check_saxpy(&own, 1003);
    own.inject_loss();
    let mut buffers = vec![vec![0; 4], vec![0; 4], vec![0; 4]];
    let transfers = [whole(4, false), whole(4, true), Transfer::default()];
    let error = Case::saxpy().run(&own, &mut buffers, &transfers, [1, 1, 1], &[1, 1]).expect_err("destroyed");
    assert_eq!(error.kind(), ErrorKind::DeviceLost);
    assert_eq!(own.recreate().expect_err("only the owner can").kind(), ErrorKind::DeviceLost);
}
