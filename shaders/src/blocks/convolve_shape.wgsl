// The sizes of a convolution.
struct Shape {
    rows: u32,
    columns: u32,
    // Of the weights, and the place among them that stands over the pixel.
    height: u32,
    width: u32,
    middle_row: u32,
    middle_column: u32,
}

@group(0) @binding(0) var<uniform> shape: Shape;
