// Element `e` is made of word `e % 4` of counter `(e / 4, 0, stream)` under the seed as key.
struct Stream {
    seed: vec2<u32>,
    number: vec2<u32>,
    count: u32,
}

@group(0) @binding(0) var<uniform> stream: Stream;
@group(0) @binding(1) var<storage, read_write> y: array<T>;

@compute @workgroup_size(64)
fn random(@builtin(global_invocation_id) id: vec3<u32>) {
    let words = philox(vec4<u32>(id.x, 0u, stream.number), stream.seed);
    let made = make(words);
    let e = 4u * id.x;
    if e < stream.count {
        y[e] = made.x;
    }
    if e + 1u < stream.count {
        y[e + 1u] = made.y;
    }
    if e + 2u < stream.count {
        y[e + 2u] = made.z;
    }
    if e + 3u < stream.count {
        y[e + 3u] = made.w;
    }
}
