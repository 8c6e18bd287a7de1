//! The throttled devices give right results: the one case table, alone, split, where the model chooses, and in windows.

mod table;

use evener::{
    backend::{
        Room,
        throttled::{Throttle, ThrottledCpu, ThrottledDevice},
    },
    prelude::*,
};
use std::sync::Arc;
use table::{cases::cases, profile_path, run_case};

/// 1, around a work-group, and a large odd number.
const SIZES: [usize; 4] = [1, 65, 257, 20_003];

/// Hardly slower than the machine: these tests are about results.
fn fast() -> Throttle {
    "launch=1,link=1,up=50,down=50,device=1,cpu=1.5".parse().unwrap()
}

fn runtime() -> Runtime {
    fast().install(Runtime::builder().profile(profile_path())).unwrap().build().unwrap()
}

#[test]
fn every_kernel_is_right_on_throttled_devices() {
    let rt = runtime();
    assert_eq!(rt.devices().iter().map(|d| d.id.as_str()).collect::<Vec<_>>(), ["cpu", "gpu:0"]);
    for n in SIZES {
        for case in cases(n) {
            for placement in [Placement::Cpu, Placement::Gpu(Some(0)), Placement::Split(0.37), Placement::Auto] {
                run_case(&rt, &case, n, |call| call.on(placement));
            }
        }
    }
}

/// The device holds less than the arrays, so that chunks go through it one after the other.
#[test]
fn a_throttled_device_with_little_storage_runs_in_windows() {
    let room = Room { binding_bytes: 64 << 10, memory_bytes: 1 << 20 };
    let device = ThrottledDevice::new(0, fast()).unwrap().with_room(room);
    let builder = Runtime::builder().gpu(false).profile(profile_path());
    let rt = builder.cpu_backend(Arc::new(ThrottledCpu::new(fast()))).backend(Arc::new(device)).build().unwrap();
    let n = 100_003;
    let mut windows = 0;
    // A table that is read at random places must fit, so not all cases can.
    for case in
        cases(n).into_iter().filter(|c| ["saxpy", "unguarded copy", "stencil", "shallow water"].contains(&c.name))
    {
        windows += run_case(&rt, &case, n, |call| call.on(Placement::Split(0.5))).windows.len();
    }
    assert!(windows > 0);
}

#[test]
fn steps_on_a_throttled_device_are_those_on_the_cpu() {
    let rt = runtime();
    let step = rt
        .kernel(
            "@group(0) @binding(0) var<storage, read> now: array<f32>;
             @group(0) @binding(1) var<storage, read_write> next: array<f32>;
             @compute @workgroup_size(64) fn step(@builtin(global_invocation_id) id: vec3u) {
                 next[id.x] = 0.5 * now[id.x] + 0.25 * (now[max(id.x, 1u) - 1u] + now[id.x + 1u]);
             }",
        )
        .unwrap();
    let start: Vec<f32> = (0..1000).map(|i| (i % 7) as f32).collect();
    let run = |placement| {
        let (mut u, mut v) = (rt.array(&start).unwrap(), rt.zeros::<f32>(1000).unwrap());
        for steps in [1, 4, 5] {
            let call = step.call().arg("now", &mut u).arg("next", &mut v).items(1000);
            call.on(placement).iterate(steps, ("now", "next")).unwrap();
        }
        u.to_vec().unwrap()
    };
    let expected = run(Placement::Cpu);
    assert_eq!(run(Placement::Gpu(Some(0))), expected);
    assert_eq!(run(Placement::Split(0.5)), expected);
}

/// A second history starts where the first began, on the same devices and with the arrays of the first.
#[test]
fn a_fresh_history_has_the_devices_and_rates_but_nothing_learned() {
    let rt = runtime();
    let kernel = rt.kernel(evener_shaders::SAXPY).unwrap();
    let n = 10_000;
    let (x, mut y) = (rt.array(&vec![1.0f32; n]).unwrap(), rt.zeros::<f32>(n).unwrap());
    for _ in 0..3 {
        kernel.call().set("a", 1.0f32).arg("x", &x).arg("y", &mut y).items(n).run().unwrap();
    }
    let other = rt.afresh();
    assert_eq!(other.devices(), rt.devices());
    let kernel = other.kernel(evener_shaders::SAXPY).unwrap();
    let on_device = kernel.call().set("a", 1.0f32).arg("x", &x).arg("y", &mut y).items(n).on(Placement::Gpu(Some(0)));
    let report = on_device.run().unwrap();
    assert_eq!((report.calibration_ns, report.chose.as_str()), (0.0, "gpu:0"));
    assert_eq!(y.to_vec().unwrap(), vec![4.0f32; n]);
    let cpu = rt.with_devices(|_| false);
    assert_eq!(cpu.devices(), rt.devices()[..1]);
}
