// Each invocation draws 32 numbers of its own PCG-RXS-M-XS-32 stream and keeps their exclusive or.

const DRAWS: u32 = 32u;

@group(0) @binding(0) var<uniform> seed: u32;
@group(0) @binding(1) var<storage, read_write> result: array<u32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let i = id.x;
    if i >= arrayLength(&result) {
        return;
    }
    var state = i + seed;
    var mixed = 0u;
    for (var draw = 0u; draw < DRAWS; draw++) {
        state = state * 747796405u + 2891336453u;
        let word = ((state >> ((state >> 28u) + 4u)) ^ state) * 277803737u;
        mixed ^= (word >> 22u) ^ word;
    }
    result[i] = mixed;
}
