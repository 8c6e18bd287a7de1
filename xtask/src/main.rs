//! `cargo xtask test`: the one command that checks everything.
//!
//! It sets up what it needs ([`setup`]), runs a flat list of named steps ([`steps`]), and ends with the line
//! `N passed, N failed, N skipped`.

use std::process::ExitCode;

mod runner;
mod setup;
mod steps;

const HELP: &str = "\
cargo xtask test [--quick] [--install | --no-install]

  Checks everything: formatting, lints, every feature set, documentation, all tests on the CPU and on
  software Vulkan (lavapipe), examples, the demo, packaging, other platforms.

  --quick        formatting, lints and tests only
  --install      install a software Vulkan driver if there is none (Debian, as root), and the standard
                 libraries of other platforms; without it that is done in CI and, for Vulkan, as root
  --no-install   install nothing";

/// What the command line asked for.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    quick: bool,
    install: Option<bool>,
}

fn main() -> ExitCode {
    let mut options = Options::default();
    let mut args = std::env::args().skip(1);
    if args.next().as_deref() != Some("test") {
        println!("{HELP}");
        return ExitCode::from(2);
    }
    for arg in args {
        match arg.as_str() {
            "--quick" => options.quick = true,
            "--install" => options.install = Some(true),
            "--no-install" => options.install = Some(false),
            "--help" | "-h" => {
                println!("{HELP}");
                return ExitCode::SUCCESS;
            }
            _ => {
                eprintln!("unknown option {arg}\n\n{HELP}");
                return ExitCode::from(2);
            }
        }
    }
    let mut runner = runner::Runner::new();
    steps::all(&mut runner, options);
    runner.finish()
}

/// Whether this is a continuous-integration run.
fn in_ci() -> bool {
    std::env::var_os("CI").is_some_and(|v| !v.is_empty() && v != "false" && v != "0")
}
