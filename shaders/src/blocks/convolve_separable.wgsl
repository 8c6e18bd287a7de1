// `convolve` with `weights[i][j] = column[i] row[j]`, along the rows first: what the CPU does in one pass over the image,
// said in few lines. Other devices take a pass along each axis.
@group(0) @binding(1) var<storage, read> column: array<T>;
@group(0) @binding(2) var<storage, read> row: array<T>;
@group(0) @binding(3) var<storage, read> x: array<T>;
@group(0) @binding(4) var<storage, read_write> y: array<T>;

@compute @workgroup_size(64, 4)
fn convolve_separable(@builtin(global_invocation_id) id: vec3<u32>) {
    if id.y >= shape.rows || id.x >= shape.columns {
        return;
    }
    var sum = T(0);
    for (var i = 0u; i < shape.height; i++) {
        // Above the image the difference wraps, past every size; so it does left of it.
        let r = id.y + shape.middle_row - i;
        if r < shape.rows {
            var line = T(0);
            for (var j = 0u; j < shape.width; j++) {
                let c = id.x + shape.middle_column - j;
                if c < shape.columns {
                    line += row[j] * x[r * shape.columns + c];
                }
            }
            sum += column[i] * line;
        }
    }
    y[id.y * shape.columns + id.x] = sum;
}
