//! Rewrites a module for GPUs, by rebuilding it.
//!
//! The rewritten module has one entry point. Its built-ins are those of the logical grid (a chunk starts at a
//! base, more than the device's limit of groups an axis is folded), every access that is not certainly in
//! bounds is tested against the *logical* length (a read gives zero, a write or atomic is dropped), and
//! `arrayLength` is logical too. What a dispatch needs for that comes in one uniform (`params`).
//!
//! Uniform control flow stays uniform: a test of bounds is a select, or an `if` around one load, store or
//! atomic; a work-group in excess returns as a whole.
//!
//! A module may be made for *windows*: bindings then hold only the elements that a chunk touches, in one or a few
//! pieces, and each index into a runtime-sized array is first turned into its place there. An index outside all pieces
//! is outside the array, because the pieces cover every access in bounds.
//!
//! - `params`: the uniform, on both sides, and the folding of grids
//! - `entry`: the logical built-ins
//! - `function`: walks a function and rebuilds its statements
//! - `expression`: rebuilds expressions
//! - `bounds`: guarded pointers, loads, stores and atomics
//! - `guards`: which pointer parameters come with a guard
//! - `emit`: appends expressions and statements, with naga's scoping rules

mod bounds;
mod emit;
mod entry;
mod expression;
mod function;
mod guards;
mod params;

pub use params::Dispatch;

use super::Compiled;
use evener_lanes::ir::Binding;
use naga::{
    Function, GlobalVariable, Handle, Module, Span, Type, TypeInner,
    valid::{Capabilities, ModuleInfo, ValidationFlags, Validator},
};
use params::Length;
use std::collections::HashMap;

/// A module for GPUs: same bindings as the source plus one uniform of evener's own.
#[derive(Debug)]
pub struct GpuModule {
    /// The rewritten module, validated.
    pub module: Module,
    /// naga's analysis of it.
    pub info: ModuleInfo,
    /// Name of the entry point.
    pub entry: String,
    /// (group, binding) of evener's dispatch parameters: a free one.
    pub params: (u32, u32),
    /// The runtime-sized arrays in the order of the uniform's lengths.
    lengths: Vec<Length>,
    /// Pieces of the window of each; 0: all are bound whole.
    pieces: usize,
    /// Whether it takes folded grids.
    folded: bool,
}

pub(super) fn rewrite(kernel: &Compiled, pieces: usize, folded: bool) -> Result<GpuModule, String> {
    let (module, entry) = (&kernel.module, &kernel.reflection.entry);
    rewrite_as(module.naga(), module.info(), entry, kernel.bindings(), (pieces, folded))
}

/// Rewrites one entry point of a valid module whose overrides are resolved; `bindings` are those that the kernel really
/// uses, in the order of arguments: accesses to others are dead and dropped.
///
/// # Errors
/// The reason why GPUs cannot run the module, for the user.
pub fn rewrite_module(
    module: &Module,
    info: &ModuleInfo,
    entry: &str,
    bindings: &[Binding],
) -> Result<GpuModule, String> {
    rewrite_for_windows(module, info, entry, bindings, 0)
}

/// The same for bindings in windows of at most so many pieces; 0: bound whole.
///
/// # Errors
/// As [`rewrite_module`].
pub fn rewrite_for_windows(
    module: &Module,
    info: &ModuleInfo,
    entry: &str,
    bindings: &[Binding],
    pieces: usize,
) -> Result<GpuModule, String> {
    rewrite_as(module, info, entry, bindings, (pieces, true))
}

/// The same for folded grids or not.
fn rewrite_as(
    module: &Module,
    info: &ModuleInfo,
    entry: &str,
    bindings: &[Binding],
    (pieces, folded): (usize, bool),
) -> Result<GpuModule, String> {
    let index = module
        .entry_points
        .iter()
        .position(|e| e.name == entry && e.stage == naga::ShaderStage::Compute)
        .ok_or_else(|| format!("no compute entry point `{entry}`"))?;
    let mut rebuilt = Module {
        types: module.types.clone(),
        special_types: module.special_types.clone(),
        constants: module.constants.clone(),
        // Resolved, but the lengths of arrays may still refer to them.
        overrides: module.overrides.clone(),
        global_variables: module.global_variables.clone(),
        global_expressions: module.global_expressions.clone(),
        diagnostic_filters: module.diagnostic_filters.clone(),
        diagnostic_filter_leaf: module.diagnostic_filter_leaf,
        ..Module::default()
    };
    let (storage, lengths) = classify(module, bindings);
    let (params, location) = params::declare(&mut rebuilt, lengths.len(), pieces);
    let types = CommonTypes::new(&mut rebuilt);
    let guarded = guards::guarded_parameters(module, index);
    let functions = HashMap::new();
    let mut shared = Shared { old: module, new: rebuilt, params, pieces, folded, types, storage, guarded, functions };
    for (handle, function) in module.functions.iter() {
        if shared.guarded.is_reachable(handle) {
            let new = function::rebuild(&mut shared, function, &info[handle], Some(handle))?;
            let new = shared.new.functions.append(new, module.functions.get_span(handle));
            shared.functions.insert(handle, new);
        }
    }
    let point = &module.entry_points[index];
    let new = entry::rebuild(&mut shared, point, info.get_entry_point(index))?;
    shared.new.entry_points.push(new);
    let (module, info) = finish(shared.new)?;
    Ok(GpuModule { module, info, entry: entry.into(), params: location, lengths, pieces, folded })
}

/// Removes what the entry point does not use and validates.
fn finish(mut module: Module) -> Result<(Module, ModuleInfo), String> {
    validate(&module)?;
    naga::compact::compact(&mut module, naga::compact::KeepUnused::No);
    let info = validate(&module)?;
    Ok((module, info))
}

fn validate(module: &Module) -> Result<ModuleInfo, String> {
    let mut validator = Validator::new(ValidationFlags::all(), Capabilities::all());
    validator.validate_resolved_overrides(module).map_err(|e| {
        use std::error::Error as _;
        let mut message = format!("rewritten for the GPU it is not valid: {}", e.as_inner());
        let mut cause = e.as_inner().source();
        while let Some(c) = cause {
            message.push_str(&format!(": {c}"));
            cause = c.source();
        }
        message
    })
}

/// What the kernel does with a global variable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Storage {
    /// Bound, of fixed size (or not a binding at all).
    Live,
    /// Bound, with a runtime-sized array: index into the lengths.
    Runtime(usize),
    /// A binding that the kernel does not really use, so nothing is bound there.
    Dead,
}

fn classify(module: &Module, bindings: &[Binding]) -> (HashMap<Handle<GlobalVariable>, Storage>, Vec<Length>) {
    let mut storage = HashMap::new();
    let mut lengths = Vec::new();
    for (handle, variable) in module.global_variables.iter() {
        let Some(at) = &variable.binding else { continue };
        // Two entry points may use one slot for different variables: the name tells them apart.
        let named = |b: &Binding| variable.name.as_deref().is_none_or(|n| n == b.name);
        let found = bindings.iter().position(|b| b.group == at.group && b.binding == at.binding && named(b));
        let class = match found {
            None => Storage::Dead,
            Some(i) => match bindings[i].runtime_stride {
                None => Storage::Live,
                Some(stride) => {
                    lengths.push(Length { binding: i, fixed_bytes: bindings[i].fixed_bytes, stride: stride.max(1) });
                    Storage::Runtime(lengths.len() - 1)
                }
            },
        };
        storage.insert(handle, class);
    }
    (storage, lengths)
}

/// Types that the rewrite itself needs.
#[derive(Clone, Copy, Debug)]
struct CommonTypes {
    bool: Handle<Type>,
    vec3: Handle<Type>,
}

impl CommonTypes {
    fn new(module: &mut Module) -> Self {
        let mut add = |inner| module.types.insert(Type { name: None, inner }, Span::UNDEFINED);
        CommonTypes {
            bool: add(TypeInner::Scalar(naga::Scalar::BOOL)),
            vec3: add(TypeInner::Vector { size: naga::VectorSize::Tri, scalar: naga::Scalar::U32 }),
        }
    }
}

/// What all functions of a rewrite share.
struct Shared<'m> {
    old: &'m Module,
    new: Module,
    params: Handle<GlobalVariable>,
    pieces: usize,
    folded: bool,
    types: CommonTypes,
    storage: HashMap<Handle<GlobalVariable>, Storage>,
    guarded: guards::Guarded,
    functions: HashMap<Handle<Function>, Handle<Function>>,
}
