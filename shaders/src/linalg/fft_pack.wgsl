// Real vectors as complex ones: pairs of neighbours as real and imaginary part, or each element with a zero.

struct Params {
    elements: u32, // of dst, in all
    paired: u32,   // 1: pairs
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> src: array<T>;
@group(0) @binding(2) var<storage, read_write> dst: array<vec2<T>>;

@compute @workgroup_size(64)
fn fft_pack(@builtin(global_invocation_id) id: vec3<u32>) {
    let i = id.x;
    if i >= p.elements {
        return;
    }
    if p.paired == 1u {
        dst[i] = vec2<T>(src[2u * i], src[2u * i + 1u]);
    } else {
        dst[i] = vec2<T>(src[i], T(0));
    }
}
