//! The user's handle of a kernel: the compiled kernel and the runtime it was made for.

use super::{Compiled, reflect::Reflection};
use crate::{call::Call, runtime::Runtime};
use std::{collections::BTreeMap, sync::Arc};

/// A kernel of a [`Runtime`]. Cheap to clone; calls of it may run on several threads at once.
#[derive(Clone, Debug)]
pub struct Kernel {
    runtime: Runtime,
    compiled: Arc<Compiled>,
}

/// Which entry point, and values of its overrides.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct KernelOptions {
    /// Name of the compute entry point; may be left out where there is one.
    pub entry: Option<String>,
    /// `override` constants by name; those left out keep their default.
    pub overrides: BTreeMap<String, f64>,
}

/// WGSL text: one source or several, joined in their order.
#[derive(Clone, Debug)]
pub struct Source<'a> {
    parts: Vec<&'a str>,
}

impl<'a> Source<'a> {
    pub(crate) fn parts(&self) -> &[&'a str] {
        &self.parts
    }
}

impl<'a> From<&'a str> for Source<'a> {
    fn from(text: &'a str) -> Self {
        Source { parts: vec![text] }
    }
}

impl<'a> From<&'a String> for Source<'a> {
    fn from(text: &'a String) -> Self {
        Source { parts: vec![text] }
    }
}

impl<'a> From<&[&'a str]> for Source<'a> {
    fn from(parts: &[&'a str]) -> Self {
        Source { parts: parts.to_vec() }
    }
}

impl<'a, const N: usize> From<[&'a str; N]> for Source<'a> {
    fn from(parts: [&'a str; N]) -> Self {
        Source { parts: parts.to_vec() }
    }
}

impl Kernel {
    pub(crate) fn new(runtime: Runtime, compiled: Arc<Compiled>) -> Self {
        Kernel { runtime, compiled }
    }

    /// Starts a call.
    pub fn call(&self) -> Call<'_> {
        Call::new(&self.runtime, &self.compiled)
    }

    /// What it binds: names, types, access as really used.
    pub fn reflection(&self) -> &Reflection {
        &self.compiled.reflection
    }

    /// The compiled kernel: lane IR, analysis, rewritten module.
    pub fn compiled(&self) -> &Arc<Compiled> {
        &self.compiled
    }
}
