// Calibration: One atomic addition to one of 256 counters a round.
@group(0) @binding(0) var<uniform> rounds: u32;
@group(0) @binding(1) var<storage, read_write> out: array<atomic<u32>>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    var h = id.x;
    for (var k = 0u; k < rounds; k++) {
        h = h * 1664525u + 1013904223u;
        atomicAdd(&out[h >> 24u], 1u);
    }
}
