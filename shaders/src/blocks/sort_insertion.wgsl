// A stable sort in place by one invocation: what the CPU's own sort does, said in few lines. Other devices never run it.
struct Settings {
    count: u32,
    // Not 0 for descending order.
    flip: u32,
}

@group(0) @binding(0) var<uniform> settings: Settings;
@group(0) @binding(1) var<storage, read_write> keys: array<T>;

fn order_of(x: T) -> Key {
    return key_of(x) ^ select(Key(0), LAST_KEY, settings.flip != 0u);
}

@compute @workgroup_size(1)
fn sort_insertion() {
    for (var i = 1u; i < settings.count; i++) {
        let key = keys[i];
        take_value(i);
        var j = i;
        while j > 0u && order_of(keys[j - 1u]) > order_of(key) {
            keys[j] = keys[j - 1u];
            shift_value(j);
            j -= 1u;
        }
        keys[j] = key;
        put_value(j);
    }
}
