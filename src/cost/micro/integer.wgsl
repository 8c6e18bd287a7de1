// Calibration: 16 integer operations a round.
@group(0) @binding(0) var<uniform> rounds: u32;
@group(0) @binding(1) var<storage, read_write> out: array<u32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    var a = id.x;
    var b = a + 1u;
    var c = a + 2u;
    var d = a + 3u;
    for (var k = 0u; k < rounds; k++) {
        a = a * 1664525u + 1013904223u; b = b * 22695477u + 1u; c = c * 134775813u + 1u; d = d * 69069u + 5u;
        a = (a ^ 0x55555555u) + 7u; b = (b ^ 0x33333333u) + 9u; c = (c & 0xfffffff0u) | 3u; d = (d >> 1u) ^ 0x0f0f0f0fu;
    }
    out[id.x] = a ^ b ^ c ^ d;
}
