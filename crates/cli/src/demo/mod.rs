//! `evener demo`: real small runs, each verified. `flood` is the main one; the others show a kernel each.

use crate::{
    failure::bad_input,
    output::{json, say},
};
use anyhow::{Result, bail};
use evener::prelude::*;
use serde::Serialize;
use std::path::PathBuf;

mod canvas;
mod check;
mod flood;
mod font;
mod histogram;
mod mandelbrot;
mod nbody;
mod saxpy;
mod stencil;

pub use check::Check;

/// What the command line asks for.
#[derive(Clone, Debug)]
pub struct DemoArgs {
    /// A demo's name, or `all`; `flood` if not given.
    pub name: Option<String>,
    /// Only list the demos.
    pub list: bool,
    /// Size, as each demo means it; its own default if not given.
    pub size: Option<usize>,
    /// Where the kernels run.
    pub on: Placement,
    /// Folder for pictures; made if missing.
    pub out: PathBuf,
    /// One JSON object on standard output, instead of text.
    pub json: bool,
    /// Whether software rasterisers count as GPUs (`None`: as the environment says).
    pub software_gpu: Option<bool>,
}

/// One demonstration.
trait Demo {
    /// Its name on the command line.
    fn name(&self) -> &'static str;
    /// One line on what it does, and what `--size` means to it.
    fn about(&self) -> &'static str;
    /// Runs and verifies it.
    ///
    /// # Errors
    /// Invalid sizes, failed calls, unwritable files. A wrong result is a failed [`Check`] and no error.
    fn run(&self, context: &Context) -> Result<Outcome>;
}

/// The demos in the order of the list.
const DEMOS: [&dyn Demo; 6] =
    [&flood::Flood, &saxpy::Saxpy, &stencil::Stencil, &mandelbrot::Mandelbrot, &nbody::Nbody, &histogram::Histogram];

/// What a demo runs with.
struct Context<'a> {
    rt: Runtime,
    args: &'a DemoArgs,
}

impl Context<'_> {
    /// Tells a person something; nothing with `--json`.
    fn say(&self, text: &str) -> Result<()> {
        if self.args.json { Ok(()) } else { say(text) }
    }

    /// The size asked for, or the default, if it is within the demo's limits.
    fn size(&self, default: usize, limits: std::ops::RangeInclusive<usize>) -> Result<usize> {
        let size = self.args.size.unwrap_or(default);
        if !limits.contains(&size) {
            let (low, high) = (limits.start(), limits.end());
            return Err(bad_input(format!("--size {size}: this demo takes {low} to {high}")));
        }
        Ok(size)
    }

    /// The path of a picture, in the output folder.
    fn file(&self, name: &str) -> Result<PathBuf> {
        let out = &self.args.out;
        std::fs::create_dir_all(out).map_err(|e| bad_input(format!("--out {}: {e}", out.display())))?;
        Ok(out.join(name))
    }
}

/// What a demo did.
#[derive(Serialize)]
struct Outcome {
    name: &'static str,
    checks: Vec<Check>,
    /// Figures of the demo's own.
    details: serde_json::Value,
    /// Pictures written.
    files: Vec<PathBuf>,
    /// The report of the last call.
    report: Option<Report>,
}

#[derive(Serialize)]
struct Summary {
    passed: bool,
    demos: Vec<Outcome>,
}

/// Runs the demo asked for.
///
/// # Errors
/// An unknown name or an invalid size (exit 2); a demo that failed, or whose checks did (exit 1).
pub fn run(args: &DemoArgs) -> Result<()> {
    if args.list {
        return list(args.json);
    }
    let demos = chosen(args.name.as_deref().unwrap_or("flood"))?;
    let mut builder = Runtime::builder().placement(args.on);
    if let Some(software) = args.software_gpu {
        builder = builder.software_gpu(software);
    }
    let context = Context { rt: builder.build()?, args };
    let mut outcomes = Vec::new();
    for demo in demos {
        outcomes.push(run_one(demo, &context)?);
    }
    let failed = outcomes.iter().flat_map(|o| &o.checks).filter(|c| !c.passed).count();
    if args.json {
        json(&Summary { passed: failed == 0, demos: outcomes })?;
    }
    if failed > 0 {
        bail!("{failed} of the demo's checks failed");
    }
    Ok(())
}

fn run_one(demo: &dyn Demo, context: &Context) -> Result<Outcome> {
    context.say(&format!("{}: {}", demo.name(), demo.about()))?;
    let outcome = demo.run(context)?;
    if let Some(report) = &outcome.report {
        context.say(&format!("  last call: {report}"))?;
    }
    for check in &outcome.checks {
        context.say(&format!("  {check}"))?;
    }
    for file in &outcome.files {
        context.say(&format!("  wrote {}", file.display()))?;
    }
    Ok(outcome)
}

fn list(as_json: bool) -> Result<()> {
    #[derive(Serialize)]
    struct Entry {
        name: &'static str,
        about: &'static str,
    }
    let entries = DEMOS.map(|demo| Entry { name: demo.name(), about: demo.about() });
    if as_json {
        return json(&entries);
    }
    entries.iter().try_for_each(|e| say(&format!("{:<12}{}", e.name, e.about)))
}

fn chosen(name: &str) -> Result<Vec<&'static dyn Demo>> {
    if name == "all" {
        return Ok(DEMOS.to_vec());
    }
    match DEMOS.iter().find(|demo| demo.name() == name) {
        Some(demo) => Ok(vec![*demo]),
        None => {
            let known = DEMOS.map(|demo| demo.name()).join(", ");
            Err(bad_input(format!("no demo `{name}`; there is {known}, or all")))
        }
    }
}
