//! Expressions of a wanted type.

use super::{
    Generator,
    paths::Space,
    table::{Arg, Rule, rules},
};
use crate::{
    ast::{Buffer, Expr, Form, Scalar, Ty},
    layout,
};

impl Expr {
    pub fn new(ty: Ty, form: impl Into<Form>, kids: Vec<Expr>) -> Expr {
        Expr { ty, form: form.into(), kids, pinned: false, is_const: false }
    }

    pub fn literal(ty: Ty, text: impl Into<Form>) -> Expr {
        Expr { ty, form: text.into(), kids: Vec::new(), pinned: false, is_const: true }
    }
}

impl Generator {
    /// An expression of a type.
    pub(super) fn expr(&mut self, ty: &Ty) -> Expr {
        if self.depth >= self.max_depth || self.budget == 0 || self.rng.chance(20) {
            return self.leaf(ty);
        }
        self.depth += 1;
        self.budget -= 1;
        let expr = match ty {
            Ty::Scalar(_) | Ty::Vector(..) => self.number(ty),
            Ty::Matrix(..) => self.matrix(ty),
            _ => self.composite(ty),
        };
        self.depth -= 1;
        expr
    }

    /// One that is not known before the program runs.
    pub(super) fn non_const(&mut self, ty: &Ty) -> Expr {
        let expr = self.expr(ty);
        if expr.is_const { self.non_const_leaf(ty) } else { expr }
    }

    fn leaf(&mut self, ty: &Ty) -> Expr {
        if self.rng.chance(75)
            && let Some(expr) = self.path_at_depth(ty)
        {
            return expr;
        }
        self.constant(ty)
    }

    /// A path whose own indices are simple.
    fn path_at_depth(&mut self, ty: &Ty) -> Option<Expr> {
        if self.depth > self.max_depth + 2 {
            return None;
        }
        self.depth += 1;
        let expr = self.path(ty);
        self.depth -= 1;
        expr
    }

    /// A literal, or a value made of literals.
    pub(super) fn constant(&mut self, ty: &Ty) -> Expr {
        match ty {
            Ty::Scalar(s) => self.literal(*s),
            _ if self.rng.chance(30) || ty.leaves() > 12 => Expr::literal(ty.clone(), format!("{ty}()")),
            Ty::Vector(_, s) if self.rng.chance(50) => {
                let value = self.literal(*s);
                Expr { is_const: true, ..Expr::new(ty.clone(), format!("{ty}($)"), vec![value]) }
            }
            _ => {
                let kids = self.part_types(ty).iter().map(|t| self.constant(t)).collect();
                self.construct(ty, kids)
            }
        }
    }

    /// The types of the operands of a constructor.
    fn part_types(&self, ty: &Ty) -> Vec<Ty> {
        match ty {
            Ty::Vector(n, s) => vec![Ty::Scalar(*s); (*n).into()],
            Ty::Matrix(c, r, s) => vec![Ty::Vector(*r, *s); (*c).into()],
            Ty::Array(t, n) => vec![(**t).clone(); *n as usize],
            Ty::Struct(s) => s.members.iter().map(|(_, t)| t.clone()).collect(),
            _ => Vec::new(),
        }
    }

    fn construct(&mut self, ty: &Ty, kids: Vec<Expr>) -> Expr {
        let operands = vec!["$"; kids.len()].join(", ");
        let is_const = kids.iter().all(|k| k.is_const);
        Expr { is_const, ..Expr::new(ty.clone(), format!("{ty}({operands})"), kids) }
    }

    pub(super) fn literal(&mut self, s: Scalar) -> Expr {
        let bits = layout::value(&mut self.rng, s);
        let text = match s {
            Scalar::Bool => if bits != 0 { "true" } else { "false" }.into(),
            Scalar::I32 if bits as i32 == i32::MIN => "i32(-2147483648)".into(),
            Scalar::I32 => format!("{}i", bits as i32),
            Scalar::U32 => format!("{}u", bits as u32),
            // naga 30 has no way to write the least one.
            Scalar::I64 => format!("{}li", (bits as i64).max(-i64::MAX)),
            Scalar::U64 => format!("{bits}lu"),
            Scalar::F32 => match f32::from_bits(bits as u32) {
                x if x.is_normal() => format!("{x:e}f"),
                _ => "0.0f".into(),
            },
            Scalar::F64 => match f64::from_bits(bits) {
                x if x.is_normal() => format!("{x:e}lf"),
                _ => "0.0lf".into(),
            },
        };
        // A unary minus after a binary one would read as a decrement.
        let text = if text.starts_with('-') { format!("({text})") } else { text };
        Expr::literal(Ty::Scalar(s), text)
    }

    /// Something that is known only at run time, of any type.
    pub(super) fn non_const_leaf(&mut self, ty: &Ty) -> Expr {
        if let Some(expr) = self.path_at_depth(ty)
            && !expr.is_const
        {
            return expr;
        }
        let seed = self.seed_name();
        match ty {
            Ty::Scalar(Scalar::U32) => Expr::new(ty.clone(), seed, vec![]),
            Ty::Scalar(Scalar::Bool) => {
                let by = self.rng.below(7);
                Expr::new(ty.clone(), format!("({seed} > {by}u)"), vec![])
            }
            Ty::Scalar(s) => Expr::new(ty.clone(), format!("{}({seed})", s.name()), vec![]),
            Ty::Vector(_, s) => {
                let value = self.non_const_leaf(&Ty::Scalar(*s));
                Expr::new(ty.clone(), format!("{ty}($)"), vec![value])
            }
            Ty::Array(..) | Ty::Struct(_) if ty.leaves() > 12 => Expr::literal(ty.clone(), format!("{ty}()")),
            _ => {
                let kids = self.part_types(ty).iter().map(|t| self.non_const_leaf(t)).collect();
                self.construct(ty, kids)
            }
        }
    }

    fn composite(&mut self, ty: &Ty) -> Expr {
        if let Some(call) = self.rng.chance(25).then(|| self.call(ty)).flatten() {
            return call;
        }
        if ty.leaves() > 12 || self.rng.chance(50) {
            return self.leaf(ty);
        }
        let kids: Vec<Expr> = self.part_types(ty).iter().map(|t| self.expr(t)).collect();
        self.construct(ty, kids)
    }

    fn matrix(&mut self, ty: &Ty) -> Expr {
        let Ty::Matrix(c, r, s) = *ty else { return self.leaf(ty) };
        let (form, kinds): (&'static str, Vec<Ty>) = match self.rng.below(8) {
            0 => ("($ + $)", vec![ty.clone(), ty.clone()]),
            1 => ("($ - $)", vec![ty.clone(), ty.clone()]),
            2 => ("($ * $)", vec![ty.clone(), Ty::Scalar(s)]),
            3 => ("($ * $)", vec![Ty::Scalar(s), ty.clone()]),
            4 => {
                let k = self.rng.range(2, 4) as u8;
                ("($ * $)", vec![Ty::Matrix(k, r, s), Ty::Matrix(c, k, s)])
            }
            5 => ("transpose($)", vec![Ty::Matrix(r, c, s)]),
            _ => {
                let kids: Vec<Expr> = self.part_types(ty).iter().map(|t| self.expr(t)).collect();
                return self.construct(ty, kids);
            }
        };
        let kids = kinds.iter().map(|t| self.expr(t)).collect();
        self.checked(ty, form, kids)
    }

    /// An expression whose operands are not all known at compile time, unless it is itself to be.
    fn checked(&mut self, ty: &Ty, form: impl Into<Form>, mut kids: Vec<Expr>) -> Expr {
        if kids.iter().all(|k| k.is_const)
            && let Some(first) = kids.first_mut()
        {
            *first = self.non_const_leaf(&first.ty.clone());
        }
        Expr::new(ty.clone(), form, kids)
    }

    fn number(&mut self, ty: &Ty) -> Expr {
        let Some(s) = ty.scalar() else { return self.leaf(ty) };
        match self.rng.below(20) {
            0..=1 => self.conversion(ty, s),
            2 => self.select(ty),
            3 => match self.call(ty) {
                Some(call) => call,
                None => self.leaf(ty),
            },
            4 => self.component_of(ty, s),
            5 if s == Scalar::I32 && self.has(Scalar::F32) => {
                let kid = self.expr(&ty.with(Scalar::F32));
                self.checked(ty, "frexp($).exp", vec![kid])
            }
            6 if *ty == Ty::Scalar(Scalar::U32) && self.rng.chance(50) => self.array_length(),
            5 if s.is_float() && self.matrices => self.matrix_product(ty, s),
            6..=12 if s == Scalar::Bool => self.comparison(ty),
            _ => self.rule(ty),
        }
    }

    fn rule(&mut self, ty: &Ty) -> Expr {
        let lists = rules(ty, self.has(Scalar::F32));
        let total: usize = lists.iter().map(|l| l.len()).sum();
        let mut at = self.rng.below(total);
        // Plain arithmetic, which comes first, is what most programs are made of.
        if self.rng.chance(35) {
            at = self.rng.below(10.min(lists[0].len()));
        }
        let rules = lists.iter().flat_map(|l| l.iter());
        let Some(rule) = rules.clone().nth(at).copied() else { return self.leaf(ty) };
        if rule.open && !self.open {
            return self.rule(ty);
        }
        self.apply(ty, rule)
    }

    fn apply(&mut self, ty: &Ty, rule: Rule) -> Expr {
        let s = ty.scalar().unwrap_or(Scalar::U32);
        let size = self.rng.range(2, 4) as u8;
        let square = *self.rng.pick(&[2, 2, 3, 3, 4]);
        let mut kids = Vec::with_capacity(rule.args.len());
        for arg in rule.args {
            kids.push(match *arg {
                Arg::Same => self.expr(ty),
                Arg::Element => self.expr(&Ty::Scalar(s)),
                Arg::Shape(s) => self.expr(&ty.with(s)),
                Arg::One(s) => self.expr(&Ty::Scalar(s)),
                Arg::Variable => self.variable(ty),
                Arg::Shift => self.shift(ty, s),
                Arg::AnyVector => self.expr(&Ty::Vector(size, s)),
                Arg::Square => self.expr(&Ty::Matrix(square, square, s)),
                Arg::Vector(n, s) => self.expr(&Ty::Vector(n, s)),
            });
        }
        self.checked(ty, rule.form, kids)
    }

    /// A divisor or a shift's amount, not known at compile time.
    pub(super) fn variable(&mut self, ty: &Ty) -> Expr {
        let value = self.non_const(ty);
        // naga refuses a vector of which it sees one component to be zero, or too large.
        match ty {
            Ty::Vector(_, s) if s.is_int() => Expr::new(ty.clone(), "(~$)", vec![value]),
            _ => value,
        }
    }

    pub(super) fn shift(&mut self, ty: &Ty, s: Scalar) -> Expr {
        let ty = ty.with(Scalar::U32);
        if self.rng.chance(50) {
            return self.variable(&ty);
        }
        let amount = self.rng.below(s.bytes() as usize * 8);
        let text = if let Ty::Vector(..) = ty { format!("{ty}({amount}u)") } else { format!("{amount}u") };
        Expr::literal(ty, text)
    }

    fn select(&mut self, ty: &Ty) -> Expr {
        let condition = if self.rng.chance(50) { ty.with(Scalar::Bool) } else { Ty::Scalar(Scalar::Bool) };
        let kids = vec![self.expr(ty), self.expr(ty), self.non_const(&condition)];
        self.checked(ty, "select($, $, $)", kids)
    }

    fn comparison(&mut self, ty: &Ty) -> Expr {
        let s = self.number_scalar();
        let ty_of = ty.with(s);
        let form = *self.rng.pick(&["($ == $)", "($ != $)", "($ < $)", "($ <= $)", "($ > $)", "($ >= $)"]);
        let kids = vec![self.expr(&ty_of), self.expr(&ty_of)];
        self.checked(ty, form, kids)
    }

    /// A conversion or a bitcast from another type, or a vector of scalars.
    fn conversion(&mut self, ty: &Ty, s: Scalar) -> Expr {
        if let Ty::Vector(n, _) = ty
            && self.rng.chance(50)
        {
            return self.vector(ty, *n, s);
        }
        let from = if self.rng.chance(15) { Scalar::Bool } else { self.number_scalar() };
        let kid = self.non_const(&ty.with(from));
        let is_cast = self.rng.chance(40) && from.bytes() == s.bytes() && from != Scalar::Bool && s != Scalar::Bool;
        let form = match (is_cast, ty) {
            (false, _) => format!("{ty}($)"),
            // The bits of a NaN are the machine's choice.
            (true, Ty::Vector(n, _)) if from.is_float() => format!("bitcast<{ty}>(plain{n}{}($))", suffix(from)),
            (true, _) if from.is_float() => format!("bitcast<{ty}>(plain1{}($))", suffix(from)),
            (true, _) => format!("bitcast<{ty}>($)"),
        };
        self.checked(ty, form, vec![kid])
    }

    fn vector(&mut self, ty: &Ty, n: u8, s: Scalar) -> Expr {
        let one = Ty::Scalar(s);
        let parts = match (n, self.rng.below(4)) {
            (3, 0) => vec![Ty::Vector(2, s), one],
            (4, 0) => vec![Ty::Vector(3, s), one],
            (4, 1) => vec![one.clone(), Ty::Vector(2, s), one],
            (_, 2) => vec![one],
            _ => vec![one; n.into()],
        };
        let kids = parts.iter().map(|t| self.expr(t)).collect();
        let expr = self.construct(ty, kids);
        self.checked(ty, expr.form, expr.kids)
    }

    /// A component, a computed component or a swizzle of a vector.
    fn component_of(&mut self, ty: &Ty, s: Scalar) -> Expr {
        let n = self.rng.range(2, 4) as u8;
        let vector = self.non_const(&Ty::Vector(n, s));
        let letters = ["x", "y", "z", "w"];
        let mut letter = || letters[self.rng.below(n.into())];
        let text: String = match ty {
            Ty::Vector(m, _) => (0..*m).map(|_| letter()).collect(),
            _ => letter().into(),
        };
        if let Ty::Scalar(_) = ty
            && self.rng.chance(30)
        {
            let i = self.non_const(&Ty::Scalar(Scalar::U32));
            let form = if self.rng.chance(70) { format!("$[$ % {n}u]") } else { "$[$]".into() };
            return Expr::new(ty.clone(), form, vec![vector, i]);
        }
        Expr::new(ty.clone(), format!("$.{text}"), vec![vector])
    }

    fn matrix_product(&mut self, ty: &Ty, s: Scalar) -> Expr {
        let Ty::Vector(n, _) = *ty else {
            return self.rule(ty);
        };
        let k = self.rng.range(2, 4) as u8;
        let kids = if self.rng.chance(50) {
            vec![self.expr(&Ty::Matrix(k, n, s)), self.expr(&Ty::Vector(k, s))]
        } else {
            vec![self.expr(&Ty::Vector(k, s)), self.expr(&Ty::Matrix(n, k, s))]
        };
        self.checked(ty, "($ * $)", kids)
    }

    /// The length of some runtime-sized array.
    fn array_length(&mut self) -> Expr {
        let ty = Ty::Scalar(Scalar::U32);
        let buffers: Vec<&Buffer> = self.program.buffers.iter().filter(|b| b.ty.is_unsized()).collect();
        let Some(buffer) = buffers.get(self.rng.below(buffers.len())) else { return self.leaf(&ty) };
        let list = if let Ty::Struct(_) = buffer.ty { ".list" } else { "" };
        Expr::new(ty, format!("arrayLength(&{}{list})", buffer.name), vec![])
    }

    /// The name of a u32 that is always in scope.
    pub(super) fn seed_name(&self) -> String {
        let uniform = |r: &&super::paths::Root| r.uniform || !self.only_uniform;
        let values = self.scope.iter().filter(|r| r.space == Space::Value && r.ty == Ty::Scalar(Scalar::U32));
        values.filter(uniform).map(|r| r.text.clone()).next().unwrap_or_else(|| "group_seed".into())
    }
}

/// Names the helper functions that replace NaN.
pub fn suffix(s: Scalar) -> &'static str {
    if s == Scalar::F64 { "d" } else { "" }
}
