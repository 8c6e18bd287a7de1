alias T = u32;

fn make(words: vec4<u32>) -> vec4<u32> {
    return words;
}
