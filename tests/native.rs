//! Native bodies: the part of a call that is theirs, and nothing else.

use evener::{backend::fake::FakeGpu, kernel::native::NativeChunk, prelude::*};
use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

/// Each element from its neighbours, and a factor.
const BLUR: &str = "
    struct Params { n: u32, factor: f32 }
    @group(0) @binding(0) var<uniform> params: Params;
    @group(0) @binding(1) var<storage, read> src: array<f32>;
    @group(0) @binding(2) var<storage, read_write> dst: array<f32>;
    @compute @workgroup_size(64) fn blur(@builtin(global_invocation_id) id: vec3u) {
        let i = id.x;
        if i >= params.n { return; }
        dst[i] = params.factor * (src[max(i, 1u) - 1u] + src[min(i + 1u, params.n - 1u)]);
    }";
const N: usize = 1000;

#[derive(Clone, Copy, Element)]
#[repr(C)]
struct Params {
    n: u32,
    factor: f32,
}

fn body(chunk: &mut NativeChunk<'_>) -> evener::Result<()> {
    let Params { n, factor } = chunk.uniform("params")?;
    let [items, ..] = chunk.items();
    let (n, end) = (n as usize, items.end.min(n as usize));
    let (from, to) = (items.start.saturating_sub(1), (end + 1).min(n));
    let src = chunk.read::<f32>("src", from..to)?;
    for (i, dst) in (items.start..end).zip(chunk.write::<f32>("dst", items.start..end)?) {
        *dst = factor * (src[i.max(1) - 1 - from] + src[(i + 1).min(n - 1) - from]);
    }
    Ok(())
}

fn runtime() -> Runtime {
    let builder = Runtime::builder().gpu(false).profile(None).threads(2);
    builder.backend(Arc::new(FakeGpu::new(0, []))).build().unwrap()
}

fn kernel(rt: &Runtime, body: impl Fn(&mut NativeChunk<'_>) -> evener::Result<()> + Send + Sync + 'static) -> Kernel {
    rt.kernel_with_native(BLUR, &KernelOptions::default(), body).unwrap()
}

fn run(kernel: &Kernel, on: Placement) -> (Result<Report, Error>, Vec<f32>) {
    let src: Vec<f32> = (0..N).map(|i| (i * i % 97) as f32).collect();
    let mut dst = vec![-1.0f32; N];
    let call = kernel.call().set("params.n", N as u32).set("params.factor", 0.5f32);
    let result = call.arg("src", &src).arg("dst", &mut dst).items(N).on(on).run();
    (result, dst)
}

#[test]
fn a_body_does_the_work_of_the_cpu_whole_or_beside_a_device() {
    let rt = runtime();
    let runs = Arc::new(AtomicUsize::new(0));
    let counted = runs.clone();
    let native = kernel(&rt, move |chunk| {
        counted.fetch_add(1, Ordering::Relaxed);
        body(chunk)
    });
    let want = run(&rt.kernel(BLUR).unwrap(), Placement::Cpu).1;
    for on in [Placement::Cpu, Placement::Gpu(Some(0)), Placement::Split(0.37), Placement::Split(0.9)] {
        let (report, dst) = run(&native, on);
        let report = report.unwrap();
        assert_eq!(dst, want, "{report}");
        assert_eq!(report.interpreted, None);
    }
    assert_eq!(runs.load(Ordering::Relaxed), 3, "once for each call with a part for the CPU");
    let explained = native.call().items(N).explain().unwrap();
    assert_eq!(explained.cpu, "native body");
}

#[test]
fn what_other_work_groups_own_is_refused() {
    let rt = runtime();
    let refused = |body: fn(&mut NativeChunk<'_>) -> evener::Result<()>, on: Placement, part: &str| {
        let error = run(&kernel(&rt, body), on).0.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::KernelFault);
        assert!(error.to_string().contains(part), "{error}");
    };
    let half = Placement::Split(0.5);
    refused(|c| c.write::<f32>("dst", 0..N).map(drop), half, "more than work-groups");
    refused(|c| c.read::<f32>("src", 0..N).map(drop), half, "more than work-groups");
    refused(|c| c.write::<f32>("src", 0..1).map(drop), Placement::Cpu, "to write elements 0..1 of `src`");
    refused(|c| c.read::<f32>("dst", 0..N + 1).map(drop), Placement::Cpu, "which has 1000");
    refused(|c| c.read::<f32>("nothing", 0..1).map(drop), Placement::Cpu, "a binding `nothing`");
    refused(|c| c.uniform::<[f32; 4]>("params").map(drop), Placement::Cpu, "wants 16 bytes");
    refused(|c| c.uniform::<f32>("src").map(drop), Placement::Cpu, "of a uniform `src`");
    refused(|c| c.read::<f64>("src", 0..N / 2 + 1).map(drop), Placement::Cpu, "which has 500");
    let twice = |c: &mut NativeChunk<'_>| {
        let first = c.write::<f32>("dst", 0..10)?;
        first[0] = 1.0;
        c.read::<f32>("dst", 9..11).map(drop)
    };
    refused(twice, Placement::Cpu, "already");
    refused(|_| panic!("a slip"), Placement::Cpu, "a slip");
}

#[test]
fn the_kept_kernel_of_a_source_and_its_native_one_are_two() {
    let rt = runtime();
    let native = rt.kept_kernel_with_native(BLUR, body).unwrap();
    let plain = rt.kept_kernel(BLUR).unwrap();
    assert!(!Arc::ptr_eq(native.compiled(), plain.compiled()));
    let again = rt.kept_kernel_with_native(BLUR, body).unwrap();
    assert!(Arc::ptr_eq(native.compiled(), again.compiled()));
}
