// The mean of 64 random steps from a counter-based generator: integer work, nothing read.
@group(0) @binding(0) var<uniform> seed: u32;
@group(0) @binding(1) var<storage, read_write> out: array<f32>;

fn mix(v: u32) -> u32 {
    var h = v;
    h = (h ^ (h >> 16u)) * 0x7feb352du;
    h = (h ^ (h >> 15u)) * 0x846ca68bu;
    return h ^ (h >> 16u);
}

@compute @workgroup_size(256)
fn random_walk(@builtin(global_invocation_id) id: vec3<u32>) {
    if id.x >= arrayLength(&out) {
        return;
    }
    var sum = 0.0;
    for (var k = 0u; k < 64u; k++) {
        sum += f32(mix(seed ^ (id.x * 64u + k)) >> 8u) * 5.9604645e-8 - 0.5;
    }
    out[id.x] = sum;
}
