// A step of conjugate gradients along the direction d: x += alpha d, r -= alpha q, with q = A d; and partial sums of
// r . r, in the order of `dot`.

const GROUP = 64u;
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

var<workgroup> sums: array<T, GROUP>;

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
    sums[local] = sum;
    for (var width = GROUP / 2u; width > 0u; width /= 2u) {
        workgroupBarrier();
        if local < width {
            sums[local] += sums[local + width];
        }
    }
    if local == 0u {
        partial[group.x] = sums[0];
    }
}
