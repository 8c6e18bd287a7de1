//! The kernels of the benchmark: WGSL with how the arguments follow from a size.

use evener_shaders as shaders;

/// Names of all kernels, as they are given on the command line.
pub const NAMES: [&str; 9] =
    ["saxpy", "stencil5", "mandelbrot", "nbody", "histogram", "shallow_water", "matmul", "reduce", "black_scholes"];

/// Largest size taken, in invocations: the buffers of one cell stay within a few GiB.
pub const MAX_SIZE: u64 = 1 << 27;

/// A kernel that can be measured at any size.
#[derive(Clone, Copy, Debug)]
pub struct Spec {
    /// Of [`NAMES`].
    pub name: &'static str,
    /// WGSL.
    pub source: &'static str,
    /// Sizes measured unless others are asked for, in invocations.
    pub sizes: [u64; 4],
    /// The arguments at about a size.
    pub shape: fn(u64) -> Shape,
}

/// Arguments of a call.
#[derive(Clone, Debug)]
pub struct Shape {
    /// Invocations on each axis.
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
    /// `vec4<f32>`.
    Vector,
}

impl Kind {
    /// 4-byte words of an element.
    pub fn words(self) -> usize {
        if self == Kind::Vector { 4 } else { 1 }
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
}

impl Shape {
    /// Invocations: the size of the call.
    pub fn size(&self) -> u64 {
        self.items.iter().product()
    }

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
    let (source, sizes, shape): (_, _, fn(u64) -> Shape) = match name {
        "saxpy" => (shaders::SAXPY, LINE, saxpy),
        "stencil5" => (shaders::STENCIL5, SQUARE, stencil5),
        "mandelbrot" => (shaders::MANDELBROT, SQUARE, mandelbrot),
        "nbody" => (shaders::NBODY, [256, 1024, 4096, 16384], nbody),
        "histogram" => (shaders::HISTOGRAM, LINE, histogram),
        "shallow_water" => (shaders::SHALLOW_WATER, SQUARE, shallow_water),
        "matmul" => (include_str!("kernels/matmul.wgsl"), [32 * 32, 128 * 128, 256 * 256, 512 * 512], matmul),
        "reduce" => (include_str!("kernels/reduce.wgsl"), LINE, reduce),
        "black_scholes" => (include_str!("kernels/black_scholes.wgsl"), LINE, black_scholes),
        _ => return None,
    };
    let name = NAMES.into_iter().find(|n| *n == name)?;
    Some(Spec { name, source, sizes, shape })
}

fn read(name: &'static str, kind: Kind, len: u64) -> Buffer {
    let fill = if kind == Kind::Word { Fill::Byte } else { Fill::Near1 };
    Buffer { name, kind, len: len as usize, fill, written: false }
}

fn written(name: &'static str, kind: Kind, len: u64) -> Buffer {
    Buffer { name, kind, len: len as usize, fill: Fill::Zero, written: true }
}

fn line(n: u64, buffers: Vec<Buffer>, uniforms: Vec<(&'static str, String)>) -> Shape {
    Shape { items: [n, 1, 1], buffers, uniforms }
}

/// The side of the square of about `n`.
fn side(n: u64) -> u64 {
    ((n as f64).sqrt().round() as u64).max(1)
}

fn saxpy(n: u64) -> Shape {
    line(n, vec![read("x", Kind::Float, n), written("y", Kind::Float, n)], vec![("a", "0.5".into())])
}

fn histogram(n: u64) -> Shape {
    line(n, vec![read("values", Kind::Word, n), written("bins", Kind::Word, 256)], vec![])
}

fn reduce(n: u64) -> Shape {
    line(n, vec![read("source", Kind::Float, n), written("sums", Kind::Float, n.div_ceil(256))], vec![])
}

fn black_scholes(n: u64) -> Shape {
    let mut buffers: Vec<Buffer> = ["spot", "strike", "years"].map(|name| read(name, Kind::Float, n)).into();
    buffers.push(written("price", Kind::Float, n));
    line(n, buffers, vec![("rate", "0.03".into())])
}

fn nbody(n: u64) -> Shape {
    let buffers = vec![read("bodies", Kind::Vector, n), written("acceleration", Kind::Vector, n)];
    line(n, buffers, vec![("system.count", n.to_string()), ("system.softening2", "0.01".into())])
}

fn stencil5(n: u64) -> Shape {
    let s = side(n);
    let sides = ["grid.width", "grid.height"].map(|name| (name, s.to_string()));
    Shape {
        items: [s, s, 1],
        buffers: vec![read("now", Kind::Float, s * s), written("next", Kind::Float, s * s)],
        uniforms: sides.into_iter().chain([("grid.rate", "0.2".into())]).collect(),
    }
}

fn mandelbrot(n: u64) -> Shape {
    let s = side(n);
    let mut uniforms: Vec<_> = ["view.width", "view.height"].map(|name| (name, s.to_string())).into();
    let pixel = 2.5 / s as f64;
    uniforms.extend([("view.cap", "200".into()), ("view.left", "-2.0".into()), ("view.top", "1.25".into())]);
    uniforms.push(("view.pixel", pixel.to_string()));
    Shape { items: [s, s, 1], buffers: vec![written("count", Kind::Word, s * s)], uniforms }
}

fn shallow_water(n: u64) -> Shape {
    let s = side(n);
    let mut buffers: Vec<Buffer> = ["bed", "depth", "u", "v"].map(|name| read(name, Kind::Float, s * s)).into();
    buffers.extend(["depth_next", "u_next", "v_next"].map(|name| written(name, Kind::Float, s * s)));
    buffers.push(written("fastest", Kind::Float, s.div_ceil(64) * s.div_ceil(4)));
    let mut uniforms: Vec<_> = ["params.width", "params.height"].map(|name| (name, s.to_string())).into();
    let others = [
        ("params.dt", "0.001"),
        ("params.dt_dx", "0.001"),
        ("params.dt_dy", "0.001"),
        ("params.gravity", "9.81"),
        ("params.dry", "0.001"),
        ("params.friction", "0.01"),
        ("params.rain", "0.0"),
    ];
    uniforms.extend(others.map(|(name, value)| (name, value.to_owned())));
    Shape { items: [s, s, 1], buffers, uniforms }
}

fn matmul(n: u64) -> Shape {
    let s = side(n);
    let mut buffers: Vec<Buffer> = ["a", "b"].map(|name| read(name, Kind::Float, s * s)).into();
    buffers.push(written("c", Kind::Float, s * s));
    Shape { items: [s, s, 1], buffers, uniforms: vec![("side", s.to_string())] }
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
                assert_eq!(shape.size(), size, "{name}");
                assert!(shape.buffers.iter().any(|b| b.written), "{name}");
            }
        }
        assert!(spec("saxpi").is_none());
        // A size that is no square takes the nearest one; the smallest is one invocation.
        assert_eq!((spec("matmul").unwrap().shape)(1000).size(), 32 * 32);
        assert_eq!((spec("stencil5").unwrap().shape)(0).size(), 1);
    }
}
