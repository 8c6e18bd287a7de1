// y = alpha A x + beta y where the elements of a row of A lie side by side: a work-group of 64 for each row.

struct Params {
    alpha: T,
    beta: T,
    rows: u32,
    cols: u32,
    row_stride: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> a: array<T>;
@group(0) @binding(2) var<storage, read> x: array<T>;
@group(0) @binding(3) var<storage, read_write> y: array<T>;

@compute @workgroup_size(GROUP)
fn gemv_rows(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let row = group.x;
    let start = row * params.row_stride;
    var sum = T(0);
    for (var first = 0u; first < params.cols; first += GROUP) {
        let k = first + local;
        if k < params.cols {
            sum = fma(a[start + k], x[k], sum);
        }
    }
    sum = group_sum(sum, local);
    if local == 0u {
        var result = params.alpha * sum;
        // With beta zero, y may hold anything, NaN too.
        if params.beta != T(0) {
            result = fma(params.beta, y[row], result);
        }
        y[row] = result;
    }
}
