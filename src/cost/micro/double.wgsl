// Calibration: 16 f64 multiplications and additions a round.
@group(0) @binding(0) var<uniform> rounds: u32;
@group(0) @binding(1) var<storage, read_write> out: array<f64>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    var a = f64(id.x) * 1e-6lf;
    var b = a + 0.25lf;
    var c = a + 0.5lf;
    var d = a + 0.75lf;
    for (var k = 0u; k < rounds; k++) {
        a = a * 0.75lf + 0.1lf; b = b * 0.75lf + 0.2lf; c = c * 0.75lf + 0.3lf; d = d * 0.75lf + 0.4lf;
        a = a * 0.50lf + 0.4lf; b = b * 0.50lf + 0.3lf; c = c * 0.50lf + 0.2lf; d = d * 0.50lf + 0.1lf;
    }
    out[id.x] = a + b + c + d;
}
