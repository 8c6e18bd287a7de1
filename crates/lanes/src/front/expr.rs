//! Expressions: each becomes the flat list of its scalars, or a pointer.

use super::{
    lower::{Lower, Lowered},
    shape::{Layout, Shape, scalar_type},
};
use crate::{
    error::Error,
    ir::{BinaryOp, Op, Ty, UnaryOp, Value},
};
use naga::{Expression, Handle, Literal, Range, RelationalFunction, ScalarKind};
use std::rc::Rc;

impl Lower<'_> {
    /// Evaluates a range of expressions where the program says so: loads happen here.
    pub(super) fn emit(&mut self, range: Range<Expression>) -> Result<(), Error> {
        for expr in range {
            // Not `eval`: a value computed on demand before does not count.
            let lowered = self.lower_expr(expr)?;
            self.cache(expr, lowered);
        }
        Ok(())
    }

    /// Remembers an expression's value until the current region ends.
    pub(super) fn cache(&mut self, expr: Handle<Expression>, lowered: Lowered) {
        let frame = self.frame_mut();
        frame.cache.insert(expr, lowered);
        frame.cached.push(expr);
    }

    /// Forgets what was cached since.
    pub(super) fn forget(&mut self, since: usize) {
        let frame = self.frame_mut();
        for expr in frame.cached.drain(since..) {
            frame.cache.remove(&expr);
        }
    }

    /// An expression's value or pointer.
    pub(super) fn eval(&mut self, expr: Handle<Expression>) -> Result<Lowered, Error> {
        if let Some(known) = self.frame().cache.get(&expr) {
            return Ok(known.clone());
        }
        let lowered = self.lower_expr(expr)?;
        self.cache(expr, lowered.clone());
        Ok(lowered)
    }

    /// An expression's scalars.
    pub(super) fn value(&mut self, expr: Handle<Expression>) -> Result<Rc<[Value]>, Error> {
        match self.eval(expr)? {
            Lowered::Value(values) => Ok(values),
            Lowered::Pointer(_) => self.invalid("a pointer where a value is due"),
        }
    }

    fn lower_expr(&mut self, handle: Handle<Expression>) -> Result<Lowered, Error> {
        self.step()?;
        let function = self.frame().function;
        let outer = std::mem::replace(&mut self.b.span, function.expressions.get_span(handle));
        let lowered = match function.expressions[handle] {
            Expression::FunctionArgument(i) => match self.frame().arguments.get(i as usize) {
                Some(argument) => Ok(argument.clone()),
                None => self.invalid("an argument that is not there"),
            },
            Expression::GlobalVariable(h) => match self.globals.get(&h) {
                Some(pointer) => Ok(Lowered::Pointer(pointer.clone())),
                None => self.unsupported("this global variable"),
            },
            Expression::LocalVariable(h) => match self.frame().locals.get(h.index()) {
                Some(pointer) => Ok(Lowered::Pointer(pointer.clone())),
                None => self.invalid("a local variable that is not there"),
            },
            Expression::Access { base, index } => self.access(base, index),
            Expression::AccessIndex { base, index } => self.access_index(base, index),
            ref other => self.plain(handle, other).map(Lowered::Value),
        };
        let lowered = lowered.map_err(|e| self.located(e));
        self.b.span = outer;
        lowered
    }

    fn access(&mut self, base: Handle<Expression>, index: Handle<Expression>) -> Result<Lowered, Error> {
        let selected = self.value(index)?;
        let [selected] = selected[..] else { return self.invalid("an index that is no scalar") };
        match self.eval(base)? {
            Lowered::Pointer(pointer) => Ok(Lowered::Pointer(Rc::new(self.element_of(&pointer, selected)?))),
            Lowered::Value(values) => {
                let shape = self.shape_of(base)?;
                self.element_of_value(&values, &shape, selected).map(Lowered::Value)
            }
        }
    }

    fn access_index(&mut self, base: Handle<Expression>, index: u32) -> Result<Lowered, Error> {
        match self.eval(base)? {
            Lowered::Pointer(pointer) => Ok(Lowered::Pointer(Rc::new(self.part_of(&pointer, index)?))),
            Lowered::Value(values) => {
                let shape = self.shape_of(base)?;
                let Some(part) = shape.part(index) else { return self.invalid("an index out of range") };
                match values.get(part.leaf..part.leaf + part.shape.leaves() as usize) {
                    Some(leaves) => Ok(Lowered::Value(leaves.into())),
                    None => self.invalid("a part that is not there"),
                }
            }
        }
    }

    /// Expressions that give values.
    fn plain(&mut self, handle: Handle<Expression>, expr: &Expression) -> Result<Rc<[Value]>, Error> {
        Ok(match *expr {
            Expression::Swizzle { size, vector, pattern } => {
                let values = self.value(vector)?;
                let picked = pattern[..size as usize].iter().map(|c| values.get(*c as usize).copied());
                match picked.collect::<Option<Rc<[Value]>>>() {
                    Some(picked) => picked,
                    None => return self.invalid("a swizzle out of range"),
                }
            }
            Expression::Load { pointer } => {
                let pointer = self.pointer(pointer)?;
                self.load(&pointer)?
            }
            Expression::Unary { op, expr } => self.unary_expr(op, expr)?,
            Expression::Binary { op, left, right } => self.binary_expr(op, left, right)?,
            Expression::Select { condition, accept, reject } => self.select_expr(condition, accept, reject)?,
            Expression::Relational { fun, argument } => self.relational(fun, argument)?,
            Expression::Math { fun, arg, arg1, arg2, arg3 } => {
                let arguments: Vec<_> = [Some(arg), arg1, arg2, arg3].into_iter().flatten().collect();
                self.math(handle, fun, &arguments)?
            }
            Expression::As { expr, kind, convert } => self.convert_expr(expr, kind, convert)?,
            Expression::ArrayLength(array) => [self.array_length(array)?].into(),
            ref other => match self.constructed(other, Self::value)? {
                Some(values) => values,
                None => return self.unsupported(expression_name(other)),
            },
        })
    }

    /// Literals, constants, and what is put together from parts that `part` gives; `None` for other expressions.
    fn constructed(
        &mut self,
        expr: &Expression,
        part: impl Fn(&mut Self, Handle<Expression>) -> Result<Rc<[Value]>, Error>,
    ) -> Result<Option<Rc<[Value]>>, Error> {
        Ok(Some(match *expr {
            Expression::Literal(literal) => [self.literal(literal)].into(),
            Expression::Constant(h) => self.global_expression(self.module.constants[h].init)?,
            Expression::ZeroValue(ty) => {
                let shape = self.shapes.of(ty, Layout::Host)?;
                self.zeros(&shape)?
            }
            Expression::Compose { ref components, .. } => {
                let mut values = Vec::new();
                for component in components {
                    values.extend_from_slice(&part(self, *component)?);
                }
                values.into()
            }
            Expression::Splat { size, value } => part(self, value)?.repeat(size as usize).into(),
            _ => return Ok(None),
        }))
    }

    fn literal(&mut self, literal: Literal) -> Value {
        let (ty, bits) = match literal {
            Literal::F64(x) | Literal::AbstractFloat(x) => (Ty::F64, x.to_bits()),
            Literal::F32(x) => (Ty::F32, x.to_bits().into()),
            Literal::U32(x) => (Ty::U32, x.into()),
            Literal::I32(x) => (Ty::I32, (x as u32).into()),
            Literal::U64(x) => (Ty::U64, x),
            Literal::I64(x) | Literal::AbstractInt(x) => (Ty::I64, x as u64),
            Literal::Bool(x) => (Ty::Bool, x.into()),
            Literal::F16(x) => (Ty::F32, x.to_f32().to_bits().into()),
            Literal::U16(x) => (Ty::U32, x.into()),
            Literal::I16(x) => (Ty::I32, (i32::from(x) as u32).into()),
        };
        self.b.constant(ty, bits)
    }

    /// A constant expression of the module.
    pub(super) fn global_expression(&mut self, handle: Handle<Expression>) -> Result<Rc<[Value]>, Error> {
        self.step()?;
        let module = self.module;
        match self.constructed(&module.global_expressions[handle], Self::global_expression)? {
            Some(values) => Ok(values),
            None => self.unsupported("this constant expression"),
        }
    }

    /// A constant expression of the module; `None` for a zero value, however large.
    pub(super) fn constant_expression(&mut self, handle: Handle<Expression>) -> Result<Option<Rc<[Value]>>, Error> {
        match self.module.global_expressions[handle] {
            Expression::ZeroValue(_) => Ok(None),
            _ => self.global_expression(handle).map(Some),
        }
    }

    fn select_expr(
        &mut self,
        condition: Handle<Expression>,
        accept: Handle<Expression>,
        reject: Handle<Expression>,
    ) -> Result<Rc<[Value]>, Error> {
        let conditions = self.value(condition)?;
        let (accept, reject) = (self.value(accept)?, self.value(reject)?);
        // A scalar condition chooses among whole values.
        let cond = |i: usize| conditions.get(i).or(conditions.first()).copied();
        let mut values = Vec::with_capacity(accept.len());
        for (i, (a, r)) in accept.iter().zip(reject.iter()).enumerate() {
            let Some(c) = cond(i) else { return self.invalid("a select without a condition") };
            values.push(self.b.select(c, *a, *r));
        }
        Ok(values.into())
    }

    fn relational(&mut self, fun: RelationalFunction, argument: Handle<Expression>) -> Result<Rc<[Value]>, Error> {
        let values = self.value(argument)?;
        let fold = |s: &mut Self, op: BinaryOp| {
            let joined = values.iter().copied().reduce(|a, b| s.b.binary(op, a, b));
            joined.into_iter().collect::<Rc<[Value]>>()
        };
        Ok(match fun {
            RelationalFunction::All => fold(self, BinaryOp::And),
            RelationalFunction::Any => fold(self, BinaryOp::Or),
            RelationalFunction::IsNan => values.iter().map(|v| self.b.binary(BinaryOp::Ne, *v, *v)).collect(),
            RelationalFunction::IsInf => values.iter().map(|v| self.is_inf(*v)).collect(),
        })
    }

    fn is_inf(&mut self, v: Value) -> Value {
        let size = self.b.unary(UnaryOp::Abs, v);
        let inf = self.float(self.b.ty(v), f64::INFINITY);
        self.b.binary(BinaryOp::Eq, size, inf)
    }

    fn convert_expr(
        &mut self,
        expr: Handle<Expression>,
        kind: ScalarKind,
        convert: Option<naga::Bytes>,
    ) -> Result<Rc<[Value]>, Error> {
        let values = self.value(expr)?;
        let Some(from) = self.scalar_of(expr)? else { return self.invalid("a conversion of no number") };
        let width = convert.unwrap_or(from.bytes() as u8);
        let to = scalar_type(naga::Scalar { kind, width })?;
        let one = |v: &Value| match convert {
            Some(_) => self.converted(from, to, *v),
            None => self.recast(from, to, *v),
        };
        Ok(values.iter().map(one).collect())
    }

    fn array_length(&mut self, array: Handle<Expression>) -> Result<Value, Error> {
        let pointer = self.pointer(array)?;
        match (&pointer.root, &*pointer.shape) {
            (super::lower::Root::Memory { base: crate::ir::Base::Binding(i), .. }, Shape::Array { len: None, .. }) => {
                Ok(self.b.op(Ty::U32, Op::ArrayLength(*i)))
            }
            _ => self.invalid("the length of no runtime-sized array"),
        }
    }
}

fn expression_name(expr: &Expression) -> &'static str {
    match expr {
        Expression::Derivative { .. } => "a derivative",
        Expression::ImageSample { .. } | Expression::ImageLoad { .. } | Expression::ImageQuery { .. } => "a texture",
        Expression::RayQueryVertexPositions { .. }
        | Expression::RayQueryProceedResult
        | Expression::RayQueryGetIntersection { .. } => "ray tracing",
        Expression::CooperativeLoad { .. } | Expression::CooperativeMultiplyAdd { .. } => "a cooperative matrix",
        Expression::CallResult(_)
        | Expression::AtomicResult { .. }
        | Expression::SubgroupBallotResult
        | Expression::SubgroupOperationResult { .. }
        | Expression::WorkGroupUniformLoadResult { .. } => "a result used where its statement does not reach",
        _ => "this expression",
    }
}
