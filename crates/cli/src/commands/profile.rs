//! `evener profile show|clear`: the saved measurements of this machine.

use super::runtime;
use crate::output;
use anyhow::Result;
use clap::Subcommand;
use evener::cost::profile::Profile;

/// Options of `profile`.
#[derive(clap::Args, Debug)]
pub struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand, Debug)]
enum Action {
    /// Print what was measured
    Show {
        /// Print one JSON object
        #[arg(long)]
        json: bool,
    },
    /// Delete it; the next call measures again
    Clear,
}

/// Shows or clears.
///
/// # Errors
/// A profile that cannot be deleted; the output's.
pub fn run(args: &Args) -> Result<()> {
    let runtime = runtime(false)?;
    let path = runtime.profile_path();
    match (&args.action, path) {
        // The file as it is: a runtime would replace what it cannot use without a word.
        (Action::Show { json }, Some(path)) if path.exists() => {
            let profile = Profile::load(&path)?;
            if *json { output::json(&profile) } else { output::say(&format!("{}\n{profile}", path.display())) }
        }
        (Action::Show { json: true }, _) => output::json(&Profile::default()),
        (Action::Show { .. }, _) => output::say("nothing is saved yet; `evener calibrate` measures this machine"),
        (Action::Clear, Some(path)) => {
            let there = path.exists();
            Profile::clear(&path)?;
            let what = if there { "cleared" } else { "nothing to clear:" };
            output::say(&format!("{what} {}", path.display()))
        }
        (Action::Clear, None) => output::say("nothing to clear: profiles are not saved on this machine"),
    }
}
