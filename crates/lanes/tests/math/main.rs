//! The functions of the IR: how far they are from the truth, and that all engines give the same bits.

#[path = "../interp_ir/build.rs"]
#[allow(dead_code)]
mod build;
mod double;
mod functions;
mod single;

use evener_lanes::{Buffer, Engine, Grid, GroupRange, Level, Program, Settings, ir::*, math::expand};
use functions::FUNCTIONS;

fn program(kernel: Kernel, engine: Engine) -> Program {
    Program::with(kernel, &Settings::default().engine(engine)).unwrap()
}

fn bytes<T: Copy>(v: &mut [T]) -> &mut [u8] {
    // SAFETY: plain numbers.
    unsafe { std::slice::from_raw_parts_mut(v.as_mut_ptr().cast(), size_of_val(v)) }
}

/// Runs a kernel of a function.
fn run<T: Copy + Default>(program: &Program, x: &[T], y: &[T]) -> Vec<T> {
    let (mut x, mut y, mut out) = (x.to_vec(), y.to_vec(), vec![T::default(); x.len()]);
    let grid = Grid { groups: [x.len().div_ceil(64) as u32, 1, 1] };
    let buffers = [&mut x[..], &mut y[..], &mut out[..]].map(|v| Buffer::write(bytes(v)));
    program.run(&buffers, grid, GroupRange::all(grid)).unwrap();
    out
}

/// A well-mixed sequence.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

/// Where functions change their ways: ends of domains, ranges and formats.
const EDGES: [f64; 40] = [
    0.0,
    1e-300,
    1e-45,
    1e-40,
    f32::MIN_POSITIVE as f64,
    1e-30,
    1e-8,
    2.4e-4,
    0.1,
    0.25,
    1.0 / 3.0,
    0.5,
    0.55,
    0.6,
    2.0 / 3.0,
    std::f64::consts::FRAC_1_SQRT_2,
    std::f64::consts::FRAC_PI_4,
    1.0,
    4.0 / 3.0,
    std::f64::consts::SQRT_2,
    1.5,
    std::f64::consts::FRAC_PI_2,
    2.0,
    3.0,
    std::f64::consts::PI,
    9.0,
    10.0,
    20.0,
    88.72284,
    89.415985,
    103.97,
    126.0,
    128.0,
    149.0,
    709.782712893384,
    745.2,
    1022.0,
    1e5,
    1e10,
    f32::MAX as f64,
];

/// `f32` or `f64`.
trait Float: Copy + Default + std::fmt::LowerExp {
    const TY: Ty;
    fn of(bits: u64) -> Self;
    fn near(x: f64) -> Self;
    fn bits(self) -> u64;
    fn is_nan(self) -> bool;
}

macro_rules! float {
    ($t:ident $ty:ident $word:ident) => {
        impl Float for $t {
            const TY: Ty = Ty::$ty;

            fn of(bits: u64) -> $t {
                $t::from_bits(bits as $word)
            }

            fn near(x: f64) -> $t {
                x as $t
            }

            fn bits(self) -> u64 {
                self.to_bits().into()
            }

            fn is_nan(self) -> bool {
                self.is_nan()
            }
        }
    };
}
float!(f32 F32 u32);
float!(f64 F64 u64);

/// Edges with their neighbours and opposites, and random bits.
fn arguments<T: Float>() -> Vec<T> {
    let near = |x: f64| (-3..4).map(move |d| T::of(T::near(x).bits().saturating_add_signed(d)));
    let mut r = Random(1);
    let random = std::iter::repeat_with(|| T::of(r.next())).take(20_000);
    let sign = 1 << (8 * T::TY.bytes() - 1);
    let ends = [f64::INFINITY, f64::NAN].map(T::near);
    let all: Vec<T> = EDGES.into_iter().flat_map(near).chain(ends).chain(random).collect();
    all.iter().flat_map(|x| [*x, T::of(x.bits() ^ sign)]).collect()
}

/// Each argument once, then pairs of all edges, then random pairs.
fn pairs<T: Copy>(arguments: &[T]) -> (Vec<T>, Vec<T>) {
    let edges = &arguments[..arguments.len().min(600)];
    let product = edges.iter().flat_map(|x| edges.iter().map(|y| (*x, *y)));
    let mut r = Random(2);
    let mut random = |x: &T| (*x, arguments[r.next() as usize % arguments.len()]);
    product.chain(arguments.iter().map(&mut random)).unzip()
}

/// The kernel by the interpreter, by machine code (where the machine has it), and expanded by the interpreter, at
/// every level.
fn ways(kernel: &Kernel) -> Vec<(String, Program)> {
    let mut expanded = kernel.clone();
    expand(&mut expanded);
    verify::verify(&expanded).unwrap_or_else(|e| panic!("{e}\n{expanded}"));
    let of_level = |level| {
        let interpreter = Engine::Interpreter(level);
        let whole = [interpreter, Engine::Jit(level)].map(|e| (format!("{e:?}"), program(kernel.clone(), e)));
        whole.into_iter().chain([(format!("expanded, {interpreter:?}"), program(expanded.clone(), interpreter))])
    };
    Level::available().flat_map(of_level).collect()
}

fn check_expansion<T: Float>() {
    let (x, y) = pairs(&arguments::<T>());
    for function in &FUNCTIONS {
        let kernel = function.kernel(T::TY);
        let best = run(&program(kernel.clone(), Engine::Interpreter(Level::detect())), &x, &y);
        for (way, program) in ways(&kernel) {
            let got = run(&program, &x, &y);
            for i in 0..x.len() {
                assert!(
                    got[i].bits() == best[i].bits() || (got[i].is_nan() && best[i].is_nan()),
                    "{}({:e}, {:e}) by {way}: {:e} is not {:e}",
                    function.name,
                    x[i],
                    y[i],
                    got[i],
                    best[i]
                );
            }
        }
    }
}

#[test]
fn all_engines_give_the_same_bits() {
    check_expansion::<f32>();
    check_expansion::<f64>();
}
