//! Runtimes of the array tests: the CPU with scripted devices, and with the software GPU.
#![allow(dead_code, reason = "each test binary uses a part")]

use evener::{
    backend::{
        Backend,
        fake::FakeGpu,
        throttled::{Throttle, ThrottledDevice},
    },
    cost::{profile::device_key, roofline::Rates},
    prelude::*,
    runtime::Builder,
};
use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

fn with(builder: Builder, devices: &[Arc<dyn Backend>]) -> Runtime {
    // One profile for all test processes of a build, so that the machine is measured once.
    with_profile(builder, devices, &temporary("profile.json"))
}

fn with_profile(builder: Builder, devices: &[Arc<dyn Backend>], profile: &Path) -> Runtime {
    let builder = builder.gpu(false).profile(Some(profile.to_owned())).threads(2);
    devices.iter().fold(builder, |b, device| b.backend(device.clone())).build().unwrap()
}

fn temporary(name: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(name)
}

/// The CPU and one scripted device, with rates as `set` makes them of measured ones: which device is first.
pub fn rated(name: &str, set: impl Fn(usize, &mut Rates)) -> Runtime {
    let (measured, _) = runtime(1);
    let mut profile = measured.profile();
    profile.learned.clear();
    // The file is shared: it may hold other devices and not these.
    if measured.devices().iter().any(|info| !profile.devices.contains_key(&device_key(info))) {
        profile = measured.calibrate(true, &mut |_, _| {}).unwrap();
    }
    for (k, info) in measured.devices().iter().enumerate() {
        set(k, profile.devices.get_mut(&device_key(info)).expect("a rate for each device"));
    }
    let path = temporary(name);
    profile.save(&path).unwrap();
    with_profile(Runtime::builder(), &[Arc::new(FakeGpu::new(0, []))], &path)
}

/// The CPU and scripted devices.
pub fn runtime(devices: usize) -> (Runtime, Vec<Arc<FakeGpu>>) {
    scripted(Runtime::builder(), (0..devices).map(|k| FakeGpu::new(k, [])))
}

/// The same with devices and a builder of the test's own.
pub fn scripted(builder: Builder, devices: impl IntoIterator<Item = FakeGpu>) -> (Runtime, Vec<Arc<FakeGpu>>) {
    let gpus: Vec<Arc<FakeGpu>> = devices.into_iter().map(Arc::new).collect();
    let devices: Vec<Arc<dyn Backend>> = gpus.iter().map(|g| g.clone() as _).collect();
    (with(builder, &devices), gpus)
}

/// The CPU with so many devices that have a thread of their own and a fast link.
pub fn throttled(devices: usize) -> Runtime {
    let throttle: Throttle = "launch=0,link=0,up=1000,down=1000".parse().unwrap();
    let device = |k| Arc::new(ThrottledDevice::new(k, throttle).unwrap()) as Arc<dyn Backend>;
    with(Runtime::builder(), &(0..devices).map(device).collect::<Vec<_>>())
}

/// The CPU with so many devices: scripted, throttled, and of the software GPU where it is there.
pub fn runtimes(devices: usize) -> Vec<Runtime> {
    [Some(runtime(devices).0), Some(throttled(devices)), software(devices)].into_iter().flatten().collect()
}

/// The CPU with so many devices on the software GPU.
#[cfg(feature = "gpu")]
pub fn software(devices: usize) -> Option<Runtime> {
    let first = crate::support::software_gpu()?;
    let others = (1..devices).map(|k| first.sibling(&format!("gpu:{k}")).unwrap());
    let gpus: Vec<Arc<dyn Backend>> = std::iter::once(first.clone()).chain(others).map(|g| g as _).collect();
    Some(with(Runtime::builder(), &gpus))
}

/// The CPU with the software GPU and so much memory on it.
#[cfg(feature = "gpu")]
pub fn software_with_memory(bytes: u64) -> Option<Runtime> {
    let gpu: Arc<dyn Backend> = crate::support::software_gpu()?;
    Some(with(Runtime::builder().device_memory(bytes), &[gpu]))
}

/// The CPU with the software GPU, whose buffers all take so much memory at most.
#[cfg(feature = "gpu")]
pub fn software_within(bytes: u64) -> Option<Runtime> {
    crate::support::software_gpu()?;
    let builder = Runtime::builder().software_gpu(true).device_memory(bytes);
    Some(builder.profile(Some(temporary("profile.json"))).threads(2).build().unwrap())
}

/// Without the feature there is none.
#[cfg(not(feature = "gpu"))]
pub fn software_within(_: u64) -> Option<Runtime> {
    None
}

/// Without the feature there is none.
#[cfg(not(feature = "gpu"))]
pub fn software_with_memory(_: u64) -> Option<Runtime> {
    None
}

/// Without the feature there is none.
#[cfg(not(feature = "gpu"))]
pub fn software(_: usize) -> Option<Runtime> {
    None
}
