//! Arrays larger than a device's binding limit and its memory: `cargo bench --bench windows [-- --huge] [-- --only NAME]`.
//!
//! Each kernel runs over 1 GiB arrays on the software GPU (whose bindings hold 128 MiB) in windows, first with a budget
//! of 256 MiB, then with none, each beside 16 calls over parts that need no windows: the same transfers and kernels.
//! Then the same call three times on arrays, of which a part stays on the device (`--only again`).
//! `--huge` runs one array of 6 GiB on the CPU, the GPU and both instead, and needs 15 GiB of free memory. Without
//! `--bench` the same runs small and only checks.

use evener::prelude::*;
use std::time::Instant;

const SAXPY: &str = "
    @group(0) @binding(0) var<storage, read> x: array<f32>;
    @group(0) @binding(1) var<storage, read_write> y: array<f32>;
    @compute @workgroup_size(256) fn main(@builtin(global_invocation_id) id: vec3u) {
        if id.x < arrayLength(&y) { y[id.x] = 2.0 * x[id.x] + y[id.x]; }
    }";
const STENCIL: &str = "
    @group(0) @binding(0) var<storage, read> x: array<f32>;
    @group(0) @binding(1) var<storage, read_write> y: array<f32>;
    @compute @workgroup_size(256) fn main(@builtin(global_invocation_id) id: vec3u) {
        let i = id.x;
        if i < arrayLength(&y) { y[i] = x[max(i, 1u) - 1u] + x[i] + x[i + 1u]; }
    }";
const SUM: &str = "
    @group(0) @binding(0) var<storage, read> x: array<f32>;
    @group(0) @binding(1) var<storage, read_write> y: array<f32>;
    var<workgroup> part: array<f32, 256>;
    @compute @workgroup_size(256)
    fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
        var sum = 0.0;
        for (var k = 0u; k < 16u; k++) { sum += x[group.x * 4096u + k * 256u + lane]; }
        part[lane] = sum;
        for (var half = 128u; half > 0u; half /= 2u) {
            workgroupBarrier();
            if lane < half { part[lane] += part[lane + half]; }
        }
        if lane == 0u { y[group.x] = part[0]; }
    }";
const HISTOGRAM: &str = "
    @group(0) @binding(0) var<storage, read> x: array<f32>;
    @group(0) @binding(1) var<storage, read_write> y: array<atomic<u32>>;
    @compute @workgroup_size(256) fn main(@builtin(global_invocation_id) id: vec3u) {
        if id.x < arrayLength(&x) { atomicAdd(&y[u32(x[id.x])], 1u); }
    }";
const IN_PLACE: &str = "
    @group(0) @binding(0) var<storage, read_write> x: array<f32>;
    @compute @workgroup_size(256) fn main(@builtin(global_invocation_id) id: vec3u) {
        if id.x < arrayLength(&x) { x[id.x] = 2.0 * x[id.x] + 1.0; }
    }";

/// A kernel over `x` and `y`.
struct Work {
    name: &'static str,
    wgsl: &'static str,
    /// Elements of `x` for one of `y`; 0: `y` has 16 elements, whole in each part.
    ratio: usize,
    /// Elements of `x` an invocation reads.
    per_item: usize,
    /// Element `i` of `y` over the first `n` elements of `x`; each starts as 1, but for the histogram.
    expected: fn(i: usize, n: usize) -> f32,
}

/// Element `i` of `x`.
fn value(i: usize) -> f32 {
    (i % 16) as f32
}

const WORK: [Work; 4] = [
    Work { name: "saxpy", wgsl: SAXPY, ratio: 1, per_item: 1, expected: |i, _| 2.0 * value(i) + 1.0 },
    Work {
        name: "stencil",
        wgsl: STENCIL,
        ratio: 1,
        per_item: 1,
        expected: |i, n| value(i.max(1) - 1) + value(i) + if i + 1 < n { value(i + 1) } else { 0.0 },
    },
    Work { name: "sum", wgsl: SUM, ratio: 4096, per_item: 16, expected: |_, _| 4096.0 * 7.5 },
    Work {
        name: "histogram",
        wgsl: HISTOGRAM,
        ratio: 0,
        per_item: 1,
        expected: |_, n| f32::from_bits((n / 16) as u32),
    },
];

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let has = |word: &str| words.iter().any(|w| w == word);
    let only = words.iter().position(|w| w == "--only").and_then(|k| words.get(k + 1));
    let timed = has("--bench");
    if runtime(timed, None).is_none() {
        println!("skipped: no software Vulkan device");
        return;
    }
    if has("--huge") {
        return huge(if timed { 6 << 30 } else { 6 << 20 });
    }
    let elements = if timed { 1 << 28 } else { 1 << 18 };
    println!("{:10}{:>10}{:>12}{:>16}{:>22}", "kernel", "budget", "in windows", "without, parts", "peak beyond arrays");
    for work in WORK.iter().filter(|w| only.is_none_or(|o| o == w.name)) {
        for budget in [Some(if timed { 256 << 20 } else { 256 << 10 }), None] {
            compare(work, elements, timed, budget);
        }
    }
    if only.is_none_or(|o| o == "again") {
        again(elements, timed);
    }
}

/// Calls one after the other on two arrays of eight times the budget in all: what moves, and the time.
fn again(elements: usize, timed: bool) {
    let rt = runtime(timed, Some(if timed { 256 << 20 } else { 256 << 10 })).expect("it was there");
    let kernel = rt.kernel(SAXPY).expect("valid WGSL");
    let x = rt.array(&(0..elements).map(value).collect::<Vec<f32>>()).expect("memory");
    let mut y = rt.array(&vec![1.0f32; elements]).expect("memory");
    for turn in 1..=3 {
        reset_peak();
        let began = Instant::now();
        let call = kernel.call().arg("x", &x).arg("y", &mut y).items(elements as u64);
        let report = call.on(Placement::Gpu(Some(0))).strict(true).run().expect("runs");
        let (took, human) = (began.elapsed().as_secs_f64(), evener::report::human_bytes);
        let (up, down, beyond) = (human(report.bytes.up), human(report.bytes.down), beyond_mib(8 * elements));
        println!("call {turn}: {took:.3} s, {up} up, {down} down, peak {beyond} MiB beyond the arrays");
        report.windows.iter().for_each(|line| println!("    {line}"));
    }
    let y = y.read().expect("it is there");
    assert!(y.iter().enumerate().all(|(i, y)| *y == 6.0 * value(i) + 1.0));
}

/// A runtime with the software GPU. The short run has limits a thousandth of the real ones.
fn runtime(timed: bool, budget: Option<u64>) -> Option<Runtime> {
    let mut builder = Runtime::builder().software_gpu(true).profile(None);
    if !timed {
        builder = builder.binding_limit(128 << 10);
    }
    if let Some(bytes) = budget {
        builder = builder.device_memory(bytes);
    }
    builder.build().ok().filter(|rt| rt.devices().len() > 1)
}

/// Runs a kernel in windows and in parts that need none, and prints both times.
fn compare(work: &Work, elements: usize, timed: bool, budget: Option<u64>) {
    let rt = runtime(timed, budget).expect("it was there");
    let kernel = rt.kernel(work.wgsl).expect("valid WGSL");
    let x: Vec<f32> = (0..elements).map(value).collect();
    let outputs = elements.checked_div(work.ratio).unwrap_or(16);
    let mut y = start(work, outputs);
    // Compiles, and measures the device.
    let few = 1usize << 16;
    let few_outputs = few.checked_div(work.ratio).unwrap_or(16);
    call(&kernel, work, &x[..few], &mut start(work, few_outputs));
    reset_peak();
    let began = Instant::now();
    let report = call(&kernel, work, &x, &mut y);
    let windowed = began.elapsed();
    let beyond = beyond_mib(4 * (elements + outputs));
    assert!(!report.windows.is_empty() && report.recoveries.is_empty(), "{}", report.explain());
    for (i, &got) in y.iter().enumerate() {
        assert!(got.to_bits() == (work.expected)(i, elements).to_bits(), "{} [{i}]: {got}", work.name);
    }
    // What a chunk of the stream holds, in a call of its own.
    let part = elements / 16;
    let mut y = start(work, outputs);
    let began = Instant::now();
    for k in 0..16 {
        let out = if work.ratio == 0 { &mut y[..] } else { &mut y[k * outputs / 16..(k + 1) * outputs / 16] };
        call(&kernel, work, &x[k * part..(k + 1) * part], out);
    }
    let parts = began.elapsed();
    let budget = budget.map_or("none".into(), evener::report::human_bytes);
    let (windowed, parts) = (windowed.as_secs_f64(), parts.as_secs_f64());
    println!(
        "{:10}{budget:>10}{windowed:>10.3} s{parts:>14.3} s{:>18} MiB   ratio {:.2}",
        work.name,
        beyond,
        parts / windowed
    );
    report.windows.iter().for_each(|line| println!("    {line}"));
}

fn start(work: &Work, outputs: usize) -> Vec<f32> {
    // The histogram's are counts.
    vec![if work.ratio == 0 { 0.0 } else { 1.0 }; outputs]
}

fn call(kernel: &Kernel, work: &Work, x: &[f32], y: &mut [f32]) -> Report {
    let call =
        kernel.call().arg("x", x).items((x.len() / work.per_item) as u64).on(Placement::Gpu(Some(0))).strict(true);
    let call = match work.ratio {
        0 => call.arg("y", bytemuck::cast_slice_mut::<f32, u32>(y)),
        _ => call.arg("y", y),
    };
    call.run().expect("runs")
}

/// One array on the CPU, the GPU and both.
fn huge(bytes: usize) {
    let rt = runtime(bytes > 1 << 30, None).expect("it was there");
    let kernel = rt.kernel(IN_PLACE).expect("valid WGSL");
    let mut x = vec![0.0f32; bytes / 4];
    let mut expected = 0.0;
    for placement in [Placement::Cpu, Placement::Gpu(Some(0)), Placement::Split(0.5)] {
        reset_peak();
        let began = Instant::now();
        let items = x.len() as u64;
        let report = kernel.call().arg("x", &mut x).items(items).on(placement).strict(true).run().expect("runs");
        let took = began.elapsed().as_secs_f64();
        expected = 2.0 * expected + 1.0;
        assert!(x.iter().all(|&v| v == expected), "{}", report.explain());
        let beyond = beyond_mib(bytes);
        println!("{placement}: {took:.2} s, peak {} MiB beyond the array", beyond);
        report.windows.iter().for_each(|line| println!("    {line}"));
    }
}

/// A line of the process's status in KiB; 0 where there is none.
fn memory_kib(line: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let found = status.lines().find_map(|l| l.strip_prefix(line)?.strip_prefix(':'));
    found.and_then(|rest| rest.trim().trim_end_matches(" kB").parse().ok()).unwrap_or(0)
}

/// The most memory that the process had since the last reset, less these bytes, in MiB.
fn beyond_mib(arrays: usize) -> u64 {
    (memory_kib("VmHWM") >> 10).saturating_sub(arrays as u64 >> 20)
}

/// The peak starts anew where the system allows that.
fn reset_peak() {
    let _ = std::fs::write("/proc/self/clear_refs", "5");
}
