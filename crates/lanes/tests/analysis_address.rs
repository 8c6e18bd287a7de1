//! Address classes of WGSL kernels.

use evener_lanes::{
    Module,
    analysis::address_class::{AddressClass, address_classes},
};

fn classes(body: &str) -> Vec<AddressClass> {
    let source = format!(
        "struct P {{ n: u32, k: u32 }}
         @group(0) @binding(0) var<storage, read> x: array<f32>;
         @group(0) @binding(1) var<storage, read_write> y: array<f32>;
         @group(0) @binding(2) var<storage, read> m: array<array<f32, 4>>;
         @compute @workgroup_size(64) fn main(@builtin(global_invocation_id) gid: vec3u) {{
             let i = gid.x; let j = gid.y; {body} }}"
    );
    address_classes(&Module::parse(&source).unwrap().lower("main").unwrap())
}

#[test]
fn classes_of_common_indices() {
    use AddressClass::*;
    let table: [(&str, &[AddressClass]); 8] = [
        ("y[i] = x[i];", &[Strided(4), Strided(4)]),
        ("y[i] = x[j];", &[Uniform, Strided(4)]),
        ("y[2u * i + 1u] = x[j * 100u + i];", &[Strided(4), Strided(8)]),
        ("y[100u - i] = 1.0;", &[Strided(-4)]),
        ("y[i] = x[i / 3u];", &[Gather, Strided(4)]),
        ("y[i] = m[i][3];", &[Strided(16), Strided(4)]),
        ("y[i] = x[u32(x[i])];", &[Strided(4), Gather, Strided(4)]),
        ("for (var k = i; k < 10u + i; k++) { y[k] = x[k * 2u]; }", &[Strided(8), Strided(4)]),
    ];
    for (body, expected) in table {
        assert_eq!(classes(body), expected, "{body}");
    }
}

#[test]
fn a_counter_that_lanes_change_apart_is_a_gather() {
    let body = "var k = 0u; for (var n = 0u; n < 9u; n++) { if (x[i] > 0.0) { k++; } y[k] = 1.0; }";
    assert_eq!(classes(body).last(), Some(&AddressClass::Gather));
}
