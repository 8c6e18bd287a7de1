// One pass of radix 4 of the Fourier transform in Stockham's order, which needs no reordering: see fft_radix2.wgsl.

struct Params {
    butterflies: u32, // of all transforms: elements / 4
    quarter: u32,     // of one: its elements / 4
    block: u32,       // what the passes before have put together, times `inner`
    inner: u32,       // elements side by side that are not of one transform
    step: u32,        // of the table: its length / (4 * block / inner)
    sign: T,          // 1: forward; -1: backward
    scale: T,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> root: array<vec2<T>>;
@group(0) @binding(2) var<storage, read> src: array<vec2<T>>;
@group(0) @binding(3) var<storage, read_write> dst: array<vec2<T>>;

fn times(a: vec2<T>, b: vec2<T>) -> vec2<T> {
    return vec2<T>(a.x * b.x - a.y * b.y, a.x * b.y + a.y * b.x);
}

fn twiddle(index: u32) -> vec2<T> {
    let w = root[index];
    return vec2<T>(w.x, w.y * p.sign);
}

@compute @workgroup_size(64)
fn fft_radix4(@builtin(global_invocation_id) id: vec3<u32>) {
    let f = id.x;
    if f >= p.butterflies {
        return;
    }
    let before = f / p.block;
    let within = f - before * p.block;
    let k = within / p.inner * p.step;
    let source = f + f / p.quarter * (3u * p.quarter);
    let v0 = src[source];
    let v1 = times(src[source + p.quarter], twiddle(k));
    let v2 = times(src[source + 2u * p.quarter], twiddle(2u * k));
    let v3 = times(src[source + 3u * p.quarter], twiddle(3u * k));

    let s = v0 + v2;
    let d = v0 - v2;
    let t = v1 + v3;
    let e = v1 - v3;
    // e times -i forward, i backward
    let turned = vec2<T>(e.y, -e.x) * p.sign;
    let to = before * (4u * p.block) + within;
    dst[to] = (s + t) * p.scale;
    dst[to + p.block] = (d + turned) * p.scale;
    dst[to + 2u * p.block] = (s - t) * p.scale;
    dst[to + 3u * p.block] = (d - turned) * p.scale;
}
