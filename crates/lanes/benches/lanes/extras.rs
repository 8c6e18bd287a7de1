//! What is not the speed of one thread: two threads, the time to compile, the cost of a call.

use crate::{
    contest::Ready,
    hand::Bench,
    measure::{Spread, cpu_ns},
    work,
};
use evener_lanes::{Buffer, Engine, Grid, GroupRange, Level, Module, Program, Settings};
use std::time::Instant;

/// Turns of a comparison and of a compilation.
const TURNS: usize = 25;

/// Speed of two threads over one, by the clock on the wall: right only where two cores are free.
pub struct Threads {
    pub kernel: &'static str,
    /// Where the system puts the threads.
    pub free: Spread,
    /// Each thread on a core of its own.
    pub pinned: Spread,
}

/// Two threads against one on the kernels that arithmetic bounds.
pub fn two_threads(wants: impl Fn(&str) -> bool) -> Vec<Threads> {
    let pool = |n| rayon::ThreadPoolBuilder::new().num_threads(n);
    let pools = [pool(1), pool(2), pool(2).start_handler(keep_to_core)].map(|p| p.build().expect("a pool"));
    let mut all = Vec::new();
    for new in work::all!(Box<dyn Bench>) {
        let mut bench = new();
        if !bench.is_compute_bound() || !wants(bench.name()) {
            continue;
        }
        let ready = Ready::new(&*bench, Engine::Auto);
        let mut time = |pool: &rayon::ThreadPool, repeats| {
            let start = Instant::now();
            pool.install(|| ready.run(&mut *bench, repeats));
            start.elapsed().as_secs_f64() / f64::from(repeats)
        };
        let repeats = ((0.02 / time(&pools[0], 1)) as u32).max(1);
        let turns: Vec<[f64; 3]> = (0..TURNS).map(|_| [0, 1, 2].map(|p| time(&pools[p], repeats))).collect();
        let over_one = |p: usize| Spread::of(&turns.iter().map(|times| times[0] / times[p]).collect::<Vec<_>>());
        all.push(Threads { kernel: bench.name(), free: over_one(1), pinned: over_one(2) });
    }
    all
}

/// Keeps the thread to one core, the one of its number in its pool. Left alone, a thread that is woken may share its waker's core
/// for milliseconds while another one is idle: on a virtual machine a core that sleeps may look taken.
#[cfg(target_os = "linux")]
fn keep_to_core(thread: usize) {
    let bytes = size_of::<libc::cpu_set_t>();
    // SAFETY: all zeros is the empty set, and both calls get a set of the size they are told.
    unsafe {
        let [mut allowed, mut one]: [libc::cpu_set_t; 2] = std::mem::zeroed();
        if libc::sched_getaffinity(0, bytes, &mut allowed) == 0 {
            let cores = (0..libc::CPU_SETSIZE as usize).filter(|core| libc::CPU_ISSET(*core, &allowed));
            if let Some(core) = cores.collect::<Vec<_>>().get(thread) {
                libc::CPU_SET(*core, &mut one);
                libc::sched_setaffinity(0, bytes, &one);
            }
        }
    }
}

#[cfg(not(target_os = "linux"))]
fn keep_to_core(_: usize) {}

/// CPU time from source text to a program that is ready, µs.
pub struct Compilation {
    pub kernel: String,
    pub parse: Spread,
    pub lower: Spread,
    pub program: Spread,
    pub total: Spread,
}

/// Compiles the kernels of this benchmark and of the library of shaders.
pub fn compilations(engine: Engine) -> Vec<Compilation> {
    let library = evener_shaders::ALL.iter().map(|(name, source)| (format!("shaders/{name}"), *source));
    let mut sources: Vec<(String, &str)> = library.collect();
    for new in work::all!(Box<dyn Bench>) {
        let source = new().source();
        if sources.iter().all(|(_, known)| *known != source) {
            sources.push((new().name().to_owned(), source));
        }
    }
    sources.into_iter().map(|(name, source)| compilation(name, source, engine)).collect()
}

fn compilation(kernel: String, source: &str, engine: Engine) -> Compilation {
    let settings = Settings::default().engine(engine);
    let mut times = [const { Vec::new() }; 4];
    for _ in 0..TURNS {
        let start = cpu_ns();
        let module = Module::parse(source).expect("valid WGSL");
        let parsed = cpu_ns() - start;
        let entry = module.entries().next().expect("an entry point").to_owned();
        let lowered_kernel = module.lower(&entry).expect("lowers");
        let lowered = cpu_ns() - start;
        let program = Program::with(lowered_kernel, &settings).expect("compiles");
        let total = cpu_ns() - start;
        drop(program);
        let parts = [parsed, lowered - parsed, total - lowered, total];
        times.iter_mut().zip(parts).for_each(|(t, part)| t.push(part / 1e3));
    }
    let [parse, lower, program, total] = times.map(|t| Spread::of(&t));
    Compilation { kernel, parse, lower, program, total }
}

/// CPU time of a call of a program that was compiled and run before, ns: `y = a x + y` over 64 elements.
pub fn small_call(engine: Engine) -> Spread {
    let module = Module::parse(evener_shaders::SAXPY).expect("valid WGSL");
    let kernel = module.lower("saxpy").expect("lowers");
    let program = Program::with(kernel, &Settings::default().engine(engine)).expect("compiles");
    let (a, x, mut y) = ([0.5f32], [1.0f32; 64], [0.0f32; 64]);
    let buffers = [
        Buffer::read(bytemuck::cast_slice(&a)),
        Buffer::read(bytemuck::cast_slice(&x)),
        Buffer::write(bytemuck::cast_slice_mut(&mut y)),
    ];
    let grid = Grid { groups: [1, 1, 1] };
    let sample = || {
        let start = cpu_ns();
        (0..10_000).for_each(|_| program.run(&buffers, grid, GroupRange::all(grid)).expect("runs"));
        (cpu_ns() - start) / 1e4
    };
    Spread::of(&(0..TURNS).map(|_| sample()).collect::<Vec<_>>())
}

/// The engines of this machine by name.
pub fn engines() -> Vec<(String, Engine)> {
    let jits = Level::available().filter(|l| *l > Level::Baseline).map(|l| (format!("JIT {l:?}"), Engine::Jit(l)));
    let is_native = |engine: &Engine| {
        let kernel = Module::parse(evener_shaders::SAXPY).and_then(|m| m.lower("saxpy")).expect("lowers");
        Program::with(kernel, &Settings::default().engine(*engine)).is_ok_and(|p| p.is_native())
    };
    let mut all = vec![("interpreter".to_owned(), Engine::Interpreter(Level::detect()))];
    all.extend(jits.filter(|(_, engine)| is_native(engine)));
    all
}
