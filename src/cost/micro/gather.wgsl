// Calibration: one load a round from an unpredictable place.
@group(0) @binding(0) var<uniform> rounds: u32;
@group(0) @binding(1) var<storage, read_write> out: array<f32>;
@group(0) @binding(2) var<storage, read> source: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let mask = arrayLength(&source) - 1u;
    var h = id.x;
    var a = 0.0;
    for (var k = 0u; k < rounds; k++) {
        h = h * 1664525u + 1013904223u;
        a += source[(h >> 8u) & mask];
    }
    out[id.x] = a;
}
