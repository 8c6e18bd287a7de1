// Tridiagonal systems by elimination without pivoting (L. H. Thomas, 1949), a system for each invocation.
//
// Of each of the four matrices, row s holds system s: lower[i] x[i-1] + diagonal[i] x[i] + upper[i] x[i+1] = rhs[i].
// `x` holds the right-hand sides before, the solutions after. `scratch` holds the upper diagonals after elimination,
// element by element, so that neighbours touch neighbours.

// Of each matrix the strides from system to system and from element to element.
struct Params {
    systems: u32,
    size: u32,
    lower: vec2<u32>,
    diagonal: vec2<u32>,
    upper: vec2<u32>,
    x: vec2<u32>,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> lower: array<T>;
@group(0) @binding(2) var<storage, read> diagonal: array<T>;
@group(0) @binding(3) var<storage, read> upper: array<T>;
@group(0) @binding(4) var<storage, read_write> x: array<T>;
@group(0) @binding(5) var<storage, read_write> scratch: array<T>;

@compute @workgroup_size(64)
fn tridiagonal(@builtin(global_invocation_id) id: vec3<u32>) {
    let s = id.x;
    if s >= p.systems {
        return;
    }
    let x_start = s * p.x.x;
    let lower_start = s * p.lower.x;
    let diagonal_start = s * p.diagonal.x;
    let upper_start = s * p.upper.x;
    var above = T(0);
    var solved = T(0);
    for (var i = 0u; i < p.size; i++) {
        var low = T(0);
        if i > 0u {
            low = lower[lower_start + i * p.lower.y];
        }
        let pivot = diagonal[diagonal_start + i * p.diagonal.y] - low * above;
        above = T(0);
        if i + 1u < p.size {
            above = upper[upper_start + i * p.upper.y] / pivot;
        }
        solved = (x[x_start + i * p.x.y] - low * solved) / pivot;
        scratch[i * p.systems + s] = above;
        x[x_start + i * p.x.y] = solved;
    }
    for (var back = 1u; back < p.size; back++) {
        let i = p.size - 1u - back;
        solved = x[x_start + i * p.x.y] - scratch[i * p.systems + s] * solved;
        x[x_start + i * p.x.y] = solved;
    }
}
