// a_i = sum_j m_j (r_j - r_i) / (|r_j - r_i|^2 + softening^2)^(3/2), bodies read in tiles.

const TILE: u32 = 64u;

struct System {
    count: u32,
    softening2: f32,
}

@group(0) @binding(0) var<uniform> system: System;
@group(0) @binding(1) var<storage, read> bodies: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> acceleration: array<vec4<f32>>;

var<workgroup> tile: array<vec4<f32>, TILE>;

@compute @workgroup_size(TILE)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let inside = id.x < system.count;
    var here = vec3<f32>(0.0);
    if inside {
        here = bodies[id.x].xyz;
    }
    var sum = vec3<f32>(0.0);
    for (var first = 0u; first < system.count; first += TILE) {
        var body = vec4<f32>(0.0);
        if first + local < system.count {
            body = bodies[first + local];
        }
        tile[local] = body;
        workgroupBarrier();
        for (var k = 0u; k < TILE; k++) {
            let other = tile[k];
            let towards = other.xyz - here;
            let inverse = inverseSqrt(dot(towards, towards) + system.softening2);
            sum += (other.w * inverse * inverse * inverse) * towards;
        }
        workgroupBarrier();
    }
    if inside {
        acceleration[id.x] = vec4<f32>(sum, 0.0);
    }
}
