@group(0) @binding(2) var<storage, read> y: array<T>;

fn item(i: u32) -> T {
    return hide(x[i] * y[i]);
}
