//! Reads the command line and runs what it asks for.

use crate::{
    contest::{Contender, contenders},
    extras::{self, two_threads},
    hand::Bench,
    measure::{Samples, compete},
    report::{EngineReport, Report, Row},
    work,
};
use std::path::PathBuf;

/// What the command line says.
#[derive(Default)]
struct Options {
    /// Time, not only check.
    timed: bool,
    only: Option<String>,
    part: Option<String>,
    json: Option<PathBuf>,
}

impl Options {
    fn read() -> Self {
        let mut options = Options::default();
        let mut words = std::env::args().skip(1);
        while let Some(word) = words.next() {
            match word.as_str() {
                "--bench" => options.timed = true,
                "--only" => options.only = words.next(),
                "--part" => options.part = words.next(),
                "--json" => options.json = words.next().map(PathBuf::from),
                other => eprintln!("`{other}` is no option: --only NAME, --part PART, --json FILE"),
            }
        }
        options
    }

    fn has_part(&self, name: &str) -> bool {
        self.part.as_ref().is_none_or(|part| part == name)
    }

    fn wants(&self, name: &str) -> bool {
        self.only.as_ref().is_none_or(|only| name.to_lowercase().contains(&only.to_lowercase()))
    }
}

pub fn main() {
    let options = Options::read();
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().expect("one thread");
    let mut report = Report::default();
    if options.has_part("kernels") {
        report.kernels = pool.install(|| kernels(&options));
    }
    if !options.timed {
        return;
    }
    if options.has_part("threads") {
        report.threads = two_threads(|name| options.wants(name));
    }
    if options.has_part("compile") && options.only.is_none() {
        report.engines = extras::engines().into_iter().map(|(name, engine)| EngineReport::new(name, engine)).collect();
    }
    report.print();
    if let Some(path) = &options.json {
        report.write_json(path).expect("the file for --json can be written");
    }
}

fn kernels(options: &Options) -> Vec<Row> {
    let mut rows = Vec::new();
    for new in work::all!(Box<dyn Bench>) {
        let mut bench = new();
        if !options.wants(bench.name()) {
            continue;
        }
        let contenders = contenders(&*bench);
        for contender in &contenders {
            check(contender, &mut *bench);
        }
        if !options.timed {
            println!("{}: {} versions are right", bench.name(), contenders.len());
            continue;
        }
        eprintln!("{} ...", bench.name());
        let samples: Vec<Samples> = compete(contenders.len(), |k, repeats| contenders[k].run(&mut *bench, repeats));
        rows.push(Row::new(&*bench, &contenders, samples));
    }
    rows
}

fn check(contender: &Contender, bench: &mut dyn Bench) {
    bench.reset();
    contender.run(bench, 1);
    if let Err(wrong) = bench.check() {
        panic!("{}, {contender}: {wrong}", bench.name());
    }
}
