// Work-group `g` writes what is kept of its tile, in order, from `offsets[g]`.
@group(0) @binding(2) var<storage, read> offsets: array<u32>;
@group(0) @binding(3) var<storage, read_write> y: array<T>;

alias Part = u32;

const WIDTH = 64u;
const LENGTH = 15u;

// Flags of the tile, then the places in it of what is kept.
var<workgroup> flags: array<u32, WIDTH * LENGTH>;
var<workgroup> places: array<u32, WIDTH * LENGTH>;

@compute @workgroup_size(64)
fn compact_tiles(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let start = group.x * (WIDTH * LENGTH);
    for (var k = 0u; k < LENGTH; k++) {
        flags[k * WIDTH + lane] = kept(start + k * WIDTH + lane);
    }
    workgroupBarrier();
    var sum = 0u;
    for (var k = 0u; k < LENGTH; k++) {
        sum += flags[lane * LENGTH + k];
    }
    group_scan(sum, lane);
    var place = sums[lane] - sum;
    for (var k = 0u; k < LENGTH; k++) {
        let at = lane * LENGTH + k;
        if flags[at] != 0u {
            places[place] = at;
            place += 1u;
        }
    }
    workgroupBarrier();
    let count = sums[WIDTH - 1u];
    let offset = offsets[group.x];
    for (var k = 0u; k < LENGTH; k++) {
        let r = k * WIDTH + lane;
        if r < count {
            y[offset + r] = x[start + places[r]];
        }
    }
}
