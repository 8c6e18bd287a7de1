//! Buffers, work-group memory and atomics, and who may touch which element when.
//!
//! - A read-only buffer is read anywhere, also far outside.
//! - Of a writable buffer each invocation reads and writes its own elements only, unless it is the only one.
//! - A *scatter* buffer is written anywhere, but what is written depends on the index alone, and nothing reads it.
//! - An atomic buffer takes one commutative kind of operation anywhere, or every kind on the own element.
//! - Work-group memory changes its rule at barriers: own elements, or read by all.

use super::{
    Generator,
    paths::{Root, Space},
};
use crate::{
    ast::{Block, Buffer, Expr, Scalar, Stmt, Ty},
    layout,
};
use std::rc::Rc;

/// What may be done to a work-group variable until the next barrier.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Each invocation has the element of its own index.
    Owned,
    /// Everything is read, nothing written.
    Shared,
    /// One statement that one invocation runs may write it.
    Closed,
    /// Nothing may touch it.
    Done,
}

/// A variable in work-group memory.
pub struct Shared {
    name: String,
    ty: Ty,
    /// Where its root is in the scope.
    root: usize,
    state: State,
}

/// What may be done to atomics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    /// Operations that commute, on any element, their results unused.
    Any(&'static [&'static str]),
    /// Everything, on the own element (or on any, in a single invocation).
    Own,
    /// Loads of any element.
    Load,
}

/// An array of atomics.
pub struct Atomic {
    name: String,
    scalar: Scalar,
    mode: Mode,
    workgroup: bool,
}

/// A buffer that is written anywhere.
pub struct Scatter {
    name: String,
    value: &'static str,
}

const COMMUTING: [&[&str]; 6] =
    [&["atomicAdd", "atomicSub"], &["atomicMin"], &["atomicMax"], &["atomicAnd"], &["atomicOr"], &["atomicXor"]];

impl Generator {
    /// Whether only one invocation runs.
    fn is_single(&self) -> bool {
        self.invocations() == 1
    }

    pub(super) fn invocations(&self) -> u32 {
        self.size.iter().chain(&self.program.groups).product()
    }

    fn buffer(&mut self, name: &str, ty: Ty, space: &'static str, elements: u32) {
        let (fixed, stride) = layout::fixed(&ty);
        let slack = if stride.is_some() && self.rng.chance(40) { self.rng.below(4) as u32 * 4 } else { 0 };
        let buffer = Buffer {
            name: name.into(),
            binding: self.program.buffers.len() as u32,
            bytes: (fixed + stride.map_or(0, |s| s * elements.max(1) + slack.min(s - 1))) as usize,
            ty,
            space,
            seed: self.rng.next(),
        };
        self.program.buffers.push(buffer);
    }

    /// Elements of an array that the invocations share out: seldom exactly enough.
    fn elements(&mut self, each: u32) -> u32 {
        let n = self.invocations() * each;
        match self.rng.below(6) {
            0 => n + self.rng.range(0, 9),
            1 => n.saturating_sub(self.rng.range(0, 9)).max(1),
            2 => self.rng.range(1, n),
            _ => n,
        }
    }

    pub(super) fn declare_buffers(&mut self) {
        if self.rng.chance(40) {
            let (name, ty) = (self.name("n"), self.uniform_type());
            self.buffer(&name, ty.clone(), "uniform", 1);
            self.scope.push(Root::new(name, ty, Space::Buffer).uniform());
        }
        for _ in 0..self.rng.range(1, 3) {
            let (name, element) = (self.name("r"), self.host_type());
            let ty = self.array_of(element);
            let elements = self.elements(1);
            self.buffer(&name, ty.clone(), "storage, read", elements);
            self.scope.push(Root::new(name, ty, Space::Buffer).uniform());
        }
        self.declare_written(Ty::Scalar(Scalar::U32));
        for _ in 0..self.rng.below(3) {
            let element = self.host_type();
            self.declare_written(element);
        }
        if self.rng.chance(25) {
            self.declare_atomic();
        }
        if self.rng.chance(20) {
            let name = self.name("s");
            let (s, value) = *self.rng.pick(&[
                (Scalar::U32, "($ * 2654435761u) ^ 7u"),
                (Scalar::I32, "i32($) - 5i"),
                (Scalar::U32, "$"),
                (Scalar::U32, "~($ << 3u)"),
            ]);
            let elements = self.elements(1);
            self.buffer(&name, Ty::Runtime(Rc::new(Ty::Scalar(s))), "storage, read_write", elements);
            self.scatters.push(Scatter { name, value });
        }
    }

    /// A runtime-sized array, sometimes behind other members of a struct, sometimes of a fixed size.
    fn array_of(&mut self, element: Ty) -> Ty {
        match self.rng.below(8) {
            0 => Ty::Array(Rc::new(element), self.rng.range(1, 40)),
            1 => {
                let name = self.name("S");
                let head = self.host_type();
                let members = vec![("head".to_string(), head), ("list".to_string(), Ty::Runtime(Rc::new(element)))];
                let list: Vec<String> = members.iter().map(|(n, t)| format!("{n}: {t}")).collect();
                self.program.declarations.push(format!("struct {name} {{ {} }}", list.join(", ")));
                Ty::Struct(Rc::new(crate::ast::Struct { name, members }))
            }
            _ => Ty::Runtime(Rc::new(element)),
        }
    }

    fn uniform_type(&mut self) -> Ty {
        let s = self.number_scalar();
        let four = Ty::Vector(4, if s.bytes() == 4 { s } else { Scalar::U32 });
        match self.rng.below(4) {
            0 => Ty::Scalar(s),
            1 => Ty::Array(Rc::new(four), self.rng.range(1, 4)),
            _ => {
                let name = self.name("S");
                let mut members = Vec::new();
                for i in 0..self.rng.range(1, 4) {
                    let s = self.number_scalar();
                    let n = self.rng.range(1, 4) as u8;
                    members.push((format!("m{i}"), if n == 1 { Ty::Scalar(s) } else { Ty::Vector(n, s) }));
                }
                if self.rng.chance(30) {
                    members.push(("list".into(), Ty::Array(Rc::new(four), self.rng.range(1, 4))));
                }
                let list: Vec<String> = members.iter().map(|(n, t)| format!("{n}: {t}")).collect();
                self.program.declarations.push(format!("struct {name} {{ {} }}", list.join(", ")));
                Ty::Struct(Rc::new(crate::ast::Struct { name, members }))
            }
        }
    }

    /// A buffer of which each invocation has some elements.
    fn declare_written(&mut self, element: Ty) {
        let name = self.name("o");
        if self.is_single() {
            let ty = self.array_of(element);
            let elements = self.rng.range(1, 20);
            self.buffer(&name, ty.clone(), "storage, read_write", elements);
            self.scope.push(Root::new(name, ty, Space::Buffer).writable(true));
            return;
        }
        let each = if self.rng.chance(40) { self.rng.range(2, 4) } else { 1 };
        let ty = self.array_of(element.clone());
        let elements = self.elements(each);
        self.buffer(&name, ty.clone(), "storage, read_write", elements);
        let path = if let Ty::Struct(_) = ty { format!("{name}.list") } else { name };
        for i in 0..each {
            let index = match (each, i) {
                (1, _) => "own".into(),
                (_, 0) => format!("own * {each}u"),
                _ => format!("own * {each}u + {i}u"),
            };
            self.own_roots
                .push(Root::new(format!("{path}[{index}]"), element.clone(), Space::Buffer).writable(true).pinned());
        }
    }

    fn commuting(&mut self) -> Mode {
        Mode::Any(COMMUTING[self.rng.below(COMMUTING.len())])
    }

    fn atomic_scalar(&mut self) -> Scalar {
        let wide = self.has(Scalar::I64) && self.rng.chance(40);
        match (wide, self.rng.chance(50)) {
            (false, false) => Scalar::U32,
            (false, true) => Scalar::I32,
            (true, false) => Scalar::U64,
            (true, true) => Scalar::I64,
        }
    }

    fn declare_atomic(&mut self) {
        let (name, scalar) = (self.name("t"), self.atomic_scalar());
        let mode = if self.is_single() || self.rng.chance(40) { Mode::Own } else { self.commuting() };
        let few = self.rng.range(1, 8);
        let elements = if self.rng.chance(40) { few } else { self.elements(1) };
        self.buffer(&name, Ty::Runtime(Rc::new(Ty::Atomic(scalar))), "storage, read_write", elements);
        self.atomics.push(Atomic { name, scalar, mode, workgroup: false });
    }

    /// Work-group memory.
    pub(super) fn declare_shared(&mut self) {
        let lanes: u32 = self.size.iter().product();
        for _ in 0..self.rng.range(1, 3) {
            let name = self.name("w");
            if self.rng.chance(25) {
                let scalar = if self.rng.chance(50) { Scalar::U32 } else { Scalar::I32 };
                let n = self.rng.range(1, 9);
                self.program
                    .declarations
                    .push(format!("var<workgroup> {name}: array<atomic<{}>, {n}>;", scalar.name()));
                let mode = self.commuting();
                self.atomics.push(Atomic { name, scalar, mode, workgroup: true });
                continue;
            }
            let element = if self.rng.chance(70) { self.simple() } else { self.variable_type() };
            let ty = match self.rng.below(6) {
                0 => element,
                1 => Ty::Array(Rc::new(element), self.rng.range(1, 9)),
                _ => Ty::Array(Rc::new(element), lanes),
            };
            self.program.declarations.push(format!("var<workgroup> {name}: {ty};"));
            self.shared.push(Shared { name, ty, root: 0, state: State::Closed });
        }
    }

    /// Brings work-group memory into the entry point's scope.
    pub(super) fn open_shared(&mut self) {
        for i in 0..self.shared.len() {
            self.shared[i].root = self.scope.len();
            let (name, ty) = (self.shared[i].name.clone(), self.shared[i].ty.clone());
            self.scope.push(Root::new(name, ty, Space::Workgroup).pinned());
            self.enter(i);
        }
    }

    /// Draws what may be done to a work-group variable from now on.
    fn enter(&mut self, i: usize) {
        let state = match self.rng.below(5) {
            0..=1 => State::Owned,
            2..=3 => State::Shared,
            _ => State::Closed,
        };
        let shared = &mut self.shared[i];
        let root = &mut self.scope[shared.root];
        shared.state = state;
        (root.readable, root.writable) = match state {
            State::Owned => (true, true),
            State::Shared => (true, false),
            State::Closed | State::Done => (false, false),
        };
        (root.text, root.ty) = (shared.name.clone(), shared.ty.clone());
        if let (State::Owned, Ty::Array(element, _)) = (state, &shared.ty) {
            (root.text, root.ty) = (format!("{}[lidx]", shared.name), (**element).clone());
        } else if state == State::Owned {
            // No invocation owns what is no array.
            shared.state = State::Closed;
            (root.readable, root.writable) = (false, false);
        }
    }

    /// A barrier, after which work-group memory may change hands.
    pub(super) fn barrier(&mut self, block: &mut Block) {
        let form = match self.rng.below(8) {
            0 => "storageBarrier(); workgroupBarrier();",
            _ => "workgroupBarrier();",
        };
        block.push(Stmt::new(form, vec![]).pinned());
        for i in 0..self.shared.len() {
            if self.rng.chance(70) {
                self.enter(i);
            }
        }
        for i in 0..self.atomics.len() {
            if self.atomics[i].workgroup {
                let mode = if self.rng.chance(40) { Mode::Load } else { self.commuting() };
                self.atomics[i].mode = mode;
            }
        }
    }

    /// A statement that one invocation of a group runs, writing a variable that nothing else touches.
    pub(super) fn leader(&mut self) -> Option<Stmt> {
        let closed: Vec<usize> = (0..self.shared.len()).filter(|i| self.shared[*i].state == State::Closed).collect();
        if closed.is_empty() {
            return None;
        }
        let i = *self.rng.pick(&closed);
        self.shared[i].state = State::Done;
        let (name, ty) = match &self.shared[i] {
            Shared { name, ty: Ty::Array(element, _), .. } => (format!("{name}[$]"), (**element).clone()),
            Shared { name, ty, .. } => (name.clone(), ty.clone()),
        };
        let lanes: u32 = self.size.iter().product();
        let leader = self.rng.below(lanes as usize);
        let mut kids = Vec::new();
        if name.ends_with(']') {
            kids.push(self.non_const(&Ty::Scalar(Scalar::U32)));
        }
        kids.push(self.expr(&ty));
        Some(Stmt::new(format!("if (lidx == {leader}u) {{ {name} = $; }}"), kids).pinned())
    }

    /// A value that the group reads together, between two barriers of its own.
    pub(super) fn uniform_load(&mut self) -> Option<Stmt> {
        if self.shared.is_empty() {
            return None;
        }
        let i = self.rng.below(self.shared.len());
        let (path, ty) = match &self.shared[i] {
            Shared { name, ty: Ty::Array(element, n), .. } => {
                (format!("{name}[{}]", self.rng.below(*n as usize)), (**element).clone())
            }
            Shared { name, ty, .. } => (name.clone(), ty.clone()),
        };
        let name = self.name("v");
        self.scope.push(Root::new(name.clone(), ty, Space::Value).uniform());
        Some(Stmt::new(format!("let {name} = workgroupUniformLoad(&{path});"), vec![]).pinned())
    }

    /// An atomic operation or a scattered store.
    pub(super) fn memory_statement(&mut self) -> Option<Stmt> {
        let u32s = Ty::Scalar(Scalar::U32);
        // In a function only what needs no own index.
        if !self.scatters.is_empty() && self.rng.chance(40) {
            let i = self.rng.below(self.scatters.len());
            let index = self.non_const(&u32s);
            let at = self.name("v");
            let Scatter { name, value } = &self.scatters[i];
            let value = value.replace('$', &at);
            return Some(Stmt::new(format!("{{ let {at} = $; {name}[{at}] = {value}; }}"), vec![index]));
        }
        if self.atomics.is_empty() {
            return None;
        }
        let i = self.rng.below(self.atomics.len());
        let Atomic { name, scalar, mode, workgroup } = &self.atomics[i];
        let (name, ty, mode, workgroup) = (name.clone(), Ty::Scalar(*scalar), *mode, *workgroup);
        if workgroup && self.inside.is_some() {
            return None;
        }
        match mode {
            Mode::Any(ops) => {
                let op = *self.rng.pick(ops);
                let index = if workgroup { self.non_const(&u32s) } else { self.any_index() };
                let value = self.expr(&ty);
                Some(Stmt::new(format!("{op}(&{name}[$], $);"), vec![index, value]))
            }
            Mode::Load => {
                let index = self.non_const(&u32s);
                Some(self.bind(format!("atomicLoad(&{name}[$])"), vec![index], ty))
            }
            Mode::Own => self.own_atomic(name, ty),
        }
    }

    fn own_atomic(&mut self, name: String, ty: Ty) -> Option<Stmt> {
        let place = if self.is_single() { "$".into() } else { self.own_name()?.to_string() };
        let mut kids: Vec<Expr> = Vec::new();
        if self.is_single() {
            kids.push(self.any_index());
        }
        let place = format!("&{name}[{place}]");
        let ops = ["Add", "Sub", "Min", "Max", "And", "Or", "Xor", "Exchange", "Load", "Store", "CompareExchangeWeak"];
        let op = *self.rng.pick(&ops);
        match op {
            "Load" => Some(self.bind(format!("atomicLoad({place})"), kids, ty)),
            "Store" => {
                kids.push(self.expr(&ty));
                Some(Stmt::new(format!("atomicStore({place}, $);"), kids))
            }
            "CompareExchangeWeak" => {
                kids.extend([self.expr(&ty), self.expr(&ty)]);
                let (member, ty) = match self.rng.chance(50) {
                    true => ("old_value", ty),
                    false => ("exchanged", Ty::Scalar(Scalar::Bool)),
                };
                Some(self.bind(format!("atomicCompareExchangeWeak({place}, $, $).{member}"), kids, ty))
            }
            _ => {
                kids.push(self.expr(&ty));
                Some(self.bind(format!("atomic{op}({place}, $)"), kids, ty))
            }
        }
    }

    fn bind(&mut self, form: String, kids: Vec<Expr>, ty: Ty) -> Stmt {
        let name = self.name("v");
        self.scope.push(Root::new(name.clone(), ty, Space::Value));
        Stmt::new(format!("let {name} = {form};"), kids)
    }

    fn any_index(&mut self) -> Expr {
        self.index(0)
    }
}
