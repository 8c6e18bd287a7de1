// A row of A for each invocation, for any strides: neighbours read neighbours where the elements of a column lie side by
// side.
@compute @workgroup_size(64)
fn gemv_columns(@builtin(global_invocation_id) id: vec3<u32>) {
    let row = id.x;
    if row >= params.rows {
        return;
    }
    var sum = T(0);
    if params.row_stride == 1u {
        for (var k = 0u; k < params.cols; k++) {
            sum = fma(a[k * params.col_stride + row], x[k], sum);
        }
    } else {
        for (var k = 0u; k < params.cols; k++) {
            sum = fma(a[row * params.row_stride + k * params.col_stride], x[k], sum);
        }
    }
    finish(row, sum);
}
