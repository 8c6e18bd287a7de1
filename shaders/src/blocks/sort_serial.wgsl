// A stable radix sort in place by one invocation: what the CPU's own sort does, said in few lines. It goes to and fro
// between the keys and `spare`, by an even number of digits. Other devices never run it.
struct Settings {
    count: u32,
    // 15 for descending order.
    flip: u32,
    // Of a key.
    bits: u32,
}

@group(0) @binding(0) var<uniform> settings: Settings;
@group(0) @binding(1) var<storage, read_write> keys: array<T>;
@group(0) @binding(2) var<storage, read_write> spare: array<T>;

const DIGITS = 16u;

// Where the next key of each digit goes.
var<workgroup> places: array<u32, DIGITS>;

fn digit(key: T, shift: u32) -> u32 {
    return digit_of(key_of(key), shift) ^ settings.flip;
}

fn find_places(shift: u32, of_spare: bool) {
    for (var d = 0u; d < DIGITS; d++) {
        places[d] = 0u;
    }
    for (var i = 0u; i < settings.count; i++) {
        let key = select(keys[i], spare[i], of_spare);
        places[digit(key, shift)] += 1u;
    }
    var start = 0u;
    for (var d = 0u; d < DIGITS; d++) {
        let count = places[d];
        places[d] = start;
        start += count;
    }
}

fn place_of(key: T, shift: u32) -> u32 {
    let d = digit(key, shift);
    let place = places[d];
    places[d] = place + 1u;
    return place;
}

@compute @workgroup_size(1)
fn sort_serial() {
    for (var shift = 0u; shift < settings.bits; shift += 8u) {
        find_places(shift, false);
        for (var i = 0u; i < settings.count; i++) {
            let key = keys[i];
            let place = place_of(key, shift);
            spare[place] = key;
            value_forth(place, i);
        }
        find_places(shift + 4u, true);
        for (var i = 0u; i < settings.count; i++) {
            let key = spare[i];
            let place = place_of(key, shift + 4u);
            keys[place] = key;
            value_back(place, i);
        }
    }
}
