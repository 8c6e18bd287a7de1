// The sum of each block of 256 elements, by a tree in work-group memory: the first pass of a sum.

@group(0) @binding(0) var<storage, read> source: array<f32>;
@group(0) @binding(1) var<storage, read_write> sums: array<f32>;

var<workgroup> part: array<f32, 256>;

@compute @workgroup_size(256)
fn reduce(
    @builtin(global_invocation_id) id: vec3<u32>,
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    // Past the end a read gives zero: it adds nothing.
    part[local] = source[id.x];
    workgroupBarrier();
    for (var half = 128u; half > 0u; half /= 2u) {
        if local < half {
            part[local] += part[local + half];
        }
        workgroupBarrier();
    }
    if local == 0u {
        sums[group.x] = part[0];
    }
}
