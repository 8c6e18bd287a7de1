//! One line of the text form: a cursor that takes words, values, places and operations off its front.

use super::Parse;
use crate::ir::{Base, BinaryOp, Builtin, Len, Op, Place, Step, SubgroupOp, Ty, UnaryOp, Value, fold};
use std::{collections::HashMap, fmt::Debug};

/// What is left of a line.
pub(super) struct Line<'t> {
    rest: &'t str,
}

/// The variant whose name in lower case is `name`.
pub(super) fn named<T: Copy + Debug>(all: &[T], name: &str) -> Option<T> {
    all.iter().copied().find(|op| format!("{op:?}").eq_ignore_ascii_case(name))
}

impl<'t> Line<'t> {
    pub fn new(text: &'t str) -> Self {
        Line { rest: text }
    }

    pub fn starts_with(&self, text: &str) -> bool {
        self.rest.starts_with(text)
    }

    /// Takes the text if the line goes on with it.
    pub fn take(&mut self, text: &str) -> bool {
        let Some(rest) = self.rest.strip_prefix(text) else { return false };
        self.rest = rest.trim_start();
        true
    }

    pub fn expect(&mut self, text: &str) -> Parse<()> {
        if self.take(text) {
            return Ok(());
        }
        let found = if self.rest.is_empty() { "the end of the line" } else { self.rest };
        Err(format!("`{text}` was expected before `{found}`"))
    }

    pub fn finish(&self) -> Parse<()> {
        if self.rest.is_empty() { Ok(()) } else { Err(format!("`{}` is too much", self.rest)) }
    }

    fn take_while(&mut self, is: impl Fn(char) -> bool) -> &'t str {
        let end = self.rest.find(|c| !is(c)).unwrap_or(self.rest.len());
        let (taken, rest) = self.rest.split_at(end);
        self.rest = rest.trim_start();
        taken
    }

    /// Everything up to a space or comma.
    pub fn word(&mut self) -> &'t str {
        self.take_while(|c| !c.is_whitespace() && c != ',')
    }

    pub fn name(&mut self) -> Parse<&'t str> {
        let name = self.take_while(|c| !c.is_whitespace() && !":[](),=".contains(c));
        if name.is_empty() { Err(format!("a name was expected before `{}`", self.rest)) } else { Ok(name) }
    }

    pub fn number(&mut self) -> Parse<u32> {
        let digits = self.take_while(|c| c.is_ascii_digit());
        digits.parse().map_err(|_| format!("a number was expected before `{}`", self.rest))
    }

    pub fn value(&mut self) -> Parse<Value> {
        self.expect("%")?;
        self.number().map(Value)
    }

    pub fn ty(&mut self) -> Parse<Ty> {
        let name = self.take_while(|c| c.is_ascii_alphanumeric());
        let all = [Ty::Bool, Ty::I16, Ty::U16, Ty::I32, Ty::U32, Ty::I64, Ty::U64, Ty::F16, Ty::F32, Ty::F64];
        named(&all, name).ok_or_else(|| format!("no type `{name}`"))
    }

    /// `name[%i : stride : length] + offset`.
    pub fn place(&mut self, bases: &HashMap<&str, Base>) -> Parse<Place> {
        let name = self.name()?;
        let base = *bases.get(name).ok_or_else(|| format!("`{name}` is not declared"))?;
        let mut steps = Vec::new();
        while self.take("[") {
            let index = self.value()?;
            self.expect(":")?;
            let stride = self.number()?;
            self.expect(":")?;
            let len = if self.take("runtime") { Len::Runtime } else { Len::Const(self.number()?) };
            self.expect("]")?;
            steps.push(Step { index, stride, len });
        }
        let offset = if self.take("+") { self.number()? } else { 0 };
        Ok(Place { base, offset, steps })
    }

    /// An operation without memory, which gives a value of type `ty`.
    pub fn op(&mut self, ty: Ty) -> Parse<Op> {
        let word = self.word();
        if let Some(bits) = constant(ty, word) {
            return Ok(Op::Const(bits));
        }
        if let Some(builtin) = builtin(word) {
            return Ok(Op::Builtin(builtin));
        }
        Ok(match word {
            "fma" => Op::Fma(self.value()?, self.second()?, self.second()?),
            "select" => Op::Select { cond: self.value()?, accept: self.second()?, reject: self.second()? },
            "convert" => Op::Convert(self.value()?),
            "bitcast" => Op::Bitcast(self.value()?),
            _ => {
                if let Some(op) = named(BinaryOp::ALL, word) {
                    return Ok(Op::Binary(op, self.value()?, self.second()?));
                }
                let op = named(UnaryOp::ALL, word).ok_or_else(|| format!("no operation `{word}`"))?;
                Op::Unary(op, self.value()?)
            }
        })
    }

    /// The name of a subgroup operation.
    pub fn subgroup(&mut self) -> Parse<SubgroupOp> {
        let word = self.word();
        let name = word.trim_start_matches("subgroup_");
        let combined = |name: &str| named(BinaryOp::ALL, name);
        let op = match name {
            "ballot" => Some(SubgroupOp::Ballot),
            "first" => Some(SubgroupOp::First),
            "shuffle" => Some(SubgroupOp::Shuffle),
            _ => match name.split_once('_') {
                Some(("inclusive", name)) => combined(name).map(SubgroupOp::InclusiveScan),
                Some(("exclusive", name)) => combined(name).map(SubgroupOp::ExclusiveScan),
                _ => combined(name).map(SubgroupOp::Reduce),
            },
        };
        op.ok_or_else(|| format!("no subgroup operation `{word}`"))
    }

    fn second(&mut self) -> Parse<Value> {
        self.expect(",")?;
        self.value()
    }
}

/// The bits of a constant of the type.
fn constant(ty: Ty, word: &str) -> Option<u64> {
    let float = |word: &str| word.starts_with(|c: char| c.is_ascii_digit() || c == '-') || word == "inf";
    if let Some(bits) = word.strip_prefix("nan:") {
        let bits = u64::from_str_radix(bits, 16).ok()?;
        return (fold::truncate(ty, bits) == bits).then_some(bits);
    }
    match ty {
        Ty::Bool => word.parse::<bool>().ok().map(u64::from),
        Ty::I32 => word.parse::<i32>().ok().map(|v| u64::from(v as u32)),
        Ty::U32 => word.parse::<u32>().ok().map(u64::from),
        Ty::I64 => word.parse::<i64>().ok().map(|v| v as u64),
        Ty::U64 => word.parse().ok(),
        Ty::F16 | Ty::I16 | Ty::U16 => word.parse::<u16>().ok().map(u64::from),
        Ty::F32 => word.parse::<f32>().ok().filter(|_| float(word)).map(|v| v.to_bits().into()),
        Ty::F64 => word.parse::<f64>().ok().filter(|_| float(word)).map(f64::to_bits),
    }
}

fn builtin(word: &str) -> Option<Builtin> {
    if word == "local_index" {
        return Some(Builtin::LocalIndex);
    }
    let (name, axis) = word.split_once('.')?;
    let axis = ["x", "y", "z"].iter().position(|a| *a == axis)? as u8;
    Some(match name {
        "global_id" => Builtin::GlobalId(axis),
        "local_id" => Builtin::LocalId(axis),
        "group_id" => Builtin::GroupId(axis),
        "num_groups" => Builtin::NumGroups(axis),
        _ => return None,
    })
}
