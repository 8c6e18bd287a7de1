// Calibration: 4 transcendental functions a round.
@group(0) @binding(0) var<uniform> rounds: u32;
@group(0) @binding(1) var<storage, read_write> out: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    var a = f32(id.x & 1023u) * 1e-3 + 0.5;
    var b = a + 0.25;
    for (var k = 0u; k < rounds; k++) {
        a = exp(-a); b = sin(b); a = log(a + 1.5); b = cos(b);
    }
    out[id.x] = a + b;
}
