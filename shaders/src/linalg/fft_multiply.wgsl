// Products of complex vectors with a table, element by element, cut or filled up with zeros: what chirps need.
//
// dst[b][j][c] = s(s'(src[b][j][c]) table[j]) scale for j below `count`, else 0, with the conjugate for s or s' where the
// sign is -1; b counts vectors, c elements side by side that are not of one vector.

struct Params {
    elements: u32,    // of dst, in all
    inner: u32,
    count: u32,
    src_length: u32,  // of a vector
    dst_length: u32,
    sign_before: T,
    sign_after: T,
    scale: T,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> table: array<vec2<T>>;
@group(0) @binding(2) var<storage, read> src: array<vec2<T>>;
@group(0) @binding(3) var<storage, read_write> dst: array<vec2<T>>;

@compute @workgroup_size(64)
fn fft_multiply(@builtin(global_invocation_id) id: vec3<u32>) {
    let at = id.x;
    if at >= p.elements {
        return;
    }
    let row = at / p.inner;
    let vector = row / p.dst_length;
    let j = row - vector * p.dst_length;
    var v = vec2<T>();
    if j < p.count {
        let a = src[(vector * p.src_length + j) * p.inner + (at - row * p.inner)];
        let b = table[j];
        let y = a.y * p.sign_before;
        v = vec2<T>(a.x * b.x - y * b.y, (a.x * b.y + y * b.x) * p.sign_after) * p.scale;
    }
    dst[at] = v;
}
