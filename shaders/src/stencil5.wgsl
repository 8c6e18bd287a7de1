// One explicit step of the heat equation on a grid, row by row, by the 5-point Laplacian.
//
// next = now + rate (west + east + north + south - 4 now); stable for rate <= 1/4.
// The edge keeps its value (Dirichlet). Work-groups are wide along a row, so that neighbouring
// invocations read neighbouring elements.

struct Grid {
    width: u32,  // columns
    height: u32, // rows
    rate: f32,   // diffusivity * time step / spacing^2
}

@group(0) @binding(0) var<uniform> grid: Grid;
@group(0) @binding(1) var<storage, read> now: array<f32>;
@group(0) @binding(2) var<storage, read_write> next: array<f32>;

@compute @workgroup_size(64, 4)
fn stencil5(@builtin(global_invocation_id) id: vec3<u32>) {
    let col = id.x;
    let row = id.y;
    if col >= grid.width || row >= grid.height {
        return;
    }
    let i = row * grid.width + col;
    let here = now[i];
    var value = here;
    if col > 0u && col + 1u < grid.width && row > 0u && row + 1u < grid.height {
        let around = now[i - 1u] + now[i + 1u] + now[i - grid.width] + now[i + grid.width];
        value = here + grid.rate * (around - 4.0 * here);
    }
    next[i] = value;
}
