//! Appends expressions and statements to a new function, under naga's scoping rules: an expression is in scope
//! from the `Emit` that covers it to the end of its block; literals, variables and results are never emitted.

use naga::{
    BinaryOperator, Block, Expression, Function, Handle, Literal, LocalVariable, Range, ScalarKind, Span, Statement,
    Type,
};

/// A function under construction.
#[derive(Default)]
pub(super) struct Emit {
    /// The function; its body is set by [`Emit::finish`].
    pub function: Function,
    block: Block,
    /// First and last expression not yet covered by an `Emit`.
    pending: Option<(Handle<Expression>, Handle<Expression>)>,
}

impl Emit {
    /// Appends an expression and schedules its `Emit`.
    pub fn expression(&mut self, expression: Expression) -> Handle<Expression> {
        let emitted = !expression.needs_pre_emit() && !is_result(&expression);
        if !emitted {
            self.flush();
        }
        let handle = self.function.expressions.append(expression, Span::UNDEFINED);
        if emitted {
            self.pending = Some((self.pending.map_or(handle, |(first, _)| first), handle));
        }
        handle
    }

    /// Appends a constant expression that is never emitted (an initial value of a variable).
    pub fn constant(&mut self, expression: Expression) -> Handle<Expression> {
        self.flush();
        self.function.expressions.append(expression, Span::UNDEFINED)
    }

    /// Appends a statement after all expressions so far.
    pub fn statement(&mut self, statement: Statement, span: Span) {
        self.flush();
        self.block.push(statement, span);
    }

    fn flush(&mut self) {
        if let Some((first, last)) = self.pending.take() {
            self.block.push(Statement::Emit(Range::new_from_bounds(first, last)), Span::UNDEFINED);
        }
    }

    /// Starts a nested block; give the result to [`Emit::close`].
    #[must_use]
    pub fn open(&mut self) -> Block {
        self.flush();
        std::mem::take(&mut self.block)
    }

    /// Ends the nested block and returns it.
    pub fn close(&mut self, outer: Block) -> Block {
        self.flush();
        std::mem::replace(&mut self.block, outer)
    }

    /// `if condition { body }`.
    pub fn when(&mut self, condition: Handle<Expression>, body: impl FnOnce(&mut Self)) {
        let outer = self.open();
        body(self);
        let accept = self.close(outer);
        self.statement(Statement::If { condition, accept, reject: Block::new() }, Span::UNDEFINED);
    }

    /// The finished function.
    pub fn finish(mut self) -> Function {
        self.flush();
        self.function.body = self.block;
        self.function
    }

    /// A u32 literal.
    pub fn u32(&mut self, value: u32) -> Handle<Expression> {
        self.expression(Expression::Literal(Literal::U32(value)))
    }

    /// `left op right`.
    pub fn binary(
        &mut self,
        op: BinaryOperator,
        left: Handle<Expression>,
        right: Handle<Expression>,
    ) -> Handle<Expression> {
        self.expression(Expression::Binary { op, left, right })
    }

    /// `condition ? accept : reject`.
    pub fn select(
        &mut self,
        condition: Handle<Expression>,
        accept: Handle<Expression>,
        reject: Handle<Expression>,
    ) -> Handle<Expression> {
        self.expression(Expression::Select { condition, accept, reject })
    }

    /// Member, component or constant element `index` of `base`.
    pub fn at(&mut self, base: Handle<Expression>, index: u32) -> Handle<Expression> {
        self.expression(Expression::AccessIndex { base, index })
    }

    /// `*pointer`.
    pub fn load(&mut self, pointer: Handle<Expression>) -> Handle<Expression> {
        self.expression(Expression::Load { pointer })
    }

    /// `*pointer = value`.
    pub fn store(&mut self, pointer: Handle<Expression>, value: Handle<Expression>) {
        self.statement(Statement::Store { pointer, value }, Span::UNDEFINED);
    }

    /// An integer as unsigned: the same bits at the same width, or converted to `width` bytes.
    pub fn unsigned(&mut self, expr: Handle<Expression>, width: Option<u8>) -> Handle<Expression> {
        self.expression(Expression::As { expr, kind: ScalarKind::Uint, convert: width })
    }

    /// A pointer to a new variable.
    pub fn local(&mut self, name: &str, ty: Handle<Type>) -> Handle<Expression> {
        let variable = LocalVariable { name: Some(name.into()), ty, init: None };
        let handle = self.function.local_variables.append(variable, Span::UNDEFINED);
        self.expression(Expression::LocalVariable(handle))
    }
}

/// Whether the expression comes into scope by its own statement.
fn is_result(expression: &Expression) -> bool {
    matches!(
        expression,
        Expression::CallResult(_)
            | Expression::AtomicResult { .. }
            | Expression::WorkGroupUniformLoadResult { .. }
            | Expression::SubgroupBallotResult
            | Expression::SubgroupOperationResult { .. }
    )
}
