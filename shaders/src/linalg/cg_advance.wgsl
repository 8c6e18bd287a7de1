// A step of conjugate gradients along the direction d: x += alpha d, r -= alpha q, with q = A d; and partial sums of
// r . r, one for each work-group of 64 invocations by 64 elements.
//
// Invocation l of a work-group takes the elements l, l + 64, l + 128, ... of its 4096: the order depends on the length
// alone, so the partial sums do not depend on how the call is split.

const EACH = 64u;

struct Params {
    alpha: T,
    count: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> d: array<T>;
@group(0) @binding(2) var<storage, read> q: array<T>;
@group(0) @binding(3) var<storage, read_write> x: array<T>;
@group(0) @binding(4) var<storage, read_write> r: array<T>;
@group(0) @binding(5) var<storage, read_write> partial: array<T>;

@compute @workgroup_size(GROUP)
fn cg_advance(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    var sum = T(0);
    let first = group.x * (GROUP * EACH) + local;
    for (var k = 0u; k < EACH; k++) {
        let i = first + k * GROUP;
        if i < params.count {
            x[i] = fma(params.alpha, d[i], x[i]);
            let rest = fma(-params.alpha, q[i], r[i]);
            r[i] = rest;
            sum = fma(rest, rest, sum);
        }
    }
    sum = group_sum(sum, local);
    if local == 0u {
        partial[group.x] = sum;
    }
}
