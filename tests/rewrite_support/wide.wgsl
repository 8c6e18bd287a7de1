struct Wide { d: f64, l: i64, u: vec3<u64> }
@group(0) @binding(0) var<storage, read_write> wide: array<Wide>;
@group(0) @binding(1) var<storage, read_write> doubles: array<vec2<f64>>;

@compute @workgroup_size(4)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let i = id.x;
    wide[i].u[i] = u64(wide[i + 1u].l);
    doubles[i] = doubles[i + 1u] * wide[i].d + 1.5lf;
}
