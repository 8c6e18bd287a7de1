//! `evener demo`: the options; the demos themselves are in [`crate::demo`].

use crate::{
    args::PlaceArgs,
    demo::{self, DemoArgs},
};
use anyhow::Result;
use std::path::PathBuf;

/// Options of `demo`.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// Which demo, or `all`
    #[arg(default_value = "flood")]
    name: String,
    /// List the demos
    #[arg(long)]
    list: bool,
    /// Problem size; `--list` says what it counts
    #[arg(long, value_name = "N")]
    size: Option<usize>,
    #[command(flatten)]
    place: PlaceArgs,
    /// Folder for pictures; made if missing
    #[arg(long, value_name = "DIR", default_value = "out")]
    out: PathBuf,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// Runs demos.
///
/// # Errors
/// Invalid options, a failed run, a failed check.
pub fn run(args: &Args) -> Result<()> {
    demo::run(&DemoArgs {
        name: Some(args.name.clone()),
        list: args.list,
        size: args.size,
        on: args.place.on,
        out: args.out.clone(),
        json: args.json,
        software_gpu: args.place.software_gpu.then_some(true),
    })
}
