//! Programs as the generator makes them: typed trees of text, so that they print as WGSL and can be reduced.

#![allow(dead_code, reason = "tests and the long run use different parts")]

use std::{
    borrow::Cow,
    fmt::{self, Write},
    rc::Rc,
};

/// A scalar type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scalar {
    Bool,
    I32,
    U32,
    F32,
    I64,
    U64,
    F64,
}

impl Scalar {
    pub fn name(self) -> &'static str {
        match self {
            Scalar::Bool => "bool",
            Scalar::I32 => "i32",
            Scalar::U32 => "u32",
            Scalar::F32 => "f32",
            Scalar::I64 => "i64",
            Scalar::U64 => "u64",
            Scalar::F64 => "f64",
        }
    }

    pub fn bytes(self) -> u32 {
        match self {
            Scalar::I64 | Scalar::U64 | Scalar::F64 => 8,
            _ => 4,
        }
    }

    pub fn is_float(self) -> bool {
        matches!(self, Scalar::F32 | Scalar::F64)
    }

    pub fn is_int(self) -> bool {
        !self.is_float() && self != Scalar::Bool
    }

    pub fn is_signed(self) -> bool {
        matches!(self, Scalar::I32 | Scalar::I64)
    }
}

/// A type.
#[derive(Clone, Debug, PartialEq)]
pub enum Ty {
    Scalar(Scalar),
    Vector(u8, Scalar),
    /// Columns, rows.
    Matrix(u8, u8, Scalar),
    Array(Rc<Ty>, u32),
    Runtime(Rc<Ty>),
    Struct(Rc<Struct>),
    Atomic(Scalar),
}

/// A struct declaration.
#[derive(Debug, PartialEq)]
pub struct Struct {
    pub name: String,
    pub members: Vec<(String, Ty)>,
}

impl Ty {
    /// The scalar type of a scalar, vector or matrix.
    pub fn scalar(&self) -> Option<Scalar> {
        match self {
            Ty::Scalar(s) | Ty::Vector(_, s) | Ty::Matrix(_, _, s) | Ty::Atomic(s) => Some(*s),
            _ => None,
        }
    }

    /// The same shape of another scalar, for scalars and vectors.
    pub fn with(&self, s: Scalar) -> Ty {
        match self {
            Ty::Vector(n, _) => Ty::Vector(*n, s),
            _ => Ty::Scalar(s),
        }
    }

    /// Whether it ends in a runtime-sized array.
    pub fn is_unsized(&self) -> bool {
        match self {
            Ty::Runtime(_) => true,
            Ty::Struct(s) => s.members.last().is_some_and(|(_, t)| t.is_unsized()),
            _ => false,
        }
    }

    /// Scalars in a value; 0 for a runtime-sized array.
    pub fn leaves(&self) -> u32 {
        match self {
            Ty::Scalar(_) | Ty::Atomic(_) => 1,
            Ty::Vector(n, _) => (*n).into(),
            Ty::Matrix(c, r, _) => u32::from(*c) * u32::from(*r),
            Ty::Array(t, n) => t.leaves() * n,
            Ty::Runtime(_) => 0,
            Ty::Struct(s) => s.members.iter().map(|(_, t)| t.leaves()).sum(),
        }
    }
}

impl fmt::Display for Ty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Ty::Scalar(s) => f.write_str(s.name()),
            Ty::Vector(n, s) => write!(f, "vec{n}<{}>", s.name()),
            Ty::Matrix(c, r, s) => write!(f, "mat{c}x{r}<{}>", s.name()),
            Ty::Array(t, n) => write!(f, "array<{t}, {n}>"),
            Ty::Runtime(t) => write!(f, "array<{t}>"),
            Ty::Struct(s) => f.write_str(&s.name),
            Ty::Atomic(s) => write!(f, "atomic<{}>", s.name()),
        }
    }
}

/// Text with a `$` for each operand.
pub type Form = Cow<'static, str>;

/// An expression.
#[derive(Clone, Debug)]
pub struct Expr {
    pub ty: Ty,
    pub form: Form,
    pub kids: Vec<Expr>,
    /// Not to be replaced by a reduction: another one would bring a data race.
    pub pinned: bool,
    /// Made of literals alone: WGSL evaluates it at compile time and refuses overflow.
    pub is_const: bool,
}

impl Expr {
    /// Its WGSL text.
    pub fn text(&self) -> String {
        let mut out = String::new();
        write_form(&mut out, &self.form, &self.kids);
        out
    }
}

/// A list of statements.
pub type Block = Vec<Stmt>;

/// A statement.
#[derive(Clone, Debug)]
pub struct Stmt {
    /// The text up to a `;` or the head of a construct, with a `$` for each operand and an `@` for each block.
    pub form: Form,
    pub kids: Vec<Expr>,
    pub blocks: Vec<Block>,
    /// Not to be removed, nor replaced by its blocks.
    pub pinned: bool,
}

/// A function, or the entry point: everything up to the body as text.
#[derive(Clone, Debug)]
pub struct Function {
    pub head: String,
    pub body: Block,
}

/// What a buffer holds at the start.
#[derive(Clone, Debug)]
pub struct Buffer {
    pub name: String,
    pub binding: u32,
    pub ty: Ty,
    /// `uniform`, `storage, read` or `storage, read_write`.
    pub space: &'static str,
    pub bytes: usize,
    /// What its contents are made from.
    pub seed: u64,
}

/// A program with everything needed to run it.
#[derive(Clone, Debug)]
pub struct Program {
    /// Declarations that reductions may try to leave out, one each: structs, constants, variables.
    pub declarations: Vec<String>,
    pub buffers: Vec<Buffer>,
    pub functions: Vec<Function>,
    /// Overrides and the values given to them, if any.
    pub overrides: Vec<(String, Option<f64>)>,
    pub groups: [u32; 3],
    /// Whether every result is defined bit for bit by the specification, so that the oracle applies.
    pub exact: bool,
    /// Whether it has floats at all.
    pub floats: bool,
}

/// Writes text with its operands; returns the operands left over.
fn write_form<'k>(out: &mut String, form: &str, kids: &'k [Expr]) -> &'k [Expr] {
    let mut left = kids;
    let mut parts = form.split('$');
    out.push_str(parts.next().unwrap_or(""));
    for part in parts {
        if let [kid, rest @ ..] = left {
            write_form(out, &kid.form, &kid.kids);
            left = rest;
        }
        out.push_str(part);
    }
    left
}

fn write_block(out: &mut String, block: &Block, indent: usize) {
    for stmt in block {
        let pad = "    ".repeat(indent);
        out.push_str(&pad);
        let mut parts = stmt.form.split('@');
        let mut kids = write_form(out, parts.next().unwrap_or(""), &stmt.kids);
        for (block, part) in stmt.blocks.iter().zip(parts) {
            out.push_str("{\n");
            write_block(out, block, indent + 1);
            out.push_str(&pad);
            out.push('}');
            kids = write_form(out, part, kids);
        }
        out.push('\n');
    }
}

/// The functions that put zero in place of NaN, whose bits differ from machine to machine, and that fold 64 bits.
fn write_helpers(out: &mut String, bodies: &str) {
    if bodies.contains("fold64(") {
        out.push_str("fn fold64(x: u64) -> u32 { return u32(x) ^ u32(x >> 32u); }\n");
    }
    for (suffix, scalar) in [("", "f32"), ("d", "f64")] {
        for n in 1..=4 {
            if bodies.contains(&format!("plain{n}{suffix}(")) {
                let ty = if n == 1 { scalar.into() } else { format!("vec{n}<{scalar}>") };
                let _ = writeln!(out, "fn plain{n}{suffix}(x: {ty}) -> {ty} {{ return select(x, {ty}(), x != x); }}");
            }
        }
    }
}

impl Program {
    /// The WGSL text.
    pub fn source(&self) -> String {
        let mut out = String::new();
        for d in &self.declarations {
            out.push_str(d);
            out.push('\n');
        }
        for b in &self.buffers {
            let _ = writeln!(out, "@group(0) @binding({}) var<{}> {}: {};", b.binding, b.space, b.name, b.ty);
        }
        let mut bodies = String::new();
        for f in &self.functions {
            let out = &mut bodies;
            let _ = writeln!(out, "{} {{", f.head);
            write_block(out, &f.body, 1);
            out.push_str("}\n");
        }
        write_helpers(&mut out, &bodies);
        out + &bodies
    }

    /// Statements in all functions.
    pub fn statements(&self) -> usize {
        fn count(block: &Block) -> usize {
            block.iter().map(|s| 1 + s.blocks.iter().map(count).sum::<usize>()).sum()
        }
        self.functions.iter().map(|f| count(&f.body)).sum()
    }
}
