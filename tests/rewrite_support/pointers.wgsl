struct S { a: array<f32, 4>, b: vec2<i32> }
@group(0) @binding(0) var<storage, read_write> out: array<f32>;
var<private> cells: array<S, 3>;

fn bump(p: ptr<function, f32>, by: f32) -> f32 {
    *p += by;
    return *p;
}

fn deep(s: ptr<private, S>, i: i32) {
    (*s).a[i] = 2.0;
    inner(s, i);
    (*s).b.y = i;
}

fn inner(s: ptr<private, S>, i: i32) {
    let whole = *s;
    (*s).b[i] = whole.b.x;
}

@compute @workgroup_size(16)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    var values = array<f32, 5>(1.0, 2.0, 3.0, 4.0, 5.0);
    var one = 1.0;
    out[id.x] = bump(&values[id.x], 0.5) + bump(&one, 1.0);
    deep(&cells[id.x], i32(id.y) - 1);
    deep(&cells[1], 2);
    let p = &out[id.x + 1u];
    *p = *p + cells[0].a[1] + values[4];
    for (var i = 0; i < 9; i++) {
        let q = &values[i];
        *q *= 2.0;
        out[i] += *q;
    }
}
