// Invocation `(o, k)` reduces strip `k` of the elements of outer index `o`.
@group(0) @binding(3) var<storage, read_write> first: array<First>;
@group(0) @binding(4) var<storage, read_write> second: array<Second>;

@compute @workgroup_size(64)
fn reduce_strips(@builtin(global_invocation_id) id: vec3<u32>) {
    if id.x >= shape.outer {
        return;
    }
    var s = nothing();
    let start = id.y * shape.strip;
    let end = min(start + shape.strip, shape.inner);
    for (var r = start; r < end; r++) {
        s = take(s, item(id.x * shape.outer_step + r * shape.inner_step), r);
    }
    first[id.y * shape.outer + id.x] = s.first;
    second[id.y * shape.outer + id.x] = s.second;
}
