//! Golden text of the lane IR for small kernels.

use evener_lanes::{Module, ir::verify::verify};

fn lower(source: &str) -> String {
    let module = Module::parse(source).unwrap_or_else(|e| panic!("{e}"));
    let kernel = module.lower("main").unwrap_or_else(|e| panic!("{e}"));
    let text = kernel.to_string();
    verify(&kernel).unwrap_or_else(|e| panic!("{e}\n{text}"));
    text
}

const SAXPY: &str = "
struct Params { a: f32, n: u32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    if (id.x >= params.n) { return; }
    y[id.x] = params.a * x[id.x] + y[id.x];
}";

const STENCIL: &str = "
struct Params { w: u32, h: u32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> a: array<f32>;
@group(0) @binding(2) var<storage, read_write> b: array<f32>;
@compute @workgroup_size(8, 8)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let x = id.x;
    let y = id.y;
    if (x >= params.w || y >= params.h) { return; }
    let i = y * params.w + x;
    if (x == 0u || y == 0u || x + 1u >= params.w || y + 1u >= params.h) {
        b[i] = a[i];
        return;
    }
    b[i] = 0.25 * (a[i - 1u] + a[i + 1u] + a[i - params.w] + a[i + params.w]);
}";

#[test]
fn show() {
    println!("{}", lower(SAXPY));
    println!("{}", lower(STENCIL));
}
