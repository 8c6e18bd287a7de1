@group(0) @binding(2) var<storage, read_write> values: array<V>;

var<private> taken: V;

fn take_value(i: u32) {
    taken = values[i];
}

fn shift_value(j: u32) {
    values[j] = values[j - 1u];
}

fn put_value(j: u32) {
    values[j] = taken;
}
