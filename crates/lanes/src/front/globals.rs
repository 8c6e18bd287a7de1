//! Global variables and the inputs of the entry point.

use super::{
    lower::{Lower, MAX_WORKGROUP_BYTES, Pointer, Root},
    shape::{Layout, Shape, Shapes},
};
use crate::{
    error::{Error, ErrorKind},
    ir::{Base, Binding, Builtin, Space, Value, Variable, builder::BindingKind},
};
use naga::{
    AddressSpace, BuiltIn, GlobalVariable, Handle, Span, StorageAccess,
    valid::{FunctionInfo, GlobalUse},
};
use std::rc::Rc;

/// The name of a global for messages and listings.
fn global_name(global: &GlobalVariable) -> String {
    match (&global.name, &global.binding) {
        (Some(name), _) => name.clone(),
        (None, Some(b)) => format!("group{}_binding{}", b.group, b.binding),
        (None, None) => "unnamed".to_string(),
    }
}

/// Buffers, what the builder must know of them, and their globals.
type Bindings = (Vec<Binding>, Vec<BindingKind>, Vec<Handle<GlobalVariable>>);

/// The buffers that the entry point uses, sorted by (group, binding).
pub(super) fn bindings(
    module: &naga::Module,
    uses: &FunctionInfo,
    shapes: &mut Shapes<'_>,
    source: &str,
) -> Result<Bindings, Error> {
    let mut found = Vec::new();
    for (handle, global) in module.global_variables.iter() {
        if uses[handle].is_empty() {
            continue;
        }
        let span = module.global_variables.get_span(handle);
        let name = global_name(global);
        let (space, stores) = match global.space {
            AddressSpace::Uniform => (Space::Uniform, false),
            AddressSpace::Storage { access } => (Space::Storage, access.contains(StorageAccess::STORE)),
            AddressSpace::Private | AddressSpace::WorkGroup | AddressSpace::Function => continue,
            AddressSpace::Handle => {
                let what = match module.types[global.ty].inner {
                    naga::TypeInner::Image { .. } => "a texture",
                    naga::TypeInner::Sampler { .. } => "a sampler",
                    naga::TypeInner::AccelerationStructure { .. } => "an acceleration structure",
                    _ => "an opaque resource",
                };
                let message = format!("`{name}` is {what}; kernels run on buffers only");
                return Err(Error::new(ErrorKind::Unsupported, message).at(span, source));
            }
            AddressSpace::Immediate => {
                let message = format!("`{name}` is immediate data, which nothing sets; make it a `var<uniform>`");
                return Err(Error::new(ErrorKind::Unsupported, message).at(span, source));
            }
            other @ (AddressSpace::TaskPayload | AddressSpace::RayPayload | AddressSpace::IncomingRayPayload) => {
                let message = format!("`{name}` is in the address space {other:?} of another shader stage");
                return Err(Error::new(ErrorKind::Unsupported, message).at(span, source));
            }
        };
        let Some(at) = &global.binding else { continue };
        let shape = shapes
            .of(global.ty, Layout::Host)
            .map_err(|e| Error::new(e.kind(), format!("`{name}`: {}", e.message())).at(span, source))?;
        let (fixed_bytes, runtime_stride) = sizes(&shape);
        let binding = Binding {
            name,
            group: at.group,
            binding: at.binding,
            space,
            access: Default::default(),
            fixed_bytes,
            runtime_stride,
        };
        found.push((binding, BindingKind { read_only: !stores, uniform: space == Space::Uniform }, handle));
    }
    found.sort_by_key(|(b, ..)| (b.group, b.binding));
    let mut lists: Bindings = Default::default();
    for (binding, kind, handle) in found {
        lists.0.push(binding);
        lists.1.push(kind);
        lists.2.push(handle);
    }
    Ok(lists)
}

/// Bytes before the runtime-sized array (or of all), and its stride.
fn sizes(shape: &Shape) -> (u32, Option<u32>) {
    match shape {
        Shape::Array { len: None, stride, .. } => (0, Some(*stride)),
        Shape::Struct { members, .. } => match members.last() {
            Some((offset, last)) if let Shape::Array { len: None, stride, .. } = &**last => (*offset, Some(*stride)),
            _ => (shape.size(), None),
        },
        _ => (shape.size(), None),
    }
}

impl Lower<'_> {
    pub(super) fn add_memory(
        &mut self,
        handle: Handle<GlobalVariable>,
        base: Base,
        layout: Layout,
    ) -> Result<(), Error> {
        let span = self.module.global_variables.get_span(handle);
        let global = &self.module.global_variables[handle];
        let shape = self.shapes.of(global.ty, layout).map_err(|e| {
            Error::new(e.kind(), format!("`{}`: {}", global_name(global), e.message())).at(span, self.source)
        })?;
        let root = Root::Memory { base, offset: 0, steps: Vec::new() };
        self.globals.insert(handle, Rc::new(Pointer { root, shape }));
        Ok(())
    }

    pub(super) fn workgroup_variables(&mut self, uses: &FunctionInfo) -> Result<Vec<Variable>, Error> {
        let mut variables = Vec::new();
        let mut total = 0;
        for (handle, global) in self.module.global_variables.iter() {
            if global.space != AddressSpace::WorkGroup || uses[handle].is_empty() {
                continue;
            }
            self.add_memory(handle, Base::Workgroup(variables.len() as u32), Layout::Own)?;
            let bytes = self.globals[&handle].shape.size().next_multiple_of(4);
            total += u64::from(bytes);
            if total > MAX_WORKGROUP_BYTES {
                let message = format!("work-group memory exceeds {MAX_WORKGROUP_BYTES} bytes");
                let span = self.module.global_variables.get_span(handle);
                return Err(Error::new(ErrorKind::TooLarge, message).at(span, self.source));
            }
            variables.push(Variable { name: global_name(global), bytes });
        }
        Ok(variables)
    }

    pub(super) fn private_globals(&mut self, uses: &FunctionInfo) -> Result<(), Error> {
        for (handle, global) in self.module.global_variables.iter() {
            if global.space != AddressSpace::Private || (uses[handle] & !GlobalUse::QUERY).is_empty() {
                continue;
            }
            self.b.span = self.module.global_variables.get_span(handle);
            let init = match global.init {
                Some(init) => self.constant_expression(init)?,
                None => None,
            };
            let is_indexed = self.splits.is_global_indexed(handle);
            let pointer = self.variable(&global_name(global), global.ty, is_indexed, init)?;
            self.globals.insert(handle, pointer);
        }
        Ok(())
    }

    pub(super) fn entry_argument(&mut self, argument: &naga::FunctionArgument) -> Result<Vec<Value>, Error> {
        if let Some(binding) = &argument.binding {
            return self.input(binding);
        }
        let naga::TypeInner::Struct { ref members, .. } = self.module.types[argument.ty].inner else {
            return self.invalid("an argument of an entry point without a binding");
        };
        let mut values = Vec::new();
        for member in members {
            match &member.binding {
                Some(binding) => values.extend(self.input(binding)?),
                None => return self.invalid("an input member without a binding"),
            }
        }
        Ok(values)
    }

    fn input(&mut self, binding: &naga::Binding) -> Result<Vec<Value>, Error> {
        let naga::Binding::BuiltIn(builtin) = *binding else {
            return self.unsupported("a user-defined input of a compute entry point");
        };
        self.b.span = Span::UNDEFINED;
        let mut axes = |make: fn(u8) -> Builtin| (0..3).map(|a| self.b.builtin(make(a))).collect();
        Ok(match builtin {
            BuiltIn::GlobalInvocationId => axes(Builtin::GlobalId),
            BuiltIn::LocalInvocationId => axes(Builtin::LocalId),
            BuiltIn::WorkGroupId => axes(Builtin::GroupId),
            BuiltIn::NumWorkGroups => axes(Builtin::NumGroups),
            BuiltIn::WorkGroupSize => self.workgroup_size.map(|n| self.b.u32(n)).into(),
            BuiltIn::LocalInvocationIndex => vec![self.b.builtin(Builtin::LocalIndex)],
            other => match self.subgroup_input(other) {
                Some(value) => vec![value],
                None => return self.unsupported(&format!("the built-in input {other:?}")),
            },
        })
    }
}
