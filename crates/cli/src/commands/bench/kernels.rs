//! What the benchmark measures: kernels and functions of the library, with how the arguments follow from a size.

use super::{functions, functions::Function, shapes};
use evener_shaders::{self as shaders, linalg};

/// Names of all of it, as they are given on the command line: kernels of the examples, BabelStream's five, building
/// blocks, linear algebra.
pub const NAMES: [&str; 25] = [
    "saxpy",
    "stencil5",
    "mandelbrot",
    "nbody",
    "histogram",
    "shallow_water",
    "black_scholes",
    "copy",
    "mul",
    "add",
    "triad",
    "dot",
    "sum",
    "scan",
    "compact",
    "count_bins",
    "sort",
    "transpose",
    "convolve",
    "random",
    "normal",
    "gemm",
    "gemv",
    "spmv",
    "fft_pass",
];

/// Largest size taken, in elements: the buffers of one cell stay within a few GiB.
pub const MAX_SIZE: u64 = 1 << 27;

/// What is measured, at any size.
#[derive(Clone, Copy, Debug)]
pub struct Spec {
    /// Of [`NAMES`].
    pub name: &'static str,
    /// What runs.
    pub work: Work,
    /// Sizes measured unless others are asked for, in elements.
    pub sizes: [u64; 4],
    /// The arguments at about a size.
    pub shape: fn(u64) -> Shape,
}

/// One call, or a function that makes several.
#[derive(Clone, Copy, Debug)]
pub enum Work {
    /// The parts of its WGSL.
    Kernel(&'static [&'static str]),
    /// With whatever the library does for it on each device.
    Function(Function),
}

/// Arguments.
#[derive(Clone, Debug)]
pub struct Shape {
    /// Elements: what the size is counted in.
    pub size: u64,
    /// Invocations of a kernel on each axis.
    pub items: [u64; 3],
    /// Storage buffers.
    pub buffers: Vec<Buffer>,
    /// Uniforms and members of uniforms, with their values as text.
    pub uniforms: Vec<(&'static str, String)>,
}

/// A storage buffer.
#[derive(Clone, Copy, Debug)]
pub struct Buffer {
    /// Its name.
    pub name: &'static str,
    /// Element type.
    pub kind: Kind,
    /// Elements.
    pub len: usize,
    /// What it starts with.
    pub fill: Fill,
    /// Whether the kernel writes it.
    pub written: bool,
}

/// Element type of a buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `f32`.
    Float,
    /// `u32`.
    Word,
    /// `vec2<f32>`.
    Pair,
    /// `vec4<f32>`.
    Vector,
}

impl Kind {
    /// 4-byte words of an element.
    pub fn words(self) -> usize {
        match self {
            Kind::Float | Kind::Word => 1,
            Kind::Pair => 2,
            Kind::Vector => 4,
        }
    }
}

/// What a buffer starts with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fill {
    /// Zeros.
    Zero,
    /// Numbers from 0.5 to 1.5 without structure.
    Near1,
    /// Integers from 0 to 255 without structure.
    Byte,
    /// Integers below this, which is at least 1, without structure.
    Below(u32),
    /// Multiples of this.
    Multiples(u32),
    /// The roots of unity of as many as there are elements, clockwise: real and imaginary parts.
    Roots,
}

impl Shape {
    /// Bytes of all buffers.
    pub fn bytes(&self) -> u64 {
        self.buffers.iter().map(|b| 4 * (b.kind.words() * b.len) as u64).sum()
    }
}

/// The kernel of a name of [`NAMES`].
pub fn spec(name: &str) -> Option<Spec> {
    /// Kernels over a line of elements.
    const LINE: [u64; 4] = [1 << 12, 1 << 16, 1 << 20, 1 << 23];
    /// Kernels over a square.
    const SQUARE: [u64; 4] = [64 * 64, 256 * 256, 1024 * 1024, 2048 * 2048];
    /// Kernels over a line for which a page of elements is little work.
    const SHORT: [u64; 4] = [1 << 12, 1 << 15, 1 << 18, 1 << 21];
    let function = Work::Function;
    let (work, sizes, shape): (_, _, fn(u64) -> Shape) = match name {
        "saxpy" => (Work::Kernel(&[shaders::SAXPY]), LINE, shapes::saxpy),
        "stencil5" => (Work::Kernel(&[shaders::STENCIL5]), SQUARE, shapes::stencil5),
        "mandelbrot" => (Work::Kernel(&[shaders::MANDELBROT]), SQUARE, shapes::mandelbrot),
        "nbody" => (Work::Kernel(&[shaders::NBODY]), [256, 1024, 4096, 16384], shapes::nbody),
        "histogram" => (Work::Kernel(&[shaders::HISTOGRAM]), LINE, shapes::histogram),
        "shallow_water" => (Work::Kernel(&[shaders::SHALLOW_WATER]), SQUARE, shapes::shallow_water),
        "black_scholes" => (Work::Kernel(&[include_str!("kernels/black_scholes.wgsl")]), LINE, shapes::black_scholes),
        "copy" => (function(functions::copy), LINE, shapes::one_to_one),
        "mul" => (function(functions::mul), LINE, shapes::one_to_one),
        "add" => (function(functions::add), LINE, shapes::two_to_one),
        "triad" => (function(functions::triad), LINE, shapes::two_to_one),
        "dot" => (function(functions::dot), LINE, shapes::dot),
        "sum" => (function(functions::sum), LINE, shapes::sum),
        "scan" => (function(functions::scan), LINE, shapes::one_to_one),
        "compact" => (function(functions::compact), LINE, shapes::compact),
        "count_bins" => (function(functions::count_bins), LINE, shapes::count_bins),
        "sort" => (function(functions::sort), SHORT, shapes::sort),
        "transpose" => (function(functions::transpose), SQUARE, shapes::square_to_square),
        "convolve" => (function(functions::convolve), SQUARE, shapes::convolve),
        "random" => (function(functions::random), LINE, shapes::random),
        "normal" => (function(functions::normal), LINE, shapes::normal),
        "gemm" => {
            (Work::Kernel(&[linalg::F32, linalg::GEMM]), [64 * 64, 128 * 128, 256 * 256, 512 * 512], shapes::gemm)
        }
        "gemv" => (Work::Kernel(&[linalg::F32, linalg::GEMV_ROWS]), SQUARE, shapes::gemv),
        "spmv" => (Work::Kernel(&[linalg::F32, linalg::SPMV_SCALAR]), SHORT, shapes::spmv),
        "fft_pass" => (Work::Kernel(&[linalg::F32, linalg::FFT_RADIX4]), LINE, shapes::fft_pass),
        _ => return None,
    };
    let name = NAMES.into_iter().find(|n| *n == name)?;
    Some(Spec { name, work, sizes, shape })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_has_a_kernel_and_the_library_is_all_there() {
        for name in NAMES {
            let spec = spec(name).unwrap_or_else(|| panic!("{name}"));
            assert!(spec.sizes.is_sorted());
            for size in spec.sizes {
                let shape = (spec.shape)(size);
                assert_eq!(shape.size, size, "{name}");
                assert!(shape.buffers.iter().any(|b| b.written), "{name}");
            }
        }
        assert!(spec("saxpi").is_none());
        // A size that is no square takes the nearest one; the smallest is one element.
        assert_eq!((spec("gemm").unwrap().shape)(1000).size, 32 * 32);
        assert_eq!((spec("stencil5").unwrap().shape)(0).size, 1);
    }
}
