//! Kernels compiled for one device, with explicit bind group layouts.

use super::{
    SpirvWriter,
    live::Live,
    run::{Job, Shader},
};
use crate::error::{Error, ErrorKind, Result};
use naga::AddressSpace;
use std::{
    borrow::Cow,
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

/// Pipelines kept per device; beyond it the longest unused goes. A pipeline costs 30 ms on lavapipe.
const KEPT: usize = 512;

/// What is bound at a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source {
    /// The argument of this index.
    Argument(usize),
    /// evener's dispatch parameters.
    Params,
    /// Named by the module but without effect on the kernel: a zeroed buffer of these bytes.
    Unused(u64),
}

/// One binding of the module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Slot {
    pub(super) group: u32,
    pub(super) binding: u32,
    pub(super) source: Source,
    /// `None` for a uniform.
    pub(super) read_only_storage: Option<bool>,
}

/// A kernel compiled for one device.
#[derive(Debug)]
pub(super) struct Pipeline {
    pub(super) raw: wgpu::ComputePipeline,
    /// Per group; `None` where the module uses none of it.
    pub(super) layouts: Vec<Option<wgpu::BindGroupLayout>>,
    /// Sorted by group and binding.
    pub(super) slots: Vec<Slot>,
}

type Outcome = std::result::Result<Arc<Pipeline>, String>;

/// The kept pipelines by kernel id. A kernel that the driver refuses is remembered too.
#[derive(Debug, Default)]
pub(super) struct Pipelines {
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    clock: u64,
    by_kernel: HashMap<u64, Entry>,
}

#[derive(Debug)]
struct Entry {
    used: u64,
    /// Locked while the pipeline is made, so that it is made once.
    outcome: Arc<Mutex<Option<Outcome>>>,
}

impl Pipelines {
    /// Whether the kernel was compiled.
    pub(super) fn has(&self, kernel: u64) -> bool {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).by_kernel.contains_key(&kernel)
    }

    /// Why the driver refused this kernel, if it did.
    pub(super) fn refusal(&self, kernel: u64) -> Option<String> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        // One that is being made just now is not known to fail.
        let outcome = kept.by_kernel.get(&kernel)?.outcome.try_lock().ok()?;
        outcome.as_ref()?.as_ref().err().cloned()
    }

    /// The pipeline of a job's kernel, made at first use.
    ///
    /// # Errors
    /// A refusal of the driver (also from then on), memory, a lost device.
    pub(super) fn get(&self, live: &Live, job: &Job<'_>) -> Result<Arc<Pipeline>> {
        let slot = self.entry(job.kernel);
        let mut outcome = slot.lock().unwrap_or_else(PoisonError::into_inner);
        match &*outcome {
            Some(Ok(pipeline)) => return Ok(pipeline.clone()),
            Some(Err(reason)) => return Err(Error::new(ErrorKind::Device, reason.clone())),
            None => {}
        }
        let made = live.faults.scoped(&live.device, "compiling a kernel", || Pipeline::new(live, job));
        match &made {
            Ok(pipeline) => *outcome = Some(Ok(pipeline.clone())),
            Err(e) if e.kind() == ErrorKind::Device => *outcome = Some(Err(e.to_string())),
            Err(_) => {}
        }
        made
    }

    fn entry(&self, kernel: u64) -> Arc<Mutex<Option<Outcome>>> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.clock += 1;
        let used = kept.clock;
        if kept.by_kernel.len() >= KEPT && !kept.by_kernel.contains_key(&kernel) {
            let oldest = kept.by_kernel.iter().min_by_key(|(_, e)| e.used).map(|(&k, _)| k);
            oldest.and_then(|k| kept.by_kernel.remove(&k));
        }
        let entry = kept.by_kernel.entry(kernel).or_insert_with(|| Entry { used, outcome: Arc::default() });
        entry.used = used;
        entry.outcome.clone()
    }
}

impl Pipeline {
    fn new(live: &Live, job: &Job<'_>) -> Result<Arc<Self>> {
        let device = &live.device;
        let slots = slots(job)?;
        let layouts = layouts(device, &slots);
        let shader = match live.spirv {
            None => device.create_shader_module(wgpu::ShaderModuleDescriptor {
                label: None,
                source: wgpu::ShaderSource::Naga(Cow::Owned(job.shader.module.clone())),
            }),
            Some(writer) => passthrough(device, job.shader, &slots, writer)?,
        };
        let refs: Vec<Option<&wgpu::BindGroupLayout>> = layouts.iter().map(Option::as_ref).collect();
        let layout = device.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
            label: None,
            bind_group_layouts: &refs,
            immediate_size: 0,
        });
        let raw = device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
            label: None,
            layout: Some(&layout),
            module: &shader,
            entry_point: Some(job.shader.entry),
            // Zeroed work-group memory is part of WGSL's meaning: left at its default.
            compilation_options: wgpu::PipelineCompilationOptions::default(),
            cache: None,
        });
        Ok(Arc::new(Pipeline { raw, layouts, slots }))
    }
}

/// The bindings that the module's entry point uses, and what goes there.
fn slots(job: &Job<'_>) -> Result<Vec<Slot>> {
    let Shader { module, info, entry, params } = job.shader;
    let index = module
        .entry_points
        .iter()
        .position(|e| e.name == entry)
        .ok_or_else(|| Error::new(ErrorKind::Device, format!("the GPU module has no entry point `{entry}`")))?;
    let uses = info.get_entry_point(index);
    let mut slots = Vec::new();
    for (handle, variable) in module.global_variables.iter() {
        let Some(at) = &variable.binding else { continue };
        let read_only_storage = match variable.space {
            AddressSpace::Uniform => None,
            AddressSpace::Storage { access } => Some(!access.contains(naga::StorageAccess::STORE)),
            _ => continue,
        };
        let argument = job.bindings.iter().position(|b| (b.group, b.binding) == (at.group, at.binding));
        let source = match argument {
            Some(i) => Source::Argument(i),
            None if (at.group, at.binding) == params => Source::Params,
            None if uses[handle].is_empty() => continue,
            None => {
                let bytes = module.types[variable.ty].inner.size(module.to_ctx());
                Source::Unused(u64::from(bytes).next_multiple_of(16).max(256))
            }
        };
        slots.push(Slot { group: at.group, binding: at.binding, source, read_only_storage });
    }
    slots.sort_by_key(|s| (s.group, s.binding));
    Ok(slots)
}

fn layouts(device: &wgpu::Device, slots: &[Slot]) -> Vec<Option<wgpu::BindGroupLayout>> {
    let groups = slots.iter().map(|s| s.group + 1).max().unwrap_or(0);
    (0..groups)
        .map(|group| {
            let entries: Vec<_> = slots.iter().filter(|s| s.group == group).map(layout_entry).collect();
            let descriptor = wgpu::BindGroupLayoutDescriptor { label: None, entries: &entries };
            (!entries.is_empty()).then(|| device.create_bind_group_layout(&descriptor))
        })
        .collect()
}

fn layout_entry(slot: &Slot) -> wgpu::BindGroupLayoutEntry {
    let ty = match slot.read_only_storage {
        None => wgpu::BufferBindingType::Uniform,
        Some(read_only) => wgpu::BufferBindingType::Storage { read_only },
    };
    wgpu::BindGroupLayoutEntry {
        binding: slot.binding,
        visibility: wgpu::ShaderStages::COMPUTE,
        ty: wgpu::BindingType::Buffer { ty, has_dynamic_offset: false, min_binding_size: None },
        count: None,
    }
}

/// The module as SPIR-V of a caller's writer. Tests only.
fn passthrough(
    device: &wgpu::Device,
    shader: Shader<'_>,
    slots: &[Slot],
    writer: SpirvWriter,
) -> Result<wgpu::ShaderModule> {
    // wgpu's Vulkan layouts number the bindings of a group in sequence.
    let mut module = shader.module.clone();
    for (_, variable) in module.global_variables.iter_mut() {
        if let Some(at) = &mut variable.binding {
            let before = slots.iter().filter(|s| s.group == at.group && s.binding < at.binding).count();
            at.binding = before as u32;
        }
    }
    let words = writer(&module, shader.info, shader.entry).map_err(|e| Error::new(ErrorKind::Device, e))?;
    let size = module.entry_points.iter().find(|e| e.name == shader.entry).map_or([1; 3], |e| e.workgroup_size);
    let entry = wgpu::PassthroughShaderEntryPoint {
        name: Cow::Borrowed(shader.entry),
        workgroup_size: (size[0], size[1], size[2]),
    };
    // SAFETY: naga wrote the words from a validated module, for the layout that the pipeline gets.
    Ok(unsafe {
        device.create_shader_module_passthrough(wgpu::ShaderModuleDescriptorPassthrough {
            entry_points: Cow::Owned(vec![entry]),
            spirv: Some(Cow::Owned(words)),
            ..Default::default()
        })
    })
}
