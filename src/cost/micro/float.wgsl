// Calibration: 16 dependent-by-four f32 multiplications and additions a round.
@group(0) @binding(0) var<uniform> rounds: u32;
@group(0) @binding(1) var<storage, read_write> out: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    var a = f32(id.x) * 1e-6;
    var b = a + 0.25;
    var c = a + 0.5;
    var d = a + 0.75;
    for (var k = 0u; k < rounds; k++) {
        a = a * 0.75 + 0.1; b = b * 0.75 + 0.2; c = c * 0.75 + 0.3; d = d * 0.75 + 0.4;
        a = a * 0.50 + 0.4; b = b * 0.50 + 0.3; c = c * 0.50 + 0.2; d = d * 0.50 + 0.1;
    }
    out[id.x] = a + b + c + d;
}
