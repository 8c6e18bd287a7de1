//! `evener devices`: what kernels can run on, and what was left out and why.

use super::runtime;
use crate::output;
use anyhow::Result;
use evener::backend::DeviceInfo;
use serde::Serialize;

/// Options of `devices`.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// Take software devices (lavapipe, WARP) for GPUs
    #[arg(long)]
    software_gpu: bool,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Listing {
    devices: Vec<DeviceInfo>,
    left_out: Vec<String>,
}

/// Lists the devices.
///
/// # Errors
/// The runtime's and the output's.
pub fn run(args: &Args) -> Result<()> {
    let runtime = runtime(args.software_gpu)?;
    let listing = Listing { devices: runtime.devices().to_vec(), left_out: runtime.left_out().to_vec() };
    if args.json {
        return output::json(&listing);
    }
    let mut table = output::table(&["device", "name", "kind", "api", "driver", "also"]);
    for d in &listing.devices {
        let kind = format!("{:?}", d.kind).to_lowercase();
        let also = capabilities(d);
        table.add_row([&d.id, &d.name, &kind, &apis(d), &d.driver, &also]);
    }
    let mut text = output::trimmed(&table);
    for line in &listing.left_out {
        text.push_str(&format!("\nleft out: {line}"));
    }
    if listing.devices.len() == 1 {
        text.push_str("\nNo GPU: everything runs on the CPU.");
    }
    output::say(&text)
}

fn apis(d: &DeviceInfo) -> String {
    std::iter::once(&d.api).chain(&d.merged).cloned().collect::<Vec<_>>().join("+")
}

fn capabilities(d: &DeviceInfo) -> String {
    d.capabilities.named().iter().filter(|(_, has)| *has).map(|(name, _)| *name).collect::<Vec<_>>().join(", ")
}
