//! The commands, one file each.

use crate::{args::KernelArgs, failure::bad_input};
use anyhow::Result;
use evener::prelude::{Error, ErrorKind, Kernel, KernelOptions, Runtime};
use std::fs;

pub mod bench;
pub mod calibrate;
pub mod conformance;
pub mod demo;
pub mod devices;
pub mod explain;
pub mod profile;
pub mod run;
pub mod sim;

/// Largest kernel source taken, in bytes.
const MAX_SOURCE: u64 = 16 << 20;

/// The runtime of a command.
fn runtime(software_gpu: bool) -> Result<Runtime> {
    let mut builder = Runtime::builder();
    // Left alone otherwise: EVENER_SOFTWARE_GPU decides.
    if software_gpu {
        builder = builder.software_gpu(true);
    }
    Ok(builder.build()?)
}

/// Reads and compiles the kernel of a command.
fn kernel(runtime: &Runtime, args: &KernelArgs) -> Result<Kernel> {
    let file = args.file.display();
    let size = fs::metadata(&args.file).map_err(|e| bad_input(format!("{file}: {e}")))?.len();
    if size > MAX_SOURCE {
        return Err(bad_input(format!("{file}: {size} bytes are more than the {MAX_SOURCE} taken of a source")));
    }
    let bytes = fs::read(&args.file).map_err(|e| bad_input(format!("{file}: {e}")))?;
    let source = String::from_utf8(bytes)
        .map_err(|e| bad_input(format!("{file}: not UTF-8 text from byte {}", e.utf8_error().valid_up_to())))?;
    let options = KernelOptions { entry: args.entry.clone(), overrides: args.overrides.iter().cloned().collect() };
    Ok(runtime.kernel_with(&source, &options)?)
}

/// The library's error in the words of the command line: it says which option gives what is missing.
fn in_options(e: Error) -> anyhow::Error {
    let hint = match e.kind() {
        ErrorKind::NotWritable => "on the command line: --inout or --out instead of --in",
        ErrorKind::MissingArgument => "on the command line: --set for a uniform; --in, --inout or --out for a buffer",
        ErrorKind::NoSuchDevice => "`evener devices` lists what is there, `--software-gpu` takes software devices too",
        _ => return e.into(),
    };
    Error::new(e.kind(), format!("{e}; {hint}")).into()
}
