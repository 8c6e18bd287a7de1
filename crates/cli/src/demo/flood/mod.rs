//! The main demonstration: a dam breaks in heavy rain, over real ground.

use super::{Check, Context, Demo, Outcome, canvas::Canvas};
use crate::output::{Progress, table, time, trimmed};
use anyhow::Result;
use evener_kernels::ShallowWater;
use serde_json::json;
use std::{
    path::PathBuf,
    time::{Duration, Instant},
};

mod animation;
mod compare;
mod owners;
mod picture;
mod scenario;
mod terrain;

use animation::Animation;
use compare::{Comparison, compare};
use owners::Owners;
use picture::{DAM_RED, Frame, Relief};
use scenario::{DAM, DURATION, PLACE, RAIN, Scenario};

/// Frames of the animation after the first.
const FRAMES: usize = 50;
/// Steps in which the lake behind the unbroken dam must not move.
const LAKE_STEPS: usize = 100;
/// Largest speed of a lake at rest, m/s.
const LAKE_SPEED: f64 = 1e-4;
/// Largest relative error of the water's volume.
const VOLUME_ERROR: f64 = 1e-4;
/// Time that the comparison of placements may take.
const COMPARISON: Duration = Duration::from_secs(8);

pub struct Flood;

impl Demo for Flood {
    fn name(&self) -> &'static str {
        "flood"
    }

    fn about(&self) -> &'static str {
        "a dam breaks in heavy rain above La Follette, Tennessee; shallow water on --size columns of real ground (403)"
    }

    fn run(&self, context: &Context) -> Result<Outcome> {
        let scenario = Scenario::new(context.size(403, 32..=4096)?)?;
        introduce(context, &scenario)?;
        let progress = Progress::new(context.args.json);
        let lake = lake_at_rest(context, &scenario)?;
        let run = simulate(context, &scenario, &progress)?;
        let comparison = compare(&context.rt, &run.halfway, COMPARISON, |done| {
            progress.set("auto beside each device alone", 0.85 + 0.05 * done);
        })?;
        let files = write_pictures(context, &scenario, &run, &comparison, &progress)?;
        drop(progress);
        tell(context, &run, &comparison)?;
        Ok(outcome(self.name(), &scenario, lake, run, &comparison, files))
    }
}

/// A simulated flood.
struct Run {
    /// The state at the end.
    water: ShallowWater,
    /// The state at half time.
    halfway: ShallowWater,
    /// Water at the start, m^3.
    before: f64,
    /// Time and depths of each frame.
    frames: Vec<(f64, Vec<f32>)>,
    owners: Owners,
    steps: usize,
    wall: Duration,
    top_speed: f64,
    /// Depths that were negative or not finite in a frame.
    bad_depths: usize,
    last: Option<evener::Report>,
}

fn introduce(context: &Context, scenario: &Scenario) -> Result<()> {
    let terrain = &scenario.terrain;
    let deepest = scenario.reservoir.iter().copied().fold(0.0, f32::max);
    context.say(&format!(
        "  {PLACE}: {} x {} cells of {:.0} m x {:.0} m; {:.0} million m3 behind the dam, {deepest:.0} m deep; rain {:.0} mm/h; {:.0} min",
        terrain.columns,
        terrain.rows,
        terrain.cell[0],
        terrain.cell[1],
        scenario.stored() / 1e6,
        RAIN * 3.6e6,
        DURATION / 60.0,
    ))?;
    for device in context.rt.devices() {
        context.say(&format!("  {}: {} ({})", device.id, device.name, device.api))?;
    }
    Ok(())
}

fn solver(context: &Context, scenario: &Scenario, bed: &[f32]) -> Result<ShallowWater> {
    let terrain = &scenario.terrain;
    let mut water = ShallowWater::new(&context.rt, terrain.columns, terrain.rows, terrain.cell, bed)?;
    water.set_depth(&scenario.reservoir)?;
    water.place(context.args.on);
    Ok(water)
}

/// The reservoir while the dam stands, with its shores on the hillsides: nothing may move.
fn lake_at_rest(context: &Context, scenario: &Scenario) -> Result<Vec<Check>> {
    let mut water = solver(context, scenario, &scenario.dammed())?;
    let mut top = 0.0f64;
    for _ in 0..LAKE_STEPS {
        water.step()?;
        top = top.max(water.top_speed());
    }
    let name = format!("a lake at rest stays at rest: largest speed in {LAKE_STEPS} steps, m/s");
    Ok(vec![Check::below(name, top, LAKE_SPEED)])
}

fn simulate(context: &Context, scenario: &Scenario, progress: &Progress) -> Result<Run> {
    let mut water = solver(context, scenario, &scenario.terrain.bed)?;
    water.set_rain(RAIN);
    let ids = context.rt.devices().into_iter().map(|device| device.id).collect();
    let mut run = Run {
        halfway: water.clone(),
        before: water.volume(),
        frames: vec![(0.0, water.depth())],
        owners: Owners::new(ids),
        steps: 0,
        wall: Duration::ZERO,
        top_speed: 0.0,
        bad_depths: 0,
        last: None,
        water,
    };
    for frame in 1..=FRAMES {
        let until = DURATION * frame as f64 / FRAMES as f64;
        let start = Instant::now();
        let owners = &mut run.owners;
        run.steps += run.water.advance_to(until, |step| {
            owners.add(step);
            run.last = Some(step.report.clone());
        })?;
        run.wall += start.elapsed();
        run.top_speed = run.top_speed.max(run.water.top_speed());
        let depth = run.water.depth();
        run.bad_depths += depth.iter().filter(|h| !(h.is_finite() && **h >= 0.0)).count();
        run.frames.push((until, depth));
        if frame == FRAMES / 2 {
            run.halfway = run.water.clone();
        }
        progress.set(&format!("{:.0} min, {} steps", until / 60.0, run.steps), 0.85 * frame as f64 / FRAMES as f64);
    }
    Ok(run)
}

/// Writes the map at the end, the animation and the owners; returns their paths.
fn write_pictures(
    context: &Context,
    scenario: &Scenario,
    run: &Run,
    comparison: &Comparison,
    progress: &Progress,
) -> Result<Vec<PathBuf>> {
    let [map, animation, owners] = ["flood.png", "flood.gif", "owners.png"].map(|name| context.file(name));
    let files = vec![map?, animation?, owners?];
    progress.set("pictures", 0.9);
    let large = Relief::new(&scenario.terrain, 806);
    frame(&large, scenario, run, FRAMES, 2).save(&files[0])?;
    let small = Relief::new(&scenario.terrain, 604);
    let draw = |k: usize| frame(&small, scenario, run, k, 1);
    let samples = [0, FRAMES / 3, FRAMES].map(draw);
    let mut animation = Animation::create(&files[1], &samples, DAM_RED)?;
    for k in 0..=FRAMES {
        // The first and the last picture stay for a while.
        animation.add(&draw(k), if k == 0 || k == FRAMES { 150 } else { 12 })?;
        progress.set("pictures", 0.9 + 0.1 * k as f64 / FRAMES as f64);
    }
    let map = Relief::new(&scenario.terrain, 403);
    run.owners.draw(&map, scenario.terrain.rows, comparison).save(&files[2])?;
    Ok(files)
}

fn frame(relief: &Relief, scenario: &Scenario, run: &Run, k: usize, scale: usize) -> Canvas {
    let (seconds, depth) = &run.frames[k];
    let terrain = &scenario.terrain;
    let metres = f64::from(terrain.cell[0]) * terrain.columns as f64;
    Frame {
        title: "Dam break above La Follette, Tennessee".into(),
        line: format!("{:.0} min after the break, rain {:.0} mm/h", seconds / 60.0, RAIN * 3.6e6),
        dam: DAM.ends,
        kilometre: relief.width as f64 / (metres / 1000.0),
        scale,
    }
    .draw(relief, depth)
}

fn tell(context: &Context, run: &Run, comparison: &Comparison) -> Result<()> {
    let step = time(run.wall.as_nanos() as f64 / run.steps.max(1) as f64);
    context.say(&format!(
        "  {} steps in {:.1} s, {step} each; fastest water {:.0} m/s",
        run.steps,
        run.wall.as_secs_f64(),
        run.top_speed
    ))?;
    let mut rows = table(&["", "placement", "a step", "spread", "steps", "ran on"]);
    for t in &comparison.timings {
        let chose: Vec<String> = t.chose.iter().map(|(who, share)| format!("{who} {:.0} %", 100.0 * share)).collect();
        let cells = [
            String::new(),
            t.placement.clone(),
            time(t.step_ns),
            time(t.spread_ns),
            t.steps.to_string(),
            chose.join(", "),
        ];
        rows.add_row(cells);
    }
    context.say(&trimmed(&rows))?;
    context.say(&format!("  {}", comparison.verdict))
}

fn outcome(
    name: &'static str,
    scenario: &Scenario,
    mut checks: Vec<Check>,
    run: Run,
    comparison: &Comparison,
    files: Vec<PathBuf>,
) -> Outcome {
    let (kept, given) = (run.water.volume(), run.before + run.water.rained());
    let error = (kept - given).abs() / given;
    checks.insert(0, Check::below("water in = water kept, relative error", error, VOLUME_ERROR));
    checks.push(Check::none("depths that are negative or not finite", run.bad_depths));
    let details = json!({
        "grid": run.water.size(),
        "cell_m": scenario.terrain.cell,
        "simulated_s": run.water.time(),
        "steps": run.steps,
        "wall_s": run.wall.as_secs_f64(),
        "water_m3": { "at_start": run.before, "rain": run.water.rained(), "at_end": kept },
        "top_speed_m_s": run.top_speed,
        "placement": run.owners.shares().into_iter().collect::<std::collections::BTreeMap<_, _>>(),
        "predicted_over_actual": run.owners.predicted_over_actual(),
        "timings": comparison.timings,
        "verdict": comparison.verdict,
    });
    Outcome { name, checks, details, files, report: run.last }
}
