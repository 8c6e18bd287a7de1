//! Rebuilds expressions.

use super::{Storage, bounds::Elements, function::Rebuild};
use naga::{Expression, Handle};

impl Rebuild<'_, '_> {
    /// The new expression for an old one that is in scope.
    ///
    /// Constant expressions are in use without ever being emitted: they are made anew at each use, because the
    /// place of the first need not dominate the next.
    pub fn get(&mut self, old: Handle<Expression>) -> Result<Handle<Expression>, String> {
        if let Some(&new) = self.map.get(&old) {
            return Ok(new);
        }
        let expression = self.with_new_operands(self.old.expressions[old].clone())?;
        Ok(self.out.expression(expression))
    }

    /// The guard of a pointer: whether it points to the element that was meant. `None`: certainly.
    pub fn guard(&self, old_pointer: Handle<Expression>) -> Option<Handle<Expression>> {
        self.guards.get(&old_pointer).copied()
    }

    /// Rebuilds an expression that the old function emits here.
    pub fn emit(&mut self, old: Handle<Expression>) -> Result<(), String> {
        let new = match self.old.expressions[old] {
            Expression::Access { base, .. } | Expression::AccessIndex { base, .. } if self.is_dead(base) => {
                return Ok(());
            }
            Expression::Access { base, index } => self.access(old, base, index)?,
            Expression::AccessIndex { base, index } => self.access_index(old, base, index)?,
            Expression::Load { pointer } if self.is_dead(pointer) => {
                let ty = self.type_handle(old);
                self.out.expression(Expression::ZeroValue(ty))
            }
            Expression::Load { pointer } => {
                let load = Expression::Load { pointer: self.get(pointer)? };
                self.or_zero(old, self.guard(pointer), |out| out.expression(load))
            }
            Expression::ArrayLength(array) => match self.root(array) {
                Some(Storage::Runtime(slot)) => self.length(slot),
                _ => self.out.u32(0),
            },
            _ => {
                let expression = self.with_new_operands(self.old.expressions[old].clone())?;
                self.out.expression(expression)
            }
        };
        self.map.insert(old, new);
        Ok(())
    }

    fn is_pointer(&self, old: Handle<Expression>) -> bool {
        self.inner(old).pointer_space().is_some()
    }

    fn access(
        &mut self,
        old: Handle<Expression>,
        base: Handle<Expression>,
        index: Handle<Expression>,
    ) -> Result<Handle<Expression>, String> {
        let elements = self.elements(base).ok_or("a dynamic index into something without elements")?;
        let tested = self.test(index, elements)?;
        let access = Expression::Access { base: self.get(base)?, index: tested.index };
        if !self.is_pointer(old) {
            return Ok(self.or_zero(old, tested.ok, |out| out.expression(access)));
        }
        let guard = self.both(self.guard(base), tested.ok);
        self.guards.extend(guard.map(|g| (old, g)));
        Ok(self.out.expression(access))
    }

    fn access_index(
        &mut self,
        old: Handle<Expression>,
        base: Handle<Expression>,
        index: u32,
    ) -> Result<Handle<Expression>, String> {
        let new_base = self.get(base)?;
        let mut access = Expression::AccessIndex { base: new_base, index };
        if self.is_pointer(old) {
            let mut guard = self.guard(base);
            if let Some(Elements::Runtime(slot)) = self.elements(base)
                && !self.is_first(index)
            {
                let tested = self.test_constant(index, slot);
                access = Expression::Access { base: new_base, index: tested.index };
                guard = self.both(guard, tested.ok);
            }
            self.guards.extend(guard.map(|g| (old, g)));
        }
        Ok(self.out.expression(access))
    }

    /// An expression with its operands replaced by the new ones.
    fn with_new_operands(&mut self, mut expression: Expression) -> Result<Expression, String> {
        use Expression as E;
        let mut operands: Vec<&mut Handle<Expression>> = match &mut expression {
            E::Literal(_) | E::Constant(_) | E::ZeroValue(_) | E::GlobalVariable(_) | E::LocalVariable(_) => vec![],
            E::Compose { components, .. } => components.iter_mut().collect(),
            E::Access { base, index } => vec![base, index],
            E::AccessIndex { base, .. } => vec![base],
            E::Splat { value, .. } => vec![value],
            E::Swizzle { vector, .. } => vec![vector],
            E::Load { pointer } => vec![pointer],
            E::Unary { expr, .. } | E::As { expr, .. } => vec![expr],
            E::Binary { left, right, .. } => vec![left, right],
            E::Select { condition, accept, reject } => vec![condition, accept, reject],
            E::Relational { argument, .. } => vec![argument],
            E::Math { arg, arg1, arg2, arg3, .. } => {
                std::iter::once(arg).chain(arg1.as_mut()).chain(arg2.as_mut()).chain(arg3.as_mut()).collect()
            }
            E::FunctionArgument(_) => return Err("a parameter is used before it is there".into()),
            E::Override(_) => return Err("an override is not resolved".into()),
            E::ImageSample { .. } | E::ImageLoad { .. } | E::ImageQuery { .. } => return Err("it uses textures".into()),
            E::Derivative { .. } => return Err("it uses derivatives".into()),
            E::CooperativeLoad { .. } | E::CooperativeMultiplyAdd { .. } => {
                return Err("it uses cooperative matrices".into());
            }
            E::RayQueryVertexPositions { .. } | E::RayQueryProceedResult | E::RayQueryGetIntersection { .. } => {
                return Err("it uses ray queries".into());
            }
            E::CallResult(_)
            | E::AtomicResult { .. }
            | E::WorkGroupUniformLoadResult { .. }
            | E::ArrayLength(_)
            | E::SubgroupBallotResult
            | E::SubgroupOperationResult { .. } => return Err("a result is used before it is there".into()),
        };
        for operand in operands.drain(..) {
            *operand = self.get(*operand)?;
        }
        drop(operands);
        Ok(expression)
    }
}
