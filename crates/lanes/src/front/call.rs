//! Calls are inlined.

use super::lower::{Frame, Lower, Lowered, MAX_CALLS};
use crate::error::{Error, ErrorKind};
use naga::{Expression, Function, Handle};
use std::{collections::HashMap, rc::Rc};

impl Lower<'_> {
    /// Inlines a call.
    pub(super) fn call(
        &mut self,
        callee: Handle<Function>,
        arguments: &[Handle<Expression>],
        result: Option<Handle<Expression>>,
    ) -> Result<(), Error> {
        if self.frames.len() > MAX_CALLS {
            let message = format!("functions call one another more than {MAX_CALLS} deep");
            return Err(self.error(ErrorKind::TooLarge, message));
        }
        let span = self.b.span;
        let arguments = arguments.iter().map(|a| self.eval(*a)).collect::<Result<Vec<_>, _>>()?;
        let function = &self.module.functions[callee];
        let returned = self.result_variables(function)?;
        self.frames.push(Frame {
            function,
            info: &self.info[callee],
            arguments,
            locals: Vec::new(),
            returned: returned.clone(),
            cache: HashMap::new(),
            cached: Vec::new(),
        });
        self.locals(Some(callee))?;
        self.body()?;
        self.frames.pop();
        self.b.span = span;
        if let Some(result) = result {
            let values: Rc<[_]> = returned.map(|v| self.env.get(v)).collect();
            self.cache(result, Lowered::Value(values));
        }
        Ok(())
    }

    fn result_variables(&mut self, function: &Function) -> Result<std::ops::Range<usize>, Error> {
        let Some(result) = &function.result else { return Ok(0..0) };
        let shape = self.shapes.of(result.ty, super::shape::Layout::Host).map_err(|e| self.located(e))?;
        let zeros = self.zeros(&shape)?;
        let variables: Vec<usize> = zeros.iter().map(|v| self.env.add(*v)).collect();
        Ok(variables.first().map_or(0..0, |first| *first..first + variables.len()))
    }

    /// Makes the current function's local variables.
    pub(super) fn locals(&mut self, callee: Option<Handle<Function>>) -> Result<(), Error> {
        let function = self.frame().function;
        for (handle, local) in function.local_variables.iter() {
            self.b.span = function.local_variables.get_span(handle);
            let init = match local.init {
                Some(init) if !matches!(function.expressions[init], Expression::ZeroValue(_)) => {
                    Some(self.value(init)?)
                }
                _ => None,
            };
            let is_indexed = self.splits.of(callee).locals.contains(&handle);
            let name = local.name.as_deref().unwrap_or("local");
            let pointer = self.variable(name, local.ty, is_indexed, init)?;
            self.frame_mut().locals.push(pointer);
        }
        Ok(())
    }
}
