alias T = i64;
alias Key = u64;
const LAST_KEY: Key = 0xfffffffffffffffflu;

fn key_of(x: T) -> Key {
    return bitcast<u64>(x) ^ 0x8000000000000000lu;
}

fn of_key(key: Key) -> T {
    return bitcast<i64>(key ^ 0x8000000000000000lu);
}

fn digit_of(key: Key, shift: u32) -> u32 {
    return u32((key >> shift) & 15lu);
}
