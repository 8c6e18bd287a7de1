// Complex vectors as real ones, the reverse of fft_pack.wgsl: both parts, or the real part alone.

struct Params {
    elements: u32, // of src, in all
    paired: u32,   // 1: both parts
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> src: array<vec2<T>>;
@group(0) @binding(2) var<storage, read_write> dst: array<T>;

@compute @workgroup_size(64)
fn fft_unpack(@builtin(global_invocation_id) id: vec3<u32>) {
    let i = id.x;
    if i >= p.elements {
        return;
    }
    let v = src[i];
    if p.paired == 1u {
        dst[2u * i] = v.x;
        dst[2u * i + 1u] = v.y;
    } else {
        dst[i] = v.x;
    }
}
