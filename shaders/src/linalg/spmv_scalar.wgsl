// A row for each invocation: for rows of few elements.
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
