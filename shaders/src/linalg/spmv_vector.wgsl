// 16 invocations for each row, so that neighbours read neighbours of a row: for rows of many elements.

const LANES = 16u; // of a row
const ROWS = 16u;  // of a work-group

// A row of sums is one longer than it needs to be, so that the 16 that add them up do not meet in one bank.
var<workgroup> sums: array<T, ROWS * (LANES + 1u)>;

@compute @workgroup_size(LANES, ROWS)
fn spmv_vector(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(local_invocation_id) local: vec3<u32>,
    @builtin(local_invocation_index) index: u32,
) {
    let row = group.x * ROWS + local.y;
    var sum = T(0);
    if row < rows {
        let end = row_start[row + 1u];
        for (var k = row_start[row] + local.x; k < end; k += LANES) {
            sum = fma(value[k], x[column[k]], sum);
        }
    }
    sums[local.y * (LANES + 1u) + local.x] = sum;
    workgroupBarrier();
    let mine = group.x * ROWS + index;
    if index < ROWS && mine < rows {
        var total = T(0);
        for (var j = 0u; j < LANES; j++) {
            total += sums[index * (LANES + 1u) + j];
        }
        y[mine] = total;
    }
}
