//! Elements and arrays of other crates as arguments.
#![cfg(any(feature = "ndarray", feature = "complex", feature = "half"))]

use evener::prelude::*;

fn runtime() -> Runtime {
    Runtime::builder().gpu(false).profile(None).build().unwrap()
}

#[cfg(feature = "ndarray")]
#[test]
fn ndarrays_are_bound_where_they_lie_in_one_piece() {
    use ndarray::{Array2, Axis, s};
    let rt = runtime();
    let x = Array2::from_shape_fn((3, 4), |(i, j)| (10 * i + j) as f32);
    let mut y = Array2::<f32>::ones((3, 4));
    rt.map("2.0 * x + y").arg("x", &x).arg("y", &mut y).run().unwrap();
    assert_eq!(y[[2, 3]], 47.0);
    // Rows of a matrix are one piece, too.
    let (rows, mut own) = (x.slice(s![1..3, ..]), y.slice_mut(s![0..2, ..]));
    rt.map("x").arg("x", &rows).arg("own", &mut own).run().unwrap();
    assert_eq!(y.index_axis(Axis(0), 1), x.index_axis(Axis(0), 2));
    // Columns and transposes are not.
    for scattered in [x.slice(s![.., 1..3]), x.t()] {
        let mut out = vec![0.0f32; scattered.len()];
        let error = rt.map("x + out").arg("x", &scattered).arg("out", &mut out).run().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ArgumentType);
        let text = error.to_string();
        assert!(text.contains("`x`") && text.contains("as_standard_layout") && text.contains("strides"), "{text}");
    }
    let error = rt.map("y + 1.0").arg("y", &mut y.slice_mut(s![.., 0..1])).run().unwrap_err();
    assert!(error.to_string().contains("shape [3, 1]"), "{error}");
}

#[cfg(feature = "complex")]
#[test]
fn complex_numbers_are_vec2() {
    use num_complex::Complex;
    let rt = runtime();
    let kernel = rt
        .kernel(
            "@group(0) @binding(0) var<storage, read_write> z: array<vec2f>;
             @compute @workgroup_size(64) fn square(@builtin(global_invocation_id) id: vec3u) {
                 let v = z[id.x];
                 z[id.x] = vec2f(v.x * v.x - v.y * v.y, 2.0 * v.x * v.y);
             }",
        )
        .unwrap();
    let mut z: Vec<Complex<f32>> = (0..100).map(|i| Complex::new(i as f32, 1.0)).collect();
    let want: Vec<Complex<f32>> = z.iter().map(|z| z * z).collect();
    kernel.call().arg("z", &mut z).items(100).run().unwrap();
    assert_eq!(z, want);
}

#[cfg(feature = "half")]
#[test]
fn half_floats_are_f16() {
    use half::f16;
    let rt = runtime();
    let kernel = rt
        .kernel(
            "enable f16;
             @group(0) @binding(0) var<storage, read_write> x: array<f16>;
             @compute @workgroup_size(64) fn double(@builtin(global_invocation_id) id: vec3u) { x[id.x] *= 2.0h; }",
        )
        .unwrap();
    let mut x: Vec<f16> = (0..100).map(|i| f16::from_f32(i as f32 / 8.0)).collect();
    kernel.call().arg("x", &mut x).items(100).run().unwrap();
    assert!(x.iter().enumerate().all(|(i, x)| x.to_f32() == i as f32 / 4.0));
}
