// Between the spectrum X of real vectors of length 2 h and the transform Z of their pairs, of length h (J. Cooley, P. Lewis
// and P. Welch, J. Sound Vib. 12(3), 1970), with w = exp(-2 pi i / 2 h) and Z[h] = Z[0]:
// sign  1: X[k] = (Z[k] + Z*[h - k]) / 2 - i w^k (Z[k] - Z*[h - k]) / 2 for k = 0 to h,
// sign -1: Z[k] = (X[k] + X*[h - k]) / 2 + i w^-k (X[k] - X*[h - k]) / 2 for k = 0 to h - 1.
//
// With `half` 0 the length is odd, and Z the transform of the vector itself: X is its first elements, and the upper
// elements of Z are the conjugates of the lower ones.

struct Params {
    elements: u32,   // of dst, in all
    dst_length: u32, // of a vector
    src_length: u32,
    half: u32,       // h, or 0
    sign: T,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> root: array<vec2<T>>; // exp(-2 pi i k / 2 h)
@group(0) @binding(2) var<storage, read> src: array<vec2<T>>;
@group(0) @binding(3) var<storage, read_write> dst: array<vec2<T>>;

@compute @workgroup_size(64)
fn fft_regroup(@builtin(global_invocation_id) id: vec3<u32>) {
    let at = id.x;
    if at >= p.elements {
        return;
    }
    let vector = at / p.dst_length;
    let k = at - vector * p.dst_length;
    let start = vector * p.src_length;
    // The first element of a real vector's spectrum is real, and of an even length the last one: what else a caller gives
    // is left out.
    let of_real = k == 0u && p.sign < T(0);
    if p.half == 0u {
        let upper = k >= p.src_length;
        let a = src[start + select(k, p.dst_length - k, upper)];
        dst[at] = vec2<T>(a.x, select(select(a.y, -a.y, upper), T(0), of_real));
        return;
    }
    // Past the end of Z it begins again.
    let mirrored = p.half - k;
    var a = src[start + select(k, 0u, k == p.src_length)];
    var b = src[start + select(mirrored, 0u, mirrored == p.src_length)];
    if of_real {
        a.y = T(0);
        b.y = T(0);
    }
    let even = vec2<T>(a.x + b.x, a.y - b.y);
    let odd = vec2<T>(a.x - b.x, a.y + b.y);
    let w = vec2<T>(root[k].x * p.sign, root[k].y);
    // -i w odd, or i w* odd
    let turned = vec2<T>(odd.x * w.y + odd.y * w.x, odd.y * w.y - odd.x * w.x);
    dst[at] = (even + turned) * T(0.5);
}
