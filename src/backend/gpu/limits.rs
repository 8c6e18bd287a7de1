//! What a device is and what it accepts, read from wgpu's adapter, and the reasons for what it does not.

use crate::{
    backend::{Capabilities, DeviceInfo, DeviceKind, Limits},
    kernel::Compiled,
    memory::{staging::padded, window::least_bytes},
};
use evener_lanes::ir::{Binding, Space};

/// `vulkan`, `metal` or `dx12`.
pub(super) fn api_name(backend: wgpu::Backend) -> &'static str {
    match backend {
        wgpu::Backend::Vulkan => "vulkan",
        wgpu::Backend::Metal => "metal",
        wgpu::Backend::Dx12 => "dx12",
        wgpu::Backend::Gl => "gl",
        wgpu::Backend::BrowserWebGpu => "webgpu",
        wgpu::Backend::Noop => "noop",
    }
}

/// The kind of an adapter. Software rasterisers are told by name as well: WARP may report itself as integrated.
pub(super) fn kind(info: &wgpu::AdapterInfo) -> DeviceKind {
    const SOFTWARE: [&str; 5] = ["llvmpipe", "lavapipe", "swiftshader", "microsoft basic render", "softpipe"];
    let name = info.name.to_lowercase();
    if info.device_type == wgpu::DeviceType::Cpu || SOFTWARE.iter().any(|s| name.contains(s)) {
        return DeviceKind::Software;
    }
    match info.device_type {
        wgpu::DeviceType::DiscreteGpu => DeviceKind::Discrete,
        wgpu::DeviceType::IntegratedGpu => DeviceKind::Integrated,
        wgpu::DeviceType::VirtualGpu => DeviceKind::Virtual,
        _ => DeviceKind::Other,
    }
}

/// What kernels may use of an adapter with these features.
pub(super) fn capabilities(features: wgpu::Features) -> Capabilities {
    Capabilities {
        f64: features.contains(wgpu::Features::SHADER_F64),
        i64: features.contains(wgpu::Features::SHADER_INT64),
        i64_atomics: features.contains(wgpu::Features::SHADER_INT64_ATOMIC_ALL_OPS),
        f16: features.contains(wgpu::Features::SHADER_F16),
        i16: features.contains(wgpu::Features::SHADER_I16),
        f32_atomics: features.contains(wgpu::Features::SHADER_FLOAT32_ATOMIC),
        subgroups: features.contains(wgpu::Features::SUBGROUP),
        subgroup_barriers: features.contains(wgpu::Features::SUBGROUP_BARRIER),
    }
}

/// The features evener enables where the adapter has them.
pub(super) fn wanted_features(available: wgpu::Features) -> wgpu::Features {
    use wgpu::Features as F;
    available
        & (F::SHADER_F64
            | F::SHADER_INT64
            | F::SHADER_INT64_ATOMIC_MIN_MAX
            | F::SHADER_INT64_ATOMIC_ALL_OPS
            | F::SHADER_F16
            | F::SHADER_I16
            | F::SHADER_FLOAT32_ATOMIC
            | F::SUBGROUP
            | F::SUBGROUP_BARRIER
            | F::TIMESTAMP_QUERY
            | F::TIMESTAMP_QUERY_INSIDE_ENCODERS)
}

/// The public form of wgpu's limits.
fn sizes(limits: &wgpu::Limits) -> Limits {
    Limits {
        storage_binding_bytes: limits.max_storage_buffer_binding_size,
        uniform_binding_bytes: limits.max_uniform_buffer_binding_size,
        buffer_bytes: limits.max_buffer_size,
        storage_bindings: limits.max_storage_buffers_per_shader_stage,
        uniform_bindings: limits.max_uniform_buffers_per_shader_stage,
        group_invocations: limits.max_compute_invocations_per_workgroup,
        group_size: [
            limits.max_compute_workgroup_size_x,
            limits.max_compute_workgroup_size_y,
            limits.max_compute_workgroup_size_z,
        ],
        group_bytes: limits.max_compute_workgroup_storage_size,
        groups_per_axis: limits.max_compute_workgroups_per_dimension,
    }
}

/// The device as it is listed.
pub(super) fn describe(
    info: &wgpu::AdapterInfo,
    features: wgpu::Features,
    limits: &wgpu::Limits,
    id: String,
    merged: Vec<String>,
) -> DeviceInfo {
    let driver = [info.driver.as_str(), info.driver_info.as_str()];
    DeviceInfo {
        id,
        name: info.name.clone(),
        kind: kind(info),
        api: api_name(info.backend).into(),
        merged,
        driver: driver.into_iter().filter(|s| !s.is_empty()).collect::<Vec<_>>().join(" "),
        capabilities: capabilities(features),
        limits: sizes(limits),
    }
}

/// Bytes to bind for a storage argument of `len` logical bytes: padded, and never less than the type's fixed
/// part with one element, which wgpu requires. What is past the logical length is zero and never accessed.
pub(super) fn storage_bytes(binding: &Binding, len: u64) -> u64 {
    padded(len.max(least_bytes(binding)).max(4))
}

/// Bytes to bind for a uniform argument.
pub(super) fn uniform_bytes(binding: &Binding, len: u64) -> u64 {
    len.max(binding.fixed_bytes.into()).max(4).next_multiple_of(16)
}

/// Why a kernel with these argument sizes cannot run within the limits, for the user.
pub(super) fn fits(info: &DeviceInfo, limits: &wgpu::Limits, kernel: &Compiled, sizes: &[u64]) -> Result<(), String> {
    needs_met(info, &kernel.reflection.needs)?;
    work_group_fits(&info.limits, kernel.reflection.workgroup_size, kernel.reflection.workgroup_bytes)?;
    let bindings = kernel.bindings();
    let params = kernel.gpu()?.params;
    bindings_fit(limits, bindings, params)?;
    bindings.iter().zip(sizes).try_for_each(|(b, &len)| size_fits(&info.limits, b, len))
}

fn needs_met(info: &DeviceInfo, needs: &Capabilities) -> Result<(), String> {
    let missing: Vec<&str> = (needs.named().into_iter().zip(info.capabilities.named()))
        .filter_map(|((name, needed), (_, has))| (needed && !has).then_some(name))
        .collect();
    if missing.is_empty() { Ok(()) } else { Err(format!("the device has no {}", missing.join(" and no "))) }
}

fn work_group_fits(limits: &Limits, size: [u32; 3], bytes: u32) -> Result<(), String> {
    let [x, y, z] = size;
    let invocations = size.iter().map(|&n| u64::from(n)).product::<u64>();
    if invocations > limits.group_invocations.into() {
        let most = limits.group_invocations;
        return Err(format!("work-groups of {x}x{y}x{z} have {invocations} invocations, the device allows {most}"));
    }
    if size.iter().zip(limits.group_size).any(|(&n, most)| n > most) {
        let [a, b, c] = limits.group_size;
        return Err(format!("work-groups of {x}x{y}x{z} exceed the device's {a}x{b}x{c}"));
    }
    if bytes > limits.group_bytes {
        let most = limits.group_bytes;
        return Err(format!("{bytes} bytes of work-group memory, the device has {most}"));
    }
    Ok(())
}

fn bindings_fit(limits: &wgpu::Limits, bindings: &[Binding], params: (u32, u32)) -> Result<(), String> {
    let count = |space| bindings.iter().filter(|b| b.space == space).count() as u32;
    let check = |n: u32, most: u32, what: &str| {
        if n <= most { Ok(()) } else { Err(format!("{n} {what}, the device allows {most}")) }
    };
    check(count(Space::Storage), limits.max_storage_buffers_per_shader_stage, "storage bindings")?;
    let uniforms = count(Space::Uniform) + 1;
    check(uniforms, limits.max_uniform_buffers_per_shader_stage, "uniform bindings (one is evener's own)")?;
    let groups = bindings.iter().map(|b| b.group).chain([params.0]).max().unwrap_or(0).saturating_add(1);
    check(groups, limits.max_bind_groups, "bind groups")
}

fn size_fits(limits: &Limits, binding: &Binding, len: u64) -> Result<(), String> {
    // Storage of any size may fit in windows.
    let most = limits.uniform_binding_bytes;
    if binding.space == Space::Storage || uniform_bytes(binding, len) <= most {
        return Ok(());
    }
    Err(format!("`{}` has {len} bytes, the device binds at most {most}", binding.name))
}
