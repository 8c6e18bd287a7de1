// What products of a matrix with a vector are made of: y = alpha A x + beta y.
struct Params {
    alpha: T,
    beta: T,
    rows: u32,
    cols: u32,
    row_stride: u32,
    col_stride: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> a: array<T>;
@group(0) @binding(2) var<storage, read> x: array<T>;
@group(0) @binding(3) var<storage, read_write> y: array<T>;

// Writes an element of y, given its row of A times x.
fn finish(row: u32, product: T) {
    var result = params.alpha * product;
    // With beta zero, y may hold anything, NaN too.
    if params.beta != T(0) {
        result = fma(params.beta, y[row], result);
    }
    y[row] = result;
}
