alias T = f64;
alias Key = u64;
const LAST_KEY: Key = 0xfffffffffffffffflu;

// As for f32: negative floats reversed, positive ones after them.
fn key_of(x: T) -> Key {
    let bits = bitcast<u64>(x);
    return bits ^ (bitcast<u64>(bitcast<i64>(bits) >> 63u) | 0x8000000000000000lu);
}

fn of_key(key: Key) -> T {
    let flipped = bitcast<u64>(~(bitcast<i64>(key) >> 63u));
    return bitcast<f64>(key ^ (flipped | 0x8000000000000000lu));
}

fn digit_of(key: Key, shift: u32) -> u32 {
    return u32((key >> shift) & 15lu);
}
