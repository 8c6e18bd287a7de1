//! The SSA variables that a loop may assign: the values it has to carry around.

use super::{
    lower::{Lower, Lowered, Root as PointerRoot, ScopeKind},
    split::{Root, root_of},
};
use naga::{AddressSpace, Block, Expression, Function, Handle, Statement, valid::GlobalUse};
use std::collections::BTreeSet;

impl Lower<'_> {
    /// The variables that may be assigned in the blocks, and whether they may return.
    pub(super) fn assigned_in(&self, blocks: [&Block; 2]) -> BTreeSet<usize> {
        let mut found = BTreeSet::new();
        let mut returns = false;
        for block in blocks {
            self.scan(block, &mut found, &mut returns);
        }
        if returns {
            let function = self.scopes.iter().rposition(|s| s.kind == ScopeKind::Function).unwrap_or(0);
            found.extend(self.scopes[function + 1..].iter().map(|s| s.escape));
            found.extend(self.frame().returned.clone());
        }
        found
    }

    fn scan(&self, block: &Block, found: &mut BTreeSet<usize>, returns: &mut bool) {
        for statement in block.iter() {
            match statement {
                Statement::Store { pointer, .. } => self.add_root(*pointer, found),
                Statement::Call { function, arguments, .. } => self.add_call(*function, arguments, found),
                Statement::Return { .. } => *returns = true,
                Statement::Block(inner) => self.scan(inner, found, returns),
                Statement::If { accept, reject, .. } => {
                    self.scan(accept, found, returns);
                    self.scan(reject, found, returns);
                }
                Statement::Switch { cases, .. } => cases.iter().for_each(|c| self.scan(&c.body, found, returns)),
                Statement::Loop { body, continuing, .. } => {
                    self.scan(body, found, returns);
                    self.scan(continuing, found, returns);
                }
                _ => {}
            }
        }
    }

    /// What a pointer leads to may be assigned in whole.
    fn add_root(&self, pointer: Handle<Expression>, found: &mut BTreeSet<usize>) {
        let frame = self.frame();
        let root = match root_of(frame.function, pointer) {
            Root::Local(h) => frame.locals.get(h.index()).cloned(),
            Root::Global(h) => self.globals.get(&h).cloned(),
            Root::Argument(i) => match frame.arguments.get(i as usize) {
                Some(Lowered::Pointer(p)) => Some(p.clone()),
                _ => None,
            },
            Root::None => None,
        };
        let Some(pointer) = root else { return };
        match pointer.root {
            PointerRoot::Variables(first) => found.extend(first..first + pointer.shape.leaves() as usize),
            PointerRoot::Component { first, count, .. } => found.extend(first..first + count),
            PointerRoot::Memory { .. } => {}
        }
    }

    /// A callee may assign what its pointer arguments lead to, and private globals.
    fn add_call(&self, callee: Handle<Function>, arguments: &[Handle<Expression>], found: &mut BTreeSet<usize>) {
        arguments.iter().for_each(|a| self.add_root(*a, found));
        for (handle, global) in self.module.global_variables.iter() {
            if global.space == AddressSpace::Private
                && self.info[callee][handle].contains(GlobalUse::WRITE)
                && let Some(pointer) = self.globals.get(&handle)
                && let PointerRoot::Variables(first) = pointer.root
            {
                found.extend(first..first + pointer.shape.leaves() as usize);
            }
        }
    }
}
