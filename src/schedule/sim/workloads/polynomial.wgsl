// A polynomial of degree 200 at each element: arithmetic without end on little data.
@group(0) @binding(0) var<uniform> c: f32;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(256)
fn polynomial(@builtin(global_invocation_id) id: vec3<u32>) {
    if id.x >= arrayLength(&y) {
        return;
    }
    let x = y[id.x];
    var sum = 0.0;
    for (var k = 0u; k < 200u; k++) {
        sum = sum * x + c;
    }
    y[id.x] = sum;
}
