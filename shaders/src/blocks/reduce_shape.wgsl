// What a reduction runs over. Element `r` of the reduced axis, of outer index `o`, is at `o * outer_step + r * inner_step`.
struct Shape {
    outer: u32,
    inner: u32,
    outer_step: u32,
    inner_step: u32,
    // Elements of the reduced axis that one invocation of `strips` takes, and how many such strips there are.
    strip: u32,
    strips: u32,
    flip: u32,
    // Zero, which the compiler must not know.
    zero: u32,
}

@group(0) @binding(0) var<uniform> shape: Shape;
@group(0) @binding(1) var<storage, read> x: array<T>;
