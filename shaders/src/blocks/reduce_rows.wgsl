// Work-group `o` reduces the row `o` of `shape.inner` elements.
@group(0) @binding(3) var<storage, read_write> result: array<Outcome>;

@compute @workgroup_size(64)
fn reduce_rows(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let start = group.x * shape.inner;
    var s = nothing();
    for (var k = 0u; k < shape.inner / WIDTH; k++) {
        let r = k * WIDTH + lane;
        s = take(s, item(start + r), r);
    }
    let last = shape.inner / WIDTH * WIDTH + lane;
    if last < shape.inner {
        s = take(s, item(start + last), last);
    }
    firsts[lane] = s.first;
    seconds[lane] = s.second;
    for (var half = WIDTH / 2u; half > 0u; half /= 2u) {
        workgroupBarrier();
        if lane < half {
            s = join(State(firsts[lane], seconds[lane]), State(firsts[lane + half], seconds[lane + half]));
            firsts[lane] = s.first;
            seconds[lane] = s.second;
        }
    }
    if lane == 0u {
        result[group.x] = finish(s);
    }
}
