alias T = f32;
alias Key = u32;
const LAST_KEY: Key = 0xffffffffu;

// A number whose unsigned order is the total order of the floats: negative ones reversed, positive ones after them.
fn key_of(x: T) -> Key {
    let bits = bitcast<u32>(x);
    return bits ^ (bitcast<u32>(bitcast<i32>(bits) >> 31u) | 0x80000000u);
}

fn of_key(key: Key) -> T {
    let flipped = bitcast<u32>(~(bitcast<i32>(key) >> 31u));
    return bitcast<f32>(key ^ (flipped | 0x80000000u));
}

fn digit_of(key: Key, shift: u32) -> u32 {
    return (key >> shift) & 15u;
}
