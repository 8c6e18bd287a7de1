//! The table and the JSON of a run.

use crate::{
    contest::Contender,
    extras::{Compilation, Threads, compilations, small_call},
    hand::Bench,
    measure::{Samples, Spread, median},
};
use evener_lanes::{Engine, Level};
use serde_json::{Value, json};
use std::path::Path;

/// What was measured of one kernel.
pub struct Row {
    name: &'static str,
    compute_bound: bool,
    scalar: Spread,
    versions: Vec<Version>,
    /// Machine code against the best version by hand of the same level, where there is machine code.
    against_hand: [Option<Spread>; 2],
}

/// One version but the scalar one.
struct Version {
    label: String,
    kind: Kind,
    over_scalar: Spread,
    time: Spread,
}

impl Version {
    fn new(contender: &Contender, own: &Samples, scalar: &Samples) -> Option<Self> {
        let kind = match contender {
            Contender::Scalar => return None,
            Contender::Hand(level, _) => Kind::Hand(*level),
            Contender::Interpreter(_) => Kind::Interpreter,
            Contender::Jit(level, _) => Kind::Jit(*level),
        };
        Some(Version { label: contender.to_string(), kind, over_scalar: own.speed_over(scalar), time: own.time() })
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Hand(Level),
    Interpreter,
    Jit(Level),
}

impl Kind {
    /// Whether it is by hand and a machine of this level runs it: what AVX2 does better, an expert does with AVX2.
    fn is_hand_for(self, machine: Level) -> bool {
        matches!(self, Kind::Hand(level) if level <= machine)
    }
}

const LEVELS: [Level; 2] = [Level::Avx2, Level::Avx512];

impl Row {
    /// `samples` are in the order of `contenders`, the scalar version first.
    pub fn new(bench: &dyn Bench, contenders: &[Contender], samples: Vec<Samples>) -> Self {
        let pairs = contenders.iter().zip(&samples);
        let all: Vec<(Version, &Samples)> =
            pairs.filter_map(|(c, own)| Some((Version::new(c, own, &samples[0])?, own))).collect();
        let faster = |a: &Version, b: &Version| a.over_scalar.median.total_cmp(&b.over_scalar.median);
        let against_hand = LEVELS.map(|l| {
            let (_, jit) = all.iter().find(|(v, _)| v.kind == Kind::Jit(l))?;
            let (_, hand) = all.iter().filter(|(v, _)| v.kind.is_hand_for(l)).max_by(|(a, _), (b, _)| faster(a, b))?;
            Some(jit.speed_over(hand))
        });
        let scalar = samples[0].time();
        let versions = all.into_iter().map(|(version, _)| version).collect();
        Row { name: bench.name(), compute_bound: bench.is_compute_bound(), scalar, versions, against_hand }
    }

    fn best(&self, is_one: impl Fn(Kind) -> bool) -> Option<Spread> {
        let ones = self.versions.iter().filter(|v| is_one(v.kind)).map(|v| v.over_scalar);
        ones.max_by(|a, b| a.median.total_cmp(&b.median))
    }

    /// The figures of the table: all but the time are ratios.
    fn figures(&self) -> [Option<Spread>; 5] {
        let [jit2, jit512] = self.against_hand;
        let [hand2, hand512] = LEVELS.map(|l| self.best(|kind| kind.is_hand_for(l)));
        [hand2, hand512, self.best(|kind| kind == Kind::Interpreter), jit2, jit512]
    }

    fn json(&self) -> Value {
        let versions = self
            .versions
            .iter()
            .map(|v| json!({ "name": v.label, "ns": spread(&v.time), "speed_over_scalar": spread(&v.over_scalar) }));
        json!({
            "kernel": self.name,
            "compute_bound": self.compute_bound,
            "scalar_ns": spread(&self.scalar),
            "versions": versions.collect::<Vec<_>>(),
            "jit_over_hand": { "avx2": self.against_hand[0].as_ref().map(spread), "avx512": self.against_hand[1].as_ref().map(spread) },
        })
    }
}

const COLUMNS: [&str; 5] = ["hand AVX2", "hand AVX-512", "interpreter", "JIT/hand AVX2", "JIT/hand AVX-512"];

/// All that was measured.
#[derive(Default)]
pub struct Report {
    pub kernels: Vec<Row>,
    pub threads: Vec<Threads>,
    pub engines: Vec<EngineReport>,
}

/// Compile times and the cost of a call of one engine.
pub struct EngineReport {
    name: String,
    compilations: Vec<Compilation>,
    small_call_ns: Spread,
}

impl EngineReport {
    /// Measures an engine.
    pub fn new(name: String, engine: Engine) -> Self {
        EngineReport { name, compilations: compilations(engine), small_call_ns: small_call(engine) }
    }

    fn median_total(&self) -> f64 {
        median(&self.compilations.iter().map(|c| c.total.median).collect::<Vec<_>>())
    }

    fn print(&self) {
        println!("\n{}: source text to program, us (median {:.0}):", self.name, self.median_total());
        println!("{:24}{:>10}{:>10}{:>10}{:>10}", "kernel", "parse", "lower", "program", "total");
        for c in &self.compilations {
            let parts = [&c.parse, &c.lower, &c.program, &c.total].map(|s| format!("{:>10.1}", s.median));
            println!("{:24}{}", c.kernel, parts.concat());
        }
        println!("a cached call of 64 elements: {:.0} ± {:.0} ns", self.small_call_ns.median, self.small_call_ns.mad);
    }

    fn json(&self) -> Value {
        let kernels = self.compilations.iter().map(|c| {
            json!({
                "kernel": c.kernel,
                "parse_us": spread(&c.parse),
                "lower_us": spread(&c.lower),
                "program_us": spread(&c.program),
                "total_us": spread(&c.total),
            })
        });
        json!({
            "engine": self.name,
            "compile": kernels.collect::<Vec<_>>(),
            "compile_median_us": self.median_total(),
            "small_call_ns": spread(&self.small_call_ns),
        })
    }
}

fn spread(s: &Spread) -> Value {
    json!({ "median": s.median, "mad": s.mad })
}

impl Report {
    /// Prints all tables.
    pub fn print(&self) {
        if !self.kernels.is_empty() {
            print_kernels(&self.kernels);
        }
        if !self.threads.is_empty() {
            println!("\nTwo threads over one (wall clock), as the system puts them and each on a core of its own:");
        }
        for t in &self.threads {
            let [free, pinned] = [t.free, t.pinned].map(|s| format!("{:>8.2} ± {:.2}", s.median, s.mad));
            println!("{:16}{free}{pinned}", t.kernel);
        }
        self.engines.iter().for_each(EngineReport::print);
    }

    /// Writes all figures.
    ///
    /// # Errors
    /// As for [`std::fs::write`].
    pub fn write_json(&self, path: &Path) -> std::io::Result<()> {
        let threads = self
            .threads
            .iter()
            .map(|t| json!({ "kernel": t.kernel, "two_over_one": spread(&t.free), "on_own_cores": spread(&t.pinned) }));
        let all = json!({
            "kernels": self.kernels.iter().map(Row::json).collect::<Vec<_>>(),
            "threads": threads.collect::<Vec<_>>(),
            "engines": self.engines.iter().map(EngineReport::json).collect::<Vec<_>>(),
        });
        std::fs::write(path, format!("{all:#}\n"))
    }
}

/// Prints all rows with geometric means, then each version.
fn print_kernels(rows: &[Row]) {
    println!("Speed over scalar Rust (best version by hand), and of machine code over the best version by hand:");
    println!("{:16}{:>12}{}", "kernel", "scalar ms", COLUMNS.map(|c| format!("{c:>18}")).concat());
    for row in rows {
        let figures =
            row.figures().map(|f| f.map_or(format!("{:>18}", "-"), |s| format!("{:>11.2} ± {:4.2}", s.median, s.mad)));
        println!("{:16}{:>12.4}{}", row.name, row.scalar.median / 1e6, figures.concat());
    }
    let means: [String; 5] = std::array::from_fn(|k| {
        let known: Vec<f64> = rows.iter().filter_map(|r| r.figures()[k]).map(|s| s.median.ln()).collect();
        if known.is_empty() {
            return format!("{:>18}", "-");
        }
        format!("{:>11.2}{:7}", (known.iter().sum::<f64>() / known.len() as f64).exp(), "")
    });
    println!("{:28}{}", "geometric mean", means.concat());
    println!("\nEach version:");
    for row in rows {
        println!("{:16}{:32}{:>12.4} ms", row.name, "scalar", row.scalar.median / 1e6);
        for v in &row.versions {
            let (time, speed) = (v.time.median / 1e6, v.over_scalar);
            println!("{:16}{:32}{time:>12.4} ms {:>8.2} ± {:.2}", "", v.label, speed.median, speed.mad);
        }
    }
}
