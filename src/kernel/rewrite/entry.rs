//! The entry point: physical built-ins in, logical built-ins for the body.

use super::{Shared, function::Rebuild, params::member};
use naga::{
    BinaryOperator, Binding, Block, BuiltIn, EntryPoint, Expression, FunctionArgument, Handle, Span, Statement, Type,
    TypeInner, valid::FunctionInfo,
};
use std::collections::HashMap;

/// Rebuilds the entry point.
pub(super) fn rebuild<'m>(
    shared: &mut Shared<'m>,
    old: &'m EntryPoint,
    info: &'m FunctionInfo,
) -> Result<EntryPoint, String> {
    let mut this = Rebuild::new(shared, &old.function, info)?;
    this.workgroup_size = Some(old.workgroup_size);
    let mut inputs = Inputs { physical: HashMap::new(), group: None };
    inputs.group = Some(logical_group(&mut this, &mut inputs));
    let arguments = old
        .function
        .arguments
        .iter()
        .map(|a| argument(&mut this, &mut inputs, a, old.workgroup_size))
        .collect::<Result<Vec<_>, _>>()?;
    for (at, expression) in old.function.expressions.iter() {
        if let Expression::FunctionArgument(i) = *expression {
            this.map.insert(at, arguments[i as usize]);
        }
    }
    this.body()?;
    let function = this.out.finish();
    Ok(EntryPoint { function, workgroup_size_overrides: None, ..old.clone() })
}

/// The built-ins that the new entry point takes, each once, and the logical work-group.
struct Inputs {
    physical: HashMap<BuiltIn, Handle<Expression>>,
    group: Option<Handle<Expression>>,
}

impl Inputs {
    fn physical(&mut self, this: &mut Rebuild<'_, '_>, builtin: BuiltIn, ty: Handle<Type>) -> Handle<Expression> {
        *self.physical.entry(builtin).or_insert_with(|| {
            let arguments = &mut this.out.function.arguments;
            let name = Some(format!("{builtin:?}").to_lowercase());
            arguments.push(FunctionArgument { name, ty, binding: Some(Binding::BuiltIn(builtin)) });
            let index = arguments.len() as u32 - 1;
            this.out.expression(Expression::FunctionArgument(index))
        })
    }
}

/// The value of an old parameter: a built-in or a struct of them.
fn argument(
    this: &mut Rebuild<'_, '_>,
    inputs: &mut Inputs,
    argument: &FunctionArgument,
    size: [u32; 3],
) -> Result<Handle<Expression>, String> {
    let unbound = || "a parameter of the entry point is no built-in".to_string();
    if let Some(binding) = &argument.binding {
        return builtin(this, inputs, binding, argument.ty, size);
    }
    let TypeInner::Struct { members, .. } = &this.shared.old.types[argument.ty].inner else { return Err(unbound()) };
    let mut components = Vec::with_capacity(members.len());
    for m in members {
        components.push(builtin(this, inputs, m.binding.as_ref().ok_or_else(unbound)?, m.ty, size)?);
    }
    Ok(this.out.expression(Expression::Compose { ty: argument.ty, components }))
}

fn builtin(
    this: &mut Rebuild<'_, '_>,
    inputs: &mut Inputs,
    binding: &Binding,
    ty: Handle<Type>,
    size: [u32; 3],
) -> Result<Handle<Expression>, String> {
    let Binding::BuiltIn(builtin) = *binding else {
        return Err("the entry point takes an input that is not built in".into());
    };
    let group = inputs.group.expect("made first");
    Ok(match builtin {
        BuiltIn::WorkGroupId => group,
        BuiltIn::NumWorkGroups => param(this, member::GRID),
        BuiltIn::GlobalInvocationId => {
            let local = inputs.physical(this, BuiltIn::LocalInvocationId, ty);
            let components = size.map(|n| this.out.u32(n)).to_vec();
            let size = this.out.expression(Expression::Compose { ty, components });
            let first = this.out.binary(BinaryOperator::Multiply, group, size);
            this.out.binary(BinaryOperator::Add, first, local)
        }
        other => inputs.physical(this, other, ty),
    })
}

/// The first three components of a member of the uniform.
fn param(this: &mut Rebuild<'_, '_>, member: u32) -> Handle<Expression> {
    let ty = this.shared.types.vec3;
    let components = (0..3).map(|axis| param_word(this, member, axis)).collect();
    this.out.expression(Expression::Compose { ty, components })
}

fn param_word(this: &mut Rebuild<'_, '_>, member: u32, component: u32) -> Handle<Expression> {
    let params = this.out.expression(Expression::GlobalVariable(this.shared.params));
    let vector = this.out.at(params, member);
    let word = this.out.at(vector, component);
    this.out.load(word)
}

/// The logical work-group: the chunk's base plus the dispatched one.
fn logical_group(this: &mut Rebuild<'_, '_>, inputs: &mut Inputs) -> Handle<Expression> {
    let id = inputs.physical(this, BuiltIn::WorkGroupId, this.shared.types.vec3);
    let group = if this.shared.folded { unfolded_group(this, id) } else { id };
    let base = param(this, member::BASE);
    this.out.binary(BinaryOperator::Add, base, group)
}

/// The dispatched work-group, unfolded if the dispatch is folded. Work-groups in excess of it return here, as a whole.
fn unfolded_group(this: &mut Rebuild<'_, '_>, id: Handle<Expression>) -> Handle<Expression> {
    let ty = this.shared.types.vec3;
    let local = this.out.local("work_group", ty);
    this.out.store(local, id);
    let row = param_word(this, member::FOLD, 0);
    let zero = this.out.u32(0);
    let folded = this.out.binary(BinaryOperator::NotEqual, row, zero);
    let outer = this.out.open();
    let group = unfold(this, id, row);
    this.out.store(local, group);
    let accept = this.out.close(outer);
    this.out.statement(Statement::If { condition: folded, accept, reject: Block::new() }, Span::UNDEFINED);
    this.out.load(local)
}

/// The decoding that `params::Fold` documents.
fn unfold(this: &mut Rebuild<'_, '_>, id: Handle<Expression>, row: Handle<Expression>) -> Handle<Expression> {
    use BinaryOperator as B;
    let [x, y, z] = [0, 1, 2].map(|axis| this.out.at(id, axis));
    let [rows, last_row, last_column] = [1, 2, 3].map(|word| param_word(this, member::FOLD, word));
    let [columns, lines] = [0, 1].map(|axis| param_word(this, member::COUNT, axis));
    let out = &mut this.out;
    let before = out.binary(B::Multiply, rows, z);
    let line = out.binary(B::Add, y, before);
    let past = out.binary(B::Greater, line, last_row);
    let last = out.binary(B::Equal, line, last_row);
    let beyond = out.binary(B::Greater, x, last_column);
    let both = out.binary(B::LogicalAnd, last, beyond);
    let excess = out.binary(B::LogicalOr, past, both);
    out.when(excess, |out| out.statement(Statement::Return { value: None }, Span::UNDEFINED));
    let start = out.binary(B::Multiply, row, line);
    let linear = out.binary(B::Add, x, start);
    let rest = out.binary(B::Divide, linear, columns);
    let components = vec![
        out.binary(B::Modulo, linear, columns),
        out.binary(B::Modulo, rest, lines),
        out.binary(B::Divide, rest, lines),
    ];
    out.expression(Expression::Compose { ty: this.shared.types.vec3, components })
}

impl Rebuild<'_, '_> {
    /// The most that a local built-in of the entry point (or a component of one) can be.
    pub fn builtin_bound(&self, old: Handle<Expression>) -> Option<u64> {
        let size = self.workgroup_size?;
        let (builtin, axis) = match self.old.expressions[old] {
            Expression::AccessIndex { base, index } if self.builtin(old).is_none() => (self.builtin(base)?, index),
            _ => (self.builtin(old)?, 0),
        };
        match builtin {
            BuiltIn::LocalInvocationIndex => Some(size.iter().map(|&n| u64::from(n)).product::<u64>() - 1),
            BuiltIn::LocalInvocationId => size.get(axis as usize).map(|&n| u64::from(n) - 1),
            _ => None,
        }
    }

    /// Which built-in an old expression is.
    fn builtin(&self, old: Handle<Expression>) -> Option<BuiltIn> {
        let binding = match self.old.expressions[old] {
            Expression::FunctionArgument(i) => self.old.arguments[i as usize].binding.as_ref(),
            Expression::AccessIndex { base, index } => {
                let Expression::FunctionArgument(i) = self.old.expressions[base] else { return None };
                match &self.shared.old.types[self.old.arguments[i as usize].ty].inner {
                    TypeInner::Struct { members, .. } => members.get(index as usize)?.binding.as_ref(),
                    _ => None,
                }
            }
            _ => None,
        };
        match binding? {
            Binding::BuiltIn(b) => Some(*b),
            Binding::Location { .. } => None,
        }
    }
}
