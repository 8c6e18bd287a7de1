// `y[r][c] = sum over i, j of weights[i][j] x[r + i0 - i][c + j0 - j]`, zero outside of the image.
@group(0) @binding(1) var<storage, read> weights: array<T>;
@group(0) @binding(2) var<storage, read> x: array<T>;
@group(0) @binding(3) var<storage, read_write> y: array<T>;

const COLUMNS = 64u;
const ROWS = 4u;

@compute @workgroup_size(64, 4)
fn convolve(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_id) local: vec3<u32>) {
    let column = group.x * COLUMNS + local.x;
    let row = group.y * ROWS + local.y;
    if row >= shape.rows || column >= shape.columns {
        return;
    }
    var sum = T(0);
    // A work-group away from the edge needs no tests.
    let left = shape.width - 1u - shape.middle_column;
    let above = shape.height - 1u - shape.middle_row;
    let inside = group.x * COLUMNS >= left && (group.x + 1u) * COLUMNS + shape.middle_column <= shape.columns
        && group.y * ROWS >= above && (group.y + 1u) * ROWS + shape.middle_row <= shape.rows;
    if inside {
        for (var i = 0u; i < shape.height; i++) {
            let at = (row + shape.middle_row - i) * shape.columns + column + shape.middle_column;
            for (var j = 0u; j < shape.width; j++) {
                sum += weights[i * shape.width + j] * x[at - j];
            }
        }
    } else {
        for (var i = 0u; i < shape.height; i++) {
            // Left of or above the image the difference wraps, past every size.
            let r = row + shape.middle_row - i;
            for (var j = 0u; j < shape.width; j++) {
                let c = column + shape.middle_column - j;
                if r < shape.rows && c < shape.columns {
                    sum += weights[i * shape.width + j] * x[r * shape.columns + c];
                }
            }
        }
    }
    y[row * shape.columns + column] = sum;
}
