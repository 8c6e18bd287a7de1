// Calibration: one contiguous load of 4 bytes a round, from a set that stays in cache.
@group(0) @binding(0) var<uniform> rounds: u32;
@group(0) @binding(1) var<storage, read_write> out: array<f32>;
@group(0) @binding(2) var<storage, read> source: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    var a = 0.0;
    for (var k = 0u; k < rounds; k++) {
        a += source[id.x + 64u * k];
    }
    out[id.x] = a;
}
