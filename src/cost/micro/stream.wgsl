// Calibration: one contiguous load and store of the same buffer and one load of another, 12 bytes an invocation.
@group(0) @binding(0) var<uniform> rounds: u32;
@group(0) @binding(1) var<storage, read_write> out: array<f32>;
@group(0) @binding(2) var<storage, read> source: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    out[id.x] = 0.5 * source[id.x] + out[id.x];
}
