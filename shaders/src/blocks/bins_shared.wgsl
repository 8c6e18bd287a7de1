const MOST = 2048u;

var<workgroup> own: array<atomic<u32>, MOST>;

@compute @workgroup_size(64)
fn bins(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let start = group.x * (WIDTH * DEPTH);
    for (var k = 0u; k < DEPTH; k++) {
        let i = start + k * WIDTH + lane;
        if i < range.count {
            let value = x[i];
            if value >= range.low && value <= range.high {
                atomicAdd(&own[min(u32((value - range.low) * range.scale), range.bins - 1u)], 1u);
            }
        }
    }
    workgroupBarrier();
    for (var b = lane; b < range.bins; b += WIDTH) {
        let many = atomicLoad(&own[b]);
        if many != 0u {
            atomicAdd(&counts[b], many);
        }
    }
}
