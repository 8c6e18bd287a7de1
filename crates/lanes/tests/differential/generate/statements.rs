//! Statements without control flow.

use super::{
    Generator,
    paths::{Root, Space},
};
use crate::ast::{Block, Expr, Form, Scalar, Stmt, Ty};

impl Stmt {
    pub fn new(form: impl Into<Form>, kids: Vec<Expr>) -> Stmt {
        Stmt { form: form.into(), kids, blocks: Vec::new(), pinned: false }
    }

    pub fn with(form: impl Into<Form>, kids: Vec<Expr>, blocks: Vec<Block>) -> Stmt {
        Stmt { form: form.into(), kids, blocks, pinned: false }
    }

    pub fn pinned(mut self) -> Stmt {
        self.pinned = true;
        self
    }
}

impl Generator {
    /// A block of about `n` statements.
    pub(super) fn block(&mut self, n: u32) -> Block {
        self.scoped(|s| {
            let mut block = Block::new();
            let outside = s.scope.len();
            s.fill(&mut block, n);
            if s.rng.chance(80) {
                let kept = s.keep(outside);
                block.extend(kept);
            }
            block
        })
    }

    /// Adds about `n` statements to a block.
    pub(super) fn fill(&mut self, block: &mut Block, n: u32) {
        for _ in 0..n {
            if self.statements == 0 {
                return;
            }
            self.statements -= 1;
            self.refill();
            self.statement(block);
        }
    }

    fn statement(&mut self, block: &mut Block) {
        let stmt = match self.rng.below(100) {
            0..=17 => Some(self.let_()),
            18..=35 => Some(self.var()),
            36..=58 => self.assign(),
            59..=66 => self.compound(),
            67..=69 => self.step(),
            70..=72 => self.call_statement(),
            73..=76 => self.memory_statement(),
            _ => self.flow(),
        };
        match stmt {
            Some(stmt) => block.push(stmt),
            None => {
                let stmt = self.let_();
                block.push(stmt);
            }
        }
    }

    fn let_(&mut self) -> Stmt {
        let (name, ty) = (self.name("v"), self.variable_type());
        let value = self.expr(&ty);
        // naga 30 takes a `let` of a constant for a constant, and cannot replace overrides around one.
        let variable = value.is_const && !self.program.overrides.is_empty();
        let (word, space) = match value.is_const {
            true if variable => ("var", Space::Function),
            true => ("let", Space::Constant),
            false => ("let", Space::Value),
        };
        self.scope.push(Root::new(name.clone(), ty, space));
        Stmt::new(format!("{word} {name} = $;"), vec![value])
    }

    fn var(&mut self) -> Stmt {
        let (name, ty) = (self.name("x"), self.variable_type());
        let stmt = if self.rng.chance(85) {
            let value = self.expr(&ty);
            Stmt::new(format!("var {name}: {ty} = $;"), vec![value])
        } else {
            Stmt::new(format!("var {name}: {ty};"), vec![])
        };
        self.scope.push(Root::new(name, ty, Space::Function));
        stmt
    }

    pub(super) fn assign(&mut self) -> Option<Stmt> {
        let target = self.target()?;
        let value = self.expr(&target.ty.clone());
        Some(Stmt::new("$ = $;", vec![target, value]))
    }

    /// Keeps something that was declared from `mark` on: mixes its bits into what outlives the block, so that a
    /// wrong value is seen and a later one does not hide it.
    pub(super) fn keep(&mut self, mark: usize) -> Option<Stmt> {
        let sources: Vec<usize> = (mark..self.scope.len()).filter(|i| self.scope[*i].readable).collect();
        let last = sources.len().checked_sub(1)?;
        let at = if self.rng.chance(50) { last } else { self.rng.below(sources.len()) };
        let source = self.scope[sources[at]].clone();
        self.keep_root(&source, mark)
    }

    /// Keeps a part of one variable in something that was declared before `mark`.
    pub(super) fn keep_root(&mut self, source: &Root, mark: usize) -> Option<Stmt> {
        let word = Ty::Scalar(Scalar::U32);
        let fits = |r: &&Root| r.writable && r.ty == word;
        let targets: Vec<Root> = self.scope[..mark].iter().filter(fits).cloned().collect();
        let target = targets.get(self.rng.below(targets.len()))?.clone();
        self.refill();
        let s = self.scalar_in(&source.ty)?;
        let part = self.part(source, &Ty::Scalar(s));
        let target = Expr { pinned: target.pinned, ..Expr::new(word, target.text, vec![]) };
        let form = format!("$ = $ * 31u + {};", digest(s));
        Some(Stmt::new(form, vec![target.clone(), target, part]))
    }

    /// The type of some scalar inside a value.
    fn scalar_in(&mut self, ty: &Ty) -> Option<Scalar> {
        match ty {
            Ty::Array(t, _) | Ty::Runtime(t) => self.scalar_in(t),
            Ty::Struct(s) => {
                let (_, t) = self.rng.pick(&s.members).clone();
                self.scalar_in(&t)
            }
            _ => ty.scalar(),
        }
    }

    fn compound(&mut self) -> Option<Stmt> {
        let target = self.target()?;
        let (Ty::Scalar(s) | Ty::Vector(_, s)) = target.ty else { return None };
        let ty = target.ty.clone();
        let (op, value) = match self.rng.below(12) {
            _ if s == Scalar::Bool => (if self.rng.chance(50) { "&" } else { "|" }, self.expr(&ty)),
            0..=2 => ("+", self.expr(&ty)),
            3 => ("-", self.expr(&ty)),
            4 => ("*", self.expr(&ty)),
            5 => ("/", self.variable(&ty)),
            6 => ("%", self.variable(&ty)),
            7 if s.is_int() => ("^", self.expr(&ty)),
            8 if s.is_int() => ("&", self.expr(&ty)),
            9 if s.is_int() => ("|", self.expr(&ty)),
            10 if s.is_int() => ("<<", self.shift(&ty, s)),
            11 if s.is_int() => (">>", self.shift(&ty, s)),
            _ => ("+", self.expr(&ty)),
        };
        Some(Stmt::new(format!("$ {op}= $;"), vec![target, value]))
    }

    /// An increment or decrement.
    fn step(&mut self) -> Option<Stmt> {
        let target = self.target()?;
        let Ty::Scalar(Scalar::I32 | Scalar::U32) = target.ty else { return None };
        Some(Stmt::new(if self.rng.chance(60) { "$++;" } else { "$--;" }, vec![target]))
    }
}

/// A scalar as a u32 that shows each of its bits; NaN counts as zero.
fn digest(s: Scalar) -> &'static str {
    match s {
        Scalar::Bool => "u32($)",
        Scalar::I32 => "bitcast<u32>($)",
        Scalar::U32 => "$",
        Scalar::F32 => "bitcast<u32>(plain1($))",
        Scalar::I64 => "fold64(bitcast<u64>($))",
        Scalar::U64 => "fold64($)",
        Scalar::F64 => "fold64(bitcast<u64>(plain1d($)))",
    }
}
