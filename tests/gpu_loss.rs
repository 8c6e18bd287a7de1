//! A lost device is a value, the host keeps its bytes, and the device comes back.
#![cfg(feature = "gpu")]
#![allow(clippy::single_range_in_vec_init, reason = "transfers are lists of ranges")]

mod support;

use evener::{
    ErrorKind,
    backend::{Argument, Backend, Transfer, gpu::GpuDevice},
};
use support::*;

const N: u32 = 50_000;

/// Buffers, transfers and dispatch of a saxpy.
fn saxpy() -> (Vec<Vec<u8>>, Vec<Transfer>, [u32; 3], [u32; 4]) {
    let ones = float_bytes(&vec![1.0; N as usize]);
    let (groups, params) = saxpy_dispatch(N);
    let transfers = vec![whole(ones.len(), false), whole(ones.len(), true), Transfer::default()];
    (vec![ones.clone(), ones, float_bytes(&[2.0])], transfers, groups, params)
}

fn expect_lost_then_recreate(gpu: &GpuDevice, kind: ErrorKind, buffers: &[Vec<u8>]) {
    assert_eq!(kind, ErrorKind::DeviceLost);
    assert!(gpu.is_lost());
    assert!(buffers[1] == float_bytes(&vec![1.0; N as usize]), "no host byte was written");
    let (mut again, transfers, groups, params) = saxpy();
    let error = Case::saxpy().run(gpu, &mut again, &transfers, groups, &params).expect_err("still lost");
    assert_eq!(error.kind(), ErrorKind::DeviceLost);
    gpu.recreate().expect("the adapter gives another device");
    assert!(!gpu.is_lost());
    check_saxpy(gpu, 1003);
}

#[test]
fn a_device_destroyed_before_the_start_is_lost_and_comes_back() {
    let Some(gpu) = software_gpu() else { return };
    check_saxpy(&gpu, 1000);
    gpu.inject_loss();
    let (mut buffers, transfers, groups, params) = saxpy();
    let error = Case::saxpy().run(&gpu, &mut buffers, &transfers, groups, &params).expect_err("destroyed");
    expect_lost_then_recreate(&gpu, error.kind(), &buffers);
}

#[test]
fn a_device_destroyed_before_its_first_pipeline_is_lost() {
    let Some(gpu) = software_gpu() else { return };
    let dump = Case { kernel: 9, ..Case::saxpy() };
    check_saxpy(&gpu, 1000);
    gpu.inject_loss();
    let (mut buffers, transfers, groups, params) = saxpy();
    let error = dump.run(&gpu, &mut buffers, &transfers, groups, &params).expect_err("destroyed");
    expect_lost_then_recreate(&gpu, error.kind(), &buffers);
}

#[test]
fn a_device_destroyed_between_start_and_finish_is_lost_and_writes_nothing() {
    let Some(gpu) = software_gpu() else { return };
    let case = Case::saxpy();
    let (mut buffers, transfers, groups, params) = saxpy();
    let arguments: Vec<Argument> = buffers.iter_mut().map(|b| argument(b)).collect();
    let started = gpu.start_job(&case.job(&arguments, &transfers, groups, &params)).expect("starts");
    gpu.inject_loss();
    match started.finish() {
        // The run may have been over before the loss; then its results count.
        Ok(_) => {
            assert!(buffers[1] == float_bytes(&vec![3.0; N as usize]));
            gpu.recreate().expect("another device");
            check_saxpy(&gpu, 100);
        }
        Err(error) => expect_lost_then_recreate(&gpu, error.kind(), &buffers),
    }
}

/// Several hundred ms on lavapipe, below its limit of iterations.
const SLOW: &str = "
    @group(0) @binding(0) var<storage, read_write> y: array<u32>;
    @compute @workgroup_size(64)
    fn main(@builtin(global_invocation_id) id: vec3u) {
        var h = y[id.x];
        for (var i = 0u; i < 60000u; i++) { h = (h ^ i) * 16777619u; }
        y[id.x] = h;
    }";

#[test]
fn a_device_destroyed_in_the_middle_of_a_run_ends_as_a_value() {
    let Some(gpu) = software_gpu() else { return };
    let case = Case { kernel: 5, module: module(SLOW), bindings: vec![storage("y", 0, 0, READ_WRITE)] };
    let before = bytes(&vec![1; 64 * 64]);
    let mut buffers = vec![before.clone()];
    let transfers = [whole(before.len(), true)];
    // The pipeline first, so that the loss hits the run.
    case.run(&gpu, &mut buffers, &transfers, [64, 1, 1], &[]).expect("runs");
    let right = std::mem::replace(&mut buffers[0], before.clone());
    let arguments: Vec<Argument> = buffers.iter_mut().map(|b| argument(b)).collect();
    let started = gpu.start_job(&case.job(&arguments, &transfers, [64, 1, 1], &[])).expect("starts");
    let outcome = std::thread::scope(|s| {
        let waiting = s.spawn(|| started.finish());
        std::thread::sleep(std::time::Duration::from_millis(5));
        gpu.inject_loss();
        waiting.join().expect("no panic")
    });
    match outcome {
        Ok(_) => assert!(buffers[0] == right),
        Err(e) => {
            assert_eq!(e.kind(), ErrorKind::DeviceLost, "{e}");
            assert!(buffers[0] == before);
        }
    }
    gpu.recreate().expect("another device");
    check_saxpy(&gpu, 100);
}

#[test]
fn devices_on_one_adapter_fail_independently() {
    let Some(gpu) = software_gpu() else { return };
    let other = gpu.sibling("gpu:1").expect("an adapter");
    check_saxpy(&gpu, 1000);
    check_saxpy(&other, 1000);
    gpu.inject_loss();
    check_saxpy(&other, 1001);
    assert!(!other.is_lost());
}

#[test]
fn a_started_chunk_that_is_dropped_leaves_the_device_usable() {
    let Some(gpu) = software_gpu() else { return };
    let case = Case::saxpy();
    let (mut buffers, transfers, groups, params) = saxpy();
    let arguments: Vec<Argument> = buffers.iter_mut().map(|b| argument(b)).collect();
    for _ in 0..3 {
        drop(gpu.start_job(&case.job(&arguments, &transfers, groups, &params)).expect("starts"));
    }
    check_saxpy(&gpu, 1000);
    assert!(!gpu.is_lost());
    assert!(buffers[1] == float_bytes(&vec![1.0; N as usize]));
}
