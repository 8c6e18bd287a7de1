// Work-group `g` scans its tile, the elements from `3840 g`, and adds the sum of all before it.
//
// Elements are loaded in their order and then taken by 15 neighbours an invocation: an odd stride, which keeps the banks
// of work-group memory apart.
struct Settings {
    // Tiles after the first add `offsets`; 0 where there is one tile.
    offset: u32,
    // Whether an element counts to its own sum.
    inclusive: u32,
}

@group(0) @binding(0) var<storage, read> x: array<T>;
@group(0) @binding(1) var<storage, read> offsets: array<T>;
@group(0) @binding(2) var<storage, read_write> y: array<T>;
@group(0) @binding(3) var<uniform> settings: Settings;

alias Part = T;

const WIDTH = 256u;
const LENGTH = 15u;

var<workgroup> tile: array<T, WIDTH * LENGTH>;

@compute @workgroup_size(256)
fn scan_tiles(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let start = group.x * (WIDTH * LENGTH);
    for (var k = 0u; k < LENGTH; k++) {
        tile[k * WIDTH + lane] = x[start + k * WIDTH + lane];
    }
    workgroupBarrier();
    var sum = T(0);
    for (var k = 0u; k < LENGTH; k++) {
        sum += tile[lane * LENGTH + k];
    }
    group_scan(sum, lane);
    sum = T(0);
    if settings.offset != 0u {
        sum = offsets[group.x];
    }
    if lane > 0u {
        sum += sums[lane - 1u];
    }
    for (var k = 0u; k < LENGTH; k++) {
        let at = lane * LENGTH + k;
        let next = sum + tile[at];
        tile[at] = select(sum, next, settings.inclusive != 0u);
        sum = next;
    }
    workgroupBarrier();
    for (var k = 0u; k < LENGTH; k++) {
        let i = start + k * WIDTH + lane;
        if i < arrayLength(&y) {
            y[i] = tile[k * WIDTH + lane];
        }
    }
}
