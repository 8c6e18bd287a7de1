alias T = i32;
alias Key = u32;
const LAST_KEY: Key = 0xffffffffu;

fn key_of(x: T) -> Key {
    return bitcast<u32>(x) ^ 0x80000000u;
}

fn of_key(key: Key) -> T {
    return bitcast<i32>(key ^ 0x80000000u);
}

fn digit_of(key: Key, shift: u32) -> u32 {
    return (key >> shift) & 15u;
}
