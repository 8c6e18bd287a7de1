// Calibration: 8 divisions and square roots a round.
@group(0) @binding(0) var<uniform> rounds: u32;
@group(0) @binding(1) var<storage, read_write> out: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    var a = f32(id.x) * 1e-6 + 1.0;
    var b = a + 0.25;
    var c = a + 0.5;
    var d = a + 0.75;
    for (var k = 0u; k < rounds; k++) {
        a = 3.0 / a; b = 3.0 / b; c = 3.0 / c; d = 3.0 / d;
        a = sqrt(a); b = sqrt(b); c = sqrt(c); d = sqrt(d);
    }
    out[id.x] = a + b + c + d;
}
