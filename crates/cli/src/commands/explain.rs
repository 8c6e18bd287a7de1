//! `evener explain FILE.wgsl`: bindings, access, footprint, split axis, features, predicted times. Nothing runs.

use super::{in_options, kernel, run::prepare, runtime};
use crate::{args::CallArgs, buffers, output};
use anyhow::Result;

/// Options of `explain`.
#[derive(clap::Args, Debug)]
pub struct Args {
    #[command(flatten)]
    call: CallArgs,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// Explains.
///
/// # Errors
/// Invalid input.
pub fn run(args: &Args) -> Result<()> {
    let runtime = runtime(args.call.place.software_gpu)?;
    let kernel = kernel(&runtime, &args.call.kernel)?;
    let mut buffers = buffers::load(&args.call.buffers)?;
    let call = prepare(&kernel, &args.call, &mut buffers)?.on(args.call.place.on);
    let explanation = call.explain().map_err(in_options)?;
    if args.json { output::json(&explanation) } else { output::say(explanation.to_string().trim_end()) }
}
