//! Arrays on scripted devices: what moves is exactly what a hand would move.

#[path = "arrays/devices.rs"]
mod devices;
#[path = "arrays/kernels.rs"]
mod kernels;
#[cfg(feature = "gpu")]
mod support;

use devices::{rated, runtime, runtimes};
use evener::{prelude::*, report::Bytes, schedule::plan::cut};
use evener_lanes::Grid;
use kernels::{SAXPY, STENCIL, stencil};

const GPU: Placement = Placement::Gpu(Some(0));
const HALF: Placement = Placement::Split(0.5);
/// Elements, and elements of a half.
const N: usize = 4096;
const H: u64 = N as u64 / 2;

fn ramp() -> Vec<f32> {
    (0..N).map(|i| (i * 7 % 100) as f32).collect()
}

fn bytes(up: u64, down: u64) -> Bytes {
    Bytes { up, down }
}

#[test]
fn saxpy_split_half_moves_half_of_each_input_up_and_nothing_down() {
    for rt in runtimes(1) {
        let kernel = rt.kernel(SAXPY).unwrap();
        let (x, mut y) = (rt.array(&ramp()).unwrap(), rt.array(&vec![1.0f32; N]).unwrap());
        let report = kernel.call().set("a", 2.0f32).arg("x", &x).arg("y", &mut y).items(N).on(HALF).run().unwrap();
        assert_eq!(report.bytes, bytes(2 * 4 * H, 0), "{}", report.explain());
        let again = kernel.call().set("a", 2.0f32).arg("x", &x).arg("y", &mut y).items(N).on(HALF).run().unwrap();
        assert_eq!(again.bytes, bytes(0, 0), "each half stayed where it was computed");
        let want: Vec<f32> = ramp().iter().map(|x| 2.0 * x + (2.0 * x + 1.0)).collect();
        assert_eq!(y.to_vec().unwrap(), want);
    }
}

#[test]
fn host_slices_come_down_at_once() {
    for rt in runtimes(1) {
        let kernel = rt.kernel(SAXPY).unwrap();
        let (x, mut y) = (ramp(), vec![1.0f32; N]);
        let report = kernel.call().set("a", 2.0f32).arg("x", &x).arg("y", &mut y).items(N).on(HALF).run().unwrap();
        assert_eq!(report.bytes, bytes(2 * 4 * H, 4 * H), "{}", report.explain());
        let by_argument: Vec<_> = report.moves.iter().map(|m| (m.argument.as_str(), m.array, m.up, m.down)).collect();
        assert_eq!(by_argument, [("x", false, 4 * H, 0), ("y", false, 4 * H, 4 * H)]);
    }
}

#[test]
fn a_stencil_split_half_moves_half_and_the_halo_then_only_halos() {
    for rt in runtimes(1) {
        let kernel = rt.kernel(STENCIL).unwrap();
        let (mut u, mut v) = (rt.array(&ramp()).unwrap(), rt.zeros::<f32>(N).unwrap());
        let mut want = ramp();
        for step in 0..10 {
            let report = kernel.call().arg("src", &u).arg("dst", &mut v).items(N).on(HALF).run().unwrap();
            // At first the device's half with one element more; then one element each way.
            let expected = if step == 0 { bytes(4 * (H + 1), 0) } else { bytes(4, 4) };
            assert_eq!(report.bytes, expected, "step {step}: {}", report.explain());
            want = stencil(&want);
            std::mem::swap(&mut u, &mut v);
        }
        assert_eq!(u.to_vec().unwrap(), want);
    }
}

#[test]
fn a_hundred_resident_steps_on_one_device_move_nothing_between_them() {
    let (rt, gpus) = runtime(1);
    let kernel = rt.kernel(STENCIL).unwrap();
    let (mut u, mut v) = (rt.array(&ramp()).unwrap(), rt.zeros::<f32>(N).unwrap());
    let mut want = ramp();
    for step in 0..100 {
        let report = kernel.call().arg("src", &u).arg("dst", &mut v).items(N).on(GPU).run().unwrap();
        assert_eq!(report.bytes, bytes(if step == 0 { 4 * N as u64 } else { 0 }, 0), "step {step}");
        want = stencil(&want);
        std::mem::swap(&mut u, &mut v);
    }
    assert_eq!(u.to_vec().unwrap(), want);
    assert_eq!(gpus[0].array_bytes(), 2 * 4 * N as u64);
    drop((u, v));
    assert_eq!(gpus[0].array_bytes(), 0, "dropped arrays leave the device");
}

#[test]
fn a_write_only_output_is_not_uploaded() {
    for rt in runtimes(1) {
        let mut out = rt.array(&vec![9.0f32; N]).unwrap();
        let kernel = rt.kernel(kernels::FILL).unwrap();
        let report = kernel.call().arg("out", &mut out).items(N).on(GPU).run().unwrap();
        assert_eq!(report.bytes, bytes(0, 0));
        assert_eq!(out.to_vec().unwrap(), (0..N).map(|i| i as f32).collect::<Vec<_>>());
    }
}

#[test]
fn the_host_reads_and_writes_parts_and_only_those_move() {
    for rt in runtimes(1) {
        let kernel = rt.kernel(SAXPY).unwrap();
        let (x, mut y) = (rt.array(&ramp()).unwrap(), rt.zeros::<f32>(N).unwrap());
        let run = |y: &mut Array<f32>| {
            kernel.call().set("a", 1.0f32).arg("x", &x).arg("y", y).items(N).on(GPU).run().unwrap().bytes
        };
        assert_eq!(run(&mut y), bytes(8 * N as u64, 0));
        assert_eq!(y.view(10..12).unwrap().read().unwrap()[..], ramp()[10..12]);
        assert_eq!(run(&mut y), bytes(0, 0), "a read leaves the device's copy valid");
        y.view_mut(100..200).unwrap().copy_from(&[5.0; 100]).unwrap();
        y.view_mut(300..310).unwrap().write().unwrap()[3] = 7.0;
        assert_eq!(run(&mut y), bytes(4 * 110, 0));
        let host = y.to_vec().unwrap();
        assert_eq!((host[10], host[150], host[303]), (3.0 * ramp()[10], 5.0 + ramp()[150], 7.0 + ramp()[303]));
        assert_eq!(host[301], 3.0 * ramp()[301]);
    }
}

#[test]
fn two_devices_and_the_cpu_exchange_halos_through_the_host() {
    for rt in runtimes(2) {
        let kernel = rt.kernel(STENCIL).unwrap();
        let (mut u, mut v) = (rt.array(&ramp()).unwrap(), rt.zeros::<f32>(N).unwrap());
        let mut want = ramp();
        for step in 0..6 {
            let thirds = cut(Grid { groups: [N as u32 / 64, 1, 1] }, 0, 0.25, &[(1, 0.5), (2, 0.5)]);
            let call = kernel.call().arg("src", &u).arg("dst", &mut v).items(N);
            let report = call.assignments(thirds).run().unwrap();
            assert_eq!(report.placement.len(), 3);
            if step > 0 {
                // Two borders: the one between the devices crosses twice each way, the other once.
                assert_eq!(report.bytes, bytes(3 * 4, 3 * 4), "{}", report.explain());
            }
            want = stencil(&want);
            std::mem::swap(&mut u, &mut v);
        }
        assert_eq!(u.to_vec().unwrap(), want);
    }
}

#[test]
fn views_of_one_array_may_be_read_and_written_where_they_are_apart() {
    for rt in runtimes(1) {
        for placement in [Placement::Cpu, GPU, HALF] {
            let mut a = rt.array(&ramp()).unwrap();
            let [x, mut y] = a.views_mut([0..N / 2, N / 2..N]).unwrap();
            let kernel = rt.kernel(SAXPY).unwrap();
            kernel.call().set("a", 2.0f32).arg("x", &x).arg("y", &mut y).items(N / 2).on(placement).run().unwrap();
            let want: Vec<f32> = (0..N / 2).map(|i| 2.0 * ramp()[i] + ramp()[N / 2 + i]).collect();
            assert_eq!(a.view(N / 2..).unwrap().read().unwrap()[..], want);
            assert_eq!(a.views_mut([0..10, 9..12]).unwrap_err().kind(), ErrorKind::Aliasing);
            assert_eq!(a.view(5..N + 1).unwrap_err().kind(), ErrorKind::ArgumentSize);
        }
    }
}

#[test]
fn an_array_of_another_runtime_is_refused() {
    let ((rt, _), (other, _)) = (runtime(0), runtime(0));
    let kernel = rt.kernel(kernels::FILL).unwrap();
    let mut out = other.zeros::<f32>(8).unwrap();
    let error = kernel.call().arg("out", &mut out).items(8usize).run().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ArgumentType);
    assert!(error.to_string().contains("`out`"), "{error}");
}

#[test]
fn iterated_steps_are_the_same_as_calls_and_swaps() {
    for rt in runtimes(2) {
        let kernel = rt.kernel(STENCIL).unwrap();
        for placement in [Placement::Cpu, GPU, HALF, Placement::Auto] {
            for steps in [1, 2, 7, 100] {
                let (mut u, mut v) = (rt.array(&ramp()).unwrap(), rt.zeros::<f32>(N).unwrap());
                let call = kernel.call().arg("src", &mut u).arg("dst", &mut v).items(N).on(placement);
                let report = call.iterate(steps, ("src", "dst")).unwrap();
                assert_eq!(report.steps, steps);
                if placement == GPU {
                    assert_eq!(report.bytes, bytes(4 * N as u64, 0), "{}", report.explain());
                    assert_eq!(report.chunks.len(), 1);
                }
                let mut want = [ramp(), vec![0.0; N]];
                for _ in 0..steps {
                    want = [stencil(&want[0]), want[0].clone()];
                }
                assert_eq!(u.to_vec().unwrap(), want[0], "{placement}, {steps} steps");
                assert_eq!(v.to_vec().unwrap(), want[1], "{placement}, {steps} steps, the one before");
            }
        }
    }
}

#[test]
fn what_cannot_be_swapped_is_refused() {
    let (rt, _) = runtime(1);
    let kernel = rt.kernel(STENCIL).unwrap();
    let (mut u, mut v) = (rt.zeros::<f32>(8).unwrap(), rt.zeros::<f32>(9).unwrap());
    let kind = |report: Result<Report, Error>| report.unwrap_err().kind();
    let lengths = kernel.call().arg("src", &mut u).arg("dst", &mut v).items(8);
    assert_eq!(kind(lengths.iterate(2, ("src", "dst"))), ErrorKind::ArgumentType);
    let shared = kernel.call().arg("src", &u).arg("dst", &mut v).items(8);
    assert_eq!(kind(shared.iterate(2, ("src", "dst"))), ErrorKind::ArgumentType);
    let name = kernel.call().arg("src", &mut u).arg("dst", &mut v).items(8);
    assert_eq!(kind(name.iterate(2, ("src", "out"))), ErrorKind::UnknownArgument);
    let none = kernel.call().arg("src", &mut u).arg("dst", &mut v).items(8);
    assert_eq!(kind(none.iterate(0, ("src", "dst"))), ErrorKind::ItemCount);
}

#[test]
fn boundaries_stick_where_the_arrays_are() {
    for cpu_share in [0.48, 0.52] {
        // Two devices that are equally fast at a kernel that takes long. A runtime of its own, that has learned nothing.
        let rt = rated("sticky.json", |_, rates| {
            rates.launch_ns = 1e3;
            rates.parallel_invocations = 1.0;
            for rate in [&mut rates.float, &mut rates.integer, &mut rates.cache_bytes, &mut rates.middle_bytes] {
                rate.per_s = 1e8;
            }
            (rates.up_bytes.per_s, rates.down_bytes.per_s, rates.link_ns) = (1e9, 1e9, 100.0);
        });
        let kernel = rt.kernel(STENCIL).unwrap();
        let (mut u, mut v) = (rt.array(&ramp()).unwrap(), rt.zeros::<f32>(N).unwrap());
        // First at a boundary that no plan would choose by itself.
        let cut = cut(Grid { groups: [N as u32 / 64, 1, 1] }, 0, cpu_share, &[(1, 1.0)]);
        kernel.call().arg("src", &u).arg("dst", &mut v).items(N).assignments(cut.clone()).run().unwrap();
        std::mem::swap(&mut u, &mut v);
        let report = kernel.call().arg("src", &u).arg("dst", &mut v).items(N).run().unwrap();
        let ends: Vec<_> = report.chunks.iter().map(|c| (c.device.as_str(), c.start[0])).collect();
        assert_eq!(ends, [("cpu", cut[0].range.end[0]), ("gpu:0", 0)], "{}", report.explain());
        assert_eq!(report.bytes, bytes(4, 4), "only halos: {}", report.explain());
        assert_eq!(v.to_vec().unwrap(), stencil(&stencil(&ramp())));
    }
}
