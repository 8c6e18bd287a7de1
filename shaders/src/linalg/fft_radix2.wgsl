// One pass of radix 2 of the Fourier transform in Stockham's order, which needs no reordering (W. Cochran and others,
// "What is the fast Fourier transform?", Proc. IEEE 55(10), 1967; for GPUs N. Govindaraju and others, SC 2008).
//
// A pass takes elements half a transform apart, turns them by roots of unity and puts their sums and differences side by
// side in blocks twice as long. An array of transforms along any axis is one of blocks that start `inner` long: then
// all but the index of the root is the same.

struct Params {
    butterflies: u32, // of all transforms: elements / 2
    half: u32,        // of one: its elements / 2
    block: u32,       // what the passes before have put together, times `inner`
    inner: u32,       // elements side by side that are not of one transform
    step: u32,        // of the table: its length / (2 * block / inner)
    sign: T,          // 1: forward; -1: backward
    scale: T,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> root: array<vec2<T>>; // exp(-2 pi i k / length)
@group(0) @binding(2) var<storage, read> src: array<vec2<T>>;
@group(0) @binding(3) var<storage, read_write> dst: array<vec2<T>>;

@compute @workgroup_size(64)
fn fft_radix2(@builtin(global_invocation_id) id: vec3<u32>) {
    let f = id.x;
    if f >= p.butterflies {
        return;
    }
    let before = f / p.block;
    let within = f - before * p.block;
    let w = root[within / p.inner * p.step];
    let y = w.y * p.sign;
    let source = f + f / p.half * p.half;
    let v0 = src[source];
    let b = src[source + p.half];
    let v1 = vec2<T>(b.x * w.x - b.y * y, b.x * y + b.y * w.x);
    let to = before * (2u * p.block) + within;
    dst[to] = (v0 + v1) * p.scale;
    dst[to + p.block] = (v0 - v1) * p.scale;
}
