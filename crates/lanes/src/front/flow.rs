//! Statements: jumps become conditions.
//!
//! A jump makes the variable [`LIVE`] false for its lanes, and sets the `escape` variable of each construct that it
//! leaves on the way to its target. After a construct, the lanes that did not escape from it are live again.
//! Where one branch of an `if` always jumps, the rest of the block moves into the other branch, so that a guard
//! encloses what it guards; elsewhere the rest runs under `if live`.

use super::{
    jumps::{may_continue, may_leave_loop, never_falls},
    lower::{LIVE, Lower, MAX_NESTING, Scope, ScopeKind},
};
use crate::{
    error::{Error, ErrorKind},
    ir::{BarrierScope, BinaryOp, Value, builder::Closed},
};
use naga::{Barrier, Block, Expression, Handle, Span, Statement, SwitchCase, SwitchValue};
use std::collections::BTreeMap;

/// What is still to be run.
#[derive(Clone, Copy)]
enum Item<'a> {
    /// The statements of the block from one index to another.
    Statements(&'a Block, usize, usize),
    /// The statements from an index on, of which some continue the loop.
    LoopBody(&'a Block, usize),
    /// The end of `continuing`.
    BreakIf(Handle<Expression>),
}

/// An item and what follows it, up to the end of the construct that jumps leave.
#[derive(Clone, Copy)]
struct Rest<'k, 'a> {
    item: Item<'a>,
    next: Option<&'k Rest<'k, 'a>>,
}

impl<'a> Rest<'_, 'a> {
    fn block(block: &'a Block) -> Self {
        Rest { item: Item::Statements(block, 0, block.len()), next: None }
    }

    fn is_empty(&self) -> bool {
        matches!(self.item, Item::Statements(_, from, to) if from >= to) && self.next.is_none_or(Rest::is_empty)
    }
}

/// Whether the caller goes on with the next statement.
#[derive(PartialEq)]
enum Flow {
    Next,
    /// What follows was lowered already, or is never reached.
    Done,
}

/// A branch of an `if`, lowered.
struct Branch {
    region: Closed,
    assigned: BTreeMap<usize, Value>,
}

/// A case of a switch: the values it takes (none for the default) and its body.
struct Arm<'a> {
    values: Vec<u32>,
    body: &'a Block,
}

impl<'a> Lower<'a> {
    /// Lowers the current function's body; every lane is live after it.
    pub(super) fn body(&mut self) -> Result<(), Error> {
        let function = self.frame().function;
        self.scope(ScopeKind::Function, |s| s.run(&Rest::block(&function.body)))
    }

    fn run(&mut self, rest: &Rest<'_, 'a>) -> Result<(), Error> {
        let mut current = Some(rest);
        while let Some(rest) = current {
            let flow = match rest.item {
                Item::Statements(block, from, to) => self.statements(block, from, to, rest.next)?,
                Item::LoopBody(block, from) => {
                    let inner = Rest { item: Item::Statements(block, from, block.len()), next: None };
                    self.scope(ScopeKind::Body, |s| s.run(&inner))?;
                    let empty = Rest { item: Item::Statements(block, 0, 0), next: rest.next };
                    self.guard(&empty)?
                }
                Item::BreakIf(condition) => {
                    let stop = self.condition(condition)?;
                    let go = self.b.not(stop);
                    self.env.set(LIVE, go);
                    Flow::Next
                }
            };
            if flow == Flow::Done {
                return Ok(());
            }
            current = rest.next;
        }
        Ok(())
    }

    fn statements(
        &mut self,
        block: &'a Block,
        from: usize,
        to: usize,
        next: Option<&Rest<'_, 'a>>,
    ) -> Result<Flow, Error> {
        for (i, (statement, span)) in block.span_iter().enumerate().take(to).skip(from) {
            self.step()?;
            let after = Rest { item: Item::Statements(block, i + 1, to), next };
            if self.statement(statement, *span, &after)? == Flow::Done {
                return Ok(Flow::Done);
            }
        }
        Ok(Flow::Next)
    }

    fn statement(&mut self, statement: &'a Statement, span: Span, after: &Rest<'_, 'a>) -> Result<Flow, Error> {
        self.b.span = span;
        match *statement {
            Statement::Emit(ref range) => self.emit(range.clone())?,
            Statement::Block(ref inner) => {
                let chain = Rest { next: Some(after), ..Rest::block(inner) };
                self.run(&chain)?;
                return Ok(Flow::Done);
            }
            Statement::If { condition, ref accept, ref reject } => return self.if_(condition, accept, reject, after),
            Statement::Switch { selector, ref cases } => return self.switch(selector, cases, after),
            Statement::Loop { ref body, ref continuing, break_if } => {
                self.loop_(body, continuing, break_if)?;
                return self.guard(after);
            }
            Statement::Break => return self.jump(&[ScopeKind::Loop, ScopeKind::Switch]),
            Statement::Continue => return self.jump(&[ScopeKind::Body]),
            Statement::Return { value } => {
                if let Some(value) = value {
                    let values = self.value(value)?;
                    let returned = self.frame().returned.clone();
                    returned.zip(values.iter()).for_each(|(variable, v)| self.env.set(variable, *v));
                }
                return self.jump(&[ScopeKind::Function]);
            }
            Statement::ControlBarrier(flags) => {
                self.b.barrier(if flags == Barrier::SUB_GROUP { BarrierScope::Subgroup } else { BarrierScope::Group });
            }
            // Lanes run in lock step: only the order of accesses is kept.
            Statement::MemoryBarrier(_) => self.b.barrier(BarrierScope::Subgroup),
            Statement::Store { pointer, value } => self.store_statement(pointer, value)?,
            Statement::Atomic { pointer, ref fun, value, result } => self.atomic(pointer, fun, value, result)?,
            Statement::WorkGroupUniformLoad { pointer, result } => self.uniform_load(pointer, result)?,
            Statement::SubgroupBallot { result, predicate } => self.ballot(predicate, result)?,
            Statement::SubgroupGather { mode, argument, result } => self.gather(mode, argument, result)?,
            Statement::SubgroupCollectiveOperation { op, collective_op, argument, result } => {
                self.collective(op, collective_op, argument, result)?;
            }
            Statement::Call { function, ref arguments, result } => self.call(function, arguments, result)?,
            ref other => return self.unsupported(statement_name(other)),
        }
        Ok(Flow::Next)
    }

    /// Runs what follows under the lanes that are still live.
    fn guard(&mut self, after: &Rest<'_, 'a>) -> Result<Flow, Error> {
        let live = self.env.get(LIVE);
        match self.b.as_bool(live) {
            Some(true) => return Ok(Flow::Next),
            Some(false) => return Ok(Flow::Done),
            None if after.is_empty() => return Ok(Flow::Done),
            None => {}
        }
        let (yes, no) = (self.b.bool(true), self.b.bool(false));
        let then = self.branch(|s| {
            s.env.set(LIVE, yes);
            s.run(after)
        })?;
        let other = self.branch(|s| {
            s.env.set(LIVE, no);
            Ok(())
        })?;
        self.merge(live, then, other, false);
        Ok(Flow::Done)
    }

    fn branch(&mut self, f: impl FnOnce(&mut Self) -> Result<(), Error>) -> Result<Branch, Error> {
        self.check_nesting()?;
        self.b.open_branch();
        let (mark, cached) = (self.env.mark(), self.frame().cached.len());
        f(self)?;
        let assigned = self.env.rollback(mark);
        self.forget(cached);
        Ok(Branch { region: self.b.close(), assigned })
    }

    fn check_nesting(&self) -> Result<(), Error> {
        if self.b.nesting() >= MAX_NESTING {
            let message = format!("branches and loops nest more than {MAX_NESTING} deep after inlining");
            return Err(self.error(ErrorKind::TooLarge, message));
        }
        Ok(())
    }

    /// Ends an `if`: what its branches assigned is merged. It `stays` a branch where it may end a loop.
    fn merge(&mut self, cond: Value, then: Branch, other: Branch, stays: bool) {
        let mut variables: Vec<usize> = then.assigned.keys().chain(other.assigned.keys()).copied().collect();
        variables.sort_unstable();
        variables.dedup();
        let after = |branch: &Branch, v: usize, env: &super::environment::Environment| {
            branch.assigned.get(&v).copied().unwrap_or_else(|| env.get(v))
        };
        let pairs: Vec<_> =
            variables.iter().map(|&v| (after(&then, v, &self.env), after(&other, v, &self.env))).collect();
        let merged = self.b.end_if(cond, then.region, other.region, &pairs, stays);
        variables.into_iter().zip(merged).for_each(|(variable, value)| self.env.set(variable, value));
    }

    fn if_(
        &mut self,
        condition: Handle<Expression>,
        accept: &'a Block,
        reject: &'a Block,
        after: &Rest<'_, 'a>,
    ) -> Result<Flow, Error> {
        let (cond, span) = (self.condition(condition)?, self.b.span);
        if let Some(holds) = self.b.as_bool(cond) {
            let taken = Rest { next: Some(after), ..Rest::block(if holds { accept } else { reject }) };
            self.run(&taken)?;
            return Ok(Flow::Done);
        }
        let (after_accept, after_reject) = match (never_falls(accept), never_falls(reject)) {
            _ if after.is_empty() => (None, None),
            (true, _) => (None, Some(after)),
            (false, true) => (Some(after), None),
            (false, false) => (None, None),
        };
        let moved = after_accept.is_some() || after_reject.is_some();
        let then = self.branch(|s| s.run(&Rest { next: after_accept, ..Rest::block(accept) }))?;
        let other = self.branch(|s| s.run(&Rest { next: after_reject, ..Rest::block(reject) }))?;
        self.b.span = span;
        let stays = self.may_end_loop(accept) || self.may_end_loop(reject);
        self.merge(cond, then, other, stays);
        if moved { Ok(Flow::Done) } else { self.guard(after) }
    }

    /// Whether a branch may end the innermost loop: trip counts are read off such branches.
    fn may_end_loop(&self, block: &Block) -> bool {
        let of = |kind| self.scopes.iter().rposition(|s| s.kind == kind);
        match (of(ScopeKind::Loop), of(ScopeKind::Function)) {
            (Some(a), Some(b)) => may_leave_loop(block, a > b) && of(ScopeKind::Switch).is_none_or(|c| c < a),
            _ => false,
        }
    }

    /// Runs a construct that jumps may leave.
    fn scope(&mut self, kind: ScopeKind, f: impl FnOnce(&mut Self) -> Result<(), Error>) -> Result<(), Error> {
        let stays = self.b.bool(false);
        let escape = self.env.add(stays);
        self.scopes.push(Scope { kind, escape });
        f(self)?;
        self.scopes.pop();
        let live = self.b.not(self.env.get(escape));
        self.env.set(LIVE, live);
        Ok(())
    }

    /// Jumps to the end of the innermost construct of one of the kinds.
    fn jump(&mut self, kinds: &[ScopeKind]) -> Result<Flow, Error> {
        let Some(target) = self.scopes.iter().rposition(|s| kinds.contains(&s.kind)) else {
            return self.invalid("a jump out of nothing");
        };
        let (yes, no) = (self.b.bool(true), self.b.bool(false));
        for i in target + 1..self.scopes.len() {
            let escape = self.scopes[i].escape;
            self.env.set(escape, yes);
        }
        self.env.set(LIVE, no);
        Ok(Flow::Done)
    }

    fn loop_(
        &mut self,
        body: &'a Block,
        continuing: &'a Block,
        break_if: Option<Handle<Expression>>,
    ) -> Result<(), Error> {
        self.check_nesting()?;
        let span = self.b.span;
        self.scope(ScopeKind::Loop, |s| {
            let variables: Vec<usize> = s.assigned_in([body, continuing]).into_iter().collect();
            let inits: Vec<Value> = variables.iter().map(|&v| s.env.get(v)).collect();
            let names = s.b.open_loop(&inits);
            let (mark, cached) = (s.env.mark(), s.frame().cached.len());
            s.enter_iteration(&variables, &names);
            s.loops += 1;
            s.run_iteration(body, continuing, break_if)?;
            s.loops -= 1;
            let again = s.env.get(LIVE);
            let assigned = s.env.rollback(mark);
            s.forget(cached);
            if let Some(v) = assigned.keys().find(|v| **v != LIVE && variables.binary_search(v).is_err()) {
                return s.invalid(&format!("a loop assigns variable {v} in an unknown way"));
            }
            let params: Vec<_> = variables
                .iter()
                .zip(inits.iter().zip(&names))
                .map(|(v, (init, name))| (*init, *name, assigned.get(v).copied().unwrap_or(*name)))
                .collect();
            s.b.span = span;
            let results = s.b.end_loop(&params, again);
            variables.iter().zip(results).for_each(|(variable, value)| s.env.set(*variable, value));
            Ok(())
        })
    }

    /// The variables at the start of an iteration. No lane in the loop has escaped from anything.
    fn enter_iteration(&mut self, variables: &[usize], names: &[Value]) {
        for (variable, name) in variables.iter().zip(names) {
            let is_escape = self.scopes.iter().any(|s| s.escape == *variable);
            let value = if is_escape { self.b.bool(false) } else { *name };
            self.env.set(*variable, value);
        }
        let live = self.b.bool(true);
        self.env.set(LIVE, live);
    }

    fn run_iteration(
        &mut self,
        body: &'a Block,
        continuing: &'a Block,
        break_if: Option<Handle<Expression>>,
    ) -> Result<(), Error> {
        let end = break_if.map(|condition| Rest { item: Item::BreakIf(condition), next: None });
        let update = Rest { next: end.as_ref(), ..Rest::block(continuing) };
        // What comes before the first `continue` needs no construct of its own: a loop's test then encloses the rest.
        let first = body.iter().position(may_continue);
        let tail = first.map(|i| Rest { item: Item::LoopBody(body, i), next: Some(&update) });
        let head = Rest {
            item: Item::Statements(body, 0, first.unwrap_or(body.len())),
            next: Some(tail.as_ref().unwrap_or(&update)),
        };
        self.run(&head)
    }

    fn switch(
        &mut self,
        selector: Handle<Expression>,
        cases: &'a [SwitchCase],
        after: &Rest<'_, 'a>,
    ) -> Result<Flow, Error> {
        let selected = self.value(selector)?;
        let [selected] = selected[..] else { return self.invalid("a selector that is no scalar") };
        let mut arms = Vec::new();
        let mut default = None;
        let (mut values, mut is_default) = (Vec::new(), false);
        for case in cases {
            match case.value {
                SwitchValue::I32(v) => values.push(v as u32),
                SwitchValue::U32(v) => values.push(v),
                SwitchValue::Default => is_default = true,
            }
            if case.fall_through {
                if !case.body.is_empty() {
                    return self.unsupported("a switch case that falls through");
                }
                continue;
            }
            let values = std::mem::take(&mut values);
            match std::mem::take(&mut is_default) {
                true => default = Some(Arm { values: Vec::new(), body: &case.body }),
                false => arms.push(Arm { values, body: &case.body }),
            }
        }
        arms.extend(default);
        self.scope(ScopeKind::Switch, |s| s.arms(selected, &arms))?;
        self.guard(after)
    }

    /// Runs one of the arms; the last one where no other's value is selected. Halving keeps the nesting low.
    fn arms(&mut self, selected: Value, arms: &[Arm<'a>]) -> Result<(), Error> {
        match arms {
            [] => Ok(()),
            [arm] if arm.values.is_empty() => self.run(&Rest::block(arm.body)),
            _ => {
                let (first, second) = arms.split_at((arms.len() / 2).max(1));
                let mut taken = self.b.bool(false);
                for value in first.iter().flat_map(|arm| &arm.values) {
                    let value = self.b.constant(self.b.ty(selected), (*value).into());
                    let equal = self.b.binary(BinaryOp::Eq, selected, value);
                    taken = self.b.binary(BinaryOp::Or, taken, equal);
                }
                self.arms_if(taken, selected, first, second)
            }
        }
    }

    fn arms_if(&mut self, taken: Value, selected: Value, first: &[Arm<'a>], second: &[Arm<'a>]) -> Result<(), Error> {
        // One arm left: its value is known to be selected.
        let first_arms = |s: &mut Self| match first {
            [arm] => s.run(&Rest::block(arm.body)),
            _ => s.arms(selected, first),
        };
        if let Some(holds) = self.b.as_bool(taken) {
            return if holds { first_arms(self) } else { self.arms(selected, second) };
        }
        let then = self.branch(first_arms)?;
        let other = self.branch(|s| s.arms(selected, second))?;
        self.merge(taken, then, other, false);
        Ok(())
    }
}

fn statement_name(statement: &Statement) -> &'static str {
    match statement {
        Statement::Kill => "discard",
        Statement::ImageStore { .. } | Statement::ImageAtomic { .. } => "a texture",
        Statement::RayQuery { .. } | Statement::RayPipelineFunction(_) => "ray tracing",
        Statement::CooperativeStore { .. } => "a cooperative matrix",
        _ => "this statement",
    }
}
