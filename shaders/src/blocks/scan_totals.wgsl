// Work-group `g` adds the elements of its tile: those from `3840 g`.
@group(0) @binding(0) var<storage, read> x: array<T>;
@group(0) @binding(1) var<storage, read_write> totals: array<T>;

const WIDTH = 256u;
const LENGTH = 15u;

var<workgroup> part: array<T, WIDTH>;

@compute @workgroup_size(256)
fn scan_totals(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let start = group.x * (WIDTH * LENGTH);
    var sum = T(0);
    // What is past the end reads as zero.
    for (var k = 0u; k < LENGTH; k++) {
        sum += x[start + k * WIDTH + lane];
    }
    part[lane] = sum;
    for (var half = WIDTH / 2u; half > 0u; half /= 2u) {
        workgroupBarrier();
        if lane < half {
            part[lane] += part[lane + half];
        }
    }
    if lane == 0u {
        totals[group.x] = part[0];
    }
}
