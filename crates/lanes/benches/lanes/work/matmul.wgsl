// C = A B for square matrices, row by row, in tiles of 16 by 16 through work-group memory.

const TILE: u32 = 16u;

@group(0) @binding(0) var<uniform> size: u32;
@group(0) @binding(1) var<storage, read> a: array<f32>;
@group(0) @binding(2) var<storage, read> b: array<f32>;
@group(0) @binding(3) var<storage, read_write> c: array<f32>;

var<workgroup> tile_a: array<array<f32, TILE>, TILE>;
var<workgroup> tile_b: array<array<f32, TILE>, TILE>;

@compute @workgroup_size(TILE, TILE)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(local_invocation_id) local: vec3<u32>) {
    let row = id.y;
    let col = id.x;
    var sum = 0.0;
    for (var first = 0u; first < size; first += TILE) {
        var from_a = 0.0;
        if row < size && first + local.x < size {
            from_a = a[row * size + first + local.x];
        }
        var from_b = 0.0;
        if first + local.y < size && col < size {
            from_b = b[(first + local.y) * size + col];
        }
        tile_a[local.y][local.x] = from_a;
        tile_b[local.y][local.x] = from_b;
        workgroupBarrier();
        for (var k = 0u; k < TILE; k++) {
            sum += tile_a[local.y][k] * tile_b[k][local.x];
        }
        workgroupBarrier();
    }
    if row < size && col < size {
        c[row * size + col] = sum;
    }
}
