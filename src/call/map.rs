//! `rt.map("a * x + y")`: the kernel of one WGSL expression over equal-length arrays.
//!
//! Arguments given as `&` are read, the one given as `&mut` is read and then replaced. Names in the expression are those of
//! the arguments; all of WGSL's functions may be used.

use super::args::{HostArg, IntoArg, wgsl_name};
use crate::{
    error::{Error, ErrorKind, Result},
    kernel::uniform::UniformValue,
    report::Report,
    runtime::Runtime,
    schedule::placement::Placement,
};
use std::fmt::Write as _;

/// An expression being given its arguments.
#[derive(Debug)]
pub struct Map<'a> {
    runtime: Runtime,
    expression: &'a str,
    uniforms: Vec<(&'a str, UniformValue)>,
    arrays: Vec<(&'a str, HostArg<'a>)>,
    placement: Option<Placement>,
}

impl<'a> Map<'a> {
    pub(crate) fn new(runtime: Runtime, expression: &'a str) -> Self {
        Map { runtime, expression, uniforms: Vec::new(), arrays: Vec::new(), placement: None }
    }

    /// Sets a scalar or small vector that is the same for all elements.
    pub fn set(mut self, name: &'a str, value: impl Into<UniformValue>) -> Self {
        self.uniforms.push((name, value.into()));
        self
    }

    /// Binds an array: `&x` is read, `&mut y` is read and replaced by the expression's value.
    pub fn arg(mut self, name: &'a str, value: impl IntoArg<'a>) -> Self {
        self.arrays.push((name, value.into_arg()));
        self
    }

    /// Where it runs, instead of the runtime's placement.
    pub fn on(mut self, placement: Placement) -> Self {
        self.placement = Some(placement);
        self
    }

    /// Runs it and waits.
    ///
    /// # Errors
    /// No `&mut` argument or several, arrays of different lengths, an expression that is not WGSL or not of the `&mut`
    /// argument's element type.
    pub fn run(self) -> Result<Report> {
        let items = self.check()?;
        let kernel = self.runtime.kept_kernel(&self.source())?;
        let mut call = kernel.call().named("map").items(items);
        for (name, value) in &self.uniforms {
            call = call.set(*name, value.clone());
        }
        for (name, array) in self.arrays {
            call = call.arg(name, array);
        }
        if let Some(placement) = self.placement {
            call = call.on(placement);
        }
        call.run()
    }

    /// Elements of the arrays, all of one length.
    fn check(&self) -> Result<u64> {
        if self.expression.contains([';', '{', '}', '@']) {
            let why = format!("map takes one WGSL expression, not statements: `{}`", self.expression);
            return Err(Error::new(ErrorKind::InvalidKernel, why));
        }
        let outputs: Vec<&str> = self.arrays.iter().filter(|(_, a)| a.writable).map(|(n, _)| *n).collect();
        let [output] = outputs[..] else {
            let why = match outputs.len() {
                0 => "map has no output: give one argument as `&mut`".to_owned(),
                _ => format!("map has one output: {} are given as `&mut`", outputs.join(", ")),
            };
            return Err(Error::new(ErrorKind::NotWritable, why));
        };
        let count = |name| self.arrays.iter().find(|(n, _)| *n == name).map_or(0, |(_, a)| a.count);
        let items = count(output);
        for (name, array) in &self.arrays {
            if array.count != items {
                let why = format!(
                    "`{name}` has {} elements and `{output}` has {items}: map takes equal lengths",
                    array.count
                );
                return Err(Error::new(ErrorKind::ArgumentSize, why));
            }
        }
        if items == 0 {
            return Err(Error::new(ErrorKind::ItemCount, "zero items: map needs at least one element"));
        }
        Ok(items)
    }

    /// The expression becomes a function of one element's values, so its names are the arguments' own.
    fn source(&self) -> String {
        let mut wgsl = String::new();
        for (k, (name, value)) in self.uniforms.iter().enumerate() {
            let _ = writeln!(wgsl, "@group(0) @binding({k}) var<uniform> {name}: {};", wgsl_name(value.host_type()));
        }
        for (k, (name, array)) in self.arrays.iter().enumerate() {
            let access = if array.writable { "read_write" } else { "read" };
            let binding = self.uniforms.len() + k;
            let ty = array.wgsl();
            let _ = writeln!(wgsl, "@group(0) @binding({binding}) var<storage, {access}> {name}: array<{ty}>;");
        }
        let list = |part: &dyn Fn(&str, &HostArg<'_>) -> String| {
            self.arrays.iter().map(|(name, array)| part(name, array)).collect::<Vec<_>>().join(", ")
        };
        let parameters = list(&|name, array| format!("{name}: {}", array.wgsl()));
        let values = list(&|name, _| format!("{name}[evener_id.x]"));
        let (output, ty) =
            self.arrays.iter().find(|(_, a)| a.writable).map_or(("", String::new()), |(n, a)| (*n, a.wgsl()));
        let _ = write!(
            wgsl,
            "fn evener_value({parameters}) -> {ty} {{\n    return {};\n}}\n\
             @compute @workgroup_size(64)\n\
             fn map(@builtin(global_invocation_id) evener_id: vec3<u32>) {{\n    \
                 if (evener_id.x < arrayLength(&{output})) {{ {output}[evener_id.x] = evener_value({values}); }}\n}}\n",
            self.expression
        );
        wgsl
    }
}
