// c = a b for square matrices, row by row.
@group(0) @binding(0) var<uniform> side: u32;
@group(0) @binding(1) var<storage, read> a: array<f32>;
@group(0) @binding(2) var<storage, read> b: array<f32>;
@group(0) @binding(3) var<storage, read_write> c: array<f32>;

@compute @workgroup_size(16, 16)
fn matmul(@builtin(global_invocation_id) id: vec3<u32>) {
    if id.x >= side || id.y >= side {
        return;
    }
    var sum = 0.0;
    for (var k = 0u; k < side; k++) {
        sum += a[id.y * side + k] * b[k * side + id.x];
    }
    c[id.y * side + id.x] = sum;
}
