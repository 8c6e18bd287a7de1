//! Random types and their declarations.

use super::{
    Generator,
    paths::{Root, Space},
};
use crate::ast::{Scalar, Struct, Ty};
use std::rc::Rc;

impl Generator {
    pub(super) fn number_scalar(&mut self) -> Scalar {
        *self.rng.pick(&self.scalars)
    }

    /// A scalar or vector, bool included.
    pub(super) fn simple(&mut self) -> Ty {
        let s = if self.rng.chance(12) { Scalar::Bool } else { self.number_scalar() };
        if self.rng.chance(35) { Ty::Vector(self.rng.range(2, 4) as u8, s) } else { Ty::Scalar(s) }
    }

    /// A type for variables and parameters.
    pub(super) fn variable_type(&mut self) -> Ty {
        match self.rng.below(10) {
            0 if self.matrices => self.matrix_type(),
            1 if !self.structs.is_empty() => Ty::Struct(self.rng.pick(&self.structs).clone()),
            2 => {
                let element = if self.rng.chance(80) { self.simple() } else { self.variable_type() };
                let most = if self.rng.chance(10) { 40 } else { 6 };
                let n = self.rng.range(1, most);
                if element.leaves() * n > 160 { element } else { Ty::Array(Rc::new(element), n) }
            }
            _ => self.simple(),
        }
    }

    pub(super) fn matrix_type(&mut self) -> Ty {
        let s = if self.has(Scalar::F64) && self.rng.chance(30) { Scalar::F64 } else { Scalar::F32 };
        Ty::Matrix(self.rng.range(2, 4) as u8, self.rng.range(2, 4) as u8, s)
    }

    /// A type that a storage buffer may hold.
    pub(super) fn host_type(&mut self) -> Ty {
        let s = self.number_scalar();
        match self.rng.below(12) {
            0..=5 => Ty::Scalar(s),
            6..=7 => Ty::Vector(self.rng.range(2, 4) as u8, s),
            8 if self.matrices => self.matrix_type(),
            9 => Ty::Array(Rc::new(Ty::Scalar(s)), self.rng.range(1, 5)),
            10..=11 => match self.host_structs() {
                list if list.is_empty() => Ty::Vector(4, s),
                list => Ty::Struct(self.rng.pick(&list).clone()),
            },
            _ => Ty::Vector(3, s),
        }
    }

    fn host_structs(&self) -> Vec<Rc<Struct>> {
        self.structs.iter().filter(|s| s.members.iter().all(|(_, t)| is_host(t))).cloned().collect()
    }

    pub(super) fn declare_structs(&mut self) {
        for _ in 0..self.rng.below(3) {
            let host = self.rng.chance(60);
            let name = self.name("S");
            let mut members = Vec::new();
            for i in 0..self.rng.range(1, 4) {
                let ty = if host { self.host_type() } else { self.variable_type() };
                if ty.leaves() <= 24 {
                    members.push((format!("m{i}"), ty));
                }
            }
            if members.is_empty() {
                continue;
            }
            let list: Vec<String> = members.iter().map(|(n, t)| format!("{n}: {t}")).collect();
            self.program.declarations.push(format!("struct {name} {{ {} }}", list.join(", ")));
            self.structs.push(Rc::new(Struct { name, members }));
        }
    }

    /// Constants, tables of constants, overrides.
    pub(super) fn declare_constants(&mut self) {
        for _ in 0..self.rng.below(3) {
            let name = self.name("C");
            if self.rng.chance(40) {
                let (ty, default, value) = match self.rng.below(3) {
                    0 => (Scalar::I32, "-3i", f64::from(self.rng.range(0, 40)) - 20.0),
                    1 if self.has(Scalar::F32) => (Scalar::F32, "1.5f", f64::from(self.rng.range(0, 40)) / 4.0),
                    _ => (Scalar::U32, "5u", f64::from(self.rng.range(0, 9))),
                };
                self.program.declarations.push(format!("override {name}: {} = {default};", ty.name()));
                let value = if self.rng.chance(60) { Some(value) } else { None };
                self.program.overrides.push((name.clone(), value));
                self.scope.push(Root::new(name, Ty::Scalar(ty), Space::Constant));
                continue;
            }
            let ty = if self.rng.chance(50) {
                let element = self.simple();
                Ty::Array(Rc::new(element), self.rng.range(2, 9))
            } else {
                self.simple()
            };
            let kids = match &ty {
                Ty::Array(t, n) => (0..*n).map(|_| self.constant(t)).collect(),
                _ => vec![self.constant(&ty)],
            };
            let operands: Vec<String> = kids.iter().map(|k| k.text()).collect();
            self.program.declarations.push(format!("const {name} = {ty}({});", operands.join(", ")));
            self.scope.push(Root::new(name, ty, Space::Constant));
        }
    }

    pub(super) fn declare_private(&mut self) {
        for _ in 0..self.rng.below(3) {
            let (name, ty) = (self.name("p"), self.variable_type());
            let init = if self.rng.chance(50) { format!(" = {}", self.constant(&ty).text()) } else { String::new() };
            self.program.declarations.push(format!("var<private> {name}: {ty}{init};"));
            self.scope.push(Root::new(name, ty, Space::Private));
        }
    }
}

/// Whether a type may lie in a buffer: no bool inside.
pub fn is_host(ty: &Ty) -> bool {
    match ty {
        Ty::Array(t, _) | Ty::Runtime(t) => is_host(t),
        Ty::Struct(s) => s.members.iter().all(|(_, t)| is_host(t)),
        _ => ty.scalar() != Some(Scalar::Bool),
    }
}
