//! What an entry point binds: names, types, strides, access as really used, and what a device must have.

use super::layout::WgslType;
use crate::{
    backend::Capabilities,
    error::{Error, ErrorKind, Result},
};
use evener_lanes::{Module, ir};
use naga::{
    AddressSpace, ArraySize, Binding, Block, BuiltIn, Function, Handle, Scalar, ScalarKind, Statement, Type, TypeInner,
    valid::FunctionInfo,
};
use std::collections::HashSet;

/// The interface of a kernel.
#[derive(Clone, Debug)]
pub struct Reflection {
    /// Name of the entry point.
    pub entry: String,
    /// Invocations of a work-group on each axis.
    pub workgroup_size: [u32; 3],
    /// Bytes of work-group memory.
    pub workgroup_bytes: u32,
    /// One per binding really used, in the order of the lane kernel's bindings.
    pub parameters: Vec<Parameter>,
    /// What a device must have.
    pub needs: Capabilities,
}

/// One binding.
#[derive(Clone, Debug)]
pub struct Parameter {
    /// The lane kernel's view: name, group, binding, space, access, sizes.
    pub binding: ir::Binding,
    /// Its WGSL type.
    pub ty: WgslType,
}

impl Reflection {
    /// Reflects an entry point.
    ///
    /// # Errors
    /// A binding of a type that evener does not take.
    pub fn new(module: &Module, entry: &str, lane: &ir::Kernel) -> Result<Self> {
        let naga = module.naga();
        let index = naga.entry_points.iter().position(|e| e.name == entry && e.stage == naga::ShaderStage::Compute);
        let index = index.ok_or_else(|| Error::new(ErrorKind::UnknownEntry, format!("no entry point `{entry}`")))?;
        let parameters = lane.bindings.iter().map(|b| parameter(naga, b)).collect::<Result<_>>()?;
        Ok(Reflection {
            entry: entry.into(),
            workgroup_size: lane.workgroup_size,
            workgroup_bytes: workgroup_bytes(module, index),
            parameters,
            needs: needs(module, index),
        })
    }

    /// The parameter of a name.
    pub fn parameter(&self, name: &str) -> Option<(usize, &Parameter)> {
        self.parameters.iter().enumerate().find(|(_, p)| p.binding.name == name)
    }
}

fn parameter(module: &naga::Module, binding: &ir::Binding) -> Result<Parameter> {
    let variable = module.global_variables.iter().map(|(_, v)| v).find(|v| {
        v.binding.is_some_and(|at| (at.group, at.binding) == (binding.group, binding.binding))
            && v.name.as_deref().is_none_or(|n| n == binding.name)
    });
    let ty = variable.and_then(|v| WgslType::new(module, v.ty)).ok_or_else(|| {
        Error::new(
            ErrorKind::Unsupported,
            format!("`{}` is of a type that evener does not bind: storage and uniform buffers only", binding.name),
        )
    })?;
    Ok(Parameter { binding: binding.clone(), ty })
}

/// Bytes of the work-group variables that an entry point uses, each rounded up to 16.
pub(super) fn workgroup_bytes(module: &Module, entry: usize) -> u32 {
    let naga = module.naga();
    let uses = module.info().get_entry_point(entry);
    let mut layouter = naga::proc::Layouter::default();
    if layouter.update(naga.to_ctx()).is_err() {
        return u32::MAX;
    }
    let used = naga.global_variables.iter().filter(|(h, v)| v.space == AddressSpace::WorkGroup && !uses[*h].is_empty());
    used.fold(0, |sum: u32, (_, v)| sum.saturating_add(layouter[v.ty].size.saturating_add(15) & !15))
}

/// What the entry point and the functions that it reaches use: by the types of their expressions and of the
/// variables they touch, and by their statements.
fn needs(module: &Module, entry: usize) -> Capabilities {
    let naga = module.naga();
    let point = &naga.entry_points[entry];
    let mut scan = Scan { module: naga, needs: Capabilities::default(), types: HashSet::new(), calls: Vec::new() };
    scan.function(&point.function, module.info().get_entry_point(entry));
    let mut seen = HashSet::new();
    while let Some(call) = scan.calls.pop() {
        if seen.insert(call) {
            scan.function(&naga.functions[call], &module.info()[call]);
        }
    }
    for (handle, variable) in naga.global_variables.iter() {
        if !module.info().get_entry_point(entry)[handle].is_empty() {
            scan.ty(variable.ty);
        }
    }
    scan.needs
}

struct Scan<'m> {
    module: &'m naga::Module,
    needs: Capabilities,
    types: HashSet<Handle<Type>>,
    /// Functions called, to be scanned.
    calls: Vec<Handle<Function>>,
}

impl Scan<'_> {
    fn function(&mut self, function: &Function, info: &FunctionInfo) {
        for argument in &function.arguments {
            self.ty(argument.ty);
            if let Some(Binding::BuiltIn(
                BuiltIn::SubgroupId | BuiltIn::SubgroupSize | BuiltIn::SubgroupInvocationId | BuiltIn::NumSubgroups,
            )) = argument.binding
            {
                self.needs.subgroups = true;
            }
        }
        for (_, variable) in function.local_variables.iter() {
            self.ty(variable.ty);
        }
        for (handle, _) in function.expressions.iter() {
            self.inner(info[handle].ty.inner_with(&self.module.types));
        }
        self.block(&function.body);
    }

    fn block(&mut self, block: &Block) {
        for statement in block.iter() {
            match statement {
                Statement::Call { function, .. } => self.calls.push(*function),
                Statement::SubgroupBallot { .. }
                | Statement::SubgroupGather { .. }
                | Statement::SubgroupCollectiveOperation { .. } => self.needs.subgroups = true,
                Statement::ControlBarrier(b) | Statement::MemoryBarrier(b) => {
                    let subgroup = b.contains(naga::Barrier::SUB_GROUP);
                    self.needs.subgroups |= subgroup;
                    self.needs.subgroup_barriers |= subgroup;
                }
                Statement::Block(b) => self.block(b),
                Statement::If { accept, reject, .. } => [accept, reject].into_iter().for_each(|b| self.block(b)),
                Statement::Switch { cases, .. } => cases.iter().for_each(|c| self.block(&c.body)),
                Statement::Loop { body, continuing, .. } => [body, continuing].into_iter().for_each(|b| self.block(b)),
                _ => {}
            }
        }
    }

    fn ty(&mut self, ty: Handle<Type>) {
        if self.types.insert(ty) {
            self.inner(&self.module.types[ty].inner);
        }
    }

    fn inner(&mut self, inner: &TypeInner) {
        match inner {
            TypeInner::Scalar(s)
            | TypeInner::Vector { scalar: s, .. }
            | TypeInner::Matrix { scalar: s, .. }
            | TypeInner::ValuePointer { scalar: s, .. } => self.scalar(*s),
            TypeInner::Atomic(s) => {
                self.scalar(*s);
                self.needs.i64_atomics |= s.width == 8;
                self.needs.f32_atomics |= s.kind == ScalarKind::Float;
            }
            TypeInner::Pointer { base, .. } => self.ty(*base),
            TypeInner::Array {
                base,
                size: ArraySize::Constant(_) | ArraySize::Pending(_) | ArraySize::Dynamic,
                ..
            } => {
                self.ty(*base);
            }
            TypeInner::Struct { members, .. } => {
                for m in members {
                    self.ty(m.ty);
                    if let Some(Binding::BuiltIn(
                        BuiltIn::SubgroupId
                        | BuiltIn::SubgroupSize
                        | BuiltIn::SubgroupInvocationId
                        | BuiltIn::NumSubgroups,
                    )) = m.binding
                    {
                        self.needs.subgroups = true;
                    }
                }
            }
            _ => {}
        }
    }

    fn scalar(&mut self, scalar: Scalar) {
        match (scalar.kind, scalar.width) {
            (ScalarKind::Float, 8) => self.needs.f64 = true,
            (ScalarKind::Float, 2) => self.needs.f16 = true,
            (ScalarKind::Sint | ScalarKind::Uint, 2) => self.needs.i16 = true,
            (ScalarKind::Sint | ScalarKind::Uint, 8) => self.needs.i64 = true,
            _ => {}
        }
    }
}
