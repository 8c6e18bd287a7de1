// out = in transposed.
@group(0) @binding(0) var<uniform> side: u32;
@group(0) @binding(1) var<storage, read> source: array<f32>;
@group(0) @binding(2) var<storage, read_write> out: array<f32>;

@compute @workgroup_size(16, 16)
fn transpose(@builtin(global_invocation_id) id: vec3<u32>) {
    if id.x < side && id.y < side {
        out[id.y * side + id.x] = source[id.x * side + id.y];
    }
}
