//! The runtime around calls: pools, nesting, reports, what moves, profiles.

mod table;

use evener::prelude::*;
use rayon::prelude::*;
use std::sync::Arc;
use table::{cases::noise, profile_path, software_runtime};

#[test]
fn calls_from_inside_rayon_workers_end() {
    let rt = Runtime::builder().gpu(false).profile(profile_path()).build().unwrap();
    for threads in [1, 2] {
        let pool = Arc::new(rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap());
        let own = Runtime::builder().gpu(false).profile(profile_path()).pool(pool.clone()).build().unwrap();
        for rt in [&rt, &own] {
            let sums: Vec<f32> = pool.install(|| {
                (0..64u32)
                    .into_par_iter()
                    .map(|k| {
                        let (x, mut y) = (vec![k as f32; 3000], vec![1.0f32; 3000]);
                        rt.map("x * 2.0 + y").arg("x", &x).arg("y", &mut y).run().unwrap();
                        y[2999]
                    })
                    .collect()
            });
            assert!(sums.iter().enumerate().all(|(k, s)| *s == 2.0 * k as f32 + 1.0));
        }
    }
}

#[test]
fn split_calls_from_inside_rayon_workers_end() {
    let Some(rt) = software_runtime(None) else { return };
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
    pool.install(|| {
        (0..8u32).into_par_iter().for_each(|k| {
            let (x, mut y) = (noise(5000, k), noise(5000, k + 1));
            let want = x[4999] + y[4999];
            rt.map("x + y").arg("x", &x).arg("y", &mut y).on(Placement::Split(0.5)).run().unwrap();
            assert_eq!(y[4999], want);
        });
    });
}

#[test]
fn a_report_says_where_and_why_and_is_json() {
    let rt = Runtime::builder().gpu(false).profile(profile_path()).build().unwrap();
    let (x, mut y) = (noise(100_000, 1), noise(100_000, 2));
    let kernel = rt.kernel(evener_shaders::SAXPY).unwrap();
    let report = kernel.call().set("a", 1.5f32).arg("x", &x).arg("y", &mut y).items(100_000).run().unwrap();
    assert_eq!((report.chose.as_str(), report.entry.as_str()), ("cpu", "saxpy"));
    assert_eq!(report.placement.get("cpu"), Some(&1.0));
    assert!(report.predicted_ns > 0.0 && report.actual_ns > 0.0 && !report.reason.is_empty());
    let line = report.to_string();
    assert!(line.starts_with("saxpy: cpu 100 %") && !line.contains('\n'), "{line}");
    let json: serde_json::Value = serde_json::to_value(&report).unwrap();
    for field in [
        "kernel",
        "entry",
        "chose",
        "reason",
        "placement",
        "predicted_ns",
        "actual_ns",
        "phases",
        "bytes",
        "recoveries",
    ] {
        assert!(!json[field].is_null(), "{field} is missing");
    }
    assert_eq!(serde_json::from_value::<evener::Report>(json).unwrap(), report);
}

#[test]
fn only_what_is_needed_moves() {
    let Some(rt) = software_runtime(None) else { return };
    let n = 64 * 1024usize;
    let (x, mut y) = (noise(n, 1), noise(n, 2));
    let kernel = rt.kernel(evener_shaders::SAXPY).unwrap();
    let call = kernel.call().set("a", 1.5f32).arg("x", &x).arg("y", &mut y).items(n);
    let half = call.on(Placement::Split(0.5)).run().unwrap();
    // Half of x and of y up, half of y down.
    assert_eq!((half.bytes.up, half.bytes.down), (4 * n as u64, 2 * n as u64), "{}", half.explain());
    let fill = rt
        .kernel(
            "@group(0) @binding(0) var<storage, read_write> y: array<f32>;
             @compute @workgroup_size(64) fn fill(@builtin(global_invocation_id) id: vec3u) { y[id.x] = 1.0; }",
        )
        .unwrap();
    let report = fill.call().arg("y", &mut y).items(n).on(Placement::Gpu(None)).run().unwrap();
    assert_eq!((report.bytes.up, report.bytes.down), (0, 4 * n as u64), "{}", report.explain());
}

#[test]
fn a_profile_that_cannot_be_read_is_measured_again() {
    let path = std::env::temp_dir().join(format!("evener-runtime-{}.json", std::process::id()));
    std::fs::write(&path, "not a profile").unwrap();
    let rt = Runtime::builder().gpu(false).profile(Some(path.clone())).build().unwrap();
    let mut y = vec![1.0f32; 10];
    rt.map("y + 1.0").arg("y", &mut y).run().unwrap();
    assert_eq!(y, [2.0; 10]);
    assert!(evener::cost::profile::Profile::load(&path).is_ok(), "it was replaced by a good one");
    drop(rt);
    std::fs::remove_file(&path).unwrap();
}

#[test]
fn what_calls_taught_is_kept_for_the_next_process_until_the_device_is_measured_anew() {
    let path = std::env::temp_dir().join(format!("evener-learned-{}.json", std::process::id()));
    let runtime = || Runtime::builder().gpu(false).profile(Some(path.clone())).threads(1).build().unwrap();
    let call = |rt: &Runtime| {
        let (x, mut y) = (noise(300_000, 1), noise(300_000, 2));
        rt.map("x / (1.0 + y * y)").arg("x", &x).arg("y", &mut y).run().unwrap()
    };
    let kernels = |rt: &Runtime| rt.profile().learned.values().map(|l| l.kernels.len()).sum::<usize>();
    let first = runtime();
    for _ in 0..3 {
        call(&first);
    }
    drop(first);
    let second = runtime();
    assert_eq!(kernels(&second), 1, "{:?}", second.profile().learned);
    for _ in 0..3 {
        call(&second);
    }
    drop(second);
    let third = runtime();
    assert_eq!(kernels(&third), 1, "the same kernel has the same fingerprint");
    third.calibrate(true, &mut |_, _| {}).unwrap();
    assert_eq!(kernels(&third), 0, "corrections of other rates");
    drop(third);
    std::fs::remove_file(&path).unwrap();
}

#[test]
fn a_report_says_the_same_whenever_it_is_looked_at_and_what_is_changed_in_it_stays() {
    let rt = Runtime::builder().gpu(false).profile(profile_path()).build().unwrap();
    let (mut later, mut y) = (Vec::new(), vec![1.0f32; 100]);
    for _ in 0..2 {
        let report = rt.map("y + 1.0").arg("y", &mut y).run().unwrap();
        later.push((report.clone(), report.explain()));
    }
    drop(rt);
    for (report, said) in &later {
        assert_eq!(report.explain(), *said);
        let mut changed = report.clone();
        changed.reason = "another reason".into();
        assert!(changed.explain().contains("another reason") && changed.clone() == changed && changed != *report);
    }
    assert_ne!(later[0].0, later[1].0);
}
