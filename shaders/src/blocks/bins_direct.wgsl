// Counts in the result itself.
fn meet(bin: u32) {
    atomicAdd(&counts[bin], 1u);
}

fn add_up(lane: u32) {}
