// Calibration: one load a round from an unpredictable place. Its index comes from a float, as no affine index may.
@group(0) @binding(0) var<uniform> rounds: u32;
@group(0) @binding(1) var<storage, read_write> out: array<f32>;
@group(0) @binding(2) var<storage, read> source: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let scale = f32(arrayLength(&source)) / 16777216.0;
    var h = id.x;
    var a = 0.0;
    for (var k = 0u; k < rounds; k++) {
        h = h * 1664525u + 1013904223u;
        a += source[u32(f32(h >> 8u) * scale)];
    }
    out[id.x] = a;
}
