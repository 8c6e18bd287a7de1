//! Runs the cases of the one table and compares.
#![allow(dead_code, reason = "each test binary uses a part")]

pub mod cases;

use cases::{Buffer, Case};
use evener::{
    Report,
    call::{Call, args::HostArg},
    prelude::*,
    runtime::Builder,
};

#[cfg(feature = "gpu")]
pub use evener::backend::gpu::SpirvWriter;

/// There is nothing to write for.
#[cfg(not(feature = "gpu"))]
pub type SpirvWriter = std::convert::Infallible;

/// A runtime with a software GPU, whose shaders are written by `writer` if given; `None` with a printed line where there
/// is no Vulkan. In CI that is a failure.
pub fn software_runtime(writer: Option<SpirvWriter>) -> Option<Runtime> {
    let builder = Runtime::builder().software_gpu(true).profile(profile_path());
    #[cfg(feature = "gpu")]
    let builder = builder.spirv_writer(writer);
    #[cfg(not(feature = "gpu"))]
    let _ = writer;
    with_software_gpu(builder)
}

/// Builds a runtime that has a software GPU, under the same terms.
pub fn with_software_gpu(builder: Builder) -> Option<Runtime> {
    let rt = builder.build().unwrap();
    if rt.devices().len() > 1 {
        return Some(rt);
    }
    let why = rt.left_out().join("; ");
    let expected = cfg!(feature = "gpu") && std::env::var_os("CI").is_some();
    assert!(!expected, "CI needs a software GPU (mesa-vulkan-drivers, libvulkan1): {why}");
    println!("skipped: no GPU, not even a software one: {why}");
    None
}

/// One profile for all test processes of a build, so that the machine is measured once.
pub fn profile_path() -> Option<std::path::PathBuf> {
    Some(std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("profile.json"))
}

/// Runs a case where asked and compares every written buffer.
pub fn run_case(rt: &Runtime, case: &Case, n: usize, set_up: impl FnOnce(Call<'_>) -> Call<'_>) -> Report {
    let kernel = rt.kernel(&case.wgsl).unwrap_or_else(|e| panic!("{}: {e}", case.name));
    let mut data: Vec<Vec<u32>> = case.buffers.iter().map(|b| b.words.clone()).collect();
    let mut call = kernel.call().items(case.items);
    for (name, value) in &case.uniforms {
        call = call.set_text(*name, value);
    }
    for (buffer, words) in case.buffers.iter().zip(&mut data) {
        let shape = [if buffer.kind == ScalarKind::F16 { 2 * words.len() } else { words.len() }];
        let arg = match buffer.expected {
            Some(_) => HostArg::from_bytes_mut(buffer.kind, &shape, bytemuck::cast_slice_mut(words)),
            None => HostArg::from_bytes(buffer.kind, &shape, bytemuck::cast_slice(words)),
        };
        call = call.arg(buffer.name, arg);
    }
    let report = set_up(call).run().unwrap_or_else(|e| panic!("{} at {n}: {e}", case.name));
    for (buffer, words) in case.buffers.iter().zip(&data) {
        compare(case, buffer, words, n, &report);
    }
    report
}

fn compare(case: &Case, buffer: &Buffer, words: &[u32], n: usize, report: &Report) {
    let expected = buffer.expected.as_deref().unwrap_or(&buffer.words);
    let right = |got: u32, want: u32| {
        let (g, w) = (f32::from_bits(got), f32::from_bits(want));
        got == want || buffer.kind == ScalarKind::F32 && (g - w).abs() <= case.tolerance * w.abs().max(1.0)
    };
    let allowed = (case.loose * expected.len() as f64) as usize;
    let mut wrong: Vec<usize> = (0..expected.len()).filter(|i| !right(words[*i], expected[*i])).collect();
    if wrong.len() <= allowed {
        return;
    }
    wrong.truncate(5);
    let show = |i: &usize| match buffer.kind {
        ScalarKind::F32 => format!("[{i}] {} for {}", f32::from_bits(words[*i]), f32::from_bits(expected[*i])),
        _ => format!("[{i}] {} for {}", words[*i], expected[*i]),
    };
    panic!(
        "{} at {n}, `{}`: {:?}\n{}",
        case.name,
        buffer.name,
        wrong.iter().map(show).collect::<Vec<_>>(),
        report.explain()
    );
}
