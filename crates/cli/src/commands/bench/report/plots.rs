//! The plots of the page, from the same results as its tables.

use super::{
    super::{
        print::{count, percent},
        results::{Cell, Results, is_split},
    },
    svg::{Axis, Plot, WIDTH},
};
use crate::output::time;
use std::collections::BTreeMap;

/// A plot with its heading.
pub struct Panel {
    /// Above it.
    pub title: String,
    /// SVG.
    pub svg: String,
}

/// Left and right end of the drawn area.
const LEFT: f64 = 54.0;
const RIGHT: f64 = WIDTH - 10.0;

/// The colour class of a placement: by the device's place, the last colour for all further ones.
pub fn class(results: &Results, name: &str) -> String {
    if is_split(name) {
        return "split".into();
    }
    let place = results.machine.devices.iter().position(|d| d.id == name).unwrap_or(0);
    format!("d{}", place.min(3))
}

/// Cells of one kernel and residency, by size.
fn groups(results: &Results) -> Vec<Vec<&Cell>> {
    let mut groups: Vec<Vec<&Cell>> = Vec::new();
    for cell in &results.cells {
        match groups.last_mut() {
            Some(g) if g[0].kernel == cell.kernel && g[0].residency == cell.residency => g.push(cell),
            _ => groups.push(vec![cell]),
        }
    }
    groups
}

fn name_of(cell: &Cell) -> String {
    format!("{}, {}", cell.kernel, place_of(cell))
}

/// Where the data are.
fn place_of(cell: &Cell) -> String {
    cell.home.as_ref().map_or("data on the host".into(), |home| format!("data on {home}"))
}

/// Time by size: a line a device, one for the best split, dots for the scheduler.
pub fn times(results: &Results) -> Vec<Panel> {
    groups(results).iter().map(|cells| time_panel(results, cells)).collect()
}

fn time_panel(results: &Results, cells: &[&Cell]) -> Panel {
    const HEIGHT: f64 = 220.0;
    let (top, bottom) = (10.0, HEIGHT - 24.0);
    let gpus = |c: &Cell| c.alone().filter(|(name, _)| *name != "cpu").map(|(_, t)| t.run_ns).collect::<Vec<f64>>();
    let all = cells.iter().flat_map(|c| {
        let medians = c.placements.values().map(|t| t.median_ns);
        medians.chain([c.auto.run10_ns]).chain(gpus(c)).collect::<Vec<f64>>()
    });
    let x = Axis::over(cells.iter().map(|c| c.size as f64), 4.0, LEFT + 8.0, RIGHT - 8.0);
    let y = Axis::over(all, 10.0, bottom - 6.0, top + 4.0);
    let mut plot = Plot::new(HEIGHT);
    plot.left(&y, &y.decades(6), (LEFT, RIGHT), whole_time);
    plot.bottom(&x, &x.ticks(4.0, 6), (top, bottom), |v| count(v.round() as u64));
    for cross in &results.crossovers {
        if cross.kernel == cells[0].kernel && cross.residency == cells[0].residency {
            plot.rule("cross", (x.at(cross.size), top), (x.at(cross.size), bottom));
        }
    }
    let series = |of: &dyn Fn(&Cell) -> Option<f64>| -> Vec<(f64, f64)> {
        cells.iter().filter_map(|c| Some((x.at(c.size as f64), y.at(of(c)?)))).collect()
    };
    plot.line("split", &series(&|c| c.best_split().map(|s| s.1.median_ns)));
    for device in &results.machine.devices {
        plot.line(&class(results, &device.id), &series(&|c| c.placements.get(&device.id).map(|t| t.median_ns)));
    }
    for device in results.machine.devices.iter().filter(|d| d.id != "cpu") {
        let kernel = series(&|c| c.placements.get(&device.id).map(|t| t.run_ns));
        plot.line(&format!("kernel {}", class(results, &device.id)), &kernel);
    }
    for c in cells {
        let title = format!("{} {}: auto {} ({})", c.kernel, count(c.size), time(c.auto.run10_ns), c.chose);
        let data = format!(
            r#" data-plot="time" data-kernel="{}" data-residency="{}" data-size="{}" data-ns="{}""#,
            c.kernel, c.residency, c.size, c.auto.run10_ns
        );
        plot.dot("auto", (x.at(c.size as f64), y.at(c.auto.run10_ns)), 4.0, &title, &data);
    }
    let title = name_of(cells[0]);
    Panel { svg: plot.finish(&format!("Time by size: {title}")), title }
}

/// A time that is a power of ten.
fn whole_time(ns: f64) -> String {
    let (value, unit) = match ns {
        n if n < 1e3 => (n, "ns"),
        n if n < 1e6 => (n / 1e3, "us"),
        n if n < 1e9 => (n / 1e6, "ms"),
        n => (n / 1e9, "s"),
    };
    format!("{value:.0} {unit}")
}

/// A choice with its regret in every cell.
struct Choice {
    name: String,
    class: String,
    /// Regret, and of which cell.
    cells: Vec<(f64, String)>,
    geomean: f64,
}

/// The scheduler's first, third and tenth calls, and fixed choices.
fn choices(results: &Results) -> Vec<Choice> {
    let cells = |of: &dyn Fn(&Cell) -> Option<f64>| -> Vec<(f64, String)> {
        let one = |c: &Cell| Some((of(c)?, format!("{} {} {}", c.kernel, count(c.size), c.residency)));
        results.cells.iter().filter_map(one).collect()
    };
    let s = &results.summary;
    let auto = [
        ("auto, 1st call", s.cold.all.regret_geomean, cells(&|c| Some(c.regret.cold))),
        ("auto, 3rd call", s.run3.all.regret_geomean, cells(&|c| Some(c.regret.run3))),
        ("auto, 10th call", s.all.regret_geomean, cells(&|c| Some(c.regret.run10))),
    ];
    let auto = auto.map(|(name, geomean, cells)| Choice { name: name.into(), class: "auto".into(), cells, geomean });
    let fixed = results.baselines.iter().filter(|_| results.machine.devices.len() > 1).map(|(name, geomean)| {
        let placement = if name == "half" { "split=0.5" } else { name };
        let over = |c: &Cell| Some(c.placements.get(placement)?.median_ns / c.oracle_ns - 1.0);
        let class = class(results, placement);
        Choice { name: format!("always {name}"), class, cells: cells(&over), geomean: *geomean }
    });
    auto.into_iter().chain(fixed).collect()
}

/// Every cell's time over the oracle's, for each choice.
pub fn regrets(results: &Results) -> Panel {
    const ROW: f64 = 40.0;
    let rows = choices(results);
    let (top, bottom) = (4.0, 4.0 + ROW * rows.len() as f64);
    let ratios = rows.iter().flat_map(|r| r.cells.iter().map(|c| 1.0 + c.0).chain([1.0 + r.geomean])).chain([1.0, 2.0]);
    let x = Axis::over(ratios, 2.0, 14.0, RIGHT - 8.0);
    let mut plot = Plot::new(bottom + 22.0);
    let ticks = [0.5, 1.0, 2.0, 4.0, 10.0, 30.0, 100.0, 1000.0].into_iter().filter(|v| inside(&x, *v));
    plot.bottom(&x, &ticks.collect::<Vec<f64>>(), (top, bottom), |v| format!("{v}x"));
    for (k, row) in rows.iter().enumerate() {
        let y = top + ROW * k as f64;
        plot.text("name", (2.0, y + 14.0), &row.name);
        plot.text("soft end", (RIGHT, y + 14.0), &format!("geomean {}", percent(row.geomean)));
        for (regret, who) in &row.cells {
            let title = format!("{who}: {}", percent(*regret));
            plot.dot(&format!("{} faint", row.class), (x.at(1.0 + regret), y + 27.0), 3.5, &title, "");
        }
        let mean = x.at(1.0 + row.geomean);
        plot.rule("mean", (mean, y + 20.0), (mean, y + 34.0));
    }
    Panel { title: "Time over the oracle's, one dot a cell".into(), svg: plot.finish("Regret by choice") }
}

fn inside(axis: &Axis, value: f64) -> bool {
    let at = axis.at(value);
    (14.0..=RIGHT - 8.0).contains(&at)
}

/// Which device is the fastest alone, by size.
pub fn crossover(results: &Results) -> Panel {
    const ROW: f64 = 30.0;
    let groups = groups(results);
    let bottom = 4.0 + ROW * groups.len() as f64;
    let x = Axis::over(results.cells.iter().map(|c| c.size as f64), 4.0, 14.0, RIGHT - 8.0);
    let mut plot = Plot::new(bottom + 22.0);
    plot.bottom(&x, &x.ticks(8.0, 7), (4.0, bottom), |v| count(v.round() as u64));
    for (k, cells) in groups.iter().enumerate() {
        let y = 4.0 + ROW * k as f64;
        plot.text("name", (2.0, y + 12.0), &name_of(cells[0]));
        // From one crossover to the next, in the colour of who wins between them.
        let crossings =
            results.crossovers.iter().filter(|c| c.kernel == cells[0].kernel && c.residency == cells[0].residency);
        let (mut from, mut name) = (cells[0].size as f64, cells[0].fastest().map_or("cpu", |f| f.0));
        let last = cells[cells.len() - 1].size as f64;
        let mut segment = |from: f64, to: f64, name: &str| {
            let (a, b) = (x.at(from), x.at(to).max(x.at(from) + 4.0));
            plot.bar(&class(results, name), (a, y + 17.0), (b - a, 8.0), &format!("{name} is the fastest alone"));
        };
        for c in crossings {
            segment(from, c.size, name);
            (from, name) = (c.size, &c.above);
        }
        segment(from, last, name);
    }
    Panel { title: "Which device is the fastest alone, by invocations".into(), svg: plot.finish("Crossover sizes") }
}

/// Who did which share of the scheduler's last calls.
pub fn shares(results: &Results) -> Vec<Panel> {
    let mut kernels: Vec<(&str, Vec<&Cell>)> = Vec::new();
    for cell in &results.cells {
        match kernels.last_mut() {
            Some((name, cells)) if *name == cell.kernel => cells.push(cell),
            _ => kernels.push((&cell.kernel, vec![cell])),
        }
    }
    kernels.iter().map(|(name, cells)| share_panel(results, name, cells)).collect()
}

fn share_panel(results: &Results, kernel: &str, cells: &[&Cell]) -> Panel {
    const ROW: f64 = 22.0;
    let left = 112.0;
    let mut plot = Plot::new(6.0 + ROW * cells.len() as f64);
    for (k, c) in cells.iter().enumerate() {
        let y = 4.0 + ROW * k as f64;
        let place = c.home.as_deref().unwrap_or("host");
        plot.text("soft end", (left - 8.0, y + 12.0), &format!("{} {place}", count(c.size)));
        let mut at = left;
        for (device, share) in &c.shares {
            let width = share * (RIGHT - left);
            let title = format!("{device} {:.0} %", 100.0 * share);
            plot.bar(&class(results, device), (at, y + 1.0), ((width - 2.0).max(1.0), 14.0), &title);
            at += width;
        }
        if let Some(cpu) = cpu_share(&c.oracle) {
            let x = left + cpu * (RIGHT - left);
            plot.rule("mean", (x, y - 1.0), (x, y + 17.0));
        }
    }
    Panel { title: kernel.to_owned(), svg: plot.finish(&format!("Shares of the devices: {kernel}")) }
}

/// The CPU's share in a placement, where that says it.
fn cpu_share(name: &str) -> Option<f64> {
    match name {
        "cpu" => Some(1.0),
        _ if is_split(name) => name.strip_prefix("split=")?.parse().ok(),
        _ => Some(0.0),
    }
}

/// Each device alone under its calibrated roofs.
pub fn rooflines(results: &Results) -> Vec<Panel> {
    results.machine.devices.iter().filter_map(|d| roofline_panel(results, &d.id)).collect()
}

/// Names beside dots; those of near dots stand one under the other.
fn name_dots(plot: &mut Plot, mut labels: Vec<(f64, f64, String)>) {
    labels.sort_by(|a, b| a.1.total_cmp(&b.1));
    let mut above = f64::NEG_INFINITY;
    for (dot_x, dot_y, name) in labels {
        let text_y = (dot_y + 4.0).max(above + 11.0);
        above = text_y;
        if dot_x > 0.7 * WIDTH {
            plot.text("soft end", (dot_x - 8.0, text_y), &name)
        } else {
            plot.text("soft", (dot_x + 8.0, text_y), &name)
        }
    }
}

fn roofline_panel(results: &Results, device: &str) -> Option<Panel> {
    const HEIGHT: f64 = 250.0;
    let peak = results.machine.peaks.get(device)?;
    // The largest size of each kernel with the data where the device has them.
    let mut largest: BTreeMap<&str, &Cell> = BTreeMap::new();
    let near = |c: &Cell| c.home.as_deref().is_none_or(|home| home == device);
    for c in results.cells.iter().filter(|c| near(c) && c.roofline.get(device).is_some_and(|p| p.flops > 0.0)) {
        let best = largest.entry(&c.kernel).or_insert(c);
        if c.size > best.size {
            *best = c;
        }
    }
    let position = |c: &Cell| c.roofline[device];
    let (top, bottom) = (10.0, HEIGHT - 26.0);
    let ridge = peak.flops / peak.memory_bytes.max(1.0);
    let x = Axis::over(largest.values().map(|c| position(c).intensity).chain([ridge, 0.05, 16.0]), 100.0, LEFT, RIGHT);
    let y = Axis::over(
        largest.values().map(|c| position(c).flops).chain([peak.flops * 1.5, peak.flops / 100.0]),
        100.0,
        bottom,
        top,
    );
    let mut plot = Plot::new(HEIGHT);
    plot.left(&y, &y.decades(6), (LEFT, RIGHT), |v| format!("{}", v / 1e9));
    plot.bottom(&x, &x.decades(6), (top, bottom), |v| format!("{v}"));
    let colour = class(results, device);
    for (kind, rate) in [("roof", peak.memory_bytes), ("cache", peak.cache_bytes)] {
        let steps = (0..=100).map(|k| 1e-4 * 1e9f64.powf(f64::from(k) / 100.0));
        let inside = steps.filter(|i| x.at(*i) >= LEFT && x.at(*i) <= RIGHT && y.at(i * rate) <= bottom);
        plot.line(
            &format!("{kind} {colour}"),
            &inside.map(|i| (x.at(i), y.at((i * rate).min(peak.flops)))).collect::<Vec<_>>(),
        );
    }
    let mut labels: Vec<(f64, f64, String)> = Vec::new();
    for c in largest.values() {
        let p = position(c);
        let at = (x.at(p.intensity), y.at(p.flops));
        let more = if p.at_least { ", a lower bound" } else { "" };
        let title = format!(
            "{} {}: {:.2} GFLOP/s{more}, {:.0} % of its peak",
            c.kernel,
            count(c.size),
            p.flops / 1e9,
            100.0 * p.of_peak
        );
        plot.dot(&colour, at, 4.5, &title, "");
        labels.push((at.0, at.1, c.kernel.clone()));
    }
    name_dots(&mut plot, labels);
    Some(Panel {
        title: format!("{device}: GFLOP/s by operations per byte"),
        svg: plot.finish(&format!("Roofline of {device}")),
    })
}
