//! bench: the contract of its JSON, the files of its report, what it refuses. No test looks at how fast anything is.

mod common;

use common::Dir;
use serde_json::Value;
use std::{collections::BTreeMap, fs};

/// Two made-up devices that are hardly slower than the machine.
const THROTTLED: &str = "--throttled=launch=1,link=1,up=20,down=20,device=1,cpu=1.5";

fn object<'a>(value: &'a Value, keys: &[&str]) -> &'a serde_json::Map<String, Value> {
    let map = value.as_object().unwrap_or_else(|| panic!("an object: {value}"));
    for key in keys {
        assert!(map.contains_key(*key), "`{key}` is missing in {:?}", map.keys().collect::<Vec<_>>());
    }
    map
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("a number: {value}"))
}

fn check_cell(cell: &Value) {
    let keys = [
        "kernel",
        "size",
        "residency",
        "contested",
        "placements",
        "oracle",
        "oracle_ns",
        "auto",
        "regret",
        "chose",
        "reason",
    ];
    object(cell, &keys);
    for timing in object(&cell["placements"], &["cpu"]).values() {
        object(timing, &["median_ns", "mad_ns", "runs", "upload_ns", "run_ns", "download_ns"]);
        assert!(number(&timing["median_ns"]) > 0.0 && number(&timing["runs"]) >= 4.0);
    }
    assert!(cell["placements"].get(cell["oracle"].as_str().unwrap()).is_some());
    let oracle_ns = number(&cell["oracle_ns"]);
    for (regret, time) in [("cold", "cold_ns"), ("run3", "run3_ns"), ("run10", "run10_ns")] {
        let expected = number(&cell["auto"][time]) / oracle_ns - 1.0;
        assert!((number(&cell["regret"][regret]) - expected).abs() < 1e-9, "{cell}");
    }
    let (low, high) = (number(&cell["regret"]["interval"][0]), number(&cell["regret"]["interval"][1]));
    assert!(low <= high);
    let shares: f64 = object(&cell["shares"], &[]).values().map(number).sum();
    assert!((shares - 1.0).abs() < 1e-6);
    let alone: Vec<f64> = object(&cell["placements"], &[])
        .iter()
        .filter(|(name, _)| !name.starts_with("split"))
        .map(|(_, t)| number(&t["median_ns"]))
        .collect();
    let contested = alone.len() > 1
        && alone.iter().copied().fold(0.0, f64::max) <= 4.0 * alone.iter().copied().fold(f64::MAX, f64::min);
    assert_eq!(cell["contested"], contested);
    assert!(!cell["reason"].as_str().unwrap().is_empty());
}

fn check_contract(found: &Value) {
    object(
        found,
        &["machine", "cells", "baselines", "baselines_contested", "crossovers", "summary", "left_out", "seconds"],
    );
    let cells = found["cells"].as_array().unwrap();
    cells.iter().for_each(check_cell);
    let keys = [
        "regret_geomean",
        "regret_p95",
        "regret_max",
        "interval",
        "contested",
        "same_placement",
        "other_placement",
        "cold",
        "run3",
        "wins",
    ];
    object(&found["summary"], &keys);
    object(&found["summary"]["contested"], &["regret_geomean", "regret_p95", "regret_max", "cells"]);
    let regrets: Vec<f64> = cells.iter().map(|c| number(&c["regret"]["run10"])).collect();
    let geomean = (regrets.iter().map(|r| (1.0 + r).ln()).sum::<f64>() / regrets.len() as f64).exp() - 1.0;
    assert!((number(&found["summary"]["regret_geomean"]) - geomean).abs() < 1e-9);
    assert_eq!(number(&found["summary"]["regret_max"]), regrets.iter().copied().fold(f64::MIN, f64::max));
}

/// The values of an attribute of the elements that have another one, in order.
fn attributes(html: &str, marked: &str, name: &str) -> Vec<String> {
    let value = |tag: &str| {
        let at = tag.find(&format!(" {name}=\""))? + name.len() + 3;
        tag[at..].split('"').next().map(str::to_owned)
    };
    let tags = html.split('<').map(|tag| tag.split('>').next().unwrap_or_default());
    tags.filter(|tag| tag.contains(marked)).filter_map(value).collect()
}

fn check_page(html: &str, found: &Value) {
    for outside in ["<script", "http:", "https:", "src=", "@import", "url("] {
        assert!(!html.contains(outside), "the page needs nothing from elsewhere: {outside}");
    }
    let cells = found["cells"].as_array().unwrap();
    // Each row of the table has the cell's figures in their order.
    let rows: Vec<&str> =
        html.split("<tr data-kernel=").skip(1).map(|row| row.split("</tr>").next().unwrap()).collect();
    assert_eq!(rows.len(), cells.len());
    for (row, cell) in rows.iter().zip(cells) {
        assert!(
            row.contains(&format!("data-size=\"{}\"", cell["size"])) && row.contains(cell["kernel"].as_str().unwrap())
        );
        let shown: Vec<f64> = attributes(row, "data-value", "data-value").iter().map(|v| v.parse().unwrap()).collect();
        let placements = object(&cell["placements"], &[]);
        let median = |name: &str| placements.get(name).map(|t| number(&t["median_ns"]));
        let splits = placements.keys().filter(|name| name.starts_with("split")).filter_map(|name| median(name));
        let mut expected: Vec<f64> = ["cpu", "gpu:0"].iter().filter_map(|id| median(id)).collect();
        expected.extend(splits.min_by(f64::total_cmp));
        expected.extend([number(&cell["oracle_ns"]), number(&cell["auto"]["run10_ns"])]);
        expected.extend(["cold", "run3", "run10"].map(|r| number(&cell["regret"][r])));
        assert_eq!(shown, expected, "{row}");
    }
    // Each cell is a dot in a plot of times.
    let dots: BTreeMap<(String, String, String), f64> = {
        let of = |name| attributes(html, "data-plot=\"time\"", name).into_iter();
        let who = of("data-kernel").zip(of("data-residency")).zip(of("data-size")).map(|((k, r), s)| (k, r, s));
        who.zip(of("data-ns").map(|v| v.parse().unwrap())).collect()
    };
    assert_eq!(dots.len(), cells.len());
    for cell in cells {
        let text = |key: &str| cell[key].as_str().unwrap().to_owned();
        let key = (text("kernel"), text("residency"), cell["size"].to_string());
        assert_eq!(dots[&key], number(&cell["auto"]["run10_ns"]));
    }
    let tile =
        |name: &str| attributes(html, &format!("data-figure=\"{name}\""), "data-value")[0].parse::<f64>().unwrap();
    assert_eq!(tile("regret_geomean"), number(&found["summary"]["regret_geomean"]));
    assert_eq!(tile("regret_p95"), number(&found["summary"]["regret_p95"]));
    assert_eq!(tile("cold"), number(&found["summary"]["cold"]["regret_geomean"]));
    assert!(html.matches("<svg").count() > 4 && html.matches("<svg").count() == html.matches("</svg>").count());
}

#[test]
fn two_devices_give_the_contract_and_a_page_with_the_same_figures() {
    let dir = Dir::new("bench");
    let found = dir.json(&format!(
        "bench saxpy,scan --kernel histogram --sizes 300,5000 --budget 1000 --quick {THROTTLED} --json --report out"
    ));
    check_contract(&found);
    let cells = found["cells"].as_array().unwrap();
    // Two kernels and a function of several calls, two sizes, on the host and resident.
    assert_eq!((cells.len(), &found["left_out"]), (12, &Value::Array(vec![])));
    for c in cells {
        object(&c["placements"], &["cpu", "gpu:0", "split=0.5"]);
        assert_eq!(c["home"] == "gpu:0", c["residency"] == "resident");
    }
    object(&found["baselines"], &["cpu", "gpu:0", "half", "static"]);
    assert_eq!(found["machine"]["throttled"]["cpu"], 1.5);
    let file = |name: &str| fs::read_to_string(dir.0.join("out").join(name)).unwrap();
    let written: Value = serde_json::from_str(&file("bench.json")).unwrap();
    assert_eq!(written, found);
    check_page(&file("report.html"), &found);
    let csv = file("cells.csv");
    let placements: usize = cells.iter().map(|c| c["placements"].as_object().unwrap().len()).sum();
    assert_eq!(csv.lines().count(), 1 + placements + 3 * cells.len());
    let columns = csv.lines().next().unwrap().split(',').count();
    assert!(csv.lines().all(|line| line.split(',').count() == columns));
    let trace: Value = serde_json::from_str(&file("trace.json")).unwrap();
    let events = trace["traceEvents"].as_array().unwrap();
    assert_eq!(events.iter().filter(|e| e["name"] == "process_name").count(), cells.len());
}

#[test]
fn a_machine_with_only_a_cpu_has_a_table_too() {
    let dir = Dir::new("bench-cpu");
    let found = dir.json("bench stencil5,sort --sizes 4096 --on-devices cpu --budget 1000 --quick --json");
    check_contract(&found);
    for cell in found["cells"].as_array().unwrap() {
        let baseline = &cell["baseline"];
        object(baseline, &["with", "median_ns", "mad_ns", "runs", "ratio"]);
        let ratio = number(&baseline["median_ns"]) / number(&cell["auto"]["run10_ns"]);
        assert!((number(&baseline["ratio"]) / ratio - 1.0).abs() < 1e-9, "{cell}");
    }
    let cell = &found["cells"][0];
    assert_eq!(
        (&cell["residency"], &cell["chose"], &cell["contested"]),
        (&"host".into(), &"cpu".into(), &false.into())
    );
    assert_eq!(object(&cell["placements"], &[]).keys().collect::<Vec<_>>(), ["cpu"]);
    assert!(number(&cell["roofline"]["cpu"]["bytes_per_s"]) > 0.0);
    let shown = dir.line("bench stencil5 --sizes 4096 --on-devices cpu --budget 1000 --quick").ok().stdout;
    for word in ["stencil5", "4 Ki", "GFLOP/s", "only choice", "auto, 10th", "baseline", "ratio"] {
        assert!(shown.contains(word), "{word}: {shown}");
    }
    assert_eq!(dir.files(), Vec::<String>::new(), "no report was asked for");
}

#[test]
fn what_does_not_fit_the_budget_is_left_out_and_named() {
    let dir = Dir::new("bench-budget");
    // As many operations as no machine does in that time.
    let found = dir.json("bench nbody --sizes 1000000 --on-devices cpu --budget 2 --quick --json");
    assert_eq!(found["cells"], Value::Array(vec![]));
    assert_eq!(found["left_out"][0]["kernel"], "nbody");
    assert!(found["left_out"][0]["why"].as_str().unwrap().contains("--budget"));
}

#[test]
fn what_cannot_be_is_refused_before_anything_runs() {
    let dir = Dir::new("bench-refused");
    dir.text("file", "");
    dir.line("bench saxpy --kernel saxpi").refused(&["saxpi", "saxpy"]);
    dir.line("bench saxpy,stencl5").refused(&["stencl5", "stencil5"]);
    dir.line("bench --sizes 0").refused(&["0", "--sizes"]);
    dir.line("bench --sizes 99999999999").refused(&["99999999999"]);
    dir.line("bench --budget soon").refused(&["soon", "seconds"]);
    dir.line("bench --on-devices gpu:7").refused(&["gpu:7", "evener devices"]);
    dir.line("bench --throttled=lauch=3").refused(&["lauch", "launch"]);
    dir.line("bench --throttled=cpu=0").refused(&["cpu", "from 1"]);
    dir.line("bench --report file").refused(&["file", "folder"]);
    assert_eq!(dir.files(), ["file"]);
}
