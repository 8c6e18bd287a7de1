// Counts of byte values 0 to 255, added to what `bins` holds.
//
// Each work-group counts into 256 bins of its own and adds those once to the result, so that
// few atomics meet in memory.

const BINS: u32 = 256u;

@group(0) @binding(0) var<storage, read> values: array<u32>;
@group(0) @binding(1) var<storage, read_write> bins: array<atomic<u32>, BINS>;

var<workgroup> own: array<atomic<u32>, BINS>;

@compute @workgroup_size(BINS)
fn histogram(@builtin(global_invocation_id) id: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    atomicStore(&own[local], 0u);
    workgroupBarrier();
    // No early return: every invocation must reach the barriers.
    if id.x < arrayLength(&values) {
        atomicAdd(&own[values[id.x] & 255u], 1u);
    }
    workgroupBarrier();
    atomicAdd(&bins[local], atomicLoad(&own[local]));
}
