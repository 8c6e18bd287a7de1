// y = alpha A x + beta y for any strides, a row of A for each invocation: neighbours read neighbours where the
// elements of a column lie side by side.

struct Params {
    alpha: T,
    beta: T,
    rows: u32,
    cols: u32,
    row_stride: u32,
    col_stride: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> a: array<T>;
@group(0) @binding(2) var<storage, read> x: array<T>;
@group(0) @binding(3) var<storage, read_write> y: array<T>;

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
    var result = params.alpha * sum;
    // With beta zero, y may hold anything, NaN too.
    if params.beta != T(0) {
        result = fma(params.beta, y[row], result);
    }
    y[row] = result;
}
