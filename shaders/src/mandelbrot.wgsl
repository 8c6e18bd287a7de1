// How many times z -> z^2 + c is applied before |z| > 2, for each point c of a grid.
// Points that stay inside for `cap` rounds get `cap`.

struct View {
    width: u32,  // pixels
    height: u32,
    cap: u32,    // most iterations
    left: f32,   // real part of the left edge
    top: f32,    // imaginary part of the top edge
    pixel: f32,  // side of a pixel in the complex plane
}

@group(0) @binding(0) var<uniform> view: View;
@group(0) @binding(1) var<storage, read_write> count: array<u32>;

@compute @workgroup_size(64, 4)
fn mandelbrot(@builtin(global_invocation_id) id: vec3<u32>) {
    if id.x >= view.width || id.y >= view.height {
        return;
    }
    let c_re = view.left + view.pixel * f32(id.x);
    let c_im = view.top - view.pixel * f32(id.y);
    var re = 0.0;
    var im = 0.0;
    var n = 0u;
    while n < view.cap {
        let re2 = re * re;
        let im2 = im * im;
        if re2 + im2 > 4.0 {
            break;
        }
        im = 2.0 * re * im + c_im;
        re = re2 - im2 + c_re;
        n += 1u;
    }
    count[id.y * view.width + id.x] = n;
}
