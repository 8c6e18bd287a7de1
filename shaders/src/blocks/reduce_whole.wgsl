// Work-group `g` reduces the elements from `8192 g`, and leaves its state.
@group(0) @binding(3) var<storage, read_write> first: array<First>;
@group(0) @binding(4) var<storage, read_write> second: array<Second>;

const DEPTH = 128u;

@compute @workgroup_size(64)
fn reduce_whole(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let start = group.x * (WIDTH * DEPTH);
    var s = nothing();
    if shape.inner - start >= WIDTH * DEPTH {
        for (var k = 0u; k < DEPTH; k++) {
            let i = start + k * WIDTH + lane;
            s = take(s, item(i), i);
        }
    } else {
        for (var k = 0u; k < DEPTH; k++) {
            let i = start + k * WIDTH + lane;
            if i < shape.inner {
                s = take(s, item(i), i);
            }
        }
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
        first[group.x] = s.first;
        second[group.x] = s.second;
    }
}
