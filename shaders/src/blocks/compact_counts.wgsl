// Work-group `g` counts what is kept of its tile, the elements from `960 g`.
@group(0) @binding(2) var<storage, read_write> counts: array<u32>;

const WIDTH = 64u;
const LENGTH = 15u;

var<workgroup> part: array<u32, WIDTH>;

@compute @workgroup_size(64)
fn compact_counts(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let start = group.x * (WIDTH * LENGTH);
    var sum = 0u;
    for (var k = 0u; k < LENGTH; k++) {
        sum += kept(start + k * WIDTH + lane);
    }
    part[lane] = sum;
    for (var half = WIDTH / 2u; half > 0u; half /= 2u) {
        workgroupBarrier();
        if lane < half {
            part[lane] += part[lane + half];
        }
    }
    if lane == 0u {
        counts[group.x] = part[0];
    }
}
