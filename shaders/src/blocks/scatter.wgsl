// `y[index[i]] = x[i]`. What is past the end of `y` is dropped.
@group(0) @binding(0) var<storage, read> x: array<T>;
@group(0) @binding(1) var<storage, read> index: array<u32>;
@group(0) @binding(2) var<storage, read_write> y: array<T>;

@compute @workgroup_size(128)
fn scatter(@builtin(global_invocation_id) id: vec3<u32>) {
    if id.x < arrayLength(&x) {
        y[index[id.x]] = x[id.x];
    }
}
