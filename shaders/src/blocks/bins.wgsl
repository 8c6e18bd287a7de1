@compute @workgroup_size(WIDTH)
fn bins(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let start = group.x * (WIDTH * DEPTH);
    for (var k = 0u; k < DEPTH; k++) {
        let i = start + k * WIDTH + lane;
        if i < range.count {
            let value = x[i];
            if value >= range.low && value <= range.high {
                meet(min(u32((value - range.low) * range.scale), range.bins - 1u));
            }
        }
    }
    add_up(lane);
}
