//! Calls that are handed out in chunks while they run, on scripted devices: late ones, lost ones, full ones. Whoever runs
//! what, the results are right, and the report tells.

mod table;

use evener::{
    backend::fake::{FakeGpu, Script},
    kernel::native::NativeChunk,
    prelude::*,
    schedule::chunks::Worker,
};
use rayon::prelude::*;
use std::{sync::Arc, time::Duration};
use table::{cases::cases, profile_path, run_case};

/// A small deterministic generator: the seed is in the failure message.
struct Random(u64);

impl Random {
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % n.max(1)
    }

    /// Mostly delays, with failures between.
    fn script(&mut self, len: usize) -> Vec<Script> {
        let one = |random: &mut Random| match random.below(12) {
            0 => Script::LostAtStart,
            1 => Script::LostInRun,
            2 => Script::OutOfMemory,
            3..6 => Script::Late(Duration::from_micros(random.below(800))),
            _ => Script::Run,
        };
        (0..len).map(|_| one(self)).collect()
    }
}

impl Random {
    /// Devices in any order of speed, of which nothing that is predicted is true.
    fn workers(&mut self, devices: usize) -> Vec<(usize, Worker)> {
        let left_out = self.below(devices as u64 + 2) as usize;
        let mut ns = |most: u64| self.below(most) as f64;
        let mut worker = |device: usize| Worker {
            chunk_ns: ns(3000),
            launch_ns: ns(3000),
            filling_ns: ns(3000),
            first_ns: ns(30_000),
            link_ns: ns(30),
            slice_ns: 1.0 + ns(3000),
            spread: ns(200) / 100.0,
            uneven: ns(100) / 100.0,
            in_place: device == 0,
        };
        (0..devices).filter(|d| *d != left_out).map(|d| (d, worker(d))).collect()
    }
}

fn runtime(devices: Vec<Arc<FakeGpu>>) -> Runtime {
    let builder = Runtime::builder().gpu(false).profile(profile_path()).threads(2);
    devices.into_iter().fold(builder, |b, d| b.backend(d)).build().unwrap()
}

#[test]
fn every_kernel_is_right_in_random_chunks_on_devices_that_are_late_and_lost() {
    let (mut chunked, mut recovered, mut repeated) = (0, 0, 0);
    for seed in 0..24u64 {
        let mut random = Random(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) + 1);
        for n in [300 + random.below(300) as usize, 5000 + random.below(5000) as usize] {
            for case in cases(n) {
                let devices = (0..2).map(|k| Arc::new(FakeGpu::new(k, random.script(4)))).collect();
                let workers = random.workers(3);
                let report = run_case(&runtime(devices), &case, n, |call| call.workers(workers));
                chunked += usize::from(report.chunks.len() > 3);
                recovered += report.recoveries.len();
                repeated += report.repeated.len();
                let shares: f64 = report.placement.values().sum();
                assert!((shares - 1.0).abs() < 1e-9, "{} at {n}, seed {seed}: {}", case.name, report.explain());
            }
        }
    }
    println!("{chunked} calls in chunks, {recovered} recoveries, {repeated} chunks run once more");
    assert!(chunked > 40 && recovered > 40, "{chunked} calls in chunks, {recovered} recoveries");
}

/// What a worker is expected to take for a slice. Slices are said to differ much, so chunks are small whatever is seen.
fn worker(device: usize, slice_ns: f64) -> (usize, Worker) {
    let in_place = device == 0;
    let (chunk_ns, filling_ns, first_ns, link_ns) = (10.0, 0.0, 0.0, 0.0);
    let (spread, uneven) = (1.5, 1.5);
    (device, Worker { chunk_ns, launch_ns: 0.0, filling_ns, first_ns, link_ns, slice_ns, spread, uneven, in_place })
}

/// `y = 2 x + y`, `y` in place.
const SAXPY: &str = "
    @group(0) @binding(0) var<storage, read> x: array<u32>;
    @group(0) @binding(1) var<storage, read_write> y: array<u32>;
    @compute @workgroup_size(64)
    fn main(@builtin(global_invocation_id) id: vec3u) { y[id.x] = 2u * x[id.x] + y[id.x]; }";

fn saxpy(rt: &Runtime, n: usize, workers: Option<Vec<(usize, Worker)>>) -> evener::Result<Report> {
    let kernel = rt.kernel(SAXPY)?;
    let (x, mut y) = ((0..n as u32).collect::<Vec<_>>(), vec![7u32; n]);
    let call = kernel.call().arg("x", &x).arg("y", &mut y).items(n as u64);
    let report = match workers {
        Some(workers) => call.workers(workers),
        None => call,
    };
    let report = report.run();
    if report.is_ok() {
        assert!(y.iter().enumerate().all(|(i, &v)| v == 2 * i as u32 + 7));
    }
    report
}

#[test]
fn a_report_shows_every_chunk_and_sums_them_for_people() {
    let rt = runtime(vec![Arc::new(FakeGpu::new(0, []))]);
    let report = saxpy(&rt, 64_000, Some(vec![worker(0, 1e3), worker(1, 1e3)])).unwrap();
    assert!(report.chunks.len() > 4, "{:?}", report.chunks);
    let (mut up, mut down) = (0, 0);
    report.chunks.iter().for_each(|c| (up, down) = (up + c.up_bytes, down + c.down_bytes));
    // What was sent for a chunk that was run once more elsewhere is no chunk's.
    assert!(report.bytes.up >= up, "{report:?}");
    assert_eq!(report.bytes.down, down);
    let lines = report.explain().lines().filter(|l| l.contains(" ran ") && l.contains(" up, ")).count();
    assert_eq!(lines, report.placement.len(), "{}", report.explain());
    assert!(report.explain().contains(" chunks in "), "{}", report.explain());
}

/// Each device gets the table once, however many chunks it runs, and each row goes to one device.
#[test]
fn what_all_chunks_read_is_sent_once_to_each_device() {
    let source = "
        @group(0) @binding(0) var<storage, read> table: array<u32>;
        @group(0) @binding(1) var<storage, read> x: array<u32>;
        @group(0) @binding(2) var<storage, read_write> y: array<u32>;
        @compute @workgroup_size(64)
        fn main(@builtin(global_invocation_id) id: vec3u) {
            var sum = x[id.x];
            for (var k = 0u; k < 256u; k++) { sum += table[k]; }
            y[id.x] = sum;
        }";
    let n = 64_000usize;
    let rt = runtime((0..2).map(|k| Arc::new(FakeGpu::new(k, []))).collect());
    let kernel = rt.kernel(source).unwrap();
    let (table, x, mut y) = (vec![3u32; 256], (0..n as u32).collect::<Vec<_>>(), vec![0u32; n]);
    let call = kernel.call().arg("table", &table).arg("x", &x).arg("y", &mut y).items(n as u64);
    let report = call.workers(vec![worker(1, 1e3), worker(2, 1e3)]).run().unwrap();
    assert!(y.iter().enumerate().all(|(i, &v)| v == i as u32 + 768));
    assert!(report.chunks.len() > 4, "{:?}", report.chunks);
    let devices = report.placement.len() as u64;
    let (up, down) = (report.bytes.up, report.bytes.down);
    assert_eq!((up, down), (4 * n as u64 + 1024 * devices, 4 * n as u64), "{report:?}");
}

/// Both devices are lost with their first chunks. The second one is given all that is left if it is alone by then; else
/// that is a third part without a device.
#[test]
fn what_all_devices_lost_runs_on_the_cpu() {
    let rt = runtime((0..2).map(|k| Arc::new(FakeGpu::new(k, [Script::LostAtStart]))).collect());
    let report = saxpy(&rt, 640_000, Some(vec![worker(1, 1e3), worker(2, 1e3)])).unwrap();
    assert_eq!(report.placement["cpu"], 1.0, "{}", report.explain());
    for lost in ["gpu:0 was lost", "gpu:1 was lost"] {
        assert!(report.recoveries.iter().any(|r| r.contains(lost)), "{lost}: {:?}", report.recoveries);
    }
}

#[test]
fn a_failed_device_is_an_error_when_strict() {
    let devices = (0..2).map(|k| Arc::new(FakeGpu::new(k, [Script::LostInRun])));
    let builder = Runtime::builder().gpu(false).profile(None).strict(true);
    let rt = devices.fold(builder, |b, d| b.backend(d)).build().unwrap();
    let error = saxpy(&rt, 640_000, Some(vec![worker(1, 1e3), worker(2, 1e3)])).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::DeviceLost);
}

/// `y += x`, `y` in place: a chunk whose two runs both reached the host would show.
const ADD: &str = "
    @group(0) @binding(0) var<storage, read> x: array<u32>;
    @group(0) @binding(1) var<storage, read_write> y: array<u32>;
    @compute @workgroup_size(64)
    fn main(@builtin(global_invocation_id) id: vec3u) { y[id.x] = x[id.x] + y[id.x]; }";

/// The CPU waits with its first chunk until the device, which would take minutes, has one too.
#[test]
fn a_late_chunk_is_run_once_more_and_its_results_are_taken_once() {
    for chunks in [1, 2] {
        let late = Script::Late(Duration::from_secs(300));
        let device = Arc::new(FakeGpu::new(0, std::iter::repeat_n(late, chunks)));
        let rt = Runtime::builder().gpu(false).profile(None).backend(device.clone()).build().unwrap();
        let watched = device.clone();
        let body = move |chunk: &mut NativeChunk<'_>| {
            while watched.chunks() == 0 {
                std::thread::yield_now();
            }
            let [items, ..] = chunk.items();
            let x = chunk.read::<u32>("x", items.clone())?;
            x.iter().zip(chunk.write::<u32>("y", items)?).for_each(|(x, y)| *y += x);
            Ok(())
        };
        let kernel = rt.kernel_with_native(ADD, &KernelOptions::default(), body).unwrap();
        let n = 64_000usize;
        let (x, mut y) = ((0..n as u32).collect::<Vec<_>>(), vec![7u32; n]);
        let call = kernel.call().arg("x", &x).arg("y", &mut y).items(n as u64);
        let report = call.workers(vec![worker(0, 1e3), worker(1, 1e3)]).run().unwrap();
        assert!(y.iter().enumerate().all(|(i, &v)| v == i as u32 + 7), "{}", report.explain());
        assert!(!report.repeated.is_empty() && report.placement["cpu"] > 0.0, "{}", report.explain());
        assert!(report.explain().contains("ran them once more"), "{}", report.explain());
    }
}

/// Whoever comes first, one run's results are taken, once: also in place, and where a device is lost meanwhile.
#[test]
fn every_kernel_is_right_where_two_devices_race_for_it() {
    let (mut raced, mut repeated, mut recovered) = (0, 0, 0);
    for seed in 0..8u64 {
        let mut random = Random(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) + 3);
        let n = 3000 + random.below(9000) as usize;
        for case in cases(n) {
            let device = Arc::new(FakeGpu::new(0, random.script(2)));
            let report =
                run_case(&runtime(vec![device]), &case, n, |call| call.racing(vec![worker(0, 1e3), worker(1, 1e3)]));
            let shares: f64 = report.placement.values().sum();
            assert!((shares - 1.0).abs() < 1e-9, "{} at {n}, seed {seed}: {}", case.name, report.explain());
            raced += usize::from(report.chose == "split" && report.chunks.len() == 1);
            repeated += report.repeated.len();
            recovered += report.recoveries.len();
        }
    }
    println!("{raced} races, {repeated} won by the cpu, {recovered} with a device lost");
    assert!(raced > 40, "{raced} races");
}

/// What goes to places that data name cannot be cut, and so is raced for as a whole. The device would take minutes.
#[test]
fn a_race_is_won_by_the_cpu_where_the_device_is_late_and_the_loser_writes_nothing() {
    let scatter = "
        @group(0) @binding(0) var<storage, read> place: array<u32>;
        @group(0) @binding(1) var<storage, read_write> y: array<u32>;
        @compute @workgroup_size(64)
        fn main(@builtin(global_invocation_id) id: vec3u) { y[place[id.x]] += id.x; }";
    for source in [ADD, scatter] {
        let device = Arc::new(FakeGpu::new(0, [Script::Late(Duration::from_secs(300))]));
        let rt = Runtime::builder().gpu(false).profile(profile_path()).backend(device).build().unwrap();
        let kernel = rt.kernel(source).unwrap();
        let n = 64_000usize;
        let x: Vec<u32> = (0..n as u32).rev().collect();
        let mut y = vec![7u32; n];
        let call = kernel.call().arg(if source == ADD { "x" } else { "place" }, &x).arg("y", &mut y).items(n as u64);
        let report = call.racing(vec![worker(0, 1e3), worker(1, 1e3)]).run().unwrap();
        assert!(y.iter().enumerate().all(|(i, &v)| v == (n - 1 - i) as u32 + 7), "{}", report.explain());
        assert_eq!((report.repeated.len(), report.placement["cpu"]), (1, 1.0), "{}", report.explain());
    }
}

/// A fault of the kernel ends the call wherever it is met first.
#[test]
fn a_fault_of_the_kernel_ends_the_call() {
    let source = "
        var<workgroup> w: u32;
        @group(0) @binding(0) var<storage, read_write> y: array<u32>;
        @compute @workgroup_size(8)
        fn main(@builtin(global_invocation_id) id: vec3u, @builtin(local_invocation_index) l: u32) {
            if l < 3u { workgroupBarrier(); }
            y[id.x] = w;
        }";
    let rt = runtime(vec![Arc::new(FakeGpu::new(0, []))]);
    let kernel = rt.kernel(source).unwrap();
    let mut y = vec![0u32; 80_000];
    let call = kernel.call().arg("y", &mut y).items(80_000);
    let error = call.workers(vec![worker(0, 1e3), worker(1, 1e3)]).run().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::KernelFault, "{error}");
}

/// Inside a rayon worker, with chunks of the call on that pool and on devices with threads of their own.
#[test]
fn calls_inside_a_parallel_iterator_end() {
    for threads in [1, 2] {
        let pool = Arc::new(rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap());
        let late = std::iter::repeat_n(Script::Late(Duration::from_micros(200)), 100);
        let builder = Runtime::builder().gpu(false).profile(profile_path()).pool(pool.clone());
        let rt = builder.backend(Arc::new(FakeGpu::new(0, late))).build().unwrap();
        let given = |k: usize| k.is_multiple_of(2).then(|| vec![worker(0, 1e3), worker(1, 1e3)]);
        pool.install(|| {
            (0..64usize).into_par_iter().for_each(|k| {
                saxpy(&rt, 20_000, given(k)).unwrap();
            });
        });
    }
}

/// The model chooses, learns and explores on devices that are late now and then, or lost.
#[test]
fn many_calls_where_the_model_chooses_give_right_results() {
    let devices: Vec<_> = (0..2).map(|k| Arc::new(FakeGpu::new(k, []))).collect();
    let rt = runtime(devices.clone());
    saxpy(&rt, 1000, None).unwrap();
    let mut random = Random(7);
    let mut together = 0;
    for round in 0..300 {
        let late = Script::Late(Duration::from_micros(random.below(300)));
        let device = random.below(2) as usize;
        devices[device].follow([late]);
        if round % 100 == 50 {
            devices[1].follow([Script::LostInRun]);
        }
        let most = 1 << (4 + random.below(14));
        let n = 1 + random.below(most) as usize;
        let report = saxpy(&rt, n, None).unwrap();
        together += usize::from(report.placement.len() > 1);
        let shares: f64 = report.placement.values().sum();
        assert!((shares - 1.0).abs() < 1e-9, "{}", report.explain());
    }
    println!("{together} of 300 calls ran on several devices");
}
