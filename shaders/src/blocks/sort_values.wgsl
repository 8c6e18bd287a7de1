@group(0) @binding(4) var<storage, read> values: array<V>;
@group(0) @binding(5) var<storage, read_write> moved: array<V>;

fn move_value(to: u32, at: u32) {
    moved[to] = values[at];
}
