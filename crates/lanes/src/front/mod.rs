//! WGSL source to lane IR: parse and validate (naga), resolve overrides, inline, SSA.
//!
//! - `parse`: limits on hostile input, then naga's front end and validator.
//! - `overrides`: pipeline-overridable constants by name.
//! - `shape`: types as lists of scalar leaves and as bytes.
//! - `lower`: one entry point to a [`Kernel`], its state and its limits; `globals`: what it binds; `split`: which
//!   variables become SSA values, `environment`: what they are now, `assigned`: which of them a loop carries.
//! - `flow`: statements, jumps made structured; `call`: inlining; `memory`: pointers, loads, stores, atomics.
//! - `expr`, `operators`, `math`, `matrix`, `pack`: expressions, component by component; `short`: 16-bit scalars;
//!   `subgroup`: what lanes tell each other.

mod assigned;
mod call;
mod environment;
mod expr;
mod flow;
mod globals;
mod jumps;
mod lower;
mod math;
mod matrix;
mod memory;
mod operators;
mod overrides;
mod pack;
mod parse;
mod shape;
mod short;
mod split;
mod subgroup;

use crate::{
    error::{Error, ErrorKind},
    ir::Kernel,
};
use naga::valid::ModuleInfo;
use std::{collections::BTreeMap, sync::Arc};

pub use lower::{
    MAX_GROUP_INVOCATIONS, MAX_INSTRUCTIONS, MAX_LEAVES, MAX_NESTING, MAX_PRIVATE_BYTES, MAX_WORKGROUP_BYTES,
};
pub use parse::{MAX_SOURCE_BYTES, MAX_SOURCE_DEPTH};

/// A parsed and validated WGSL module.
#[derive(Clone, Debug)]
pub struct Module {
    source: Arc<str>,
    naga: Arc<naga::Module>,
    info: Arc<ModuleInfo>,
    /// Whether every override has its value.
    resolved: bool,
    /// How deep its functions nest.
    depth: usize,
}

impl Module {
    /// Parses and validates WGSL.
    ///
    /// # Errors
    /// `InvalidWgsl`, with the source line and a caret in the message; `TooLarge` over [`MAX_SOURCE_BYTES`] or
    /// [`MAX_SOURCE_DEPTH`].
    pub fn parse(source: &str) -> Result<Self, Error> {
        let (naga, info, depth) = parse::parse(source)?;
        Ok(Module { depth, ..Self::from_naga(source, naga, info) })
    }

    /// A module made elsewhere: naga's `module` and the result of its validation. `source` is the text that its spans
    /// point into, or empty.
    pub fn from_naga(source: &str, module: naga::Module, info: ModuleInfo) -> Self {
        let resolved = module.overrides.is_empty();
        Module { source: source.into(), naga: Arc::new(module), info: Arc::new(info), resolved, depth: usize::MAX }
    }

    /// The same module with every `override` replaced by its value: `overrides` by name (or by the number of its `@id`,
    /// as text), else the default.
    ///
    /// # Errors
    /// `InvalidOverride`: no such override (with the nearest name), none given and no default, or a value its type refuses.
    pub fn specialize(&self, overrides: &BTreeMap<String, f64>) -> Result<Self, Error> {
        let (naga, info) = overrides::resolve(&self.naga, &self.info, &self.source, overrides, self.depth)?;
        let (naga, info) = (Arc::new(naga), Arc::new(info));
        Ok(Module { source: self.source.clone(), naga, info, resolved: true, depth: self.depth })
    }

    /// Lowers one compute entry point to lane IR, verified. Overrides not yet resolved take their defaults.
    ///
    /// # Errors
    /// `UnknownEntry`, `Unsupported` (names the feature and the line), `TooLarge`; `InvalidOverride` where an override
    /// has neither value nor default.
    pub fn lower(&self, entry: &str) -> Result<Kernel, Error> {
        if !self.resolved {
            return self.specialize(&BTreeMap::new())?.lower(entry);
        }
        let index = self.entry_index(entry)?;
        // Calls are inlined: what they nest adds up.
        let depth = self.depth.saturating_mul(1 + self.naga.functions.len());
        parse::on_deep_stack(depth, || lower::lower(&self.naga, &self.info, &self.source, index))?
    }

    fn entry_index(&self, entry: &str) -> Result<usize, Error> {
        let found =
            self.naga.entry_points.iter().position(|e| e.name == entry && e.stage == naga::ShaderStage::Compute);
        found.ok_or_else(|| {
            let names: Vec<&str> = self.entries().collect();
            let hint = match overrides::nearest(entry, names.iter().copied()) {
                Some(name) => format!("; did you mean `{name}`?"),
                None if names.is_empty() => "; the module has no compute entry point".to_string(),
                None => format!("; the module has `{}`", names.join("`, `")),
            };
            Error::new(ErrorKind::UnknownEntry, format!("no compute entry point `{entry}`{hint}"))
        })
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
