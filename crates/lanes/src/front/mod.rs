//! WGSL source to lane IR: parse and validate (naga), resolve overrides, inline, SSA.

use crate::{error::Error, ir::Kernel};
use naga::valid::ModuleInfo;
use std::{collections::BTreeMap, sync::Arc};

/// A parsed and validated WGSL module.
#[derive(Clone, Debug)]
pub struct Module {
    source: Arc<str>,
    naga: Arc<naga::Module>,
    info: Arc<ModuleInfo>,
}

impl Module {
    /// Parses and validates WGSL.
    ///
    /// # Errors
    /// `InvalidWgsl`, with the source line and a caret in the message.
    pub fn parse(source: &str) -> Result<Self, Error> {
        let _ = source;
        unimplemented!()
    }

    /// The same module with every `override` replaced by its value: `overrides` by name, else the default.
    ///
    /// # Errors
    /// `InvalidOverride`: no such override (with the nearest name), none given and no default, or a value its type refuses.
    pub fn specialize(&self, overrides: &BTreeMap<String, f64>) -> Result<Self, Error> {
        let _ = overrides;
        unimplemented!()
    }

    /// Lowers one compute entry point (all overrides resolved) to lane IR, verified.
    ///
    /// # Errors
    /// `UnknownEntry`, `Unsupported` (names the feature and the line), `TooLarge`.
    pub fn lower(&self, entry: &str) -> Result<Kernel, Error> {
        let _ = entry;
        unimplemented!()
    }

    /// The WGSL text.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// naga's module.
    pub fn naga(&self) -> &naga::Module {
        &self.naga
    }

    /// naga's analysis of it.
    pub fn info(&self) -> &ModuleInfo {
        &self.info
    }

    /// Names of the compute entry points, in source order.
    pub fn entries(&self) -> impl Iterator<Item = &str> {
        self.naga.entry_points.iter().filter(|e| e.stage == naga::ShaderStage::Compute).map(|e| e.name.as_str())
    }
}
