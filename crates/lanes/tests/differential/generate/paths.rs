//! What is in scope, and the ways from a variable to a part of it.

use super::Generator;
use crate::ast::{Expr, Form, Scalar, Ty};

/// Where a name leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Space {
    /// A `let`, a parameter, a built-in input.
    Value,
    /// A constant or an override: known before the program runs.
    Constant,
    /// A local variable.
    Function,
    /// A private variable of the module.
    Private,
    /// Work-group memory.
    Workgroup,
    /// Buffers.
    Buffer,
}

/// Something that has a name, or an own element of something.
#[derive(Clone, Debug)]
pub struct Root {
    /// Its text, without operands.
    pub text: String,
    pub ty: Ty,
    pub space: Space,
    pub readable: bool,
    pub writable: bool,
    /// Whether all invocations of a work-group see the same value.
    pub uniform: bool,
    /// Whether reading or writing anything else instead would be a data race.
    pub pinned: bool,
}

impl Root {
    pub fn new(text: impl Into<String>, ty: Ty, space: Space) -> Self {
        let writable = matches!(space, Space::Function | Space::Private);
        let uniform = space == Space::Constant;
        Root { text: text.into(), ty, space, readable: true, writable, uniform, pinned: false }
    }

    pub fn uniform(mut self) -> Self {
        self.uniform = true;
        self
    }

    pub fn writable(mut self, writable: bool) -> Self {
        self.writable = writable;
        self
    }

    pub fn pinned(mut self) -> Self {
        self.pinned = true;
        self
    }
}

/// A way into a type: text with a `$` for each index, and the lengths that these index (0: runtime-sized).
#[derive(Clone, Default)]
struct Chain {
    text: String,
    lengths: Vec<u32>,
}

impl Chain {
    fn then(&self, text: &str) -> Chain {
        Chain { text: format!("{}{text}", self.text), lengths: self.lengths.clone() }
    }

    fn index(&self, len: u32) -> Chain {
        let mut chain = self.then("[$]");
        chain.lengths.push(len);
        chain
    }
}

/// Chains looked for in one type.
const MOST: usize = 12;

/// Ways from `from` to a part of type `to`.
fn chains(from: &Ty, to: &Ty, chain: &Chain, found: &mut Vec<Chain>) {
    if found.len() >= MOST {
        return;
    }
    if from == to {
        found.push(chain.clone());
        return;
    }
    match from {
        Ty::Scalar(_) | Ty::Atomic(_) => {}
        Ty::Vector(n, s) => {
            if *to == Ty::Scalar(*s) {
                let names = [".x", ".y", ".z", ".w"];
                found.push(chain.then(names[found.len() % usize::from(*n)]));
                found.push(chain.index((*n).into()));
            }
        }
        Ty::Matrix(c, r, s) => chains(&Ty::Vector(*r, *s), to, &chain.index((*c).into()), found),
        Ty::Array(t, n) => chains(t, to, &chain.index(*n), found),
        Ty::Runtime(t) => chains(t, to, &chain.index(0), found),
        Ty::Struct(s) => {
            for (name, t) in &s.members {
                chains(t, to, &chain.then(&format!(".{name}")), found);
            }
        }
    }
}

/// Whether a part of type `to` can be reached.
pub fn contains(from: &Ty, to: &Ty) -> bool {
    from == to
        || match from {
            Ty::Scalar(_) | Ty::Atomic(_) => false,
            Ty::Vector(_, s) => *to == Ty::Scalar(*s),
            Ty::Matrix(_, r, s) => contains(&Ty::Vector(*r, *s), to),
            Ty::Array(t, _) | Ty::Runtime(t) => contains(t, to),
            Ty::Struct(s) => s.members.iter().any(|(_, t)| contains(t, to)),
        }
}

impl Generator {
    /// A read of a part of type `ty` of something in scope.
    pub(super) fn path(&mut self, ty: &Ty) -> Option<Expr> {
        let fits = |r: &Root| r.readable && (r.uniform || !self.only_uniform) && contains(&r.ty, ty);
        let candidates: Vec<usize> = (0..self.scope.len()).filter(|i| fits(&self.scope[*i])).collect();
        if candidates.is_empty() {
            return None;
        }
        // What was declared last is what the program should use.
        let late = candidates.len().div_ceil(3);
        let tail = &candidates[candidates.len() - late..];
        let from = if self.rng.chance(40) { tail } else { &candidates };
        let root = self.scope[*self.rng.pick(from)].clone();
        Some(self.part(&root, ty))
    }

    /// A part of type `ty` of something that has one.
    pub(super) fn part(&mut self, root: &Root, ty: &Ty) -> Expr {
        let mut found = Vec::new();
        chains(&root.ty, ty, &Chain::default(), &mut found);
        let chain = self.rng.pick(&found).clone();
        self.along(root, chain, ty.clone())
    }

    fn along(&mut self, root: &Root, chain: Chain, ty: Ty) -> Expr {
        let mut kids: Vec<Expr> = chain.lengths.iter().map(|n| self.index(*n)).collect();
        let is_const = root.space == Space::Constant && kids.iter().all(|k| k.is_const);
        let form: Form = format!("{}{}", root.text, chain.text).into();
        // Of the indices only the first is into a runtime-sized array.
        if chain.lengths.first() == Some(&0) && self.rng.chance(35) {
            let array = form.split('[').next().unwrap_or("");
            let any = self.non_const(&Ty::Scalar(Scalar::U32));
            kids[0] = Expr::new(any.ty.clone(), format!("($ % arrayLength(&{array}))"), vec![any]);
        }
        Expr { ty, form, kids, pinned: root.pinned, is_const }
    }

    /// Something to write to, or a part of it.
    pub(super) fn target(&mut self) -> Option<Expr> {
        let candidates: Vec<usize> = (0..self.scope.len()).filter(|i| self.scope[*i].writable).collect();
        if candidates.is_empty() {
            return None;
        }
        let root = self.scope[*self.rng.pick(&candidates)].clone();
        let (mut chain, mut ty) = (Chain::default(), root.ty.clone());
        loop {
            let whole = ty.leaves() <= 24 && !ty.is_unsized();
            let (next, part) = match &ty {
                Ty::Scalar(_) | Ty::Atomic(_) => break,
                _ if whole && self.rng.chance(35) => break,
                Ty::Vector(n, s) => {
                    let component = [".x", ".y", ".z", ".w"][self.rng.below((*n).into())];
                    let next = if self.rng.chance(40) { chain.index((*n).into()) } else { chain.then(component) };
                    (next, Ty::Scalar(*s))
                }
                Ty::Matrix(c, r, s) => (chain.index((*c).into()), Ty::Vector(*r, *s)),
                Ty::Array(t, n) => (chain.index(*n), (**t).clone()),
                Ty::Runtime(t) => (chain.index(0), (**t).clone()),
                Ty::Struct(s) => {
                    let (name, t) = self.rng.pick(&s.members).clone();
                    (chain.then(&format!(".{name}")), t)
                }
            };
            (chain, ty) = (next, part);
        }
        if let Ty::Atomic(_) = ty {
            return None;
        }
        Some(self.along(&root, chain, ty))
    }

    /// An index into `len` elements (0: a runtime-sized array): in bounds, near the end, or anywhere.
    pub(super) fn index(&mut self, len: u32) -> Expr {
        let u32s = Ty::Scalar(Scalar::U32);
        let signed = self.rng.chance(30);
        let any = Ty::Scalar(if signed { Scalar::I32 } else { Scalar::U32 });
        match self.rng.below(10) {
            0..=2 if len > 0 => {
                let i = self.rng.below(len as usize);
                Expr::literal(any.clone(), format!("{i}{}", if signed { "i" } else { "u" }))
            }
            3..=6 if len > 0 => {
                let i = self.non_const(&u32s);
                Expr::new(u32s, format!("($ % {len}u)"), vec![i])
            }
            0..=2 if self.own_name().is_some() && !self.only_uniform => {
                let own = self.own_name().unwrap_or_default();
                let by = self.rng.below(5);
                let form = match self.rng.below(6) {
                    0..=2 => own.to_string(),
                    3 => format!("({own} + {by}u)"),
                    4 => format!("({own} - {by}u)"),
                    _ => format!("({own} * {by}u)"),
                };
                Expr::new(u32s, form, vec![])
            }
            4 => {
                let i = self.non_const(&u32s);
                let by = self.rng.pick(&["0xfffffff0u", "0x7fffffffu", "0x40000000u", "0x3fffffffu", "1000u"]);
                Expr::new(u32s, format!("($ + {by})"), vec![i])
            }
            5 if self.has(Scalar::I64) => {
                let wide = Ty::Scalar(if self.rng.chance(50) { Scalar::I64 } else { Scalar::U64 });
                self.non_const(&wide)
            }
            5 => {
                let i = self.non_const(&u32s);
                Expr::new(u32s, "($ & 15u)", vec![i])
            }
            _ => self.non_const(&any),
        }
    }
}
