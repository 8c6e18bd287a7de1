//! `evener calibrate`: measures the machine now instead of at the first call.

use super::runtime;
use crate::output::{self, Progress};
use anyhow::Result;

/// Options of `calibrate`.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// Fewer and shorter measurements, as at the first call
    #[arg(long)]
    quick: bool,
    /// Take software devices (lavapipe, WARP) for GPUs
    #[arg(long)]
    software_gpu: bool,
}

/// Measures and saves.
///
/// # Errors
/// A device that fails, a profile that cannot be written.
pub fn run(args: &Args) -> Result<()> {
    let runtime = runtime(args.software_gpu)?;
    let progress = Progress::new(false);
    let profile = runtime.calibrate(args.quick, &mut |what, fraction| progress.set(what, fraction))?;
    drop(progress);
    let saved = match runtime.profile_path() {
        Some(path) => format!("saved in {}", path.display()),
        None => "not saved: there is no data directory (set HOME or EVENER_PROFILE)".into(),
    };
    output::say(&format!("{profile}\n{saved}"))
}
