//! Kernels of the array tests, and what they compute.
#![allow(dead_code, reason = "each test binary uses a part")]

/// `y = a * x + y`.
pub const SAXPY: &str = "
    @group(0) @binding(0) var<uniform> a: f32;
    @group(0) @binding(1) var<storage, read> x: array<f32>;
    @group(0) @binding(2) var<storage, read_write> y: array<f32>;
    @compute @workgroup_size(64) fn saxpy(@builtin(global_invocation_id) id: vec3u) {
        if (id.x < arrayLength(&y)) { y[id.x] = a * x[id.x] + y[id.x]; }
    }";

/// The mean of an element and its neighbours; those outside are zero.
pub const STENCIL: &str = "
    @group(0) @binding(0) var<storage, read> src: array<f32>;
    @group(0) @binding(1) var<storage, read_write> dst: array<f32>;
    @compute @workgroup_size(64) fn step(@builtin(global_invocation_id) id: vec3u) {
        let i = id.x;
        if (i >= arrayLength(&dst)) { return; }
        var left = 0.0;
        if (i > 0u) { left = src[i - 1u]; }
        dst[i] = 0.25 * (left + 2.0 * src[i] + src[i + 1u]);
    }";

/// One step of it.
pub fn stencil(src: &[f32]) -> Vec<f32> {
    let at = |i: usize| src.get(i).copied().unwrap_or(0.0);
    (0..src.len()).map(|i| 0.25 * (if i > 0 { at(i - 1) } else { 0.0 } + 2.0 * at(i) + at(i + 1))).collect()
}

/// Each element its index.
pub const FILL: &str = "
    @group(0) @binding(0) var<storage, read_write> out: array<f32>;
    @compute @workgroup_size(64) fn fill(@builtin(global_invocation_id) id: vec3u) {
        if (id.x < arrayLength(&out)) { out[id.x] = f32(id.x); }
    }";
