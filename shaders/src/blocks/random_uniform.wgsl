alias T = f32;

// The upper 24 bits over 2^24: exact, in [0, 1).
fn make(words: vec4<u32>) -> vec4<f32> {
    return vec4<f32>(words >> vec4<u32>(8u)) * 0x1p-24f;
}
