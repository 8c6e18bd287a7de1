//! Helper functions and their calls.

use super::{
    Generator,
    flow::MOST_WEIGHT,
    paths::{Root, Space},
};
use crate::ast::{Expr, Function, Scalar, Stmt, Ty};

/// A parameter.
#[derive(Clone)]
enum Param {
    Value(Ty),
    Pointer(Ty, Space),
}

/// A function that later ones may call.
#[derive(Clone)]
pub struct Signature {
    name: String,
    params: Vec<Param>,
    result: Option<Ty>,
    /// How often its innermost statement runs.
    weight: u32,
    /// Whether the first argument is the caller's own index.
    own: bool,
}

impl Generator {
    /// Makes a function.
    pub(super) fn function(&mut self) {
        let name = self.name("h");
        let result = if self.rng.chance(80) { Some(self.variable_type()) } else { None };
        let own = self.rng.chance(30);
        let first = if own { "own".to_string() } else { self.name("a") };
        let mut texts = vec![format!("{first}: u32")];
        let mut params = vec![Param::Value(Ty::Scalar(Scalar::U32))];
        self.scope.push(Root::new(first, Ty::Scalar(Scalar::U32), Space::Value));
        if own {
            self.scope.extend(self.own_roots.clone());
        }
        let known = std::mem::take(&mut self.functions);
        let mut takes_private = false;
        for _ in 0..self.rng.below(4) {
            let (param, ty) = (self.name("a"), self.variable_type());
            if self.rng.chance(60) {
                texts.push(format!("{param}: {ty}"));
                self.scope.push(Root::new(param, ty.clone(), Space::Value));
                params.push(Param::Value(ty));
                continue;
            }
            let space = if self.rng.chance(85) { Space::Function } else { Space::Private };
            takes_private |= space == Space::Private;
            let word = if space == Space::Private { "private" } else { "function" };
            texts.push(format!("{param}: ptr<{word}, {ty}>"));
            self.scope.push(Root::new(format!("(*{param})"), ty.clone(), space));
            params.push(Param::Pointer(ty, space));
        }
        if takes_private {
            // What the pointer leads to must not be reached by its name as well, nor by a callee.
            self.scope.retain(|r| r.space != Space::Private || r.text.starts_with("(*"));
        } else {
            self.functions = known.clone();
        }
        let weight = self.make_body(&name, &texts, &result);
        self.functions = known;
        self.functions.push(Signature { name, params, result, weight, own });
    }

    /// Makes the body; returns how often its innermost statement runs.
    fn make_body(&mut self, name: &str, params: &[String], result: &Option<Ty>) -> u32 {
        self.inside = Some(result.clone());
        (self.may_return, self.uniform, self.heaviest) = (true, false, 1);
        let n = self.rng.range(1, 4);
        let mut body = Vec::new();
        self.fill(&mut body, n);
        let mut head = format!("fn {name}({})", params.join(", "));
        if let Some(ty) = result {
            head.push_str(&format!(" -> {ty}"));
            self.refill();
            let value = self.expr(ty);
            body.push(Stmt::new("return $;", vec![value]).pinned());
        }
        self.program.functions.push(Function { head, body });
        (self.may_return, self.uniform, self.inside) = (false, true, None);
        self.heaviest
    }

    /// A call that gives a type, if some function does and may be called here.
    pub(super) fn call(&mut self, ty: &Ty) -> Option<Expr> {
        let fits = |f: &&Signature| f.result.as_ref() == Some(ty);
        let candidates: Vec<Signature> = self.functions.iter().filter(fits).cloned().collect();
        let (form, kids) = self.call_one_of(&candidates)?;
        Some(Expr::new(ty.clone(), form, kids))
    }

    pub(super) fn call_statement(&mut self) -> Option<Stmt> {
        let candidates = self.functions.clone();
        let pick = self.rng.below(candidates.len());
        let candidate = candidates.get(pick..pick + 1)?;
        let has_result = candidate[0].result.is_some();
        let (form, kids) = self.call_one_of(candidate)?;
        let form = if has_result { format!("_ = {form};") } else { format!("{form};") };
        Some(Stmt::new(form, kids))
    }

    fn call_one_of(&mut self, candidates: &[Signature]) -> Option<(String, Vec<Expr>)> {
        if candidates.is_empty() || self.only_uniform {
            return None;
        }
        let f = self.rng.pick(candidates).clone();
        if (f.own && self.own_name().is_none()) || self.weight * f.weight > MOST_WEIGHT {
            return None;
        }
        self.heaviest = self.heaviest.max(self.weight * f.weight);
        let mut used = Vec::new();
        let (mut texts, mut kids) = (Vec::new(), Vec::new());
        for (i, param) in f.params.iter().enumerate() {
            match param {
                Param::Value(_) if i == 0 && f.own => texts.push("own".to_string()),
                Param::Value(ty) => {
                    texts.push("$".into());
                    kids.push(self.expr(ty));
                }
                Param::Pointer(ty, space) => {
                    let fits = |r: &&Root| r.ty == *ty && r.space == *space && !used.contains(&r.text);
                    let fitting: Vec<String> = self.scope.iter().filter(fits).map(|r| r.text.clone()).collect();
                    if fitting.is_empty() {
                        return None;
                    }
                    let text = self.rng.pick(&fitting).clone();
                    texts.push(format!("&{text}"));
                    used.push(text);
                }
            }
        }
        Some((format!("{}({})", f.name, texts.join(", ")), kids))
    }
}
