const N = 16u;
@group(0) @binding(0) var<storage, read> a: array<f32>;
@group(0) @binding(1) var<storage, read_write> c: array<f32>;
@group(0) @binding(2) var<uniform> width: u32;
var<workgroup> tile: array<array<f32, N>, N>;
var<workgroup> choice: array<u32, 4>;
var<workgroup> matrix: array<mat2x2<f32>, 4>;

@compute @workgroup_size(N, N)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_id) local: vec3<u32>) {
    var sum = 0.0;
    for (var t = 0u; t < (width + N - 1u) / N; t++) {
        tile[local.y][local.x] = a[(group.y * N + local.y) * width + t * N + local.x];
        workgroupBarrier();
        for (var k = 0u; k < N; k++) { sum += tile[local.y][k] * tile[k][local.x]; }
        workgroupBarrier();
    }
    let uniform_choice = workgroupUniformLoad(&choice[group.x]);
    let uniform_matrix = workgroupUniformLoad(&matrix[group.y]);
    c[(group.y * N + local.y) * width + group.x * N + local.x] = sum + f32(uniform_choice) + uniform_matrix[0].x;
}
