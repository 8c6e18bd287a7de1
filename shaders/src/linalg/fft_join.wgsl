// The reverse of fft_split.wgsl: of the spectrum X of real vectors of length 2 h the transform of their pairs,
// Z[k] = (X[k] + X*[h - k]) / 2 + i w^-k (X[k] - X*[h - k]) / 2. With `half` 0 the whole spectrum of an odd length, of
// which the upper elements are the conjugates of the lower ones.

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
fn fft_join(@builtin(global_invocation_id) id: vec3<u32>) {
    let at = id.x;
    if at >= p.elements {
        return;
    }
    let vector = at / p.dst_length;
    let k = at - vector * p.dst_length;
    let start = vector * p.src_length;
    // What the first element, and of an even length the last, has of an imaginary part is no part of a real vector's.
    if p.half == 0u {
        let upper = k >= p.src_length;
        let a = src[start + select(k, p.dst_length - k, upper)];
        dst[at] = vec2<T>(a.x, select(select(a.y, -a.y, upper), T(0), k == 0u));
        return;
    }
    var a = src[start + k];
    var b = src[start + p.half - k];
    if k == 0u {
        a.y = T(0);
        b.y = T(0);
    }
    let even = vec2<T>(a.x + b.x, a.y - b.y);
    let odd = vec2<T>(a.x - b.x, a.y + b.y);
    let w = root[k];
    // i conj(w) odd
    let turned = vec2<T>(odd.x * w.y - odd.y * w.x, odd.x * w.x + odd.y * w.y);
    dst[at] = (even + turned) * T(0.5);
}
