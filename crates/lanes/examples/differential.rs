//! Random programs on every engine and on the oracle, on all cores, by the million:
//!
//!     cargo run -p evener-lanes --release --example differential -- --count 1000000 --seed 1
//!
//! `--size N` asks for programs of about N statements, `--threads N` for so many threads, `--show` prints the program
//! of the seed. `--isolate` runs each program in a process of its own, one after the other: a crash is then a failure
//! that can be reduced. The first failure is reduced and printed, and ends the run with exit code 1; `--keep-going` counts on.

#[path = "../tests/differential/ast.rs"]
mod ast;
#[path = "../tests/differential/engines.rs"]
mod engines;
#[path = "../tests/differential/generate/mod.rs"]
mod generate;
#[path = "../tests/differential/guard.rs"]
mod guard;
#[path = "../tests/differential/layout.rs"]
mod layout;
#[path = "../tests/differential/oracle/mod.rs"]
mod oracle;
#[path = "../tests/differential/reduce.rs"]
mod reduce;
#[path = "../tests/differential/rng.rs"]
mod rng;

use generate::{Options, generate};
use std::{
    process::ExitCode,
    sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    time::{Duration, Instant},
};

/// What the command line asks for.
struct Arguments {
    count: u64,
    seed: u64,
    threads: usize,
    show: bool,
    keep_going: bool,
    isolate: bool,
    options: Options,
}

fn arguments() -> Result<Arguments, String> {
    let threads = std::thread::available_parallelism().map_or(1, |n| n.get());
    let mut parsed = Arguments {
        count: 1000,
        seed: 1,
        threads,
        show: false,
        keep_going: false,
        isolate: false,
        options: Options::default(),
    };
    let mut list = std::env::args().skip(1);
    while let Some(name) = list.next() {
        let mut number = || list.next().and_then(|v| v.parse::<u64>().ok()).ok_or(format!("{name} takes a number"));
        match name.as_str() {
            "--count" => parsed.count = number()?,
            "--seed" => parsed.seed = number()?,
            "--size" => parsed.options.size = number()?.clamp(3, 1000) as u32,
            "--threads" => parsed.threads = number()?.clamp(1, 1024) as usize,
            "--show" => parsed.show = true,
            "--isolate" => parsed.isolate = true,
            "--keep-going" => parsed.keep_going = true,
            _ => return Err(format!("unknown option {name}")),
        }
    }
    Ok(parsed)
}

/// What all threads share.
struct Progress {
    next: AtomicU64,
    done: AtomicU64,
    statements: AtomicU64,
    /// Programs of which some run was machine code.
    native: AtomicU64,
    failures: AtomicU64,
    stop: AtomicBool,
}

fn main() -> ExitCode {
    let arguments = match arguments() {
        Ok(arguments) => arguments,
        Err(why) => {
            eprintln!("{why}");
            return ExitCode::from(2);
        }
    };
    if arguments.show {
        println!("{}", generate(arguments.seed, arguments.options).source());
    }
    // A program runs inline in its own thread.
    if rayon::ThreadPoolBuilder::new().num_threads(1).build_global().is_err() {
        eprintln!("the pool of one thread could not be made; programs run on the default one");
    }
    std::panic::set_hook(Box::new(|_| {}));
    if arguments.isolate {
        return isolated(&arguments);
    }
    let progress = Progress {
        next: AtomicU64::new(arguments.seed),
        done: AtomicU64::new(0),
        statements: AtomicU64::new(0),
        native: AtomicU64::new(0),
        failures: AtomicU64::new(0),
        stop: AtomicBool::new(false),
    };
    let start = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..arguments.threads {
            scope.spawn(|| work(&arguments, &progress));
        }
        scope.spawn(|| report(&arguments, &progress, start));
    });
    print_rate(&progress, start);
    if progress.failures.load(Relaxed) == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Runs programs in processes of their own; the first that fails or crashes is reduced.
fn isolated(arguments: &Arguments) -> ExitCode {
    let mut failures = 0;
    for seed in arguments.seed..arguments.seed + arguments.count {
        let program = generate(seed, arguments.options);
        guard::announce(seed);
        let mut fails = |p: &ast::Program| guard::fails(|| !matches!(engines::check(p), Err(f) if !f.is_invalid()));
        if !fails(&program) {
            continue;
        }
        failures += 1;
        println!("seed {seed} fails");
        if !arguments.keep_going {
            let small = reduce::reduce(&program, &mut fails);
            println!("{}\nreduced, grid {:?}:\n{}", program.source(), small.groups, small.source());
            return ExitCode::FAILURE;
        }
    }
    println!("{} programs, {failures} failures", arguments.count);
    if failures == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn work(arguments: &Arguments, progress: &Progress) {
    let end = arguments.seed + arguments.count;
    while !progress.stop.load(Relaxed) {
        let seed = progress.next.fetch_add(1, Relaxed);
        if seed >= end {
            return;
        }
        let program = generate(seed, arguments.options);
        guard::announce(seed);
        progress.statements.fetch_add(program.statements() as u64, Relaxed);
        let checked = engines::check(&program);
        progress.native.fetch_add(checked.as_ref().map_or(0, |n| u64::from(*n > 0)), Relaxed);
        if let Err(failure) = checked {
            progress.failures.fetch_add(1, Relaxed);
            if arguments.keep_going {
                println!("seed {seed}: {failure}");
            } else if !progress.stop.swap(true, Relaxed) {
                println!("seed {seed}: {failure}\n{}", program.source());
                let small = reduce::reduce(&program, &mut |p| failure.is_shown_by(p));
                let why = engines::check(&small).err().map_or_else(String::new, |f| f.to_string());
                println!("reduced, grid {:?}: {why}\n{}", small.groups, small.source());
            }
        }
        progress.done.fetch_add(1, Relaxed);
    }
}

fn report(arguments: &Arguments, progress: &Progress, start: Instant) {
    let mut shown = Instant::now();
    while !progress.stop.load(Relaxed) && progress.done.load(Relaxed) < arguments.count {
        std::thread::sleep(Duration::from_millis(20));
        if shown.elapsed() >= Duration::from_secs(10) {
            print_rate(progress, start);
            shown = Instant::now();
        }
    }
}

fn print_rate(progress: &Progress, start: Instant) {
    let (done, seconds) = (progress.done.load(Relaxed), start.elapsed().as_secs_f64());
    println!(
        "{done} programs, {:.1} statements each, {} native, {} failures, {seconds:.1} s, {:.0} programs/s",
        progress.statements.load(Relaxed) as f64 / done.max(1) as f64,
        progress.native.load(Relaxed),
        progress.failures.load(Relaxed),
        done as f64 / seconds
    );
}
