// y = a x, one row an invocation; a lies column by column.
@group(0) @binding(0) var<uniform> size: vec2<u32>; // rows, columns
@group(0) @binding(1) var<storage, read> a: array<f32>;
@group(0) @binding(2) var<storage, read> x: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(64)
fn matvec(@builtin(global_invocation_id) id: vec3<u32>) {
    if id.x >= size.x {
        return;
    }
    var sum = 0.0;
    for (var k = 0u; k < size.y; k++) {
        sum += a[k * size.x + id.x] * x[k];
    }
    y[id.x] = sum;
}
