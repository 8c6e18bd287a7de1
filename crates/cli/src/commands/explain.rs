//! `evener explain FILE.wgsl`: bindings, access, footprint, split axis, features, predicted times. Nothing runs.

use super::{in_options, kernel, run::prepare, runtime};
use crate::{
    args::{BufferArgs, ExtentArgs, KernelArgs, PlaceArgs},
    buffers, output,
};
use anyhow::Result;

/// Options of `explain`.
#[derive(clap::Args, Debug)]
pub struct Args {
    #[command(flatten)]
    kernel: KernelArgs,
    #[command(flatten)]
    extent: ExtentArgs,
    #[command(flatten)]
    buffers: BufferArgs,
    #[command(flatten)]
    place: PlaceArgs,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// Explains.
///
/// # Errors
/// Invalid input.
pub fn run(args: &Args) -> Result<()> {
    let runtime = runtime(args.place.software_gpu)?;
    let kernel = kernel(&runtime, &args.kernel)?;
    let mut buffers = buffers::load(&args.buffers)?;
    let call = prepare(&kernel, &args.buffers, &args.extent, &mut buffers)?.on(args.place.on);
    let explanation = call.explain().map_err(in_options)?;
    if args.json { output::json(&explanation) } else { output::say(explanation.to_string().trim_end()) }
}
