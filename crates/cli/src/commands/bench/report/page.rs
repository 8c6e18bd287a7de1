//! The page: one file without scripts, pictures or anything from elsewhere.

use super::{
    super::{
        print::{count, giga, percent},
        results::{Cell, Results, Row},
    },
    plots::{self, Panel, class},
    style::STYLE,
    svg::escaped,
};
use crate::output::{bytes, time};
use std::fmt::Write as _;

/// The page of the results.
pub fn page(results: &Results) -> String {
    let several = results.machine.devices.len() > 1;
    let mut body = head(results);
    body.push_str(&tiles(results));
    section(&mut body, "Time by size", &about_times(several), &legend(results, true), &plots::times(results));
    if several {
        let what = "A bar in the colour of the fastest device alone, from the smallest to the largest size measured; where \
                    it changes, the devices cross over.";
        section(&mut body, "Crossover", what, &legend(results, false), &[plots::crossover(results)]);
    }
    let what = "The oracle is the best of each device alone and of the splits tried, chosen on one half of the runs and timed \
                on the other. 1x is as fast as it; below 1x is faster. The upright line is the geometric mean.";
    section(&mut body, "Regret", what, "", &[plots::regrets(results)]);
    if several {
        let what = "Of the last call that the scheduler placed. The upright line is where the oracle divides the work.";
        section(&mut body, "Who did what", what, &legend(results, false), &plots::shares(results));
    }
    let what = "The largest size of each kernel alone on a device, against calibrated rates: the full line is memory and \
                arithmetic, the broken one the cache. Each byte touched counts once, an FMA is one operation.";
    section(&mut body, "Roofline", what, "", &plots::rooflines(results));
    body.push_str(&baselines(results));
    body.push_str(&cells(results));
    body.push_str(&machine(results));
    body.push_str(&left_out(results));
    format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\
         <title>evener bench</title><style>{STYLE}</style></head><body><main>{body}\
         <footer>evener {} bench, {:.1} s. The figures are in bench.json and cells.csv, the last call of each cell in \
         trace.json (chrome://tracing, ui.perfetto.dev).</footer></main></body></html>\n",
        results.machine.version, results.seconds.took
    )
}

fn head(results: &Results) -> String {
    let names: Vec<String> = results.machine.devices.iter().map(|d| format!("{} ({})", d.name, d.id)).collect();
    let mut text = format!("<h1>What should run where</h1><p>{}</p>", escaped(&names.join(" and ")));
    if results.machine.build == "debug" {
        text.push_str(
            "<p>A debug build: what a call adds, and kernels by hand, are slower than in a release build.</p>",
        );
    }
    if let Some(throttle) = &results.machine.throttled {
        let _ = write!(
            text,
            "<p><b>A test setup, not this machine:</b> <code>{}</code></p>",
            escaped(&throttle.to_string())
        );
    }
    text
}

fn tile(label: &str, value: &str, note: &str, data: &str) -> String {
    let [label, value, note] = [label, value, note].map(escaped);
    format!(
        "<div class=\"tile\"{data}><div class=\"label\">{label}</div><div class=\"value\">{value}</div>\
         <div class=\"note\">{note}</div></div>"
    )
}

fn tiles(results: &Results) -> String {
    let s = &results.summary;
    let [low, high] = s.interval;
    let data = |name: &str, value: f64| format!(" data-figure=\"{name}\" data-value=\"{value}\"");
    let mut out = String::from("<div class=\"tiles\">");
    let note = format!("95 %: {} to {}; {} cells", percent(low), percent(high), s.all.cells);
    out += &tile(
        "regret of auto, geomean",
        &percent(s.all.regret_geomean),
        &note,
        &data("regret_geomean", s.all.regret_geomean),
    );
    let note = "over cells, tenth call and later".to_owned();
    out += &tile("95th percentile", &percent(s.all.regret_p95), &note, &data("regret_p95", s.all.regret_p95));
    let cold = s.cold.all.regret_geomean;
    out += &tile("first call ever", &percent(cold), "geomean, nothing learned yet", &data("cold", cold));
    if s.contested.cells > 0 {
        let value = s.contested.regret_geomean;
        let note = format!("{} cells where two devices are within 4x", s.contested.cells);
        out += &tile("contested cells", &percent(value), &note, &data("contested", value));
    }
    if results.machine.devices.len() > 1 {
        let (names, cells): (Vec<&str>, Vec<String>) =
            s.wins.iter().map(|(name, n)| (name.as_str(), n.to_string())).unzip();
        let note = format!("cells where a device alone is the fastest, {}", names.join(" : "));
        out += &tile("fastest alone", &cells.join(" : "), &note, "");
    }
    out + "</div>"
}

fn about_times(several: bool) -> String {
    let what = "End to end, copies included, both axes logarithmic. Dots are the scheduler's own choice, tenth call and later.";
    if several {
        format!(
            "{what} The dotted line is a GPU's kernel without its copies; a broken upright line is where the fastest \
             device changes."
        )
    } else {
        what.into()
    }
}

fn legend(results: &Results, with_auto: bool) -> String {
    let mut out = String::from("<div class=\"legend\">");
    for d in &results.machine.devices {
        let _ = write!(out, "<span><i class=\"{}\"></i>{}</span>", class(results, &d.id), escaped(&d.id));
    }
    if with_auto {
        if results.cells.iter().any(|c| c.best_split().is_some()) {
            out.push_str("<span><i class=\"split\"></i>best split</span>");
        }
        out.push_str("<span><i class=\"auto point\"></i>auto</span>");
    }
    out + "</div>"
}

fn section(body: &mut String, title: &str, what: &str, legend: &str, panels: &[Panel]) {
    let _ = write!(body, "<section><h2>{title}</h2><p>{what}</p>{legend}<div class=\"panels\">");
    for panel in panels {
        let _ = write!(body, "<div class=\"panel\"><h3>{}</h3>{}</div>", escaped(&panel.title), panel.svg);
    }
    body.push_str("</div></section>");
}

/// A table whose first column is text.
fn table(header: &[&str], rows: &str) -> String {
    let header: String = header.iter().map(|h| format!("<th>{}</th>", escaped(h))).collect();
    format!("<div class=\"scroll\"><table><thead><tr>{header}</tr></thead><tbody>{rows}</tbody></table></div>")
}

fn number(value: f64, text: &str) -> String {
    format!("<td data-value=\"{value}\">{}</td>", escaped(text))
}

fn baselines(results: &Results) -> String {
    let s = &results.summary;
    let mut rows = String::new();
    let mut auto = |name: &str, all: &Row, contested: &Row| {
        let figures = [all.regret_geomean, all.regret_p95, all.regret_max, contested.regret_geomean];
        let figures: String = figures.iter().map(|v| number(*v, &percent(*v))).collect();
        let _ = write!(rows, "<tr data-choice=\"{name}\"><td>auto, {name}</td>{figures}</tr>");
    };
    auto("1st call", &s.cold.all, &s.cold.contested);
    auto("3rd call", &s.run3.all, &s.run3.contested);
    auto("10th call", &s.all, &s.contested);
    if results.machine.devices.len() > 1 {
        auto("10th call, placed like the oracle", &s.same_placement, &Row::default());
        auto("10th call, placed otherwise", &s.other_placement, &Row::default());
    }
    for (name, value) in results.baselines.iter().filter(|_| results.machine.devices.len() > 1) {
        let contested = results.baselines_contested.get(name);
        let contested = contested.map_or("<td>-</td>".into(), |v| number(*v, &percent(*v)));
        let name = escaped(name);
        let _ = write!(
            rows,
            "<tr data-choice=\"{name}\"><td>always {name}</td>{}<td>-</td><td>-</td>{contested}</tr>",
            number(*value, &percent(*value))
        );
    }
    let header = ["choice", "geomean", "95th percentile", "largest", "geomean of contested cells"];
    let what = "Time lost against the oracle. <i>static</i> is the placement that is best over all sizes of a kernel, <i>half</i> \
                gives each side half.";
    format!("<section><h2>Regret in figures</h2><p>{what}</p>{}</section>", table(&header, &rows))
}

fn cells(results: &Results) -> String {
    let ids: Vec<&str> = results.machine.devices.iter().map(|d| d.id.as_str()).collect();
    let mut header = vec!["kernel", "size", "data"];
    header.extend(&ids);
    header.extend(["best split", "oracle", "auto", "1st", "3rd", "10th", "baseline", "ratio", "chose", "why"]);
    let rows: String = results.cells.iter().map(|c| cell_row(c, &ids)).collect();
    format!(
        "<section><h2>All cells</h2><p>Medians, end to end. <i>Baseline</i> is the same in plain Rust on rayon, <i>ratio</i> its time over that of auto.</p>{}</section>",
        table(&header, &rows)
    )
}

fn cell_row(c: &Cell, ids: &[&str]) -> String {
    let ns = |value: f64| number(value, &time(value));
    let mut row = format!(
        "<tr data-kernel=\"{}\" data-size=\"{}\" data-residency=\"{}\"><td>{}</td><td title=\"{}\">{}</td><td>{}</td>",
        escaped(&c.kernel),
        c.size,
        c.residency,
        escaped(&c.kernel),
        bytes(c.bytes),
        count(c.size),
        escaped(c.home.as_deref().unwrap_or("host"))
    );
    for id in ids {
        row += &c.placements.get(*id).map_or("<td>-</td>".into(), |t| ns(t.median_ns));
    }
    row += &c.best_split().map_or("<td>-</td>".into(), |(_, t)| ns(t.median_ns));
    row += &number(c.oracle_ns, &format!("{} {}", c.oracle, time(c.oracle_ns)));
    row += &ns(c.auto.run10_ns);
    row += &[c.regret.cold, c.regret.run3, c.regret.run10].map(|r| number(r, &percent(r))).concat();
    // No figures of the placements: these cells have no `data-value`.
    row += &c
        .baseline
        .map_or("<td>-</td><td>-</td>".into(), |b| format!("<td>{}</td><td>{:.2}</td>", time(b.median_ns), b.ratio));
    let mut why = c.reason.clone();
    if let Some(whole) = &c.whole {
        why.push_str(&format!("; it runs whole: {whole}"));
    }
    for (id, refused) in &c.refused {
        why.push_str(&format!("; not on {id}: {refused}"));
    }
    row + &format!("<td>{}</td><td class=\"why\">{}</td></tr>", escaped(&c.chose), escaped(&why))
}

fn machine(results: &Results) -> String {
    let mut rows = String::new();
    for d in &results.machine.devices {
        let _ = write!(rows, "<tr><td>{}</td><td>{}</td>", escaped(&d.id), escaped(&d.name));
        if let Some(p) = results.machine.peaks.get(&d.id) {
            let link = |v: f64| if v > 0.0 { number(v, &giga(v)) } else { "<td>-</td>".into() };
            rows += &[p.flops, p.memory_bytes, p.cache_bytes].map(|v| number(v, &giga(v))).concat();
            rows += &p.link_bytes.map(link).concat();
            rows += &number(p.launch_ns, &time(p.launch_ns));
        }
        rows.push_str("</tr>");
    }
    let header = ["device", "name", "GFLOP/s", "memory GB/s", "cache GB/s", "up GB/s", "down GB/s", "launch"];
    let m = &results.machine;
    let what = format!("{} hardware threads, {} {}; rates as calibrated.", m.threads, m.os, m.arch);
    format!("<section><h2>Machine</h2><p>{what}</p>{}</section>", table(&header, &rows))
}

fn left_out(results: &Results) -> String {
    if results.left_out.is_empty() {
        return String::new();
    }
    let line = |l: &super::super::results::LeftOut| {
        let why = escaped(&l.why);
        format!(
            "<tr><td>{}</td><td>{}</td><td>{}</td><td class=\"why\">{why}</td></tr>",
            escaped(&l.kernel),
            count(l.size),
            l.residency
        )
    };
    let rows: String = results.left_out.iter().map(line).collect();
    format!("<section><h2>Left out</h2>{}</section>", table(&["kernel", "size", "data", "why"], &rows))
}
