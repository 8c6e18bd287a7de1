//! Statements.

use super::{Frame, Jump, Machine, Root, Slot, Value, shape::Shape};
use naga::{Block, Expression, Function, Handle, Statement, SwitchCase, SwitchValue, valid::FunctionInfo};
use std::rc::Rc;

impl<'a> Machine<'a, '_> {
    /// Calls a function in some invocations; its result scalar by scalar.
    pub(super) fn call(
        &mut self,
        function: &'a Function,
        info: &'a FunctionInfo,
        arguments: Vec<Slot>,
        active: &[usize],
    ) -> Result<Vec<u64>, String> {
        let result = match &function.result {
            Some(result) => Shape::of(self.module, result.ty)?.leaves(),
            None => 0,
        };
        self.frames.push(Frame {
            function,
            info,
            arguments,
            locals: Vec::new(),
            slots: vec![None; function.expressions.len()],
            returned: vec![0; result * self.lanes],
        });
        for (_, local) in function.local_variables.iter() {
            let leaves = Shape::of(self.module, local.ty)?.leaves();
            let mut memory = vec![0; leaves * self.lanes];
            if let Some(init) = local.init {
                memory.copy_from_slice(&self.value(init)?.data);
            }
            self.frame().locals.push(memory);
        }
        self.block(&function.body, active)?;
        for &l in active {
            self.jumps[l] = Jump::None;
        }
        let frame = self.frames.pop().ok_or("no frame")?;
        Ok(frame.returned)
    }

    /// Runs a block; afterwards [`Machine::jumps`] tells which invocations did not reach its end.
    fn block(&mut self, block: &'a Block, active: &[usize]) -> Result<(), String> {
        let mut active = active.to_vec();
        for statement in block.iter() {
            if active.is_empty() {
                return Ok(());
            }
            self.spend(active.len())?;
            self.statement(statement, &active)?;
            active.retain(|l| self.jumps[*l] == Jump::None);
        }
        Ok(())
    }

    fn statement(&mut self, statement: &'a Statement, active: &[usize]) -> Result<(), String> {
        match *statement {
            Statement::Emit(ref range) => {
                for expr in range.clone() {
                    let slot = self.evaluate(expr, active)?;
                    self.frame().slots[expr.index()] = Some(slot);
                }
            }
            Statement::Block(ref inner) => self.block(inner, active)?,
            Statement::If { condition, ref accept, ref reject } => {
                let (yes, no) = self.divide(condition, active)?;
                self.block(accept, &yes)?;
                self.block(reject, &no)?;
            }
            Statement::Switch { selector, ref cases } => self.switch(selector, cases, active)?,
            Statement::Loop { ref body, ref continuing, break_if } => {
                self.repeat(body, continuing, break_if, active)?;
            }
            Statement::Break => self.jump(Jump::Break, active),
            Statement::Continue => self.jump(Jump::Continue, active),
            Statement::Return { value } => {
                if let Some(value) = value {
                    let value = self.value(value)?;
                    self.set_returned(&value, active);
                }
                self.jump(Jump::Return, active);
            }
            Statement::ControlBarrier(_) | Statement::MemoryBarrier(_) => {}
            Statement::Store { pointer, value } => {
                let (pointer, value) = (self.pointer(pointer)?, self.value(value)?);
                self.store(&pointer, &value, active);
            }
            Statement::Atomic { pointer, ref fun, value, result } => {
                self.atomic(pointer, fun, value, result, active)?;
            }
            Statement::WorkGroupUniformLoad { pointer, result } => {
                let pointer = self.pointer(pointer)?;
                let value = self.load(&pointer, active);
                self.frame().slots[result.index()] = Some(Slot::Value(Rc::new(value)));
            }
            Statement::Call { function, ref arguments, result } => {
                let arguments = arguments.iter().map(|a| self.slot(*a)).collect::<Result<Vec<_>, _>>()?;
                let (callee, info) = (&self.module.functions[function], &self.info[function]);
                let data = self.call(callee, info, arguments, active)?;
                if let Some(result) = result {
                    self.frame().slots[result.index()] = Some(Slot::Value(Rc::new(Value { data })));
                }
            }
            ref other => return Err(format!("the statement {other:?}")),
        }
        Ok(())
    }

    fn jump(&mut self, jump: Jump, active: &[usize]) {
        active.iter().for_each(|l| self.jumps[*l] = jump);
    }

    /// Lets invocations go on that jumped to here.
    fn land(&mut self, jump: Jump, active: &[usize]) {
        for &l in active {
            if self.jumps[l] == jump {
                self.jumps[l] = Jump::None;
            }
        }
    }

    fn set_returned(&mut self, value: &Value, active: &[usize]) {
        let lanes = self.lanes;
        let returned = &mut self.frame().returned;
        for leaf in 0..value.data.len() / lanes {
            for &l in active {
                returned[leaf * lanes + l] = value.data[leaf * lanes + l];
            }
        }
    }

    /// The invocations in which a condition holds, and the others.
    fn divide(&mut self, condition: Handle<Expression>, active: &[usize]) -> Result<(Vec<usize>, Vec<usize>), String> {
        let condition = self.value(condition)?;
        Ok(active.iter().partition(|l| condition.data[**l] != 0))
    }

    fn switch(
        &mut self,
        selector: Handle<Expression>,
        cases: &'a [SwitchCase],
        active: &[usize],
    ) -> Result<(), String> {
        let selector = self.value(selector)?;
        let matches = |case: &SwitchCase, bits: u64| match case.value {
            SwitchValue::I32(v) => u64::from(v as u32) == bits,
            SwitchValue::U32(v) => u64::from(v) == bits,
            SwitchValue::Default => false,
        };
        let default = cases.iter().position(|c| c.value == SwitchValue::Default);
        let mut chosen = vec![Vec::new(); cases.len()];
        for &l in active {
            let case = cases.iter().position(|c| matches(c, selector.data[l])).or(default);
            if let Some(mut case) = case {
                while cases[case].fall_through && cases[case].body.is_empty() {
                    case += 1;
                }
                chosen[case].push(l);
            }
        }
        for (case, chosen) in cases.iter().zip(&chosen) {
            if case.fall_through && !case.body.is_empty() {
                return Err("a case that falls through".into());
            }
            self.block(&case.body, chosen)?;
        }
        self.land(Jump::Break, active);
        Ok(())
    }

    fn repeat(
        &mut self,
        body: &'a Block,
        continuing: &'a Block,
        break_if: Option<Handle<Expression>>,
        active: &[usize],
    ) -> Result<(), String> {
        let mut inside = active.to_vec();
        while !inside.is_empty() {
            self.spend(1)?;
            self.block(body, &inside)?;
            self.land(Jump::Continue, &inside);
            inside.retain(|l| self.jumps[*l] == Jump::None);
            self.block(continuing, &inside)?;
            if let Some(condition) = break_if
                && !inside.is_empty()
            {
                inside = self.divide(condition, &inside)?.1;
            }
        }
        self.land(Jump::Break, active);
        Ok(())
    }

    /// The memory of a local variable.
    pub(super) fn local(&self, index: usize) -> Root {
        Root::Local(self.frames.len() - 1, index)
    }
}
