// A work-group of 64 for each row of A, where the elements of a row lie side by side.
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
        finish(row, sum);
    }
}
