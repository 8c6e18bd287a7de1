//! Arrays under loss of devices and shortage of memory: values, never silence.

#[path = "arrays/devices.rs"]
mod devices;
#[path = "arrays/kernels.rs"]
mod kernels;
#[cfg(feature = "gpu")]
mod support;

use devices::{runtime, scripted};
use evener::{
    backend::fake::{FakeGpu, Script},
    prelude::*,
    report::Bytes,
};
use kernels::{FILL, SAXPY, STENCIL, stencil};

const GPU: Placement = Placement::Gpu(Some(0));
const N: usize = 1024;

fn ramp() -> Vec<f32> {
    (0..N).map(|i| (i * 7 % 100) as f32).collect()
}

fn step(rt: &Runtime, u: &Array<f32>, v: &mut Array<f32>, on: Placement) -> Result<Report, Error> {
    rt.kernel(STENCIL)?.call().arg("src", u).arg("dst", v).items(N).on(on).run()
}

#[test]
fn results_that_only_a_lost_device_had_are_an_error_that_names_the_array() {
    let (rt, gpus) = runtime(1);
    let (u, mut v) = (rt.array(&ramp()).unwrap(), rt.zeros::<f32>(N).unwrap());
    step(&rt, &u, &mut v, GPU).unwrap();
    gpus[0].lose_now();
    let error = v.to_vec().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::DeviceLost);
    assert!(error.to_string().contains("`dst` of `step`"), "{error}");
    let error = step(&rt, &v, &mut rt.zeros(N).unwrap(), Placement::Cpu).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::DeviceLost, "a call that needs them fails too");
    assert_eq!(u.to_vec().unwrap(), ramp(), "what the host has is there");
    v.copy_from(&ramp()).unwrap();
    assert_eq!(v.to_vec().unwrap(), ramp(), "written again, the array is whole");
}

#[test]
fn a_part_that_the_host_has_outlives_the_device() {
    let (rt, gpus) = runtime(1);
    let (u, mut v) = (rt.array(&ramp()).unwrap(), rt.zeros::<f32>(N).unwrap());
    step(&rt, &u, &mut v, Placement::Split(0.5)).unwrap();
    let front = v.view(..N / 4).unwrap().read().unwrap().to_vec();
    gpus[0].lose_now();
    let want = stencil(&ramp());
    assert_eq!(front, want[..N / 4]);
    assert_eq!(v.view(..N / 4).unwrap().read().unwrap()[..], want[..N / 4], "read before the loss");
    assert_eq!(v.view(N / 2..).unwrap().read().unwrap()[..], want[N / 2..], "the CPU's half");
    assert_eq!(v.read().unwrap_err().kind(), ErrorKind::DeviceLost);
}

#[test]
fn a_device_lost_in_a_call_whose_inputs_the_host_has_is_mended() {
    for script in [Script::LostAtStart, Script::LostInRun, Script::OutOfMemory] {
        let (rt, _) = scripted(Runtime::builder(), [FakeGpu::new(0, [script])]);
        let (u, mut v) = (rt.array(&ramp()).unwrap(), rt.zeros::<f32>(N).unwrap());
        let report = step(&rt, &u, &mut v, GPU).unwrap();
        assert_eq!(report.recoveries.len(), 1, "{}", report.explain());
        assert_eq!(v.to_vec().unwrap(), stencil(&ramp()));
    }
}

#[test]
fn a_device_lost_in_a_call_on_what_only_it_has_is_an_error() {
    let (rt, _) = scripted(Runtime::builder(), [FakeGpu::new(0, [Script::Run, Script::LostInRun])]);
    let (u, mut v, mut w) = (rt.array(&ramp()).unwrap(), rt.zeros::<f32>(N).unwrap(), rt.zeros::<f32>(N).unwrap());
    step(&rt, &u, &mut v, GPU).unwrap();
    let error = step(&rt, &v, &mut w, GPU).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::DeviceLost);
    assert_eq!(w.to_vec().unwrap(), vec![0.0; N], "the failed call wrote nothing");
}

#[test]
fn an_iteration_lost_in_its_first_submission_is_mended_on_the_cpu() {
    let (rt, _) = scripted(Runtime::builder(), [FakeGpu::new(0, [Script::LostInRun])]);
    let (mut u, mut v) = (rt.array(&ramp()).unwrap(), rt.zeros::<f32>(N).unwrap());
    let kernel = rt.kernel(STENCIL).unwrap();
    let call = kernel.call().arg("src", &mut u).arg("dst", &mut v).items(N).on(GPU);
    let report = call.iterate(5, ("src", "dst")).unwrap();
    assert_eq!(report.recoveries.len(), 1);
    assert_eq!(u.to_vec().unwrap(), (0..5).fold(ramp(), |u, _| stencil(&u)));
}

#[test]
fn a_device_that_came_back_gets_the_bytes_again() {
    let (rt, gpus) = runtime(1);
    let (u, mut v) = (rt.array(&ramp()).unwrap(), rt.zeros::<f32>(N).unwrap());
    step(&rt, &u, &mut v, GPU).unwrap();
    gpus[0].lose_now();
    let start = std::time::Instant::now();
    let report = loop {
        match step(&rt, &u, &mut v, GPU) {
            Ok(report) => break report,
            Err(e) => assert_eq!(e.kind(), ErrorKind::NoSuchDevice, "{e}"),
        }
        assert!(start.elapsed().as_secs() < 60, "it never came back");
        std::thread::sleep(std::time::Duration::from_millis(10));
    };
    assert_eq!(report.bytes, Bytes { up: 4 * N as u64, down: 0 });
    assert_eq!(v.to_vec().unwrap(), stencil(&ramp()));
}

#[test]
fn beyond_the_budget_the_clean_go_first_and_the_dirty_are_copied_back() {
    let builder = Runtime::builder().device_memory(3 * 4 * N as u64);
    let (rt, gpus) = scripted(builder, [FakeGpu::new(0, [])]);
    let kernel = rt.kernel(SAXPY).unwrap();
    let (x, mut y) = (rt.array(&ramp()).unwrap(), rt.zeros::<f32>(N).unwrap());
    let (other, mut out) = (rt.array(&ramp()).unwrap(), rt.zeros::<f32>(N).unwrap());
    let run = |x: &Array<f32>, y: &mut Array<f32>| {
        kernel.call().set("a", 2.0f32).arg("x", x).arg("y", y).items(N).on(GPU).run().unwrap()
    };
    run(&x, &mut y);
    assert_eq!(run(&other, &mut y).bytes, Bytes { up: 4 * N as u64, down: 0 }, "three fit");
    // `x` is clean and unused for longest; `y` is dirty and pinned by nothing.
    assert_eq!(run(&other, &mut out).bytes, Bytes { up: 4 * N as u64, down: 0 }, "`x` went without a copy");
    assert_eq!(run(&x, &mut out).bytes, Bytes { up: 4 * N as u64, down: 0 }, "`other` went, `y` stayed");
    assert!(gpus[0].array_bytes() <= 3 * 4 * N as u64);
    let mut fresh = rt.zeros::<f32>(N).unwrap();
    rt.kernel(FILL).unwrap().call().arg("out", &mut fresh).items(N).on(GPU).run().unwrap();
    let mut again = rt.zeros::<f32>(N).unwrap();
    let report = rt.kernel(FILL).unwrap().call().arg("out", &mut again).items(N).on(GPU).run().unwrap();
    assert_eq!(report.bytes.down, 4 * N as u64, "now a dirty one had to be copied: {}", report.explain());
    let twice = |a: f32| ramp().iter().map(|x| a * x).collect::<Vec<f32>>();
    assert_eq!((y.to_vec().unwrap(), out.to_vec().unwrap()), (twice(4.0), twice(4.0)));
}

#[test]
fn arrays_too_large_for_the_budget_go_as_host_slices() {
    let builder = Runtime::builder().device_memory(4 * N as u64);
    let (rt, gpus) = scripted(builder, [FakeGpu::new(0, [])]);
    let (u, mut v) = (rt.array(&ramp()).unwrap(), rt.zeros::<f32>(N).unwrap());
    let report = step(&rt, &u, &mut v, GPU).unwrap();
    assert_eq!(report.bytes, Bytes { up: 4 * N as u64, down: 4 * N as u64 }, "{}", report.explain());
    assert_eq!(gpus[0].array_bytes(), 0);
    assert_eq!(v.to_vec().unwrap(), stencil(&ramp()));
}

#[test]
fn a_device_without_room_evicts_what_is_not_in_use() {
    let (rt, _) = scripted(Runtime::builder(), [FakeGpu::new(0, []).with_array_bytes(2 * 4 * N as u64)]);
    let (u, mut v, mut w) = (rt.array(&ramp()).unwrap(), rt.zeros::<f32>(N).unwrap(), rt.zeros::<f32>(N).unwrap());
    step(&rt, &u, &mut v, GPU).unwrap();
    let report = step(&rt, &v, &mut w, GPU).unwrap();
    assert!(report.recoveries.is_empty(), "{}", report.explain());
    assert_eq!(w.to_vec().unwrap(), stencil(&stencil(&ramp())));
    let (rt, _) = scripted(Runtime::builder(), [FakeGpu::new(0, []).with_array_bytes(4 * N as u64)]);
    let (u, mut v) = (rt.array(&ramp()).unwrap(), rt.zeros::<f32>(N).unwrap());
    let report = step(&rt, &u, &mut v, GPU).unwrap();
    assert!(report.recoveries[0].contains("no memory"), "then the CPU runs it: {}", report.explain());
    assert_eq!(v.to_vec().unwrap(), stencil(&ramp()));
}
