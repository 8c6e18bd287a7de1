// Work-group `g` moves its tile, the keys from `960 g`, to where keys of their digits belong, in their order: stable.
//
// Each invocation counts the digits of its 15 neighbouring keys in a column of its own; a scan of the columns, digit by
// digit, gives each key its rank in the tile (Satish, Harris and Garland, IPDPS 2009, with columns instead of bit splits).
struct Settings {
    count: u32,
    tiles: u32,
    // Bits below the digit.
    shift: u32,
    // 15 for descending order.
    flip: u32,
}

@group(0) @binding(0) var<uniform> settings: Settings;
@group(0) @binding(1) var<storage, read> keys: array<T>;
@group(0) @binding(2) var<storage, read> offsets: array<u32>;
@group(0) @binding(3) var<storage, read_write> sorted: array<T>;

alias Part = u32;

const WIDTH = 64u;
const LENGTH = 15u;
const DIGITS = 16u;

var<workgroup> digits: array<u32, WIDTH * LENGTH>;
var<workgroup> cells: array<u32, WIDTH * DIGITS>;
// Place in the tile of the key of each rank.
var<workgroup> order: array<u32, WIDTH * LENGTH>;
// Rank of the first key of each digit.
var<workgroup> starts: array<u32, DIGITS>;

@compute @workgroup_size(64)
fn sort_tiles(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let start = group.x * (WIDTH * LENGTH);
    let count = min(settings.count - start, WIDTH * LENGTH);
    for (var k = 0u; k < LENGTH; k++) {
        let at = k * WIDTH + lane;
        digits[at] = digit_of(key_of(keys[start + at]), settings.shift) ^ settings.flip;
    }
    for (var d = 0u; d < DIGITS; d++) {
        cells[d * WIDTH + lane] = 0u;
    }
    workgroupBarrier();
    for (var k = 0u; k < LENGTH; k++) {
        let at = lane * LENGTH + k;
        if at < count {
            cells[digits[at] * WIDTH + lane] += 1u;
        }
    }
    workgroupBarrier();
    // The exclusive scan of all cells: 16 neighbours an invocation.
    var sum = 0u;
    for (var k = 0u; k < DIGITS; k++) {
        sum += cells[lane * DIGITS + k];
    }
    group_scan(sum, lane);
    sum = sums[lane] - sum;
    for (var k = 0u; k < DIGITS; k++) {
        let cell = cells[lane * DIGITS + k];
        cells[lane * DIGITS + k] = sum;
        sum += cell;
    }
    workgroupBarrier();
    if lane < DIGITS {
        starts[lane] = cells[lane * WIDTH];
    }
    workgroupBarrier();
    for (var k = 0u; k < LENGTH; k++) {
        let at = lane * LENGTH + k;
        if at < count {
            let cell = digits[at] * WIDTH + lane;
            order[cells[cell]] = at;
            cells[cell] += 1u;
        }
    }
    workgroupBarrier();
    for (var k = 0u; k < LENGTH; k++) {
        let rank = k * WIDTH + lane;
        if rank < count {
            let at = order[rank];
            let digit = digits[at];
            let to = offsets[digit * settings.tiles + group.x] + rank - starts[digit];
            sorted[to] = keys[start + at];
            move_value(to, start + at);
        }
    }
}
