// Kept: elements that differ from the one before them in at least one bit.
@group(0) @binding(0) var<storage, read> x: array<T>;

fn kept(i: u32) -> u32 {
    if i >= arrayLength(&x) {
        return 0u;
    }
    return select(0u, 1u, i == 0u || key_of(x[i]) != key_of(x[max(i, 1u) - 1u]));
}
