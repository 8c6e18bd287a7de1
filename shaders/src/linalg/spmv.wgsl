// What products of a matrix in compressed rows with a vector are made of: y = A x.
@group(0) @binding(0) var<uniform> rows: u32;
@group(0) @binding(1) var<storage, read> row_start: array<u32>;
@group(0) @binding(2) var<storage, read> column: array<u32>;
@group(0) @binding(3) var<storage, read> value: array<T>;
@group(0) @binding(4) var<storage, read> x: array<T>;
@group(0) @binding(5) var<storage, read_write> y: array<T>;
