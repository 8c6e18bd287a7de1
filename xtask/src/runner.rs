//! Runs steps one after the other, passes their output on and counts what passed.

use std::{
    io::{BufRead, BufReader, Write},
    path::PathBuf,
    process::{Command, ExitCode, Stdio},
    time::Instant,
};

/// Counts of checks: a test of a test binary is one, and so is any other step as a whole.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Counts {
    passed: u64,
    failed: u64,
    skipped: u64,
}

/// Runs steps and keeps the score.
pub struct Runner {
    total: Counts,
    lines: Vec<String>,
    start: Instant,
}

impl Runner {
    /// Nothing run yet.
    pub fn new() -> Self {
        Runner { total: Counts::default(), lines: Vec::new(), start: Instant::now() }
    }

    /// Runs a command as one check. Gives whether it passed.
    pub fn check(&mut self, name: &str, command: &mut Command) -> bool {
        heading(name);
        let begun = Instant::now();
        let ok = matches!(run(command, |_| ()), Ok(true));
        self.score(name, begun, Counts { passed: ok.into(), failed: (!ok).into(), skipped: 0 });
        ok
    }

    /// Runs a command that runs test binaries, and counts their tests. A test that finds the machine without
    /// what it needs prints a line `skipped: why` (seen with `--show-output`) and counts as skipped.
    pub fn tests(&mut self, name: &str, command: &mut Command) -> bool {
        heading(name);
        let begun = Instant::now();
        let mut counts = Counts::default();
        let ok = matches!(run(command, |line| count(line, &mut counts)), Ok(true));
        counts.passed = counts.passed.saturating_sub(counts.skipped);
        // A build that fails, or a test binary that dies, shows no failed test.
        counts.failed = counts.failed.max(u64::from(!ok)).max(u64::from(counts.passed == 0));
        self.score(name, begun, counts);
        ok
    }

    /// Records a check that was made here.
    pub fn record(&mut self, name: &str, result: Result<String, String>) {
        heading(name);
        let ok = result.is_ok();
        println!("{}", result.unwrap_or_else(|e| e));
        self.score(name, Instant::now(), Counts { passed: ok.into(), failed: (!ok).into(), skipped: 0 });
    }

    /// Records a check that this machine cannot make, and why.
    pub fn skip(&mut self, name: &str, why: &str) {
        heading(name);
        println!("skipped: {why}");
        self.lines.push(format!("  skip  {name}: {why}"));
        self.total.skipped += 1;
    }

    fn score(&mut self, name: &str, begun: Instant, c: Counts) {
        self.total.passed += c.passed;
        self.total.failed += c.failed;
        self.total.skipped += c.skipped;
        let mark = if c.failed > 0 { "FAIL" } else { " ok " };
        let seconds = begun.elapsed().as_secs_f64();
        let counts = match c {
            Counts { passed: 0 | 1, skipped: 0, .. } => String::new(),
            c => format!(" ({} passed, {} failed, {} skipped)", c.passed, c.failed, c.skipped),
        };
        self.lines.push(format!("  {mark}  {name}{counts}, {seconds:.1} s"));
    }

    /// Prints the score.
    pub fn finish(self) -> ExitCode {
        println!("\n== summary ({:.0} s)", self.start.elapsed().as_secs_f64());
        self.lines.iter().for_each(|l| println!("{l}"));
        println!("{} passed, {} failed, {} skipped", self.total.passed, self.total.failed, self.total.skipped);
        if self.total.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }
}

fn heading(name: &str) {
    println!("\n== {name}");
    let _ = std::io::stdout().flush();
}

/// Runs a command, both its outputs passed on and given to `line`. Gives whether it succeeded.
fn run(command: &mut Command, mut line: impl FnMut(&str)) -> std::io::Result<bool> {
    let (reader, writer) = std::io::pipe()?;
    command.stdout(writer.try_clone()?).stderr(writer).stdin(Stdio::null());
    let spawned = command.spawn();
    // The command holds copies of the pipe's writing end, without which reading it would never end.
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = spawned.inspect_err(|e| println!("cannot start {:?}: {e}", command.get_program()))?;
    for text in BufReader::new(reader).split(b'\n') {
        let text = String::from_utf8_lossy(&text?).into_owned();
        println!("{text}");
        line(&text);
    }
    Ok(child.wait()?.success())
}

fn count(line: &str, counts: &mut Counts) {
    if line.starts_with("skipped: ") {
        counts.skipped += 1;
    }
    let Some(rest) = line.trim_start().strip_prefix("test result: ") else { return };
    for part in rest.split([';', '.']) {
        let mut words = part.split_whitespace();
        let Some(Ok(n)) = words.next().map(str::parse::<u64>) else { continue };
        match words.next() {
            Some("passed") => counts.passed += n,
            Some("failed") => counts.failed += n,
            Some("ignored") => counts.skipped += n,
            _ => {}
        }
    }
}

/// The repository's root.
pub fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).parent().map_or_else(|| ".".into(), PathBuf::from)
}

/// `cargo` with these arguments (divided by blanks), in the repository's root.
pub fn cargo(args: &str) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(args.split_whitespace()).current_dir(root());
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tests_are_counted_from_the_summaries_of_the_test_binaries() {
        let mut counts = Counts::default();
        let lines = [
            "test result: ok. 12 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.00s",
            "skipped: no Vulkan device",
            "test result: FAILED. 2 passed; 3 failed; 0 ignored; 0 measured; 4 filtered out; finished in 0.01s",
            "running 3 tests",
        ];
        lines.iter().for_each(|l| count(l, &mut counts));
        assert_eq!(counts, Counts { passed: 14, failed: 3, skipped: 2 });
    }
}
