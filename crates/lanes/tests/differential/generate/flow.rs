//! Control flow. Every loop has a counter of its own that nothing else changes, so that it ends.

use super::{
    Generator,
    paths::{Root, Space},
};
use crate::ast::{Block, Expr, Scalar, Stmt, Ty};

/// Times that the innermost statement of a program may run in an invocation.
pub const MOST_WEIGHT: u32 = 120;

impl Generator {
    pub(super) fn flow(&mut self) -> Option<Stmt> {
        if self.statements < 2 {
            return None;
        }
        match self.rng.below(20) {
            0..=6 => Some(self.if_()),
            7..=8 => Some(self.switch()),
            9..=11 => self.for_(),
            12..=13 => self.while_(),
            14..=15 => self.loop_(),
            16..=17 => self.jump(),
            18 => Some(Stmt::with("@", vec![], vec![self.block(3)])),
            _ => Some(self.if_()),
        }
    }

    pub(super) fn condition(&mut self) -> Expr {
        self.non_const(&Ty::Scalar(Scalar::Bool))
    }

    /// Runs `f` in control flow that invocations may leave one by one.
    pub(super) fn diverged<T>(&mut self, f: impl FnOnce(&mut Self) -> T) -> T {
        let uniform = std::mem::replace(&mut self.uniform, false);
        let result = f(self);
        self.uniform = uniform;
        result
    }

    fn if_(&mut self) -> Stmt {
        let condition = self.condition();
        self.diverged(|s| {
            let n = s.rng.range(1, 4);
            let then = s.block(n);
            match s.rng.below(4) {
                0..=1 => Stmt::with("if $ @", vec![condition], vec![then]),
                2 => {
                    let other = s.block(n);
                    Stmt::with("if $ @ else @", vec![condition], vec![then, other])
                }
                _ => {
                    s.refill();
                    let second = s.condition();
                    let blocks = vec![then, s.block(2), s.block(2)];
                    Stmt::with("if $ @ else if $ @ else @", vec![condition, second], blocks)
                }
            }
        })
    }

    fn switch(&mut self) -> Stmt {
        let signed = self.rng.chance(50);
        let selector = self.non_const(&Ty::Scalar(if signed { Scalar::I32 } else { Scalar::U32 }));
        let suffix = if signed { "i" } else { "u" };
        let mut form = format!("switch ($ & 7{suffix}) {{ ");
        let default_at = self.rng.below(4);
        let mut value = 0;
        let mut blocks = Vec::new();
        let breakable = std::mem::replace(&mut self.breakable, true);
        for i in 0..4 {
            if i == default_at {
                form.push_str("default: @ ");
            } else {
                let mut labels = Vec::new();
                for _ in 0..self.rng.range(1, 2) {
                    labels.push(format!("{value}{suffix}"));
                    value += 1 + self.rng.below(2);
                }
                if self.rng.chance(15) && signed {
                    labels.push(format!("-{}i", value + 9));
                }
                form.push_str(&format!("case {}: @ ", labels.join(", ")));
            }
            blocks.push(self.diverged(|s| s.block(2)));
        }
        self.breakable = breakable;
        form.push('}');
        Stmt::with(form, vec![selector], blocks)
    }

    /// Iterations for a new loop; `None` where the program would run too long.
    pub(super) fn trips(&mut self) -> Option<u32> {
        let most = (MOST_WEIGHT / self.weight).min(9);
        if most < 2 || self.loops >= 3 { None } else { Some(self.rng.range(1, most)) }
    }

    /// A loop's body. Where a barrier may follow, no invocation may leave it alone.
    pub(super) fn body(&mut self, trips: u32, f: impl FnOnce(&mut Self) -> Block) -> Block {
        let (breakable, continuable, weight) = (self.breakable, self.continuable, self.weight);
        (self.breakable, self.continuable) = (!self.uniform, !self.uniform);
        self.weight *= trips;
        self.heaviest = self.heaviest.max(self.weight);
        self.loops += 1;
        let block = f(self);
        self.loops -= 1;
        (self.breakable, self.continuable, self.weight) = (breakable, continuable, weight);
        block
    }

    fn for_(&mut self) -> Option<Stmt> {
        let trips = self.trips()?;
        let name = self.name("k");
        let (kind, suffix) = if self.rng.chance(50) { (Scalar::U32, "u") } else { (Scalar::I32, "i") };
        let ty = Ty::Scalar(kind);
        let mut kids = Vec::new();
        let head = match self.rng.below(6) {
            0..=1 => format!("for (var {name} = 0{suffix}; {name} < {trips}{suffix}; {name}++) @"),
            2 => {
                let step = self.rng.range(1, 3);
                let end = trips * step;
                format!("for (var {name} = 0{suffix}; {name} < {end}{suffix}; {name} += {step}{suffix}) @")
            }
            3 => format!("for (var {name} = {trips}{suffix}; {name} > 0{suffix}; {name}--) @"),
            4 => {
                kids.push(self.non_const(&ty));
                let cut = if kind == Scalar::U32 { "%" } else { "&" };
                let by = if kind == Scalar::U32 { trips + 1 } else { 3.min(trips) };
                format!("for (var {name} = 0{suffix}; {name} < ($ {cut} {by}{suffix}); {name}++) @")
            }
            _ => {
                // From anywhere, also across the wrap of the type.
                let start = self.name("v");
                kids.push(self.non_const(&ty));
                let head = format!(
                    "let {start} = $; for (var {name} = {start}; {name} != {start} + {trips}{suffix}; {name}++) @"
                );
                format!("{{ {head} }}")
            }
        };
        let body = self.diverged(|s| {
            s.body(trips.max(3), |s| {
                s.scoped(|s| {
                    s.scope.push(Root::new(name, ty, Space::Value));
                    let n = s.rng.range(1, 4);
                    s.block(n)
                })
            })
        });
        Some(Stmt::with(head, kids, vec![body]))
    }

    fn while_(&mut self) -> Option<Stmt> {
        let trips = self.trips()?;
        let name = self.name("k");
        let condition = self.condition();
        let body = self.diverged(|s| {
            s.body(trips, |s| {
                let mut block = vec![Stmt::new(format!("{name}++;"), vec![]).pinned()];
                block.extend(s.block(3));
                block
            })
        });
        let form = format!("{{ var {name} = 0u; while ($ && {name} < {trips}u) @ }}");
        Some(Stmt::with(form, vec![condition], vec![body]))
    }

    /// `loop`, with its exit at the start, in `continuing` or as `break if`.
    fn loop_(&mut self) -> Option<Stmt> {
        let trips = self.trips()?;
        let name = self.name("k");
        let mut kids = Vec::new();
        let exit = self.rng.below(3);
        let start = match exit {
            0 => vec![Stmt::new(format!("if ({name} >= {trips}u) {{ break; }} {name}++;"), vec![]).pinned()],
            _ => vec![],
        };
        let body = self.diverged(|s| {
            s.body(trips, |s| {
                let mut block = start;
                block.extend(s.block(3));
                block
            })
        });
        let update = match exit {
            0 => vec![],
            _ => {
                self.refill();
                self.assign().into_iter().collect()
            }
        };
        let end = match exit {
            0 => String::new(),
            1 => format!(" continuing {{ @ {name}++; break if {name} >= {trips}u; }}"),
            _ => {
                self.refill();
                kids.push(self.condition());
                format!(" continuing {{ {name}++; @ break if $ || {name} >= {trips}u; }}")
            }
        };
        // The continuing block follows the body's braces inside the loop's own.
        let form = format!("{{ var {name} = 0u; loop {{ @{end} }} }}");
        let blocks = if exit == 0 { vec![body] } else { vec![body, update] };
        Some(Stmt::with(form, kids, blocks))
    }

    fn jump(&mut self) -> Option<Stmt> {
        let mut forms: Vec<&'static str> = Vec::new();
        if self.breakable {
            forms.push("break;");
        }
        if self.continuable {
            forms.push("continue;");
        }
        let result = self.inside.clone();
        if self.may_return {
            match &result {
                Some(Some(_)) => forms.push("return $;"),
                _ => forms.push("return;"),
            }
        }
        if forms.is_empty() {
            return None;
        }
        let form = *self.rng.pick(&forms);
        let kids = match (&result, form) {
            (Some(Some(ty)), "return $;") => vec![self.expr(ty)],
            _ => vec![],
        };
        if self.rng.chance(85) {
            let mut all = vec![self.condition()];
            all.extend(kids);
            return Some(Stmt::new(format!("if $ {{ {form} }}"), all));
        }
        Some(Stmt::new(form, kids))
    }
}
