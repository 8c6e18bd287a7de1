// `y[c * rows + r] = x[r * columns + c]`, by tiles of 32 x 32 through work-group memory, so that both sides are contiguous.
struct Shape {
    rows: u32,
    columns: u32,
}

@group(0) @binding(0) var<uniform> shape: Shape;
@group(0) @binding(1) var<storage, read> x: array<T>;
@group(0) @binding(2) var<storage, read_write> y: array<T>;

const SIDE = 32u;
const ROWS = 8u;
// One more than a tile's side: the columns of a tile lie in different banks.
const PITCH = SIDE + 1u;

var<workgroup> tile: array<T, SIDE * PITCH>;

@compute @workgroup_size(32, 8)
fn transpose(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_id) local: vec3<u32>) {
    let column = group.x * SIDE + local.x;
    for (var k = 0u; k < SIDE; k += ROWS) {
        let row = group.y * SIDE + local.y + k;
        if row < shape.rows && column < shape.columns {
            tile[(local.y + k) * PITCH + local.x] = x[row * shape.columns + column];
        }
    }
    workgroupBarrier();
    let row = group.y * SIDE + local.x;
    for (var k = 0u; k < SIDE; k += ROWS) {
        let column = group.x * SIDE + local.y + k;
        if row < shape.rows && column < shape.columns {
            y[column * shape.rows + row] = tile[local.x * PITCH + local.y + k];
        }
    }
}
