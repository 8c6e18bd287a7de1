struct Bin { count: atomic<u32>, low: atomic<i32> }
@group(0) @binding(0) var<storage, read_write> bins: array<Bin>;
@group(0) @binding(1) var<storage, read> values: array<u32>;
@group(0) @binding(2) var<storage, read_write> single: atomic<u32>;
var<workgroup> local: array<atomic<u32>, 16>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(local_invocation_index) li: u32) {
    let v = values[id.x];
    atomicAdd(&bins[v].count, 1u);
    let old = atomicMin(&bins[v].low, i32(v));
    let kept = atomicLoad(&bins[v + 1u].count);
    atomicStore(&local[li], kept);
    let swapped = atomicCompareExchangeWeak(&local[v], 1u, 2u);
    if swapped.exchanged {
        atomicXor(&bins[swapped.old_value].count, u32(old));
    }
    loop {
        let before = atomicLoad(&single);
        let result = atomicCompareExchangeWeak(&single, before, before + 1u);
        if result.exchanged { break; }
    }
    workgroupBarrier();
    atomicMax(&bins[atomicExchange(&local[v & 15u], 3u)].count, atomicSub(&local[v >> 28u], 1u));
}
