// The spectrum of real vectors of length 2 h from the transform Z of their pairs, of length h:
// X[k] = (Z[k] + Z*[h - k]) / 2 - i w^k (Z[k] - Z*[h - k]) / 2 for k = 0 to h, w = exp(-2 pi i / 2 h), Z[h] = Z[0].
// (J. Cooley, P. Lewis and P. Welch, J. Sound Vib. 12(3), 1970.) With `half` 0 the length is odd: the first elements of
// a transform of that length are copied.

struct Params {
    elements: u32,   // of dst, in all
    dst_length: u32, // of a vector
    src_length: u32,
    half: u32,       // h, or 0
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> root: array<vec2<T>>; // exp(-2 pi i k / 2 h)
@group(0) @binding(2) var<storage, read> src: array<vec2<T>>;
@group(0) @binding(3) var<storage, read_write> dst: array<vec2<T>>;

@compute @workgroup_size(64)
fn fft_split(@builtin(global_invocation_id) id: vec3<u32>) {
    let at = id.x;
    if at >= p.elements {
        return;
    }
    let vector = at / p.dst_length;
    let k = at - vector * p.dst_length;
    let start = vector * p.src_length;
    if p.half == 0u {
        dst[at] = src[start + k];
        return;
    }
    let a = src[start + select(k, 0u, k == p.half)];
    let b = src[start + select(p.half - k, 0u, k == 0u)];
    let even = vec2<T>(a.x + b.x, a.y - b.y);
    let odd = vec2<T>(a.x - b.x, a.y + b.y);
    let w = root[k];
    // -i w odd
    let turned = vec2<T>(odd.x * w.y + odd.y * w.x, odd.y * w.y - odd.x * w.x);
    dst[at] = (even + turned) * T(0.5);
}
