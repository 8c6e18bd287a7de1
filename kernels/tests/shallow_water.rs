//! The solver against theory and against a plain f64 reference.

use evener::prelude::*;
use evener_kernels::{Settings, ShallowWater};

#[path = "../../tests/support/reference.rs"]
mod reference;
use reference::{Constants, Flow, stoker};

fn cpu() -> Runtime {
    Runtime::builder().gpu(false).profile(None).build().expect("a CPU")
}

/// Hills with a height of about `scale` metres, on a grid of 2^-10 m.
fn hills(columns: usize, rows: usize, scale: f32) -> Vec<f32> {
    let height = |k: usize| {
        let (x, y) = ((k % columns) as f32 / columns as f32, (k / columns) as f32 / rows as f32);
        scale * (1.0 + (7.0 * x).sin() * (5.0 * y + 1.0).cos() + 0.3 * (31.0 * x + 17.0 * y).sin())
    };
    (0..columns * rows).map(|k| (height(k) * 1024.0).round() / 1024.0).collect()
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
fn the_kernel_agrees_with_the_reference_wherever_it_runs() {
    let (flow, constants) = reference_case(131, 45);
    let (want, fastest) = reference::shallow_water(&flow, &constants);
    let mut runs = vec![(cpu(), Placement::Cpu)];
    let gpu = Runtime::builder().software_gpu(true).profile(None).build().unwrap();
    if gpu.devices().len() > 1 {
        runs.extend([Placement::Gpu(None), Placement::Split(0.37), Placement::Auto].map(|p| (gpu.clone(), p)));
    } else {
        println!("skipped: {}", gpu.left_out().join("; "));
    }
    for (rt, placement) in runs {
        let got = run_kernel(&rt, placement, &flow, &constants);
        let names = ["depth", "u", "v", "fastest"];
        for ((name, got), want) in names.iter().zip(got).zip([&want.depth, &want.u, &want.v, &fastest]) {
            for (k, (g, w)) in got.iter().zip(want).enumerate() {
                let error = (f64::from(*g) - w).abs();
                assert!(error < 2e-4 * w.abs().max(1.0), "{placement}: {name}[{k}] is {g}, the reference {w}");
            }
        }
    }
}

/// A ring of walls around uneven ground with wet, thin and dry cells in motion.
fn reference_case(width: usize, height: usize) -> (Flow, Constants) {
    let wide = |x: f32| f64::from(x);
    let noise = |k: usize, seed: u32| {
        f64::from((k as u32 ^ seed).wrapping_mul(0x9e37_79b9).rotate_left(9) >> 8 & 0xffff) / 65536.0
    };
    let wall = |k: usize| k.is_multiple_of(width) || k % width == width - 1 || k < width || k >= width * (height - 1);
    let ground = hills(width, height, 4.0);
    // Rounded to f32, so that both sides start from the same numbers.
    let cell = |k: usize, value: f64| if wall(k) { 0.0 } else { wide(value as f32) };
    let depth = |k: usize| if noise(k, 77) < 0.3 { 0.0 } else { 3.0 * noise(k, 5) };
    let grid = |f: &dyn Fn(usize) -> f64| (0..width * height).map(f).collect::<Vec<f64>>();
    let flow = Flow {
        width,
        height,
        bed: grid(&|k| if wall(k) { 1.0e4 } else { wide(ground[k]) }),
        depth: grid(&|k| cell(k, depth(k))),
        u: grid(&|k| cell(k, if depth(k) > 0.01 { 4.0 * noise(k, 9) - 2.0 } else { 0.0 })),
        v: grid(&|k| cell(k, if depth(k) > 0.01 { 4.0 * noise(k, 31) - 2.0 } else { 0.0 })),
    };
    let constants =
        Constants { dt: 0.25, dx: 8.0, dy: 16.0, gravity: 9.81, manning: 0.04, dry: 1e-3, rain: 1.0 / 1024.0 };
    (flow, constants)
}

fn run_kernel(rt: &Runtime, placement: Placement, flow: &Flow, c: &Constants) -> [Vec<f32>; 4] {
    let narrow = |x: &[f64]| x.iter().map(|x| *x as f32).collect::<Vec<f32>>();
    let (cells, groups) = (flow.depth.len(), flow.width.div_ceil(64) * flow.height.div_ceil(4));
    let [bed, depth, u, v] = [&flow.bed, &flow.depth, &flow.u, &flow.v].map(|x| narrow(x));
    let [mut h1, mut u1, mut v1] = [vec![-1.0f32; cells], vec![-1.0; cells], vec![-1.0; cells]];
    let mut fastest = vec![-1.0f32; groups];
    let kernel = rt.kernel(evener_shaders::SHALLOW_WATER).unwrap();
    let (width, height) = (flow.width as u32, flow.height as u32);
    let call = kernel.call().set("params.width", width).set("params.height", height).set("params.dt", c.dt as f32);
    let call = call.set("params.dt_dx", (c.dt / c.dx) as f32).set("params.dt_dy", (c.dt / c.dy) as f32);
    let call = call.set("params.gravity", c.gravity as f32).set("params.dry", c.dry as f32);
    let call =
        call.set("params.friction", (c.gravity * c.manning * c.manning) as f32).set("params.rain", c.rain as f32);
    let call = call.arg("bed", &bed).arg("depth", &depth).arg("u", &u).arg("v", &v);
    let call =
        call.arg("depth_next", &mut h1).arg("u_next", &mut u1).arg("v_next", &mut v1).arg("fastest", &mut fastest);
    // Strict: a split must be possible.
    call.items([width, height]).on(placement).strict(true).run().unwrap();
    [h1, u1, v1, fastest]
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
