// c = a b for square matrices, row by row, in tiles of 16 by 16 through work-group memory.

const TILE: u32 = 16u;

@group(0) @binding(0) var<uniform> side: u32;
@group(0) @binding(1) var<storage, read> a: array<f32>;
@group(0) @binding(2) var<storage, read> b: array<f32>;
@group(0) @binding(3) var<storage, read_write> c: array<f32>;

var<workgroup> tile_a: array<f32, 256>;
var<workgroup> tile_b: array<f32, 256>;

@compute @workgroup_size(16, 16)
fn matmul(@builtin(global_invocation_id) id: vec3<u32>, @builtin(local_invocation_id) local: vec3<u32>) {
    // No early return: every invocation must reach the barriers.
    let inside = id.x < side && id.y < side;
    let own = local.y * TILE + local.x;
    var sum = 0.0;
    for (var first = 0u; first < side; first += TILE) {
        tile_a[own] = select(0.0, a[id.y * side + first + local.x], first + local.x < side && id.y < side);
        tile_b[own] = select(0.0, b[(first + local.y) * side + id.x], first + local.y < side && id.x < side);
        workgroupBarrier();
        for (var k = 0u; k < TILE; k += 1u) {
            sum += tile_a[local.y * TILE + k] * tile_b[k * TILE + local.x];
        }
        workgroupBarrier();
    }
    if inside {
        c[id.y * side + id.x] = sum;
    }
}
