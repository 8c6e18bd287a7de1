// Partial sums of x . y, one for each work-group of 64 invocations by 64 elements.
//
// Invocation l of a work-group adds the elements l, l + 64, l + 128, ... of its 4096, and the 64 sums are added by a
// tree: the order depends on the length alone, so the partial sums do not depend on how the call is split.

const GROUP = 64u;
const EACH = 64u;

@group(0) @binding(0) var<uniform> count: u32;
@group(0) @binding(1) var<storage, read> x: array<T>;
@group(0) @binding(2) var<storage, read> y: array<T>;
@group(0) @binding(3) var<storage, read_write> partial: array<T>;

var<workgroup> sums: array<T, GROUP>;

@compute @workgroup_size(GROUP)
fn dot_product(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    var sum = T(0);
    let first = group.x * (GROUP * EACH) + local;
    for (var k = 0u; k < EACH; k++) {
        let i = first + k * GROUP;
        if i < count {
            sum = fma(x[i], y[i], sum);
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
