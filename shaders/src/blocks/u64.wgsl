alias T = u64;
alias Key = u64;
const LAST_KEY: Key = 0xfffffffffffffffflu;

fn key_of(x: T) -> Key {
    return x;
}

fn of_key(key: Key) -> T {
    return key;
}

fn digit_of(key: Key, shift: u32) -> u32 {
    return u32((key >> shift) & 15lu);
}
