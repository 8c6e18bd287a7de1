//! Runs WGSL through every engine and the plain evaluator, and wants the same bytes from all. Buffers lie beside pages that
//! must not be touched.

use super::{guard::Guarded, lockstep};
use evener_lanes::{Buffer, Engine, Error, Grid, GroupRange, Level, Module, Program, Settings, ir, ir::Kernel};

/// Every engine that can run here.
pub fn engines() -> Vec<Engine> {
    let mut list: Vec<Engine> = Level::available().map(Engine::Interpreter).collect();
    list.push(Engine::Auto);
    list.extend(Level::available().filter(|l| *l > Level::Baseline).map(Engine::Jit));
    list
}

pub fn compile(source: &str) -> Result<Kernel, Error> {
    Module::parse(source)?.lower("main")
}

/// Runs `main` of the source over a grid by every engine; the buffers, in the order of their bindings, are the same after
/// each.
pub fn run(source: &str, buffers: &[Vec<u8>], groups: [u32; 3]) -> Vec<Vec<u8>> {
    run_as(source, buffers, groups, |_| {})
}

/// [`run`], where `canonical` makes the bytes equal that may differ: those of NaN.
pub fn run_as(source: &str, buffers: &[Vec<u8>], groups: [u32; 3], canonical: impl Fn(&mut [Vec<u8>])) -> Vec<Vec<u8>> {
    let kernel = compile(source).unwrap_or_else(|e| panic!("{e}\n{source}"));
    run_kernel(&kernel, source, buffers, groups, canonical)
}

/// [`run_as`] for a kernel that is there.
pub fn run_kernel(
    kernel: &Kernel,
    source: &str,
    buffers: &[Vec<u8>],
    groups: [u32; 3],
    canonical: impl Fn(&mut [Vec<u8>]),
) -> Vec<Vec<u8>> {
    let text = kernel.to_string();
    let again = ir::parse::parse(&text).unwrap_or_else(|e| panic!("{e}\n{text}"));
    assert_eq!(again.to_string(), text, "the text form is read back");
    let grid = Grid { groups };
    let mut expected: Option<Vec<Vec<u8>>> = None;
    for (turn, engine) in engines().into_iter().enumerate() {
        let settings = Settings::default().contract(false).engine(engine);
        let program = Program::with(kernel.clone(), &settings).unwrap_or_else(|e| panic!("{e}\n{source}"));
        let mut after =
            run_guarded(&program, buffers, grid, turn).unwrap_or_else(|e| panic!("{engine:?}: {e}\n{source}"));
        canonical(&mut after);
        match &expected {
            Some(expected) => assert!(*expected == after, "{engine:?} differs\n{source}\n{kernel}"),
            None => expected = Some(after),
        }
    }
    expected.expect("an engine")
}

/// Runs a program on buffers each of which lies before a guard page or behind one, by turns.
fn run_guarded(program: &Program, buffers: &[Vec<u8>], grid: Grid, turn: usize) -> Result<Vec<Vec<u8>>, String> {
    let (mut after, mut guarded) = (buffers.to_vec(), Guarded::new());
    let placed: Option<Vec<*mut u8>> =
        buffers.iter().enumerate().map(|(k, bytes)| guarded.place(bytes, (turn + k).is_multiple_of(2))).collect();
    let starts = placed.as_deref().map_or_else(|| after.iter_mut().map(|b| b.as_mut_ptr()).collect(), <[_]>::to_vec);
    let bound: Vec<Buffer<'_>> = starts
        .iter()
        .zip(buffers)
        .map(|(start, bytes)| {
            // SAFETY: as many bytes are there until the end of this function, and nothing else touches them during the run.
            unsafe { Buffer::from_raw(*start, bytes.len() as u64, true) }
        })
        .collect();
    program.run(&bound, grid, GroupRange::all(grid)).map_err(|e| e.to_string())?;
    match placed {
        Some(all) => (0..all.len()).map(|k| guarded.bytes(k)).collect(),
        None => Ok(after),
    }
}

/// [`run`], compared with the plain evaluator too. Only for programs whose results are exact.
pub fn run_exact(source: &str, buffers: &[Vec<u8>], groups: [u32; 3]) -> Vec<Vec<u8>> {
    let after = run(source, buffers, groups);
    let kernel = compile(source).expect("compiled before");
    let mut plain = buffers.to_vec();
    lockstep::run(&kernel, &mut plain, groups).unwrap_or_else(|e| panic!("{e}\n{source}"));
    assert!(plain == after, "the plain evaluator differs\n{source}\n{kernel}");
    after
}

macro_rules! plain {
    ($($ty:ident $to:ident $from:ident;)*) => {$(
        /// The bytes of numbers.
        #[allow(dead_code, reason = "one rule for all types")]
        pub fn $to(values: &[$ty]) -> Vec<u8> {
            values.iter().flat_map(|v| v.to_le_bytes()).collect()
        }

        /// The numbers of bytes.
        #[allow(dead_code, reason = "one rule for all types")]
        pub fn $from(bytes: &[u8]) -> Vec<$ty> {
            bytes.chunks_exact(size_of::<$ty>()).map(|b| $ty::from_le_bytes(b.try_into().expect("their size"))).collect()
        }
    )*};
}
plain! {
    u16 from_u16 to_u16;
    u32 from_u32 to_u32;
    i32 from_i32 to_i32;
    f32 from_f32 to_f32;
    f64 from_f64 to_f64;
    u64 from_u64 to_u64;
}
