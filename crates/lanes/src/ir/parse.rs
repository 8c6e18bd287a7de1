//! Reads the text form of a [`Kernel`] back: the inverse of [`text`](super::text), for tests of passes from text to text.
//!
//! Indentation carries nothing; `else`, `end` and `while` close what `if` and `loop` open. What a line says about a
//! value's type fills [`Kernel::values`]. The kernel is not verified.

mod line;

use super::{
    Access, AtomicOp, BarrierScope, Base, Binding, Inst, Kernel, Op, Param, Phi, Region, Space, Ty, Value, Variable,
};
use line::Line;
use naga::Span;
use std::{collections::HashMap, fmt};

/// Regions inside one another.
const MAX_NESTING: usize = 512;
/// Values of a kernel: their numbers are indices.
const MAX_VALUES: u32 = 1 << 24;

/// A line that is no lane IR.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseError {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong with it.
    pub message: String,
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.message)
    }
}

impl std::error::Error for ParseError {}

/// Reads one kernel.
///
/// ```
/// let text = "kernel zero workgroup_size(64, 1, 1)
///   @group(0) @binding(0) storage x: 0 bytes + runtime * 4 [write]
/// body
///   %0: u32 = global_id.x
///   %1: f32 = 0.0
///   store x[%0 : 4 : runtime] = %1
/// ";
/// let kernel = evener_lanes::ir::parse::parse(text)?;
/// assert_eq!(kernel.to_string(), text);
/// # Ok::<(), evener_lanes::ir::parse::ParseError>(())
/// ```
///
/// # Errors
/// The first line that is not what the text form has there.
pub fn parse(text: &str) -> Result<Kernel, ParseError> {
    let mut parser = Parser::new(text);
    let at = |line: usize| move |message: String| ParseError { line, message };
    parser.header().map_err(at(parser.number))?;
    let (body, end) = parser.region(0).map_err(at(parser.number))?;
    if end != End::Text {
        return Err(at(parser.number)("nothing is open here".to_string()));
    }
    parser.kernel.body = body;
    Ok(parser.kernel)
}

/// What ended a region.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Else,
    Closed,
    While(Value),
    Text,
}

type Parse<T> = Result<T, String>;

struct Parser<'t> {
    lines: std::iter::Peekable<Box<dyn Iterator<Item = (usize, &'t str)> + 't>>,
    /// The line read last, from 1.
    number: usize,
    kernel: Kernel,
    bases: HashMap<&'t str, Base>,
}

impl<'t> Parser<'t> {
    fn new(text: &'t str) -> Self {
        let lines = text.lines().enumerate().map(|(i, line)| (i + 1, line.trim())).filter(|(_, line)| !line.is_empty());
        let lines: Box<dyn Iterator<Item = (usize, &'t str)> + 't> = Box::new(lines);
        let kernel = Kernel {
            name: String::new(),
            source: "".into(),
            workgroup_size: [1; 3],
            bindings: Vec::new(),
            workgroup: Vec::new(),
            private: Vec::new(),
            values: Vec::new(),
            body: Region::default(),
        };
        Parser { lines: lines.peekable(), number: 0, kernel, bases: HashMap::new() }
    }

    fn next(&mut self) -> Option<&'t str> {
        let (number, line) = self.lines.next()?;
        self.number = number;
        Some(line)
    }

    /// The next line if it is what `is` says.
    fn next_if(&mut self, is: impl Fn(&str) -> bool) -> Option<&'t str> {
        let (number, line) = self.lines.next_if(|(_, line)| is(line))?;
        self.number = number;
        Some(line)
    }

    /// The lines before the instructions.
    fn header(&mut self) -> Parse<()> {
        let mut line = Line::new(self.next().ok_or("there is no text")?);
        line.expect("kernel")?;
        self.kernel.name = line.name()?.to_string();
        line.expect("workgroup_size(")?;
        self.kernel.workgroup_size[0] = line.number()?;
        for size in &mut self.kernel.workgroup_size[1..] {
            line.expect(",")?;
            *size = line.number()?;
        }
        line.expect(")")?;
        line.finish()?;
        loop {
            let text = self.next().ok_or("a kernel has a `body`")?;
            if text == "body" {
                return Ok(());
            }
            self.declaration(text)?;
        }
    }

    fn declaration(&mut self, text: &'t str) -> Parse<()> {
        let mut line = Line::new(text);
        if text.starts_with('@') {
            return self.binding(line);
        }
        let is_workgroup = line.take("workgroup");
        if !is_workgroup {
            line.expect("private")?;
        }
        let name = line.name()?;
        line.expect(":")?;
        let bytes = line.number()?;
        line.expect("bytes")?;
        line.finish()?;
        let variables = if is_workgroup { &mut self.kernel.workgroup } else { &mut self.kernel.private };
        let index = variables.len() as u32;
        variables.push(Variable { name: name.to_string(), bytes });
        self.declare(name, if is_workgroup { Base::Workgroup(index) } else { Base::Private(index) })
    }

    fn binding(&mut self, mut line: Line<'t>) -> Parse<()> {
        line.expect("@group(")?;
        let group = line.number()?;
        line.expect(") @binding(")?;
        let binding = line.number()?;
        line.expect(")")?;
        let space = if line.take("uniform") { Space::Uniform } else { Space::Storage };
        if space == Space::Storage {
            line.expect("storage")?;
        }
        let name = line.name()?;
        line.expect(":")?;
        let fixed_bytes = line.number()?;
        line.expect("bytes")?;
        let runtime_stride = if line.take("+ runtime *") { Some(line.number()?) } else { None };
        line.expect("[")?;
        let access = Access { read: line.take("read"), write: line.take("write"), atomic: line.take("atomic") };
        line.expect("]")?;
        line.finish()?;
        let index = self.kernel.bindings.len() as u32;
        let name_ = name.to_string();
        self.kernel.bindings.push(Binding { name: name_, group, binding, space, access, fixed_bytes, runtime_stride });
        self.declare(name, Base::Binding(index))
    }

    fn declare(&mut self, name: &'t str, base: Base) -> Parse<()> {
        match self.bases.insert(name, base) {
            None => Ok(()),
            Some(_) => Err(format!("`{name}` is declared twice")),
        }
    }

    /// The instructions up to what ends them.
    fn region(&mut self, depth: usize) -> Parse<(Region, End)> {
        if depth > MAX_NESTING {
            return Err(format!("regions nest more than {MAX_NESTING} deep"));
        }
        let mut insts = Vec::new();
        let end = loop {
            let Some(text) = self.next() else { break End::Text };
            let mut line = Line::new(text);
            match text.split_whitespace().next().unwrap_or_default() {
                "else" => break End::Else,
                "end" => break End::Closed,
                "while" => {
                    line.expect("while")?;
                    let again = line.value()?;
                    line.finish()?;
                    break End::While(again);
                }
                "if" => insts.push(self.branch(line, depth)?),
                "loop" => insts.push(self.looped(depth)?),
                _ => insts.push(self.straight(line)?),
            }
        };
        Ok((Region { insts }, end))
    }

    fn branch(&mut self, mut line: Line<'t>, depth: usize) -> Parse<Inst> {
        line.expect("if")?;
        let cond = line.value()?;
        line.finish()?;
        let (then, mut end) = self.region(depth + 1)?;
        let mut other = Region::default();
        if end == End::Else {
            (other, end) = self.region(depth + 1)?;
        }
        if end != End::Closed {
            return Err("an `if` ends with `end`".to_string());
        }
        let mut phis = Vec::new();
        while let Some(text) = self.next_if(|line| line.contains("= phi ")) {
            let mut line = Line::new(text);
            let dst = self.definition(&mut line)?;
            line.expect("phi")?;
            let then = line.value()?;
            line.expect("|")?;
            let other = line.value()?;
            line.finish()?;
            phis.push(Phi { dst, then, other });
        }
        Ok(Inst::If { cond, then, other, phis, span: Span::UNDEFINED })
    }

    fn looped(&mut self, depth: usize) -> Parse<Inst> {
        let mut params = Vec::new();
        while let Some(text) = self.next_if(|line| line.contains("= param ")) {
            let mut line = Line::new(text);
            let dst = self.definition(&mut line)?;
            line.expect("param")?;
            let init = line.value()?;
            line.expect("next")?;
            let next = line.value()?;
            line.finish()?;
            params.push(Param { dst, init, next, result: dst });
        }
        let (body, end) = self.region(depth + 1)?;
        let End::While(again) = end else { return Err("a `loop` ends with `while`".to_string()) };
        for param in &mut params {
            let text =
                self.next_if(|line| line.contains("= last ")).ok_or("a `last` for each `param` follows a loop")?;
            let mut line = Line::new(text);
            param.result = self.definition(&mut line)?;
            line.expect("last")?;
            if line.value()? != param.next {
                return Err(format!("{} is the last {}", param.result, param.next));
            }
            line.finish()?;
        }
        Ok(Inst::Loop { params, body, again, span: Span::UNDEFINED })
    }

    /// `%n: type =`.
    fn definition(&mut self, line: &mut Line<'t>) -> Parse<Value> {
        let value = line.value()?;
        line.expect(":")?;
        let ty = line.ty()?;
        line.expect("=")?;
        if value.0 >= MAX_VALUES {
            return Err(format!("{value} is more than {MAX_VALUES} values"));
        }
        if self.kernel.values.len() <= value.index() {
            self.kernel.values.resize(value.index() + 1, Ty::Bool);
        }
        self.kernel.values[value.index()] = ty;
        Ok(value)
    }

    /// An instruction without regions.
    fn straight(&mut self, mut line: Line<'t>) -> Parse<Inst> {
        let span = Span::UNDEFINED;
        let inst = if line.take("barrier") {
            Inst::Barrier { scope: BarrierScope::Group, span }
        } else if line.take("subgroup_barrier") {
            Inst::Barrier { scope: BarrierScope::Subgroup, span }
        } else if line.take("store") {
            let place = line.place(&self.bases)?;
            line.expect("=")?;
            Inst::Store { place, value: line.value()?, span }
        } else if line.starts_with("atomic_") {
            self.atomic(None, &mut line)?
        } else {
            let dst = self.definition(&mut line)?;
            if line.starts_with("atomic_") {
                self.atomic(Some(dst), &mut line)?
            } else if line.starts_with("subgroup_") {
                let op = line.subgroup()?;
                let value = line.value()?;
                let lane = if line.take(",") { Some(line.value()?) } else { None };
                Inst::Subgroup { dst, op, value, lane, span }
            } else {
                Inst::Op { dst, op: self.op(self.kernel.ty(dst), &mut line)?, span }
            }
        };
        line.finish()?;
        Ok(inst)
    }

    fn atomic(&self, dst: Option<Value>, line: &mut Line<'t>) -> Parse<Inst> {
        let word = line.word();
        let name = word.trim_start_matches("atomic_");
        let op = line::named(AtomicOp::ALL, name).ok_or_else(|| format!("no atomic operation `{word}`"))?;
        let place = line.place(&self.bases)?;
        line.expect(",")?;
        let value = line.value()?;
        let compare = if line.take("expecting") { Some(line.value()?) } else { None };
        Ok(Inst::Atomic { dst, op, place, value, compare, span: Span::UNDEFINED })
    }

    fn op(&self, ty: Ty, line: &mut Line<'t>) -> Parse<Op> {
        if line.take("load ") {
            return Ok(Op::Load(line.place(&self.bases)?));
        }
        if line.take("array_length ") {
            let name = line.name()?;
            return match self.bases.get(name) {
                Some(Base::Binding(i)) => Ok(Op::ArrayLength(*i)),
                _ => Err(format!("`{name}` is no binding")),
            };
        }
        line.op(ty)
    }
}

#[cfg(test)]
mod tests {
    use super::parse;

    fn error(text: &str) -> String {
        parse(text).expect_err("no kernel").to_string()
    }

    #[test]
    fn errors_name_the_line() {
        let start = "kernel k workgroup_size(1, 1, 1)\n  private p: 8 bytes\nbody\n";
        assert_eq!(error(""), "line 0: there is no text");
        assert_eq!(error("kernel k workgroup_size(1, 1)"), "line 1: `,` was expected before `)`");
        assert_eq!(error(&format!("{start}  %0: u32 = frobnicate %1")), "line 4: no operation `frobnicate`");
        assert_eq!(error(&format!("{start}\n\n  %0: u33 = 1")), "line 6: no type `u33`");
        assert_eq!(error(&format!("{start}  store q = %1")), "line 4: `q` is not declared");
        assert_eq!(error(&format!("{start}  if %1\n  while %1")), "line 5: an `if` ends with `end`");
        assert_eq!(error(&format!("{start}  end")), "line 4: nothing is open here");
        assert_eq!(error(&format!("{start}  barrier 3")), "line 4: `3` is too much");
        assert_eq!(error(&format!("{start}  %99999999: u32 = 3")), "line 4: %99999999 is more than 16777216 values");
    }
}
