// y = a x for a sparse matrix with 16 entries a row (ELLPACK).
@group(0) @binding(0) var<uniform> rows: u32;
@group(0) @binding(1) var<storage, read> column: array<u32>;
@group(0) @binding(2) var<storage, read> value: array<f32>;
@group(0) @binding(3) var<storage, read> x: array<f32>;
@group(0) @binding(4) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(64)
fn sparse(@builtin(global_invocation_id) id: vec3<u32>) {
    if id.x >= rows {
        return;
    }
    var sum = 0.0;
    for (var k = 0u; k < 16u; k++) {
        sum += value[k * rows + id.x] * x[column[k * rows + id.x]];
    }
    y[id.x] = sum;
}
