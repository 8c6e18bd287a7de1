@group(0) @binding(3) var<storage, read_write> values: array<V>;
@group(0) @binding(4) var<storage, read_write> spare_values: array<V>;

fn value_forth(place: u32, i: u32) {
    spare_values[place] = values[i];
}

fn value_back(place: u32, i: u32) {
    values[place] = spare_values[i];
}
