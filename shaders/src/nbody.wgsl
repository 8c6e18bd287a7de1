// Gravity of all bodies on each body, softened: a_i = sum_j m_j (r_j - r_i) / (|r_j - r_i|^2 + eps^2)^(3/2).
//
// A work-group reads the bodies in tiles: each invocation fetches one body into work-group memory,
// then all of them use the whole tile (Nyland, Harris and Prins, GPU Gems 3, chapter 31).

const TILE: u32 = 64u;

struct System {
    count: u32,      // bodies
    softening2: f32, // eps^2
}

@group(0) @binding(0) var<uniform> system: System;
// x, y, z and mass (times the gravitational constant).
@group(0) @binding(1) var<storage, read> bodies: array<vec4<f32>>;
// x, y, z; the last component is zero.
@group(0) @binding(2) var<storage, read_write> acceleration: array<vec4<f32>>;

var<workgroup> tile: array<vec4<f32>, TILE>;

@compute @workgroup_size(TILE)
fn nbody(@builtin(global_invocation_id) id: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    // No early return: every invocation must reach the barriers.
    let inside = id.x < system.count;
    var here = vec3<f32>(0.0);
    if inside {
        here = bodies[id.x].xyz;
    }
    var sum = vec3<f32>(0.0);
    for (var first = 0u; first < system.count; first += TILE) {
        // Past the end a body without mass: it adds nothing.
        var body = vec4<f32>(0.0);
        if first + local < system.count {
            body = bodies[first + local];
        }
        tile[local] = body;
        workgroupBarrier();
        for (var k = 0u; k < TILE; k += 1u) {
            let other = tile[k];
            let towards = other.xyz - here;
            let distance2 = dot(towards, towards) + system.softening2;
            let inverse = inverseSqrt(distance2);
            sum += (other.w * inverse * inverse * inverse) * towards;
        }
        workgroupBarrier();
    }
    if inside {
        acceleration[id.x] = vec4<f32>(sum, 0.0);
    }
}
