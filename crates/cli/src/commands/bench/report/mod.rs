//! The report folder: a page that needs nothing else, and the figures for other programs.

use super::results::{Cell, Results};
use crate::{failure::bad_input, trace};
use anyhow::{Context, Result};
use serde_json::{Value, json};
use std::{
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
};

mod page;
mod plots;
mod style;
mod svg;

/// Makes the folder before anything is measured.
///
/// # Errors
/// It cannot be made.
pub fn check(folder: &Path) -> Result<()> {
    let why = |e| bad_input(format!("--report {}: {e}; give a folder that can be written", folder.display()));
    fs::create_dir_all(folder).map_err(why)
}

/// Writes `report.html`, `cells.csv`, `bench.json` and `trace.json`, and says where the page is.
///
/// # Errors
/// A file that cannot be written.
pub fn write(folder: &Path, results: &Results) -> Result<PathBuf> {
    let put = |name: &str, text: String| -> Result<PathBuf> {
        let path = folder.join(name);
        fs::write(&path, text).with_context(|| format!("{}", path.display()))?;
        Ok(path)
    };
    put("bench.json", serde_json::to_string_pretty(results)?)?;
    put("cells.csv", csv(&results.cells))?;
    put("trace.json", serde_json::to_string(&chrome(&results.cells))?)?;
    put("report.html", page::page(results))
}

/// One line a placement and cell.
fn csv(cells: &[Cell]) -> String {
    let mut out = String::from(
        "kernel,size,residency,bytes,contested,placement,median_ns,mad_ns,runs,upload_ns,run_ns,download_ns,over_oracle\n",
    );
    for c in cells {
        let cell = format!("{},{},{},{},{}", c.kernel, c.size, c.residency, c.bytes, c.contested);
        for (name, t) in &c.placements {
            let (own, phases) = ((t.median_ns, t.mad_ns, t.runs), (t.upload_ns, t.run_ns, t.download_ns));
            let over = t.median_ns / c.oracle_ns;
            let _ = writeln!(
                out,
                "{cell},{name},{},{},{},{},{},{},{over}",
                own.0, own.1, own.2, phases.0, phases.1, phases.2
            );
        }
        if let Some(b) = c.baseline {
            let over = b.median_ns / c.oracle_ns;
            let _ = writeln!(out, "{cell},{},{},{},{},,,,{over}", b.with, b.median_ns, b.mad_ns, b.runs);
        }
        let auto = [("auto 1st", c.auto.cold_ns), ("auto 3rd", c.auto.run3_ns), ("auto 10th", c.auto.run10_ns)];
        for (name, ns) in auto {
            let _ = writeln!(out, "{cell},{name},{ns},,{},,,,{}", c.auto.histories, ns / c.oracle_ns);
        }
    }
    out
}

/// The last call of each cell as a Chrome trace: one process a cell.
fn chrome(cells: &[Cell]) -> Value {
    let mut events = Vec::new();
    for (k, cell) in cells.iter().enumerate() {
        let name = format!("{} {} {}", cell.kernel, cell.size, cell.residency);
        events.push(json!({"ph": "M", "name": "process_name", "pid": k + 1, "tid": 0, "args": {"name": name}}));
        let Value::Object(mut one) = trace::chrome(&cell.last) else { continue };
        let Some(Value::Array(of_cell)) = one.remove("traceEvents") else { continue };
        events.extend(of_cell.into_iter().map(|mut event| {
            event["pid"] = json!(k + 1);
            event
        }));
    }
    json!({"traceEvents": events, "displayTimeUnit": "ns"})
}
