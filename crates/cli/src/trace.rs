//! A run as a Chrome trace: one row per device, one bar per chunk and phase.

use evener::Report;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// The trace of a run, for Chrome's about:tracing and for Perfetto. A device's chunks follow one another from
/// the end of the decision on, each as upload, run and download. Holds no argument data.
pub fn chrome(report: &Report) -> Value {
    let mut events = vec![named_row(0, "call")];
    let decide = report.phases.decide.actual_ns;
    let whole = json!({"chose": report.chose, "reason": report.reason, "predicted_ns": report.predicted_ns});
    events.push(bar(0, &report.kernel, 0.0, report.actual_ns, whole));
    events.push(bar(0, "decide", 0.0, decide, json!({})));
    let merge = report.phases.merge.actual_ns;
    if merge > 0.0 {
        events.push(bar(0, "merge", (report.actual_ns - merge).max(0.0), merge, json!({})));
    }
    // Row and time up to which it is filled, by device.
    let mut rows: BTreeMap<&str, (usize, f64)> = BTreeMap::new();
    for chunk in &report.chunks {
        let next = rows.len() + 1;
        let (row, at) = rows.entry(&chunk.device).or_insert_with(|| {
            events.push(named_row(next, &chunk.device));
            (next, decide)
        });
        let groups = json!({"start": chunk.start, "end": chunk.end});
        let phases = [
            ("upload", chunk.upload_ns, json!({"bytes": chunk.up_bytes})),
            ("run", chunk.run_ns, groups),
            ("download", chunk.download_ns, json!({"bytes": chunk.down_bytes})),
        ];
        for (name, ns, args) in phases {
            if ns > 0.0 {
                events.push(bar(*row, name, *at, ns, args));
                *at += ns;
            }
        }
    }
    json!({"traceEvents": events, "displayTimeUnit": "ns"})
}

fn named_row(row: usize, name: &str) -> Value {
    json!({"ph": "M", "name": "thread_name", "pid": 1, "tid": row, "args": {"name": name}})
}

/// A bar; the format counts in microseconds.
fn bar(row: usize, name: &str, start_ns: f64, ns: f64, args: Value) -> Value {
    json!({"ph": "X", "name": name, "pid": 1, "tid": row, "ts": start_ns / 1e3, "dur": ns / 1e3, "args": args})
}
