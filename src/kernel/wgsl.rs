//! Joins and parses WGSL sources, with errors mapped back to the right source.

use crate::error::Result;
use evener_lanes::Module;

pub(super) fn parse(sources: &[&str]) -> Result<Module> {
    Ok(Module::parse(&sources.join("\n"))?)
}

pub(super) fn find_entry(module: &Module, entry: Option<&str>) -> Result<String> {
    let _ = (module, entry);
    unimplemented!()
}
