//! Rewrites modules straight from WGSL and writes them with every back end of naga.
#![allow(dead_code, reason = "each test crate uses its own part")]

pub mod data;

use evener::kernel::rewrite::{GpuModule, rewrite_for_windows};
use evener_lanes::ir::{Access, Binding, Space};
use naga::{
    AddressSpace, ShaderStage, StorageAccess, TypeInner,
    back::{hlsl, msl, spv},
    proc::{BoundsCheckPolicies, BoundsCheckPolicy},
    valid::{Capabilities, GlobalUse, ModuleInfo, ValidationFlags, Validator},
};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Parses, validates and resolves overrides by their defaults.
pub fn parse(source: &str) -> Result<(naga::Module, ModuleInfo), String> {
    let module = naga::front::wgsl::parse_str(source).map_err(|e| e.emit_to_string(source))?;
    let mut validator = Validator::new(ValidationFlags::all(), Capabilities::all());
    let info = validator.validate(&module).map_err(|e| e.emit_to_string(source))?;
    if module.overrides.is_empty() {
        return Ok((module, info));
    }
    let none = Default::default();
    let (module, info) =
        naga::back::pipeline_constants::process_overrides(&module, &info, None, &none).map_err(|e| e.to_string())?;
    Ok((module.into_owned(), info.into_owned()))
}

/// The bindings that an entry point uses, as naga sees it.
pub fn bindings(module: &naga::Module, info: &ModuleInfo, entry: &str) -> Vec<Binding> {
    let index = module.entry_points.iter().position(|e| e.name == entry).expect("the entry point is there");
    let uses = info.get_entry_point(index);
    let layouter = {
        let mut l = naga::proc::Layouter::default();
        l.update(module.to_ctx()).expect("layouts");
        l
    };
    let mut found: Vec<Binding> = Vec::new();
    for (handle, variable) in module.global_variables.iter() {
        let (Some(at), usage) = (&variable.binding, uses[handle]) else { continue };
        if usage.is_empty() {
            continue;
        }
        let (fixed_bytes, runtime_stride) = match &module.types[variable.ty].inner {
            TypeInner::Array { size: naga::ArraySize::Dynamic, stride, .. } => (0, Some(*stride)),
            TypeInner::Struct { members, span } => match members.last().map(|m| (m, &module.types[m.ty].inner)) {
                Some((m, TypeInner::Array { size: naga::ArraySize::Dynamic, stride, .. })) => (m.offset, Some(*stride)),
                _ => (*span, None),
            },
            _ => (layouter[variable.ty].size, None),
        };
        let writable =
            matches!(variable.space, AddressSpace::Storage { access } if access.contains(StorageAccess::STORE));
        found.push(Binding {
            name: variable.name.clone().unwrap_or_default(),
            group: at.group,
            binding: at.binding,
            space: if variable.space == AddressSpace::Uniform { Space::Uniform } else { Space::Storage },
            access: Access {
                read: usage.contains(GlobalUse::READ),
                write: usage.contains(GlobalUse::WRITE) && writable,
                atomic: usage.contains(GlobalUse::ATOMIC),
            },
            fixed_bytes,
            runtime_stride,
        });
    }
    found.sort_by_key(|b| (b.group, b.binding));
    found
}

/// Rewrites every compute entry point of a source.
pub fn rewrite_all(source: &str) -> Result<Vec<GpuModule>, String> {
    rewrite_all_for(source, 0)
}

/// The same for windows of so many pieces.
pub fn rewrite_all_for(source: &str, pieces: usize) -> Result<Vec<GpuModule>, String> {
    let (module, info) = parse(source)?;
    let entries = module.entry_points.iter().filter(|e| e.stage == ShaderStage::Compute);
    entries.map(|e| rewrite_for_windows(&module, &info, &e.name, &bindings(&module, &info, &e.name), pieces)).collect()
}

/// Rewrites with the bindings that the lane compiler finds in use, where it takes the entry point.
pub fn rewrite_as_lowered(source: &str, pieces: usize) -> Result<Vec<GpuModule>, String> {
    let Ok(lanes) = evener_lanes::Module::parse(source).and_then(|m| m.specialize(&Default::default())) else {
        return rewrite_all_for(source, pieces);
    };
    let one = |entry: &str| {
        let used = match lanes.lower(entry) {
            Ok(kernel) => kernel.bindings,
            Err(_) => bindings(lanes.naga(), lanes.info(), entry),
        };
        rewrite_for_windows(lanes.naga(), lanes.info(), entry, &used, pieces)
    };
    lanes.entries().map(one).collect()
}

/// Writes a module with every back end. The failures, each with the writer's name.
pub fn write_everywhere(gpu: &GpuModule) -> Vec<String> {
    let (module, info, entry) = (&gpu.module, &gpu.info, gpu.entry.clone());
    let point = (ShaderStage::Compute, entry.clone());
    let mut failures = Vec::new();
    let mut attempt = |name: &str, write: &dyn Fn() -> Result<(), String>| match catch_unwind(AssertUnwindSafe(write)) {
        Ok(Ok(())) => {}
        Ok(Err(e)) => failures.push(format!("{name}: {e}")),
        Err(_) => failures.push(format!("{name}: panicked")),
    };
    for policy in [BoundsCheckPolicy::Unchecked, BoundsCheckPolicy::Restrict] {
        let policies = BoundsCheckPolicies { index: policy, buffer: policy, ..Default::default() };
        attempt(&format!("spv {policy:?}"), &|| {
            let options = spv::Options { lang_version: (1, 3), bounds_check_policies: policies, ..Default::default() };
            let pipeline = spv::PipelineOptions { shader_stage: ShaderStage::Compute, entry_point: entry.clone() };
            spv::write_vec(module, info, &options, Some(&pipeline)).map(|_| ()).map_err(|e| e.to_string())
        });
    }
    attempt("msl", &|| {
        let options = msl::Options { lang_version: (3, 1), fake_missing_bindings: true, ..Default::default() };
        let pipeline = msl::PipelineOptions { entry_point: Some(point.clone()), ..Default::default() };
        msl::write_string(module, info, &options, &pipeline).map(|_| ()).map_err(|e| e.to_string())
    });
    attempt("hlsl", &|| {
        let options =
            hlsl::Options { shader_model: hlsl::ShaderModel::V6_6, fake_missing_bindings: true, ..Default::default() };
        let pipeline = hlsl::PipelineOptions { entry_point: Some(point.clone()) };
        let mut text = String::new();
        let mut writer = hlsl::Writer::new(&mut text, &options, &pipeline);
        writer.write(module, info, None).map(|_| ()).map_err(|e| e.to_string())
    });
    failures
}
