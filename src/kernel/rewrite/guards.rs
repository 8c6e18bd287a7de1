//! Which pointer parameters come with a guard.
//!
//! A pointer with a dynamic index that is passed to a function points to *some* element, and the callee must
//! know whether it is the one that was meant: it gets a `bool` for each such parameter, after all others. naga
//! allows only pointers to function and private memory as parameters, whose arrays have a fixed length.

use naga::{Block, Expression, Function, Handle, Module, Statement};
use std::collections::HashMap;

/// The functions reachable from an entry point, and their guarded parameters.
#[derive(Debug, Default)]
pub(super) struct Guarded {
    parameters: HashMap<Handle<Function>, Vec<bool>>,
}

impl Guarded {
    /// Whether the entry point calls the function, directly or not.
    pub fn is_reachable(&self, function: Handle<Function>) -> bool {
        self.parameters.contains_key(&function)
    }

    /// The guarded parameters in order: their indices.
    pub fn of(&self, function: Handle<Function>) -> impl Iterator<Item = u32> {
        let flags = self.parameters.get(&function).map_or(&[][..], Vec::as_slice);
        (0u32..).zip(flags).filter(|(_, f)| **f).map(|(i, _)| i)
    }
}

/// Finds them, callers before callees (naga's functions call only earlier ones).
pub(super) fn guarded_parameters(module: &Module, entry: usize) -> Guarded {
    let mut guarded = Guarded::default();
    visit(module, &module.entry_points[entry].function, &[], &mut guarded);
    for (handle, function) in module.functions.iter().rev() {
        if let Some(flags) = guarded.parameters.get(&handle).cloned() {
            visit(module, function, &flags, &mut guarded);
        }
    }
    guarded
}

fn visit(module: &Module, caller: &Function, flags: &[bool], guarded: &mut Guarded) {
    for_each_call(&caller.body, &mut |callee, arguments| {
        let parameters = &module.functions[callee].arguments;
        let known = guarded.parameters.entry(callee).or_insert_with(|| vec![false; parameters.len()]);
        for (i, parameter) in parameters.iter().enumerate() {
            let pointer = module.types[parameter.ty].inner.pointer_space().is_some();
            known[i] |= pointer && arguments.get(i).is_some_and(|&a| may_miss(caller, a, flags));
        }
    });
}

/// Whether a pointer may have been made with an index out of bounds.
fn may_miss(function: &Function, mut pointer: Handle<Expression>, flags: &[bool]) -> bool {
    loop {
        match function.expressions[pointer] {
            Expression::AccessIndex { base, .. } => pointer = base,
            Expression::FunctionArgument(i) => return flags.get(i as usize).copied().unwrap_or(false),
            Expression::Access { .. } => return true,
            _ => return false,
        }
    }
}

/// What is done with a call: callee and arguments.
type VisitCall<'v> = dyn FnMut(Handle<Function>, &[Handle<Expression>]) + 'v;

fn for_each_call(block: &Block, visit: &mut VisitCall<'_>) {
    for statement in block.iter() {
        match statement {
            Statement::Call { function, arguments, .. } => visit(*function, arguments),
            Statement::Block(b) => for_each_call(b, visit),
            Statement::If { accept, reject, .. } => [accept, reject].into_iter().for_each(|b| for_each_call(b, visit)),
            Statement::Switch { cases, .. } => cases.iter().for_each(|c| for_each_call(&c.body, visit)),
            Statement::Loop { body, continuing, .. } => {
                [body, continuing].into_iter().for_each(|b| for_each_call(b, visit));
            }
            _ => {}
        }
    }
}
