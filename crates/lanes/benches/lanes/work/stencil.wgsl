// One explicit step of the heat equation by the 5-point Laplacian; the edge is left as it is.

struct Grid {
    width: u32,
    height: u32,
    rate: f32,
}

@group(0) @binding(0) var<uniform> grid: Grid;
@group(0) @binding(1) var<storage, read> now: array<f32>;
@group(0) @binding(2) var<storage, read_write> next: array<f32>;

@compute @workgroup_size(16, 16)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let width = grid.width;
    if id.x == 0u || id.x >= width - 1u || id.y == 0u || id.y >= grid.height - 1u {
        return;
    }
    let i = id.y * width + id.x;
    let here = now[i];
    let around = now[i - 1u] + now[i + 1u] + now[i - width] + now[i + width];
    next[i] = here + grid.rate * (around - 4.0 * here);
}
