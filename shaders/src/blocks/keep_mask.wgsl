// Kept: elements whose mask is not zero.
@group(0) @binding(0) var<storage, read> x: array<T>;
@group(0) @binding(1) var<storage, read> mask: array<u32>;

fn kept(i: u32) -> u32 {
    return select(0u, 1u, mask[i] != 0u);
}
