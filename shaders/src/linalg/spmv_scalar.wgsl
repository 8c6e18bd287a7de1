// y = A x for A in compressed rows, a row for each invocation: for rows of few elements.

@group(0) @binding(0) var<uniform> rows: u32;
@group(0) @binding(1) var<storage, read> row_start: array<u32>;
@group(0) @binding(2) var<storage, read> column: array<u32>;
@group(0) @binding(3) var<storage, read> value: array<T>;
@group(0) @binding(4) var<storage, read> x: array<T>;
@group(0) @binding(5) var<storage, read_write> y: array<T>;

@compute @workgroup_size(64)
fn spmv_scalar(@builtin(global_invocation_id) id: vec3<u32>) {
    let row = id.x;
    if row >= rows {
        return;
    }
    var sum = T(0);
    let end = row_start[row + 1u];
    for (var k = row_start[row]; k < end; k++) {
        sum = fma(value[k], x[column[k]], sum);
    }
    y[row] = sum;
}
