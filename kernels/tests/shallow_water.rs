//! The solver against theory. One step of it against a plain f64 reference is a case of evener's own table.

use evener::prelude::*;
use evener_kernels::{Settings, ShallowWater};

#[path = "../../tests/support/reference.rs"]
mod reference;
use reference::{hills, stoker};

fn cpu() -> Runtime {
    Runtime::builder().gpu(false).profile(None).build().expect("a CPU")
}

#[test]
fn a_lake_with_shores_and_islands_stays_exactly_at_rest() {
    let bed = hills(90, 70, 400.0);
    let depth: Vec<f32> = bed.iter().map(|z| (450.0 - z).max(0.0)).collect();
    assert!(depth.contains(&0.0) && depth.iter().any(|h| *h > 100.0), "the lake needs both shores and depth");
    let mut water = ShallowWater::new(&cpu(), 90, 70, [50.0, 60.0], &bed).unwrap();
    water.set_depth(&depth).unwrap();
    for _ in 0..100 {
        water.step().unwrap();
    }
    assert_eq!(water.top_speed(), 0.0);
    assert_eq!(water.depth(), depth);
}

#[test]
fn water_and_rain_are_kept_while_shores_flood_and_dry() {
    let bed = hills(80, 60, 20.0);
    let depth: Vec<f32> = (0..bed.len()).map(|k| if k % 80 < 30 { (40.0 - bed[k]).max(0.0) } else { 0.0 }).collect();
    let mut water = ShallowWater::new(&cpu(), 80, 60, [10.0, 12.0], &bed).unwrap();
    water.set_depth(&depth).unwrap();
    water.set_rain(0.1 / 3600.0);
    let before = water.volume();
    water.advance_to(60.0, |_| {}).unwrap();
    assert!(water.top_speed() > 1.0, "the water must move: {} m/s", water.top_speed());
    assert!(water.rained() > 0.0);
    assert!(water.depth().iter().all(|h| h.is_finite() && *h >= 0.0));
    let given = before + water.rained();
    assert!((water.volume() - given).abs() < 1e-5 * given, "{} of {given}", water.volume());
}

#[test]
fn a_dam_break_follows_stokers_solution() {
    let n = 400;
    let settings = Settings { manning: 0.0, ..Settings::default() };
    let mut water = ShallowWater::new(&cpu(), n, 1, [1.0, 1.0], &vec![0.0; n]).unwrap().with_settings(settings);
    let depth: Vec<f32> = (0..n).map(|x| if x < n / 2 { 10.0 } else { 2.0 }).collect();
    water.set_depth(&depth).unwrap();
    water.advance_to(12.0, |_| {}).unwrap();
    let x = |k: usize| k as f64 + 0.5 - n as f64 / 2.0;
    let exact = |k: usize| stoker(9.81, 10.0, 2.0, x(k), 12.0);
    let error = water.depth().iter().enumerate().map(|(k, h)| (f64::from(*h) - exact(k)).abs()).sum::<f64>() / n as f64;
    assert!(error < 0.12, "mean error {error} m: more than a first-order scheme should have");
}

#[test]
fn a_flow_to_the_south_is_the_mirror_image_of_one_to_the_east() {
    let run = |columns: usize, rows: usize| {
        let mut water = ShallowWater::new(&cpu(), columns, rows, [2.0, 2.0], &vec![0.0; columns * rows]).unwrap();
        let depth: Vec<f32> = (0..60).map(|k| if k < 20 { 3.0 } else { 0.0 }).collect();
        water.set_depth(&depth).unwrap();
        water.advance_to(4.0, |_| {}).unwrap();
        water.depth()
    };
    assert_eq!(run(60, 1), run(1, 60));
}

#[test]
fn bad_grids_are_typed_errors_that_name_the_argument() {
    let rt = cpu();
    let error = |columns, rows, cell, bed: &[f32]| ShallowWater::new(&rt, columns, rows, cell, bed).unwrap_err();
    assert_eq!(error(0, 3, [1.0, 1.0], &[]).kind(), ErrorKind::ItemCount);
    assert_eq!(error(2, 2, [1.0, -1.0], &[0.0; 4]).kind(), ErrorKind::ItemCount);
    assert!(error(2, 2, [1.0, 1.0], &[0.0; 3]).to_string().contains("`bed` has 3 elements"));
    assert!(error(2, 2, [1.0, 1.0], &[0.0, f32::NAN, 0.0, 0.0]).to_string().contains("`bed[1]`"));
    let mut water = ShallowWater::new(&rt, 2, 2, [1.0, 1.0], &[0.0; 4]).unwrap();
    assert!(water.set_depth(&[0.0, 0.0, -1.0, 0.0]).unwrap_err().to_string().contains("`depth[2]`"));
}
