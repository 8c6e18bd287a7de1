//! What the tests of GPUs share: the software device, hand-made GPU modules, jobs over host vectors.
#![allow(dead_code, reason = "each test binary uses a part")]

use evener::{
    Result,
    backend::{
        Argument, Backend, ChunkRun, Transfer, Window,
        gpu::{GpuDevice, Job, Options, Shader, SpirvWriter, devices},
    },
    kernel::rewrite::Dispatch,
    schedule::transfers::{needed, of_footprint},
};
use evener_lanes::{
    Grid, GroupRange,
    analysis::{Analysis, CallShape, Strided},
    ir::{Access, Binding, Space},
};
use naga::{
    back::spv,
    proc::{BoundsCheckPolicies, BoundsCheckPolicy},
    valid::{Capabilities, ModuleInfo, ValidationFlags, Validator},
};
use std::{ops::Range, sync::Arc};

/// The software Vulkan device. Without one: a failure in CI, `None` and a printed line elsewhere.
pub fn software_gpu() -> Option<Arc<GpuDevice>> {
    software_gpu_with(Options { software: true, ..Options::default() })
}

/// The same where arrays go through staging, as on a card with memory of its own.
pub fn staging_gpu() -> Option<Arc<GpuDevice>> {
    software_gpu_with(Options { software: true, staged: true, ..Options::default() })
}

/// The same with naga's clamping bounds policy, as on devices whose drivers drop nothing.
pub fn clamping_gpu() -> Option<Arc<GpuDevice>> {
    software_gpu_with(Options { software: true, spirv: Some(clamped as SpirvWriter), ..Options::default() })
}

fn software_gpu_with(options: Options) -> Option<Arc<GpuDevice>> {
    let found = devices(options);
    let device = found.devices.iter().find(|d| d.info().kind == evener::backend::DeviceKind::Software).cloned();
    if device.is_none() {
        let reason = found.reason.unwrap_or_else(|| "no software adapter".into());
        assert!(std::env::var_os("CI").is_none(), "CI needs lavapipe: {reason}");
        println!("skipped: {reason}");
    }
    device
}

/// SPIR-V with every index clamped.
pub fn clamped(module: &naga::Module, info: &ModuleInfo, entry: &str) -> Result<Vec<u32>, String> {
    let mut options = spv::Options { bounds_check_policies: restrict(), ..spv::Options::default() };
    options.flags.remove(spv::WriterFlags::ADJUST_COORDINATE_SPACE);
    let pipeline = spv::PipelineOptions { shader_stage: naga::ShaderStage::Compute, entry_point: entry.to_owned() };
    spv::write_vec(module, info, &options, Some(&pipeline)).map_err(|e| e.to_string())
}

fn restrict() -> BoundsCheckPolicies {
    let restrict = BoundsCheckPolicy::Restrict;
    BoundsCheckPolicies { index: restrict, buffer: restrict, image_load: restrict, binding_array: restrict }
}

/// A module as it is in the source, not rewritten: its dispatch parameters are at (3, 0), used or not.
pub struct Plain {
    module: naga::Module,
    info: ModuleInfo,
}

impl Plain {
    fn shader(&self) -> Shader<'_> {
        let entry = &self.module.entry_points[0].name;
        Shader { module: &self.module, info: &self.info, entry, params: (3, 0) }
    }
}

/// Parses and validates.
pub fn module(wgsl: &str) -> Plain {
    let module = naga::front::wgsl::parse_str(wgsl).unwrap_or_else(|e| panic!("{}", e.emit_to_string(wgsl)));
    let info = Validator::new(ValidationFlags::all(), Capabilities::all()).validate(&module).expect("valid");
    Plain { module, info }
}

/// A storage binding of a runtime-sized array of 4-byte elements.
pub fn storage(name: &str, group: u32, binding: u32, access: Access) -> Binding {
    Binding {
        name: name.into(),
        group,
        binding,
        space: Space::Storage,
        access,
        fixed_bytes: 0,
        runtime_stride: Some(4),
    }
}

/// A uniform binding.
pub fn uniform(name: &str, group: u32, binding: u32, bytes: u32) -> Binding {
    let access = READ;
    Binding {
        name: name.into(),
        group,
        binding,
        space: Space::Uniform,
        access,
        fixed_bytes: bytes,
        runtime_stride: None,
    }
}

/// Loaded from.
pub const READ: Access = Access { read: true, write: false, atomic: false };
/// Stored to.
pub const WRITE: Access = Access { read: false, write: true, atomic: false };
/// Both.
pub const READ_WRITE: Access = Access { read: true, write: true, atomic: false };

/// A writable argument over bytes that outlive the job.
pub fn argument(bytes: &mut [u8]) -> Argument {
    // SAFETY: the tests keep the bytes until their jobs are finished or dropped, and look at them only then.
    unsafe { Argument::new(bytes.as_mut_ptr(), bytes.len() as u64, true) }
}

/// Upload of everything, and download of everything if `down`.
pub fn whole(len: usize, down: bool) -> Transfer {
    let all = Strided { start: 0, run: len as u64, levels: Vec::new() };
    transfer(std::slice::from_ref(&(0..len as u64)), if down { std::slice::from_ref(&all) } else { &[] })
}

/// A transfer of given ranges.
pub fn transfer(upload: &[Range<u64>], download: &[Strided]) -> Transfer {
    Transfer { upload: upload.to_vec(), download: download.to_vec(), ..Transfer::default() }
}

/// What a range of a kernel's work-groups moves, in windows of its footprint. Nothing runs on the arguments meanwhile.
pub fn in_windows(
    analysis: &Analysis,
    bindings: &[Binding],
    grid: Grid,
    arguments: &[Argument],
    range: &GroupRange,
) -> Vec<Transfer> {
    let bytes = |a: &Argument| {
        // SAFETY: the buffers outlive the job, and nothing runs.
        unsafe { std::slice::from_raw_parts(a.as_ptr(), a.byte_len() as usize) }
    };
    let is_uniform = |b: &Binding| b.space == Space::Uniform;
    let lengths: Vec<u64> = arguments.iter().map(Argument::byte_len).collect();
    let uniforms: Vec<&[u8]> =
        bindings.iter().zip(arguments).map(|(b, a)| if is_uniform(b) { bytes(a) } else { &[] }).collect();
    let shape = CallShape { grid, sizes: &lengths, uniforms: &uniforms };
    let footprint = analysis.footprint(&shape, range);
    let mut moved = of_footprint(&footprint, bindings, &lengths);
    for (k, (transfer, touched)) in moved.iter_mut().zip(&footprint.bindings).enumerate() {
        if !is_uniform(&bindings[k]) {
            let hulls = touched.reads.iter().chain(&touched.writes).map(|s| s.start..s.end());
            transfer.window = Window::new(&bindings[k], lengths[k], hulls);
            transfer.exact = Some(needed(touched).cloned().collect());
        }
    }
    moved
}

/// A kernel over byte vectors.
pub struct Case {
    /// Identity for the pipeline cache.
    pub kernel: u64,
    /// What runs.
    pub module: Plain,
    /// Its bindings.
    pub bindings: Vec<Binding>,
}

impl Case {
    /// `y = a * x + y` over f32, folded over two axes of work-groups of 64, with sparse groups and binding numbers.
    pub fn saxpy() -> Case {
        let wgsl = "
            @group(0) @binding(5) var<storage, read> x: array<f32>;
            @group(2) @binding(1) var<storage, read_write> y: array<f32>;
            @group(2) @binding(4) var<uniform> a: f32;
            @group(3) @binding(0) var<uniform> params: vec4u;
            @compute @workgroup_size(64)
            fn main(@builtin(global_invocation_id) id: vec3u) {
                let i = id.x + id.y * params.y;
                if i < params.x { y[i] = a * x[i] + y[i]; }
            }";
        let bindings = vec![storage("x", 0, 5, READ), storage("y", 2, 1, READ_WRITE), uniform("a", 2, 4, 4)];
        Case { kernel: 1, module: module(wgsl), bindings }
    }

    /// Runs to the end.
    pub fn run(
        &self,
        device: &GpuDevice,
        buffers: &mut [Vec<u8>],
        transfers: &[Transfer],
        groups: [u32; 3],
        params: &[u32],
    ) -> Result<ChunkRun> {
        let arguments: Vec<Argument> = buffers.iter_mut().map(|b| argument(b)).collect();
        device.start_job(&self.job(&arguments, transfers, groups, params))?.finish()
    }

    /// A job of this kernel.
    pub fn job<'a>(
        &'a self,
        arguments: &'a [Argument],
        transfers: &'a [Transfer],
        groups: [u32; 3],
        params: &[u32],
    ) -> Job<'a> {
        let dispatch = Dispatch { groups, params: bytes(params) };
        let (kernel, shader, bindings) = (self.kernel, self.module.shader(), self.bindings.as_slice());
        Job {
            kernel,
            shader,
            bindings,
            dispatch,
            arguments,
            transfers,
            carry: None,
            repeat: None,
            counted: None,
            alone: false,
        }
    }
}

/// Little-endian bytes of 4-byte words.
pub fn bytes(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|w| w.to_le_bytes()).collect()
}

/// Little-endian bytes of floats.
pub fn float_bytes(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|v| v.to_le_bytes()).collect()
}

/// Floats of little-endian bytes.
pub fn floats(bytes: &[u8]) -> Vec<f32> {
    bytes.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect()
}

/// The dispatch of `n` saxpy items: groups and parameters.
pub fn saxpy_dispatch(n: u32) -> ([u32; 3], [u32; 4]) {
    let groups = n.div_ceil(64);
    let x = groups.min(65_535);
    ([x, groups.div_ceil(x), 1], [n, x * 64, 0, 0])
}

/// Runs saxpy on `n` items and checks every element.
pub fn check_saxpy(device: &GpuDevice, n: u32) -> ChunkRun {
    let case = Case::saxpy();
    let x: Vec<f32> = (0..n).map(|i| (i % 1000) as f32).collect();
    let y: Vec<f32> = (0..n).map(|i| (i % 77) as f32).collect();
    let mut buffers = vec![float_bytes(&x), float_bytes(&y), float_bytes(&[3.0])];
    let len = 4 * n as usize;
    let transfers = [whole(len, false), whole(len, true), Transfer::default()];
    let (groups, params) = saxpy_dispatch(n);
    let run = case.run(device, &mut buffers, &transfers, groups, &params).expect("saxpy runs");
    for (i, got) in floats(&buffers[1]).into_iter().enumerate() {
        assert_eq!(got, 3.0 * x[i] + y[i], "element {i} of {n}");
    }
    run
}
