// Work-group `g` counts the digits of its tile, the keys from `960 g`: `counts[digit * tiles + g]`.
struct Settings {
    count: u32,
    tiles: u32,
    // Bits below the digit.
    shift: u32,
    // All ones for descending order.
    flip: u32,
}

@group(0) @binding(0) var<uniform> settings: Settings;
@group(0) @binding(1) var<storage, read> keys: array<T>;
@group(0) @binding(2) var<storage, read_write> counts: array<u32>;

const WIDTH = 64u;
const LENGTH = 15u;
const DIGITS = 16u;

var<workgroup> bins: array<atomic<u32>, DIGITS>;

@compute @workgroup_size(64)
fn sort_counts(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let start = group.x * (WIDTH * LENGTH);
    for (var k = 0u; k < LENGTH; k++) {
        let i = start + k * WIDTH + lane;
        if i < settings.count {
            atomicAdd(&bins[digit_of(key_of(keys[i]), settings.shift) ^ settings.flip], 1u);
        }
    }
    workgroupBarrier();
    if lane < DIGITS {
        counts[lane * settings.tiles + group.x] = atomicLoad(&bins[lane]);
    }
}
