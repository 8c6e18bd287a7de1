// Philox4x32-10 (Salmon, Moraes, Dror, Shaw: Parallel random numbers: as easy as 1, 2, 3, 2011), one block an
// invocation. WGSL has no high half of a 32-bit product: it is put together from 16-bit halves.

@group(0) @binding(0) var<uniform> key: vec2<u32>;
@group(0) @binding(1) var<storage, read_write> result: array<vec4<u32>>;

fn high(a: u32, b: u32) -> u32 {
    let low = (a & 0xffffu) * (b & 0xffffu);
    let mid = (a >> 16u) * (b & 0xffffu) + (low >> 16u);
    let other = (a & 0xffffu) * (b >> 16u) + (mid & 0xffffu);
    return (a >> 16u) * (b >> 16u) + (mid >> 16u) + (other >> 16u);
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let i = id.x;
    if i >= arrayLength(&result) {
        return;
    }
    var c = vec4<u32>(i, 0u, 0u, 0u);
    var k = key;
    for (var round = 0u; round < 10u; round++) {
        let m0 = 0xD2511F53u;
        let m1 = 0xCD9E8D57u;
        c = vec4<u32>(high(m1, c.z) ^ c.y ^ k.x, m1 * c.z, high(m0, c.x) ^ c.w ^ k.y, m0 * c.x);
        k += vec2<u32>(0x9E3779B9u, 0xBB67AE85u);
    }
    result[i] = c;
}
