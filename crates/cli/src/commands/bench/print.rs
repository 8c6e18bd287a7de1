//! The results as a table for people.

use super::results::{Cell, Results, Row, Timing};
use crate::output::{self, time};
use anyhow::Result;

/// Prints everything.
///
/// # Errors
/// The output's.
pub fn print(results: &Results) -> Result<()> {
    output::say(&machine(results))?;
    if results.cells.is_empty() {
        output::say("\nno cell was measured")?;
    } else {
        output::say(&format!("\n{}", cells(results)))?;
        output::say(&format!("\nwhy\n{}", reasons(results)))?;
        output::say(&format!("\n{}", summary(results)))?;
    }
    for c in &results.crossovers {
        let size = count(c.size.round() as u64);
        output::say(&format!(
            "{} ({}): {} below about {size} elements, {} above",
            c.kernel, c.residency, c.below, c.above
        ))?;
    }
    for l in &results.left_out {
        output::say(&format!("left out: {} {} ({}): {}", l.kernel, count(l.size), l.residency, l.why))?;
    }
    Ok(())
}

/// The devices with their peaks, and what is to be known of them.
fn machine(results: &Results) -> String {
    let mut table = output::table(&["device", "name", "GFLOP/s", "GB/s", "cache GB/s", "launch"]);
    for d in &results.machine.devices {
        let mut row = vec![d.id.clone(), d.name.clone()];
        if let Some(p) = results.machine.peaks.get(&d.id) {
            row.extend([p.flops, p.memory_bytes, p.cache_bytes].map(giga));
            row.push(time(p.launch_ns));
        }
        table.add_row(row);
    }
    let mut text = output::trimmed(&table);
    if let Some(throttle) = &results.machine.throttled {
        text.push_str(&format!("\nA test setup, not this machine: {throttle}"));
    }
    if results.machine.build == "debug" {
        text.push_str("\nA debug build: what a call adds, and kernels by hand, are slower than in a release build.");
    }
    if results.machine.devices.len() == 1 {
        text.push_str("\nNo GPU: the only choice is the CPU; its times, peaks and the cost of a call are below.");
    }
    text
}

/// 1e9 of something.
pub fn giga(value: f64) -> String {
    let v = value / 1e9;
    if v >= 100.0 { format!("{v:.0}") } else { format!("{v:.2}") }
}

/// A number of things, for people: 4 Ki, 1 Mi.
pub fn count(n: u64) -> String {
    let unit = |size: u64, name: &str| {
        let v = n as f64 / size as f64;
        if n.is_multiple_of(size) { format!("{v:.0} {name}") } else { format!("{v:.1} {name}") }
    };
    match n {
        0..1024 => n.to_string(),
        1024..1_048_576 => unit(1 << 10, "Ki"),
        1_048_576..1_073_741_824 => unit(1 << 20, "Mi"),
        _ => unit(1 << 30, "Gi"),
    }
}

/// A ratio less one as text: `+3.1 %`.
pub fn percent(regret: f64) -> String {
    format!("{:+.1} %", 100.0 * regret)
}

fn cells(results: &Results) -> String {
    let ids: Vec<&str> = results.machine.devices.iter().map(|d| d.id.as_str()).collect();
    let mut header = vec!["kernel", "size", "data"];
    for id in &ids {
        header.push(id);
        if *id != "cpu" {
            header.push("its kernel");
        }
    }
    let several = ids.len() > 1;
    if several {
        header.extend(["best split", "oracle"]);
    }
    header.extend(["auto", "cold", "3rd", "10th", "95 %", "chose", "of peak"]);
    let by_hand = results.cells.iter().any(|c| c.baseline.is_some());
    if by_hand {
        header.extend(["baseline", "ratio"]);
    }
    let mut table = output::table(&header);
    for c in &results.cells {
        let mut row = vec![c.kernel.clone(), count(c.size), c.home.clone().unwrap_or_else(|| "host".into())];
        for id in &ids {
            let figure = |of: fn(&Timing) -> f64| c.placements.get(*id).map_or("-".into(), |t| time(of(t)));
            row.push(figure(|t| t.median_ns));
            if *id != "cpu" {
                row.push(figure(|t| t.run_ns));
            }
        }
        if several {
            row.push(c.best_split().map_or("-".into(), |(name, t)| format!("{} {}", share(name), time(t.median_ns))));
            row.push(format!("{}{}", c.oracle, if c.contested { " *" } else { "" }));
        }
        row.push(time(c.auto.run10_ns));
        row.extend([c.regret.cold, c.regret.run3, c.regret.run10].map(percent));
        row.push(format!("{}..{}", percent(c.regret.interval[0]), percent(c.regret.interval[1])));
        row.push(c.chose.clone());
        row.push(of_peak(c));
        if by_hand {
            row.extend(c.baseline.map_or(["-".into(), "-".into()], |b| [time(b.median_ns), format!("{:.2}", b.ratio)]));
        }
        table.add_row(row);
    }
    let mut text = output::trimmed(&table);
    if by_hand {
        text.push_str("\nBaseline: the same in plain Rust on rayon, as this program was compiled; above 1, evener is the faster one.");
    }
    if several {
        text.push_str("\n* contested: the best device alone is within 4x of the second. Splits: the CPU's share.");
    }
    text
}

/// `split=0.25` as `25 %`.
fn share(name: &str) -> String {
    let share = name.strip_prefix("split=").and_then(|s| s.parse::<f64>().ok());
    share.map_or_else(|| name.to_owned(), |s| format!("{:.0} %", 100.0 * s))
}

/// The fastest device's part of its calibrated peak.
fn of_peak(cell: &Cell) -> String {
    let position = cell.fastest().and_then(|(name, _)| cell.roofline.get(name));
    position.map_or("-".into(), |p| format!("{}{:.0} %", if p.at_least { ">" } else { "" }, 100.0 * p.of_peak))
}

/// Why each cell runs where it does; cells of one kernel with the same reason on one line.
fn reasons(results: &Results) -> String {
    let mut lines: Vec<(String, Vec<String>, String)> = Vec::new();
    for c in &results.cells {
        let who = format!("{} ({})", c.kernel, c.residency);
        let reason = format!("{}: {}", c.chose, c.reason);
        match lines.iter_mut().find(|l| l.0 == who && l.2 == reason) {
            Some(line) => line.1.push(count(c.size)),
            None => lines.push((who, vec![count(c.size)], reason)),
        }
    }
    let line = |(who, sizes, reason): &(String, Vec<String>, String)| format!("{who} {}: {reason}", sizes.join(", "));
    lines.iter().map(line).collect::<Vec<_>>().join("\n")
}

fn summary(results: &Results) -> String {
    let mut table = output::table(&["regret", "geomean", "p95", "max", "cells", "geomean of contested", "cells"]);
    let s = &results.summary;
    let mut add = |name: &str, all: &Row, contested: &Row| {
        let geomean = if contested.cells > 0 { percent(contested.regret_geomean) } else { "-".into() };
        let figures = [all.regret_geomean, all.regret_p95, all.regret_max].map(percent);
        let mut row = vec![name.to_owned()];
        row.extend(figures);
        row.extend([all.cells.to_string(), geomean, contested.cells.to_string()]);
        table.add_row(row);
    };
    add("auto, 1st call", &s.cold.all, &s.cold.contested);
    add("auto, 3rd", &s.run3.all, &s.run3.contested);
    add("auto, 10th to 12th", &s.all, &s.contested);
    if results.machine.devices.len() > 1 {
        add("  placed like the oracle", &s.same_placement, &Row::default());
        add("  placed otherwise", &s.other_placement, &Row::default());
        for (name, geomean) in &results.baselines {
            let contested = results.baselines_contested.get(name).map_or("-".into(), |r| percent(*r));
            table.add_row([
                format!("always {name}"),
                percent(*geomean),
                "".into(),
                "".into(),
                "".into(),
                contested,
                "".into(),
            ]);
        }
    }
    let [low, high] = s.interval;
    let took = format!("{:.1} s of {:.0} s", results.seconds.took, results.seconds.budget);
    let wins: Vec<String> = s.wins.iter().map(|(name, n)| format!("{name} {n}")).collect();
    format!(
        "{}\n95 % interval of the tenth's geomean: {} to {}; fastest alone, in cells: {}; took {took}",
        output::trimmed(&table),
        percent(low),
        percent(high),
        wins.join(", ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_readable() {
        assert_eq!([count(5), count(4096), count(1500), count(8 << 20)], ["5", "4 Ki", "1.5 Ki", "8 Mi"]);
        assert_eq!([percent(0.031), percent(-0.5)], ["+3.1 %", "-50.0 %"]);
        assert_eq!([giga(2.5e9), giga(1.5e11)], ["2.50", "150"]);
        assert_eq!([share("split=0.25"), share("cpu")], ["25 %", "cpu"]);
    }
}
