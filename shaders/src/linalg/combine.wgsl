// y = alpha x + beta y.

struct Params {
    alpha: T,
    beta: T,
    count: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<T>;
@group(0) @binding(2) var<storage, read_write> y: array<T>;

@compute @workgroup_size(64)
fn combine(@builtin(global_invocation_id) id: vec3<u32>) {
    let i = id.x;
    if i < params.count {
        y[i] = fma(params.beta, y[i], params.alpha * x[i]);
    }
}
