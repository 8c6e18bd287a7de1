// Calibration: 8 loads from work-group memory a round.
@group(0) @binding(0) var<uniform> rounds: u32;
@group(0) @binding(1) var<storage, read_write> out: array<f32>;
var<workgroup> tile: array<f32, 128>;
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    tile[lane] = f32(lane);
    tile[lane + 64u] = f32(id.x);
    workgroupBarrier();
    var a = 0.0;
    for (var k = 0u; k < rounds; k++) {
        let at = lane + (k & 31u);
        a += tile[at] + tile[at + 1u] + tile[at + 2u] + tile[at + 3u];
        a += tile[at + 4u] + tile[at + 5u] + tile[at + 6u] + tile[at + 7u];
    }
    out[id.x] = a;
}
