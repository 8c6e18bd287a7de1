//! Which variables can be split into SSA values: those never indexed at run time, but for the components of a vector,
//! which selects choose among.

use naga::{
    Block, Expression, Function, GlobalVariable, Handle, LocalVariable, Module, Statement, TypeInner, valid::ModuleInfo,
};
use std::collections::{HashMap, HashSet};

/// The variable that a pointer expression leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Root {
    Local(Handle<LocalVariable>),
    Global(Handle<GlobalVariable>),
    Argument(u32),
    /// No pointer.
    None,
}

/// Follows a pointer expression to its variable.
pub(super) fn root_of(function: &Function, mut expr: Handle<Expression>) -> Root {
    loop {
        match function.expressions[expr] {
            Expression::Access { base, .. } | Expression::AccessIndex { base, .. } => expr = base,
            Expression::LocalVariable(h) => return Root::Local(h),
            Expression::GlobalVariable(h) => return Root::Global(h),
            Expression::FunctionArgument(i) => return Root::Argument(i),
            _ => return Root::None,
        }
    }
}

/// What of one function's view is indexed at run time.
#[derive(Default)]
pub(super) struct Indexed {
    pub locals: HashSet<Handle<LocalVariable>>,
    pub arguments: HashSet<u32>,
    pub globals: HashSet<Handle<GlobalVariable>>,
}

/// [`Indexed`] for each function and for the entry point.
pub(super) struct Splits {
    functions: HashMap<Handle<Function>, Indexed>,
    entry: Indexed,
}

impl Splits {
    pub fn new(module: &Module, info: &ModuleInfo, entry: usize) -> Self {
        let mut functions = HashMap::new();
        // Callees come before callers in the arena.
        for (handle, function) in module.functions.iter() {
            let indexed = analyse(module, function, &info[handle], &functions);
            functions.insert(handle, indexed);
        }
        let function = &module.entry_points[entry].function;
        let entry = analyse(module, function, info.get_entry_point(entry), &functions);
        Splits { functions, entry }
    }

    /// For a function, or the entry point for `None`.
    pub fn of(&self, function: Option<Handle<Function>>) -> &Indexed {
        function.and_then(|h| self.functions.get(&h)).unwrap_or(&self.entry)
    }

    /// Whether any function indexes a private global at run time.
    pub fn is_global_indexed(&self, global: Handle<GlobalVariable>) -> bool {
        self.functions.values().chain([&self.entry]).any(|i| i.globals.contains(&global))
    }
}

fn analyse(
    module: &Module,
    function: &Function,
    info: &naga::valid::FunctionInfo,
    done: &HashMap<Handle<Function>, Indexed>,
) -> Indexed {
    let mut found = Indexed::default();
    for (_, expr) in function.expressions.iter() {
        if let Expression::Access { base, .. } = *expr
            && let inner = info[base].ty.inner_with(&module.types)
            && inner.pointer_space().is_some()
            && !points_to_vector(module, inner)
        {
            add(&mut found, root_of(function, base));
        }
    }
    each_call(&function.body, &mut |callee, arguments| {
        let Some(indexed) = done.get(&callee) else { return };
        for (i, argument) in arguments.iter().enumerate() {
            if indexed.arguments.contains(&(i as u32)) {
                add(&mut found, root_of(function, *argument));
            }
        }
    });
    found
}

fn points_to_vector(module: &Module, pointer: &TypeInner) -> bool {
    match *pointer {
        TypeInner::Pointer { base, .. } => matches!(module.types[base].inner, TypeInner::Vector { .. }),
        TypeInner::ValuePointer { size, .. } => size.is_some(),
        _ => false,
    }
}

fn add(found: &mut Indexed, root: Root) {
    match root {
        Root::Local(h) => _ = found.locals.insert(h),
        Root::Global(h) => _ = found.globals.insert(h),
        Root::Argument(i) => _ = found.arguments.insert(i),
        Root::None => {}
    }
}

/// Receives a callee and its arguments.
type OnCall<'f> = dyn FnMut(Handle<Function>, &[Handle<Expression>]) + 'f;

/// Calls `f` with each call in a block.
fn each_call(block: &Block, f: &mut OnCall<'_>) {
    for statement in block.iter() {
        match statement {
            Statement::Call { function, arguments, .. } => f(*function, arguments),
            Statement::Block(inner) => each_call(inner, f),
            Statement::If { accept, reject, .. } => {
                each_call(accept, f);
                each_call(reject, f);
            }
            Statement::Loop { body, continuing, .. } => {
                each_call(body, f);
                each_call(continuing, f);
            }
            Statement::Switch { cases, .. } => cases.iter().for_each(|case| each_call(&case.body, f)),
            _ => {}
        }
    }
}
