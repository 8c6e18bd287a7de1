// Invocation `o` joins the strips of outer index `o`, in their order.
@group(0) @binding(2) var<storage, read> first: array<First>;
@group(0) @binding(3) var<storage, read> second: array<Second>;
@group(0) @binding(4) var<storage, read_write> result: array<Outcome>;

@compute @workgroup_size(64)
fn reduce_join(@builtin(global_invocation_id) id: vec3<u32>) {
    if id.x >= shape.outer {
        return;
    }
    var s = State(first[id.x], second[id.x]);
    for (var k = 1u; k < shape.strips; k++) {
        let at = k * shape.outer + id.x;
        s = join(s, State(first[at], second[at]));
    }
    result[id.x] = finish(s);
}
