// Counts the elements of `[low, high]` in bins of equal width, the last one with its upper edge.
//
// A work-group counts 8192 elements in its own memory and then adds them up, if the bins fit into it.
struct Range {
    low: T,
    high: T,
    // Bins a unit of x.
    scale: T,
    bins: u32,
    count: u32,
}

@group(0) @binding(0) var<uniform> range: Range;
@group(0) @binding(1) var<storage, read> x: array<T>;
@group(0) @binding(2) var<storage, read_write> counts: array<atomic<u32>>;

const WIDTH = 64u;
const DEPTH = 128u;
