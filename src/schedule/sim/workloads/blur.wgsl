// A running mean of 31 elements.
@group(0) @binding(0) var<uniform> length: u32;
@group(0) @binding(1) var<storage, read> source: array<f32>;
@group(0) @binding(2) var<storage, read_write> out: array<f32>;

@compute @workgroup_size(256)
fn blur(@builtin(global_invocation_id) id: vec3<u32>) {
    if id.x >= length {
        return;
    }
    var sum = 0.0;
    for (var k = 0u; k < 31u; k++) {
        sum += source[id.x + k];
    }
    out[id.x] = sum / 31.0;
}
