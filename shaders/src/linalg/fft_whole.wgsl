// Fourier transforms by definition, X[k] = scale sum_j x[j] exp(-+ 2 pi i j k / length), an element for each invocation.
//
// The reference of a library that transforms whole vectors: it touches the same elements and takes the square of the time.

struct Params {
    sign: T, // 1: forward; -1: backward
    scale: T,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<uniform> shape: vec3<u32>; // elements in all, of a transform, side by side of other transforms
@group(0) @binding(2) var<storage, read> root: array<vec2<T>>; // exp(-2 pi i k / length)
@group(0) @binding(3) var<storage, read> src: array<vec2<T>>;
@group(0) @binding(4) var<storage, read_write> dst: array<vec2<T>>;

@compute @workgroup_size(64)
fn fft_whole(@builtin(global_invocation_id) id: vec3<u32>) {
    let at = id.x;
    if at >= shape.x {
        return;
    }
    let length = shape.y;
    let inner = shape.z;
    let row = at / inner;
    let k = row % length;
    let start = at - k * inner;
    var sum = vec2<T>();
    var turn = 0u;
    for (var j = 0u; j < length; j++) {
        let a = src[start + j * inner];
        let w = root[turn];
        let y = w.y * params.sign;
        sum += vec2<T>(a.x * w.x - a.y * y, a.x * y + a.y * w.x);
        turn += k;
        if turn >= length {
            turn -= length;
        }
    }
    dst[at] = sum * params.scale;
}
