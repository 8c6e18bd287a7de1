//! How a block can leave: syntactic questions that decide where the rest of a block goes.

use naga::{Block, Statement};

/// Whether control never reaches the end of the block. `false` may be wrong for loops and switches, never `true`.
pub(super) fn never_falls(block: &Block) -> bool {
    block.iter().any(|statement| match statement {
        Statement::Return { .. } | Statement::Break | Statement::Continue | Statement::Kill => true,
        Statement::Block(inner) => never_falls(inner),
        Statement::If { accept, reject, .. } => never_falls(accept) && never_falls(reject),
        _ => false,
    })
}

/// Whether a statement may `continue` the loop around it.
pub(super) fn may_continue(statement: &Statement) -> bool {
    match statement {
        Statement::Continue => true,
        Statement::Block(block) => block.iter().any(may_continue),
        Statement::If { accept, reject, .. } => accept.iter().chain(reject.iter()).any(may_continue),
        Statement::Switch { cases, .. } => cases.iter().any(|case| case.body.iter().any(may_continue)),
        _ => false,
    }
}

/// Whether a block may leave the loop around it, by `break` or, where that counts, by `return`.
pub(super) fn may_leave_loop(block: &Block, returns_leave: bool) -> bool {
    block.iter().any(|statement| match statement {
        Statement::Break => true,
        Statement::Return { .. } => returns_leave,
        Statement::Block(inner) => may_leave_loop(inner, returns_leave),
        Statement::If { accept, reject, .. } => {
            may_leave_loop(accept, returns_leave) || may_leave_loop(reject, returns_leave)
        }
        _ => false,
    })
}
