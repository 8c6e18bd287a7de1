// Calibration: Two barriers a round.
@group(0) @binding(0) var<uniform> rounds: u32;
@group(0) @binding(1) var<storage, read_write> out: array<f32>;
var<workgroup> flag: u32;
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    for (var k = 0u; k < rounds; k++) {
        workgroupBarrier();
        if (lane == k) { flag = k; }
        workgroupBarrier();
    }
    out[id.x] = f32(flag);
}
