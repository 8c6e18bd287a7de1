override SCALE: f32 = 2.0;
override SIZE: u32 = 8u;
@group(0) @binding(0) var<storage, read_write> data: array<i32>;
@group(0) @binding(1) var<storage, read> keys: array<u32>;
var<workgroup> stack: array<i32, SIZE>;

fn classify(x: i32) -> i32 {
    switch x {
        case 0, 1: { return data[x]; }
        case 2: { if data[5] > 3 { break; } return 4; }
        default: { var y = x; loop { y -= data[y]; continuing { y++; break if y > keys_at(y); } } return y; }
    }
    return -1;
}

fn keys_at(i: i32) -> i32 { return i32(keys[i]); }

@compute @workgroup_size(SIZE)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(local_invocation_index) li: u32) {
    var i = 0u;
    loop {
        if i > keys[i] { break; }
        if data[i] < 0 { i += 2u; continue; }
        stack[i] = classify(data[i]);
        continuing { i += u32(stack[li]); }
    }
    while data[i] > 0 { i++; data[i] -= i32(SCALE); }
    { var v = vec3<i32>(1, 2, 3); v[i] = data[id.x]; data[id.x] = v[i] + v.x; }
    let modf_result = modf(f32(data[1]) * SCALE);
    data[u32(modf_result.whole)] = i32(exp2(modf_result.fract));
}
