//! The versions of a kernel that are timed beside each other.

use crate::{
    hand::Bench,
    work::{Data, Number},
};
use evener_lanes::{Buffer, Engine, Grid, GroupRange, Level, Module, Program, Settings};
use std::fmt;

/// A version of a kernel.
pub enum Contender {
    /// Scalar Rust.
    Scalar,
    /// Intrinsics.
    Hand(Level, &'static str),
    /// The WGSL by the interpreter.
    Interpreter(Box<Ready>),
    /// The WGSL by machine code for a level.
    Jit(Level, Box<Ready>),
}

impl fmt::Display for Contender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Contender::Scalar => f.write_str("scalar"),
            Contender::Hand(level, "") => write!(f, "hand {level:?}"),
            Contender::Hand(level, name) => write!(f, "hand {level:?}, {name}"),
            Contender::Interpreter(_) => f.write_str("interpreter"),
            Contender::Jit(level, _) => write!(f, "JIT {level:?}"),
        }
    }
}

impl Contender {
    /// Runs it some times.
    pub fn run(&self, bench: &mut dyn Bench, repeats: u32) {
        match self {
            Contender::Scalar => (0..repeats).for_each(|_| bench.run_scalar()),
            Contender::Hand(level, name) => (0..repeats).for_each(|_| bench.run_hand(*level, name)),
            Contender::Interpreter(ready) | Contender::Jit(_, ready) => ready.run(bench, repeats),
        }
    }
}

/// All versions that this machine runs: scalar Rust first.
pub fn contenders(bench: &dyn Bench) -> Vec<Contender> {
    let mut all = vec![Contender::Scalar];
    all.extend(bench.hands().into_iter().map(|(level, name)| Contender::Hand(level, name)));
    all.push(Contender::Interpreter(Box::new(Ready::new(bench, Engine::Interpreter(Level::detect())))));
    for level in Level::available().filter(|l| *l > Level::Baseline) {
        let ready = Ready::new(bench, Engine::Jit(level));
        match ready.program.is_native() {
            true => all.push(Contender::Jit(level, Box::new(ready))),
            false => {
                let why = ready.program.fallback().unwrap_or("no reason given");
                println!("{}, JIT {level:?}: the interpreter runs ({why})", bench.name());
            }
        }
    }
    all
}

/// A program with its uniforms and its grid.
pub struct Ready {
    program: Program,
    params: Vec<(&'static str, Number)>,
    grid: Grid,
}

impl Ready {
    /// Compiles a kernel.
    pub fn new(bench: &dyn Bench, engine: Engine) -> Self {
        let module = Module::parse(bench.source()).expect("valid WGSL");
        let kernel = module.lower("main").expect("lowers");
        let (items, size) = (bench.items(), kernel.workgroup_size);
        let grid = Grid { groups: std::array::from_fn(|a| items[a].div_ceil(size[a])) };
        let program = Program::with(kernel, &Settings::default().engine(engine)).expect("compiles");
        Ready { program, params: bench.params(), grid }
    }

    /// Runs it some times.
    pub fn run(&self, bench: &mut dyn Bench, repeats: u32) {
        let uniform: Vec<u8> = self.params.iter().flat_map(|(_, number)| number.bytes()).collect();
        let mut storage: Vec<(&str, Buffer<'_>)> = bench.storage().into_iter().map(|(n, d)| (n, buffer(d))).collect();
        let bindings = &self.program.kernel().bindings;
        let of = |name: &str| match storage.iter().position(|(n, _)| *n == name) {
            Some(k) => storage.swap_remove(k).1,
            None => Buffer::read(&uniform),
        };
        let buffers: Vec<Buffer<'_>> = bindings.iter().map(|b| b.name.as_str()).map(of).collect();
        let range = GroupRange::all(self.grid);
        for _ in 0..repeats {
            self.program.run(&buffers, self.grid, range).expect("runs");
        }
    }
}

fn buffer(data: Data<'_>) -> Buffer<'_> {
    match data {
        Data::U32(v) => Buffer::read(bytemuck::cast_slice(v)),
        Data::F32(v) => Buffer::read(bytemuck::cast_slice(v)),
        Data::Vec4(v) => Buffer::read(bytemuck::cast_slice(v)),
        Data::WriteU32(v) => Buffer::write(bytemuck::cast_slice_mut(v)),
        Data::WriteF32(v) => Buffer::write(bytemuck::cast_slice_mut(v)),
        Data::WriteVec4(v) => Buffer::write(bytemuck::cast_slice_mut(v)),
        Data::WriteVec4u(v) => Buffer::write(bytemuck::cast_slice_mut(v)),
    }
}
