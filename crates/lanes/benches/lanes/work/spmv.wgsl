// y = A x for a sparse matrix in compressed rows, one row an invocation.

@group(0) @binding(0) var<storage, read> row_start: array<u32>;
@group(0) @binding(1) var<storage, read> column: array<u32>;
@group(0) @binding(2) var<storage, read> value: array<f32>;
@group(0) @binding(3) var<storage, read> x: array<f32>;
@group(0) @binding(4) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let row = id.x;
    if row >= arrayLength(&y) {
        return;
    }
    var sum = 0.0;
    let end = row_start[row + 1u];
    for (var k = row_start[row]; k < end; k++) {
        sum += value[k] * x[column[k]];
    }
    y[row] = sum;
}
