//! Random WGSL programs, valid by construction and free of data races, so that each has one result.
//!
//! - `paths`: what is in scope, and how parts of it are reached; `expr`, `table`: expressions.
//! - `statements`, `flow`: statements; every loop ends after a few iterations.
//! - `memory`: buffers, work-group memory and atomics, and who may touch what between two barriers.
//! - `functions`: helper functions; `entry`: the entry point.
//!
//! Which features a program has is drawn first, so that programs differ in kind and not only in order.

mod entry;
mod expr;
mod flow;
mod functions;
mod memory;
mod paths;
mod statements;
mod table;
mod types;

use crate::{
    ast::{Program, Scalar, Struct, Ty},
    rng::Rng,
};
use functions::Signature;
use memory::{Atomic, Scatter, Shared};
use paths::{Root, Space};
use std::rc::Rc;

/// What programs are asked for.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Statements, about.
    pub size: u32,
    /// Most invocations of a work-group.
    pub invocations: u32,
    /// Only what every GPU has: no 64-bit types, and integers alone so that results are exact.
    pub portable: bool,
}

impl Default for Options {
    fn default() -> Self {
        Options { size: 10, invocations: 256, portable: false }
    }
}

/// The state of making one program.
struct Generator {
    rng: Rng,
    options: Options,
    scalars: Vec<Scalar>,
    matrices: bool,
    /// Whether functions whose last bits the specification leaves open may be used.
    open: bool,
    /// Whether work-group memory and barriers are used.
    cooperative: bool,
    structs: Vec<Rc<Struct>>,
    program: Program,
    scope: Vec<Root>,
    /// Elements of buffers that belong to the invocation alone.
    own_roots: Vec<Root>,
    functions: Vec<Signature>,
    shared: Vec<Shared>,
    atomics: Vec<Atomic>,
    scatters: Vec<Scatter>,
    size: [u32; 3],
    names: u32,
    depth: u32,
    max_depth: u32,
    /// Operators that may still be made in this statement.
    budget: u32,
    /// Statements that may still be made.
    statements: u32,
    /// How often the current statement runs, at most.
    weight: u32,
    /// The most that any statement of the function did.
    heaviest: u32,
    /// Whether only values that a work-group shares are wanted.
    only_uniform: bool,
    /// Whether all invocations of a group reach the current statement or none.
    uniform: bool,
    /// The function being made: its result, if any; `None` for the entry point.
    inside: Option<Option<Ty>>,
    loops: u32,
    /// Whether a `break` leaves the innermost construct.
    breakable: bool,
    continuable: bool,
    /// Whether a `return` may be made here.
    may_return: bool,
}

/// The program of a seed.
pub fn generate(seed: u64, options: Options) -> Program {
    let mut rng = Rng::new(seed);
    let mut scalars = vec![Scalar::I32, Scalar::U32];
    let floats = !options.portable && rng.chance(80);
    if floats {
        scalars.push(Scalar::F32);
    }
    let wide = !options.portable && rng.chance(20);
    if wide {
        scalars.extend([Scalar::I64, Scalar::U64]);
    }
    if !options.portable && rng.chance(15) {
        scalars.push(Scalar::F64);
    }
    let open = floats && rng.chance(25);
    let program = Program {
        declarations: Vec::new(),
        buffers: Vec::new(),
        functions: Vec::new(),
        overrides: Vec::new(),
        groups: [1; 3],
        exact: !open,
        floats: scalars.iter().any(|s| s.is_float()),
    };
    let mut generator = Generator {
        matrices: floats && rng.chance(30),
        open,
        cooperative: rng.chance(25),
        structs: Vec::new(),
        program,
        scope: Vec::new(),
        own_roots: Vec::new(),
        functions: Vec::new(),
        shared: Vec::new(),
        atomics: Vec::new(),
        scatters: Vec::new(),
        size: [1; 3],
        names: 0,
        depth: 0,
        max_depth: rng.range(2, 5),
        budget: 0,
        statements: rng.range(options.size / 3, options.size * 3 / 2),
        weight: 1,
        heaviest: 1,
        only_uniform: false,
        uniform: true,
        inside: None,
        loops: 0,
        breakable: false,
        continuable: false,
        may_return: false,
        scalars,
        options,
        rng,
    };
    generator.make();
    generator.program
}

impl Generator {
    fn make(&mut self) {
        self.grid();
        self.declare_structs();
        self.declare_constants();
        self.declare_buffers();
        if self.cooperative {
            self.declare_shared();
        }
        self.declare_private();
        let globals = self.scope.clone();
        for _ in 0..self.rng.below(4) {
            self.function();
            self.scope.clone_from(&globals);
        }
        self.entry();
    }

    fn name(&mut self, prefix: &str) -> String {
        self.names += 1;
        format!("{prefix}{}", self.names)
    }

    fn has(&self, s: Scalar) -> bool {
        self.scalars.contains(&s)
    }

    /// The name of the invocation's own index, where there is one.
    fn own_name(&self) -> Option<&'static str> {
        self.scope.iter().any(|r| r.text == "own" && r.space == Space::Value).then_some("own")
    }

    /// Runs `f` with what is declared in it out of scope afterwards.
    fn scoped<T>(&mut self, f: impl FnOnce(&mut Self) -> T) -> T {
        let mark = self.scope.len();
        let result = f(self);
        self.scope.truncate(mark);
        result
    }

    /// A fresh allowance of operators for one statement.
    fn refill(&mut self) {
        self.budget = self.rng.range(1, 14);
        self.depth = 0;
    }
}
