// Counts in the work-group's memory first.
const MOST = 2048u;

var<workgroup> own: array<atomic<u32>, MOST>;

fn meet(bin: u32) {
    atomicAdd(&own[bin], 1u);
}

fn add_up(lane: u32) {
    workgroupBarrier();
    for (var b = lane; b < range.bins; b += WIDTH) {
        let many = atomicLoad(&own[b]);
        if many != 0u {
            atomicAdd(&counts[b], many);
        }
    }
}
