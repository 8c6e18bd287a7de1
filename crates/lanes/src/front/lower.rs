//! One entry point to a [`Kernel`]: globals and arguments, the environment of SSA variables, the limits.

use super::{
    environment::Environment,
    globals,
    shape::{Layout, Shape, Shapes},
    split::Splits,
};
use crate::{
    error::{Error, ErrorKind},
    ir::{Base, Kernel, Step, Ty, Value, Variable, builder::Builder, verify},
    passes,
};
use naga::{
    Expression, Function, GlobalVariable, Handle,
    valid::{FunctionInfo, ModuleInfo},
};
use std::{collections::HashMap, rc::Rc, sync::Arc};

/// Scalars in one value (a copied array or struct).
pub const MAX_LEAVES: u64 = 4096;
/// IR instructions of a kernel, after inlining.
pub const MAX_INSTRUCTIONS: usize = 200_000;
/// Regions inside one another.
pub const MAX_NESTING: usize = 256;
/// Functions that call one another.
pub(super) const MAX_CALLS: usize = 64;
/// Statements and expressions looked at while inlining; stops what expands without emitting anything.
const MAX_WORK: usize = 4_000_000;
/// Invocations of a work-group.
pub const MAX_GROUP_INVOCATIONS: u64 = 65_536;
/// Bytes of work-group memory of a kernel.
pub const MAX_WORKGROUP_BYTES: u64 = 1 << 20;
/// Bytes of private memory of an invocation.
pub const MAX_PRIVATE_BYTES: u64 = 1 << 18;
/// Leaves up to which a variable becomes SSA values.
const MAX_SPLIT: u64 = 64;

/// A pointer: where, and to what.
#[derive(Clone)]
pub(super) struct Pointer {
    pub root: Root,
    pub shape: Rc<Shape>,
}

/// Where a pointer leads.
#[derive(Clone)]
pub(super) enum Root {
    /// The SSA variables from this one on.
    Variables(usize),
    /// The one of `count` SSA variables from `first` on that a computed index selects: a component of a vector.
    Component { first: usize, count: usize, index: Value },
    /// Memory.
    Memory { base: Base, offset: u32, steps: Vec<Step> },
}

/// What an expression became.
#[derive(Clone)]
pub(super) enum Lowered {
    Value(Rc<[Value]>),
    Pointer(Rc<Pointer>),
}

/// A function being inlined.
pub(super) struct Frame<'a> {
    pub function: &'a Function,
    pub info: &'a FunctionInfo,
    pub arguments: Vec<Lowered>,
    pub locals: Vec<Rc<Pointer>>,
    /// SSA variables of the result.
    pub returned: std::ops::Range<usize>,
    pub cache: HashMap<Handle<Expression>, Lowered>,
    /// What was cached, oldest first, so that leaving a region forgets what it cached.
    pub cached: Vec<Handle<Expression>>,
}

/// What a jump leaves.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum ScopeKind {
    /// `return`.
    Function,
    /// `break`.
    Loop,
    /// `break`.
    Switch,
    /// `continue`: the part of a loop's body before `continuing`.
    Body,
}

/// A construct that jumps leave.
pub(super) struct Scope {
    pub kind: ScopeKind,
    /// The Bool variable that is true in lanes which jumped beyond this construct.
    pub escape: usize,
}

/// The Bool variable that is true in lanes which reach the current statement.
pub(super) const LIVE: usize = 0;

/// The state of lowering one entry point.
pub(super) struct Lower<'a> {
    pub module: &'a naga::Module,
    pub info: &'a ModuleInfo,
    pub source: &'a str,
    pub workgroup_size: [u32; 3],
    pub b: Builder,
    pub shapes: Shapes<'a>,
    pub splits: Splits,
    pub globals: HashMap<Handle<GlobalVariable>, Rc<Pointer>>,
    pub env: Environment,
    pub scopes: Vec<Scope>,
    pub frames: Vec<Frame<'a>>,
    pub private: Vec<Variable>,
    /// Private memory that holds a constant table, filled before the body.
    pub tables: HashMap<Rc<[Value]>, u32>,
    /// Loops around the current statement.
    pub loops: u32,
    private_bytes: u64,
    work: usize,
}

/// Lowers the entry point at `index` of the module.
pub(super) fn lower(
    module: &naga::Module,
    info: &ModuleInfo,
    source: &Arc<str>,
    index: usize,
) -> Result<Kernel, Error> {
    let entry = &module.entry_points[index];
    let invocations: u64 = entry.workgroup_size.iter().fold(1, |n, &s| n.saturating_mul(s.into()));
    if invocations > MAX_GROUP_INVOCATIONS {
        let [x, y, z] = entry.workgroup_size;
        let message = format!(
            "the work-group of `{}` has {x} x {y} x {z} = {invocations} invocations; the limit is {MAX_GROUP_INVOCATIONS}",
            entry.name
        );
        return Err(Error::new(ErrorKind::TooLarge, message));
    }
    let mut shapes = Shapes::new(module);
    let uses = info.get_entry_point(index);
    let (bindings, kinds, handles) = globals::bindings(module, uses, &mut shapes, source)?;
    let mut lower = Lower {
        module,
        info,
        source,
        workgroup_size: entry.workgroup_size,
        b: Builder::new(kinds),
        shapes,
        splits: Splits::new(module, info, index),
        globals: HashMap::new(),
        env: Environment::default(),
        scopes: Vec::new(),
        frames: Vec::new(),
        private: Vec::new(),
        tables: HashMap::new(),
        loops: 0,
        private_bytes: 0,
        work: 0,
    };
    let live = lower.b.bool(true);
    lower.env.add(live);
    for (i, handle) in handles.into_iter().enumerate() {
        lower.add_memory(handle, Base::Binding(i as u32), Layout::Host)?;
    }
    let workgroup = lower.workgroup_variables(uses)?;
    lower.entry(index)?;
    let (body, values) = lower.b.finish();
    let mut kernel = Kernel {
        name: entry.name.clone(),
        source: source.clone(),
        workgroup_size: entry.workgroup_size,
        bindings,
        workgroup,
        private: lower.private,
        values,
        body,
    };
    passes::remove_dead(&mut kernel);
    if passes::simplify_carried(&mut kernel) {
        passes::remove_dead(&mut kernel);
    }
    if cfg!(debug_assertions)
        && let Err(what) = verify::verify(&kernel)
    {
        return Err(Error::new(ErrorKind::Unsupported, format!("internal error, the lane IR is broken: {what}")));
    }
    Ok(kernel)
}

impl<'a> Lower<'a> {
    /// The function being lowered.
    pub(super) fn frame(&self) -> &Frame<'a> {
        &self.frames[self.frames.len() - 1]
    }

    pub(super) fn frame_mut(&mut self) -> &mut Frame<'a> {
        let last = self.frames.len() - 1;
        &mut self.frames[last]
    }

    /// An error at the current place in the source.
    pub(super) fn error(&self, kind: ErrorKind, message: impl Into<String>) -> Error {
        Error::new(kind, message).at(self.b.span, self.source)
    }

    pub(super) fn unsupported<T>(&self, what: &str) -> Result<T, Error> {
        Err(self.error(ErrorKind::Unsupported, format!("{what} is not supported on the CPU")))
    }

    /// A contradiction with what naga's validator promises; an error, since the module may come from elsewhere.
    pub(super) fn invalid<T>(&self, what: &str) -> Result<T, Error> {
        Err(self.error(ErrorKind::InvalidWgsl, format!("the module is inconsistent: {what}")))
    }

    /// The error with the current place if it has none.
    pub(super) fn located(&self, error: Error) -> Error {
        if error.location().is_none() { error.at(self.b.span, self.source) } else { error }
    }

    /// Counts a step of work against the limits.
    pub(super) fn step(&mut self) -> Result<(), Error> {
        self.work += 1;
        if self.b.count() > MAX_INSTRUCTIONS || self.work > MAX_WORK {
            let message = format!("the kernel exceeds {MAX_INSTRUCTIONS} instructions after inlining");
            return Err(self.error(ErrorKind::TooLarge, message));
        }
        Ok(())
    }

    /// The shape of an expression's value.
    pub(super) fn shape_of(&mut self, expr: Handle<Expression>) -> Result<Rc<Shape>, Error> {
        let info = self.frame().info;
        let shape = match info[expr].ty {
            naga::proc::TypeResolution::Handle(h) => self.shapes.of(h, Layout::Host),
            naga::proc::TypeResolution::Value(ref inner) => self.shapes.of_inner(inner, Layout::Host),
        };
        let shape = shape.map_err(|e| self.located(e))?;
        self.check_leaves(&shape)?;
        Ok(shape)
    }

    pub(super) fn check_leaves(&self, shape: &Shape) -> Result<(), Error> {
        let leaves = shape.leaves();
        if leaves > MAX_LEAVES {
            let message = format!("a value of {leaves} scalars is handled as a whole; the limit is {MAX_LEAVES}");
            return Err(self.error(ErrorKind::TooLarge, message));
        }
        Ok(())
    }

    /// The zero value of a type.
    pub(super) fn zeros(&mut self, shape: &Shape) -> Result<Rc<[Value]>, Error> {
        self.check_leaves(shape)?;
        Ok(shape.leaf_types().into_iter().map(|ty| self.b.constant(ty.carrier(), 0)).collect())
    }

    /// A new variable in private memory.
    pub(super) fn private_memory(&mut self, name: &str, shape: Rc<Shape>) -> Result<Pointer, Error> {
        let bytes = shape.size().next_multiple_of(4).max(4);
        self.private_bytes += u64::from(bytes);
        if self.private_bytes > MAX_PRIVATE_BYTES {
            let message = format!("variables indexed at run time take more than {MAX_PRIVATE_BYTES} bytes");
            return Err(self.error(ErrorKind::TooLarge, message));
        }
        let base = Base::Private(self.private.len() as u32);
        self.private.push(Variable { name: name.to_string(), bytes });
        Ok(Pointer { root: Root::Memory { base, offset: 0, steps: Vec::new() }, shape })
    }

    /// A new variable of the function or private address space with its initial value, zero for `None`.
    pub(super) fn variable(
        &mut self,
        name: &str,
        ty: Handle<naga::Type>,
        is_indexed: bool,
        init: Option<Rc<[Value]>>,
    ) -> Result<Rc<Pointer>, Error> {
        let shape = self.shapes.of(ty, Layout::Own).map_err(|e| self.located(e))?;
        if is_indexed || shape.leaves() > MAX_SPLIT {
            let pointer = Rc::new(self.private_memory(name, shape)?);
            match init {
                Some(values) => self.store(&pointer, &values)?,
                // Private memory starts as zero; only a variable that comes to life again must be cleared.
                None if self.loops > 0 => self.clear(&pointer)?,
                None => {}
            }
            return Ok(pointer);
        }
        let values = match init {
            Some(values) => values,
            None => self.zeros(&shape)?,
        };
        let mut variables = values.iter().map(|v| self.env.add(*v));
        let first = variables.next().unwrap_or(0);
        variables.for_each(drop);
        Ok(Rc::new(Pointer { root: Root::Variables(first), shape }))
    }

    fn entry(&mut self, index: usize) -> Result<(), Error> {
        let function = &self.module.entry_points[index].function;
        let info = self.info.get_entry_point(index);
        self.frames.push(Frame {
            function,
            info,
            arguments: Vec::new(),
            locals: Vec::new(),
            returned: 0..0,
            cache: HashMap::new(),
            cached: Vec::new(),
        });
        self.private_globals(info)?;
        for argument in &function.arguments {
            let values = self.entry_argument(argument)?;
            self.frame_mut().arguments.push(Lowered::Value(values.into()));
        }
        self.locals(None)?;
        self.body()
    }

    /// Bool of a condition.
    pub(super) fn condition(&mut self, expr: Handle<Expression>) -> Result<Value, Error> {
        let values = self.value(expr)?;
        match values[..] {
            [c] if self.b.ty(c) == Ty::Bool => Ok(c),
            _ => self.invalid("a condition that is no bool"),
        }
    }
}
