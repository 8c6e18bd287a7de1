// Calibration: nearly nothing a round: what is left is the loop.
@group(0) @binding(0) var<uniform> rounds: u32;
@group(0) @binding(1) var<storage, read_write> out: array<u32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    var a = id.x;
    for (var k = 0u; k < rounds; k++) {
        a = (a ^ k) * 1664525u;
    }
    out[id.x] = a;
}
