//! The evener command line: `evener run kernel.wgsl --items 1000 --in x=x.npy --out y=f32:1000:y.npy`.
//!
//! One file per command in [`commands`]; [`args`] is what they share, [`npy`] and [`buffers`] carry the data,
//! [`failure`] decides the exit code. This is a library so that fuzz targets and tests reach the readers of
//! untrusted files; its API is not stable.

use clap::{Parser, Subcommand};
use std::process::ExitCode;

pub mod args;
pub mod buffers;
pub mod commands;
pub mod demo;
pub mod failure;
pub mod npy;
pub mod output;
pub mod trace;

/// Runs data-parallel WGSL kernels on the CPU, on the GPU, or on both at once, whichever is faster.
#[derive(Parser)]
#[command(name = "evener", version, about)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// List the devices that kernels can run on
    Devices(commands::devices::Args),
    /// Measure this machine and save its profile
    Calibrate(commands::calibrate::Args),
    /// Run a kernel on npy files
    Run(commands::run::Args),
    /// Show what a kernel binds, touches and would cost, without running it
    Explain(commands::explain::Args),
    /// Run a demonstration: `flood`, the five kernels, or all
    Demo(commands::demo::Args),
    /// Measure kernels on every device and split, and judge the choice
    Bench(commands::bench::Args),
    /// Run WGSL conformance data and judge the results
    Conformance(commands::conformance::Args),
    /// Judge the scheduler on simulated machines
    Sim(commands::sim::Args),
    /// Show or clear the saved profile of this machine
    Profile(commands::profile::Args),
}

/// Parses the process's arguments, runs the command and gives its exit code: 0 on success, 2 for invalid
/// input, 1 for a failure at run time.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(e) => {
            let _ = e.print();
            return ExitCode::from(u8::try_from(e.exit_code()).unwrap_or(2));
        }
    };
    let result = match cli.command {
        Command::Devices(args) => commands::devices::run(&args),
        Command::Calibrate(args) => commands::calibrate::run(&args),
        Command::Run(args) => commands::run::run(&args),
        Command::Explain(args) => commands::explain::run(&args),
        Command::Demo(args) => commands::demo::run(&args),
        Command::Bench(args) => commands::bench::run(&args),
        Command::Conformance(args) => commands::conformance::run(&args),
        Command::Sim(args) => commands::sim::run(&args),
        Command::Profile(args) => commands::profile::run(&args),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => failure::report(&e),
    }
}
