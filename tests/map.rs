//! `rt.map`: one expression over arrays, on every path.

#[cfg(feature = "gpu")]
mod support;
mod table;

use evener::prelude::*;
use table::{cases::noise, profile_path, software_runtime};

/// 1, around the work-group of 64, large and odd, and over 65,535 work-groups.
const SIZES: [usize; 6] = [1, 63, 65, 100_003, 4_194_240, 4_194_240 + 64 * 3 + 7];

fn saxpy_everywhere(rt: &Runtime, placements: &[Placement]) {
    for n in SIZES {
        let (x, before) = (noise(n, 21), noise(n, 22));
        for placement in placements {
            let mut y = before.clone();
            let call = rt.map("a * x + y").set("a", 2.5f32).arg("x", &x).arg("y", &mut y).on(*placement);
            let report = call.run().unwrap();
            for i in 0..n {
                let want = 2.5 * f64::from(x[i]) + f64::from(before[i]);
                assert!((f64::from(y[i]) - want).abs() < 1e-6, "{placement} of {n}: [{i}] {report}");
            }
        }
    }
}

#[test]
fn a_map_is_right_on_the_cpu() {
    let rt = Runtime::builder().gpu(false).profile(profile_path()).build().unwrap();
    saxpy_everywhere(&rt, &[Placement::Cpu, Placement::Auto]);
}

#[test]
fn a_map_is_right_on_the_gpu_split_and_where_the_model_chooses() {
    if let Some(rt) = software_runtime(None) {
        let placements = [Placement::Gpu(None), Placement::Split(0.37), Placement::Split(0.5), Placement::Auto];
        saxpy_everywhere(&rt, &placements);
    }
    #[cfg(feature = "gpu")]
    if let Some(rt) = software_runtime(Some(support::clamped)) {
        saxpy_everywhere(&rt, &[Placement::Gpu(None), Placement::Split(0.5)]);
    }
}

fn cpu() -> Runtime {
    Runtime::builder().gpu(false).profile(profile_path()).build().unwrap()
}

#[test]
fn vectors_integers_and_wgsl_functions_work() {
    let rt = cpu();
    let (x, mut y) = (vec![[1.0f32, 2.0], [3.0, 4.0]], vec![[0.0f32; 2]; 2]);
    rt.map("x.yx * s").set("s", 10.0f32).arg("x", &x).arg("y", &mut y).run().unwrap();
    assert_eq!(y, [[20.0, 10.0], [40.0, 30.0]]);
    let mut n = vec![5u32, 6, 7];
    rt.map("select(n, 0u, n % 2u == 0u)").arg("n", &mut n).run().unwrap();
    assert_eq!(n, [5, 0, 7]);
    let mut v = vec![0.0f32, 4.0];
    rt.map("sqrt(v) + dot(d, d)").set("d", [1.0f32, 2.0, 2.0]).arg("v", &mut v).run().unwrap();
    assert_eq!(v, [9.0, 11.0]);
}

#[test]
fn what_a_map_cannot_do_is_an_error_that_says_why() {
    let rt = cpu();
    let (x, mut y, mut z) = (vec![1.0f32; 3], vec![1.0f32; 3], vec![1.0f32; 2]);
    let kind = |r: Result<evener::Report, Error>| r.unwrap_err().kind();
    assert_eq!(kind(rt.map("x").arg("x", &x).run()), ErrorKind::NotWritable);
    assert_eq!(kind(rt.map("y + z").arg("y", &mut y).arg("z", &mut z).run()), ErrorKind::NotWritable);
    assert_eq!(kind(rt.map("x + z").arg("x", &x).arg("z", &mut z).run()), ErrorKind::ArgumentSize);
    assert_eq!(kind(rt.map("x; y").arg("x", &x).arg("y", &mut y).run()), ErrorKind::InvalidKernel);
    let error = rt.map("x + q").arg("x", &x).arg("y", &mut y).run().unwrap_err();
    assert!(error.kind() == ErrorKind::InvalidKernel && error.to_string().contains('q'), "{error}");
    let mut none: Vec<f32> = Vec::new();
    assert_eq!(kind(rt.map("y").arg("y", &mut none).run()), ErrorKind::ItemCount);
}
