alias T = u32;
alias Key = u32;
const LAST_KEY: Key = 0xffffffffu;

fn key_of(x: T) -> Key {
    return x;
}

fn of_key(key: Key) -> T {
    return key;
}

fn digit_of(key: Key, shift: u32) -> u32 {
    return (key >> shift) & 15u;
}
