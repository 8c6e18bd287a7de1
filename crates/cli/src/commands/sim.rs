//! `evener sim`: the scheduler under a virtual clock, on machine files.

use crate::{
    failure::bad_input,
    output::{self, Progress},
};
use anyhow::Result;
use evener::schedule::sim::{
    loss::{CellLoss, Loss},
    machine::{MAX_BYTES, Machine},
    study::{Figures, Study, TRIALS, study},
    workload,
};
use serde::Serialize;
use std::{
    cmp::Ordering::Equal,
    fs::File,
    io::Read as _,
    path::{Path, PathBuf},
};

/// The machines that come with evener.
const OWN: [(&str, &str); 5] = [
    ("profiles/laptop-integrated.json", include_str!("../../../../profiles/laptop-integrated.json")),
    ("profiles/desktop-card.json", include_str!("../../../../profiles/desktop-card.json")),
    ("profiles/workstation-two-cards.json", include_str!("../../../../profiles/workstation-two-cards.json")),
    ("profiles/datacentre-card.json", include_str!("../../../../profiles/datacentre-card.json")),
    ("profiles/no-gpu.json", include_str!("../../../../profiles/no-gpu.json")),
];

/// Options of `sim`.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// Machine file; the schema is in profiles/README.md. Repeat for several; without it all that come with evener
    #[arg(long = "machine", value_name = "FILE")]
    machines: Vec<PathBuf>,
    /// Everything random follows from it: hidden efficiencies, noise, calibration
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Also say by what cause the worst twentieth of each row's cells lose, and name so many of them
    #[arg(long, value_name = "CELLS")]
    worst: Option<usize>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Output {
    seed: u64,
    machines: Vec<OfMachine>,
    summary: Figures,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    worst: Vec<Worst>,
}

#[derive(Serialize)]
struct OfMachine {
    file: String,
    name: String,
    #[serde(flatten)]
    figures: Figures,
}

/// Simulates.
///
/// # Errors
/// A file that cannot be read or is no machine.
pub fn run(args: &Args) -> Result<()> {
    let machines = machines(&args.machines)?;
    let workloads = workload::standard(evener_shaders::ALL)?;
    let progress = Progress::new(args.json);
    let mut all = Study::default();
    let mut out = Output { seed: args.seed, machines: Vec::new(), summary: Figures::default(), worst: Vec::new() };
    for (k, (file, machine)) in machines.iter().enumerate() {
        progress.set(&machine.name, k as f64 / machines.len() as f64);
        let of_machine = study(machine, &workloads, args.seed, TRIALS)?;
        all.extend(&of_machine);
        let (file, name, figures) = (file.clone(), machine.name.clone(), of_machine.figures());
        out.machines.push(OfMachine { file, name, figures });
    }
    drop(progress);
    out.summary = all.figures();
    out.worst = args.worst.map_or(Vec::new(), |cells| worst(all.losses, cells));
    if args.json { output::json(&out) } else { print(&out) }
}

fn machines(files: &[PathBuf]) -> Result<Vec<(String, Machine)>> {
    let parse = |file: &str, text: &str| Machine::parse(text).map_err(|e| bad_input(format!("{file}: {e}")));
    if files.is_empty() {
        return OWN.iter().map(|(file, text)| Ok(((*file).into(), parse(file, text)?))).collect();
    }
    files
        .iter()
        .map(|path| Ok((path.display().to_string(), parse(&path.display().to_string(), &read(path)?)?)))
        .collect()
}

/// The text of a file that is not larger than any machine's.
fn read(path: &Path) -> Result<String> {
    let bad = |e: std::io::Error| bad_input(format!("{}: {e}", path.display()));
    let mut text = String::new();
    File::open(path).map_err(bad)?.take(MAX_BYTES + 1).read_to_string(&mut text).map_err(bad)?;
    Ok(text)
}

fn print(out: &Output) -> Result<()> {
    output::say(&format!("regret against an oracle that knows everything, seed {}: all / contested cells", out.seed))?;
    for machine in &out.machines {
        output::say(&format!("\n{} ({})", machine.name, machine.file))?;
        output::say(&table(&machine.figures))?;
    }
    if out.machines.len() > 1 {
        output::say("\nall machines")?;
        output::say(&table(&out.summary))?;
    }
    out.worst.iter().try_for_each(print_worst)
}

/// What the worst cells of a row lose on the mean, and the first of them.
#[derive(Serialize)]
struct Worst {
    row: &'static str,
    mean: Loss,
    cells: Vec<CellLoss>,
}

/// The worst twentieth of each row, with so many cells of it.
fn worst(mut losses: Vec<CellLoss>, cells: usize) -> Vec<Worst> {
    losses.sort_by(|a, b| (a.condition, b.loss.regret).partial_cmp(&(b.condition, a.loss.regret)).unwrap_or(Equal));
    let rows = losses.chunk_by(|a, b| a.condition == b.condition);
    let of = |row: &[CellLoss]| {
        let tail = &row[..row.len().div_ceil(20)];
        let cells = tail.iter().take(cells).cloned().collect();
        Worst { row: row[0].condition, mean: Loss::mean(tail.iter().map(|c| &c.loss)), cells }
    };
    rows.map(of).collect()
}

fn print_worst(worst: &Worst) -> Result<()> {
    output::say(&format!(
        "\n{}: what the worst twentieth of the cells loses, in percent of the oracle's time",
        worst.row
    ))?;
    let mut table = output::table(&["", "all", "decision", "placement", "exploring", "racing", "running"]);
    let causes = |l: &Loss| {
        [l.regret, l.decision, l.placement, l.exploring, l.racing, l.running].map(|v| format!("{:.1}", 100.0 * v))
    };
    let mut row = |title: String, loss: &Loss| {
        table.add_row(std::iter::once(title).chain(causes(loss)));
    };
    row("mean".into(), &worst.mean);
    for cell in &worst.cells {
        let place = if cell.resident { "resident" } else { "host" };
        row(format!("{}, {}, size {}, {place}", cell.machine, cell.kernel, cell.size), &cell.loss);
    }
    output::say(&output::trimmed(&table))
}

fn table(figures: &Figures) -> String {
    let mut table = output::table(&["", "geomean", "p95", "max", "cells"]);
    let percent = |v: f64| format!("{:.1} %", 100.0 * v);
    for (name, row) in figures.rows.iter().chain(&figures.baselines) {
        let known = figures.rows.contains_key(name);
        let title = if known { (*name).to_owned() } else { format!("always {name}") };
        let pair = |a: f64, b: f64| match row.contested.cells {
            0 => percent(a),
            _ => format!("{} / {}", percent(a), percent(b)),
        };
        table.add_row([
            title,
            pair(row.all.geomean, row.contested.geomean),
            pair(row.all.p95, row.contested.p95),
            pair(row.all.max, row.contested.max),
            format!("{} / {}", row.all.cells, row.contested.cells),
        ]);
    }
    let mut text = output::trimmed(&table);
    if !figures.of_summed_rates.is_empty() {
        text.push_str("\n\ncalls that a split makes faster: their rate over the sum of the devices' own rates\n");
        let mut table = output::table(&["a call takes up to", "auto, 10th", "oracle's split", "cells"]);
        for (class, of) in &figures.of_summed_rates {
            table.add_row([
                (*class).to_owned(),
                format!("{:.2}", of.auto),
                format!("{:.2}", of.oracle),
                of.cells.to_string(),
            ]);
        }
        text.push_str(&output::trimmed(&table));
    }
    text
}
