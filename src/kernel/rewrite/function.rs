//! Walks a function and rebuilds its statements.

use super::{Shared, emit::Emit};
use naga::{
    AddressSpace, Block, Expression, Function, FunctionArgument, GatherMode, GlobalVariable, Handle, Span, Statement,
    SwitchCase, Type, TypeInner, valid::FunctionInfo,
};
use std::collections::HashMap;

/// A function on the way from old to new.
pub(super) struct Rebuild<'s, 'm> {
    pub shared: &'s mut Shared<'m>,
    pub old: &'m Function,
    pub info: &'m FunctionInfo,
    /// The new function.
    pub out: Emit,
    /// Old expressions in scope, and the new ones for them.
    pub map: HashMap<Handle<Expression>, Handle<Expression>>,
    /// Guards of old pointers: new expressions of type bool.
    pub guards: HashMap<Handle<Expression>, Handle<Expression>>,
    /// Work-group size, if this is the entry point.
    pub workgroup_size: Option<[u32; 3]>,
}

/// Rebuilds a function; `handle` is its old handle.
pub(super) fn rebuild<'m>(
    shared: &mut Shared<'m>,
    old: &'m Function,
    info: &'m FunctionInfo,
    handle: Option<Handle<Function>>,
) -> Result<Function, String> {
    let mut this = Rebuild::new(shared, old, info)?;
    this.out.function.arguments = old.arguments.clone();
    let guarded: Vec<u32> = handle.into_iter().flat_map(|h| this.shared.guarded.of(h)).collect();
    let bool = this.shared.types.bool;
    for &i in &guarded {
        let name = old.arguments[i as usize].name.as_deref().unwrap_or("pointer");
        let guard = FunctionArgument { name: Some(format!("{name}_in_bounds")), ty: bool, binding: None };
        this.out.function.arguments.push(guard);
    }
    for (at, expression) in old.expressions.iter() {
        if let Expression::FunctionArgument(i) = *expression {
            let new = this.out.expression(Expression::FunctionArgument(i));
            this.map.insert(at, new);
            if let Some(k) = guarded.iter().position(|&g| g == i) {
                let index = (old.arguments.len() + k) as u32;
                let guard = this.out.expression(Expression::FunctionArgument(index));
                this.guards.insert(at, guard);
            }
        }
    }
    this.body()?;
    Ok(this.out.finish())
}

impl<'s, 'm> Rebuild<'s, 'm> {
    /// A new function with the old one's name, type and variables (which keep their handles).
    pub fn new(shared: &'s mut Shared<'m>, old: &'m Function, info: &'m FunctionInfo) -> Result<Self, String> {
        let mut out = Emit::default();
        out.function.name = old.name.clone();
        out.function.result = old.result.clone();
        out.function.diagnostic_filter_leaf = old.diagnostic_filter_leaf;
        let (map, guards) = (HashMap::new(), HashMap::new());
        let mut this = Rebuild { shared, old, info, out, map, guards, workgroup_size: None };
        for (handle, variable) in old.local_variables.iter() {
            let mut variable = variable.clone();
            variable.init = variable.init.map(|e| this.constant(e)).transpose()?;
            this.out.function.local_variables.append(variable, old.local_variables.get_span(handle));
        }
        Ok(this)
    }

    /// Rebuilds the body; parameters are mapped already.
    pub fn body(&mut self) -> Result<(), String> {
        for (at, expression) in self.old.expressions.iter() {
            if expression.needs_pre_emit() && !matches!(expression, Expression::FunctionArgument(_)) {
                let new = self.out.expression(expression.clone());
                self.map.insert(at, new);
            }
        }
        self.statements(&self.old.body)
    }

    /// A copy of a constant expression, not emitted.
    fn constant(&mut self, old: Handle<Expression>) -> Result<Handle<Expression>, String> {
        let mut expression = self.old.expressions[old].clone();
        match &mut expression {
            Expression::Literal(_) | Expression::Constant(_) | Expression::ZeroValue(_) => {}
            Expression::Compose { components, .. } => {
                for c in components {
                    *c = self.constant(*c)?;
                }
            }
            Expression::Splat { value, .. } => *value = self.constant(*value)?,
            _ => return Err("an initial value of a variable is not constant".into()),
        }
        Ok(self.out.constant(expression))
    }

    /// Rebuilds a nested block.
    fn block(&mut self, block: &'m Block) -> Result<Block, String> {
        let outer = self.out.open();
        self.statements(block)?;
        Ok(self.out.close(outer))
    }

    fn statements(&mut self, block: &'m Block) -> Result<(), String> {
        block.span_iter().try_for_each(|(statement, span)| self.statement(statement, *span))
    }

    fn statement(&mut self, statement: &'m Statement, span: Span) -> Result<(), String> {
        use Statement as S;
        let new = match *statement {
            S::Emit(ref range) => return range.clone().try_for_each(|e| self.emit(e)),
            S::Store { pointer, value } => return self.store(pointer, value, span),
            S::Atomic { pointer, fun, value, result } => return self.atomic(pointer, fun, value, result, span),
            S::WorkGroupUniformLoad { pointer, result } => return self.uniform_load(pointer, result, span),
            S::Call { function, ref arguments, result } => return self.call(function, arguments, result, span),
            S::Break | S::Continue | S::ControlBarrier(_) | S::MemoryBarrier(_) => statement.clone(),
            S::Return { value } => S::Return { value: value.map(|v| self.get(v)).transpose()? },
            S::Block(ref b) => S::Block(self.block(b)?),
            S::If { condition, ref accept, ref reject } => {
                let condition = self.get(condition)?;
                S::If { condition, accept: self.block(accept)?, reject: self.block(reject)? }
            }
            S::Switch { selector, ref cases } => {
                let selector = self.get(selector)?;
                let case = |c: &'m SwitchCase| -> Result<SwitchCase, String> {
                    Ok(SwitchCase { value: c.value, body: self.block(&c.body)?, fall_through: c.fall_through })
                };
                S::Switch { selector, cases: cases.iter().map(case).collect::<Result<_, _>>()? }
            }
            S::Loop { ref body, ref continuing, break_if } => {
                let body = self.block(body)?;
                let outer = self.out.open();
                self.statements(continuing)?;
                let break_if = break_if.map(|e| self.get(e)).transpose()?;
                S::Loop { body, continuing: self.out.close(outer), break_if }
            }
            S::SubgroupBallot { result, predicate } => {
                let predicate = predicate.map(|p| self.get(p)).transpose()?;
                S::SubgroupBallot { result: self.result(result), predicate }
            }
            S::SubgroupGather { mode, argument, result } => {
                let (mode, argument) = (self.gather_mode(mode)?, self.get(argument)?);
                S::SubgroupGather { mode, argument, result: self.result(result) }
            }
            S::SubgroupCollectiveOperation { op, collective_op, argument, result } => {
                let argument = self.get(argument)?;
                S::SubgroupCollectiveOperation { op, collective_op, argument, result: self.result(result) }
            }
            S::ImageStore { .. } | S::ImageAtomic { .. } => return Err("it uses textures".into()),
            S::RayQuery { .. } | S::RayPipelineFunction(_) => return Err("it uses ray queries".into()),
            S::CooperativeStore { .. } => return Err("it uses cooperative matrices".into()),
            S::Kill => return Err("it discards fragments".into()),
        };
        self.out.statement(new, span);
        Ok(())
    }

    /// The new expression for the result of a statement.
    fn result(&mut self, old: Handle<Expression>) -> Handle<Expression> {
        let new = self.out.expression(self.old.expressions[old].clone());
        self.map.insert(old, new);
        new
    }

    fn gather_mode(&mut self, mode: GatherMode) -> Result<GatherMode, String> {
        use GatherMode as G;
        Ok(match mode {
            G::BroadcastFirst | G::QuadSwap(_) => mode,
            G::Broadcast(e) => G::Broadcast(self.get(e)?),
            G::Shuffle(e) => G::Shuffle(self.get(e)?),
            G::ShuffleDown(e) => G::ShuffleDown(self.get(e)?),
            G::ShuffleUp(e) => G::ShuffleUp(self.get(e)?),
            G::ShuffleXor(e) => G::ShuffleXor(self.get(e)?),
            G::QuadBroadcast(e) => G::QuadBroadcast(self.get(e)?),
        })
    }

    /// The pointer of a uniform load is the same in all invocations, so its safe index is too.
    fn uniform_load(&mut self, pointer: Handle<Expression>, old: Handle<Expression>, span: Span) -> Result<(), String> {
        let (new_pointer, guard) = (self.get(pointer)?, self.guard(pointer));
        let result = self.out.expression(self.old.expressions[old].clone());
        self.out.statement(Statement::WorkGroupUniformLoad { pointer: new_pointer, result }, span);
        let value = self.or_zero(old, guard, |_| result);
        self.map.insert(old, value);
        Ok(())
    }

    fn call(
        &mut self,
        function: Handle<Function>,
        arguments: &[Handle<Expression>],
        result: Option<Handle<Expression>>,
        span: Span,
    ) -> Result<(), String> {
        let callee = self.shared.functions.get(&function).copied().ok_or("a function is called before it is there")?;
        let mut new = Vec::with_capacity(arguments.len());
        let mut copies = Vec::new();
        for (&argument, parameter) in arguments.iter().zip(&self.shared.old.functions[function].arguments) {
            let mut value = self.get(argument)?;
            if let Some(local) = self.copy_in(argument, value, parameter.ty) {
                copies.push((argument, value, local));
                value = local;
            }
            new.push(value);
        }
        let guarded: Vec<u32> = self.shared.guarded.of(function).collect();
        for i in guarded {
            let guard = match self.guard(arguments[i as usize]) {
                Some(guard) => guard,
                None => self.out.expression(Expression::Literal(naga::Literal::Bool(true))),
            };
            new.push(guard);
        }
        let result = result.map(|old| {
            let new = self.out.expression(Expression::CallResult(callee));
            self.map.insert(old, new);
            new
        });
        self.out.statement(Statement::Call { function: callee, arguments: new, result }, span);
        for (argument, pointer, local) in copies {
            let value = self.out.load(local);
            match self.guard(argument) {
                None => self.out.store(pointer, value),
                Some(ok) => self.out.when(ok, |out| out.store(pointer, value)),
            }
        }
        Ok(())
    }

    /// A variable that stands for what an argument points to, if that is a part of a variable.
    ///
    /// naga's SPIR-V writer takes only whole variables as pointer arguments. Copying in and out is the same in
    /// valid WGSL, which forbids a callee to reach one variable in two ways when it writes it.
    fn copy_in(
        &mut self,
        old: Handle<Expression>,
        pointer: Handle<Expression>,
        ty: Handle<Type>,
    ) -> Option<Handle<Expression>> {
        let TypeInner::Pointer { base, space } = self.shared.old.types[ty].inner else { return None };
        if !matches!(self.old.expressions[old], Expression::Access { .. } | Expression::AccessIndex { .. }) {
            return None;
        }
        let local = match space {
            AddressSpace::Private => self.private(base),
            _ => self.out.local("argument", base),
        };
        let value = self.out.load(pointer);
        self.out.store(local, value);
        Some(local)
    }

    /// A pointer to a new private variable. Functions do not recurse, so one a call site is enough.
    fn private(&mut self, ty: Handle<Type>) -> Handle<Expression> {
        let variable = GlobalVariable {
            name: Some("argument".into()),
            space: AddressSpace::Private,
            binding: None,
            ty,
            init: None,
            memory_decorations: naga::MemoryDecorations::empty(),
        };
        let handle = self.shared.new.global_variables.append(variable, Span::UNDEFINED);
        self.out.expression(Expression::GlobalVariable(handle))
    }
}
