// How often z -> z^2 + c is applied before |z| > 2, at most `cap` times.

struct View {
    width: u32,
    height: u32,
    cap: u32,
    left: f32,
    top: f32,
    pixel: f32,
}

@group(0) @binding(0) var<uniform> view: View;
@group(0) @binding(1) var<storage, read_write> count: array<u32>;

@compute @workgroup_size(16, 16)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    if id.x >= view.width || id.y >= view.height {
        return;
    }
    let c = vec2<f32>(view.left + view.pixel * f32(id.x), view.top - view.pixel * f32(id.y));
    var z = vec2<f32>(0.0);
    var n = 0u;
    while n < view.cap && dot(z, z) <= 4.0 {
        z = vec2<f32>(z.x * z.x - z.y * z.y, 2.0 * z.x * z.y) + c;
        n += 1u;
    }
    count[id.y * view.width + id.x] = n;
}
