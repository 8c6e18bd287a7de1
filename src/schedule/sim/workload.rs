//! The kernels of the simulator: real WGSL, analysed as any call is, at sizes from tiny to huge.

use crate::{error::Result, kernel::Compiled, schedule::transfers};
use evener_lanes::{
    Grid, GroupRange,
    analysis::{CallShape, Features, Footprint, Split, Strided},
};
use std::{collections::BTreeMap, sync::Arc};

/// Sizes of each kernel.
pub const SIZES: u32 = 10;

/// A kernel with how its arguments grow with the size of a call.
#[derive(Clone, Debug)]
pub struct Workload {
    /// Name: that of the entry point.
    pub name: String,
    kernel: Arc<Compiled>,
    shape: fn(u64) -> Shape,
    first: u64,
    factor: f64,
}

/// Arguments of a call.
#[derive(Clone, Debug, Default)]
struct Shape {
    items: [u64; 3],
    /// Bytes of buffers by name.
    buffers: Vec<(&'static str, u64)>,
    /// 32-bit members of uniforms by name.
    uniforms: Vec<(&'static str, Vec<u32>)>,
}

/// A call as the planner sees it: what the analysis tells of a kernel at a size.
#[derive(Clone, Debug)]
pub struct Case {
    /// Of the kernel.
    pub name: String,
    /// [`Compiled::id`].
    pub kernel: u64,
    /// 0 the smallest.
    pub size: u32,
    /// Work-groups.
    pub grid: Grid,
    /// Whether it may be cut.
    pub split: Split,
    /// Per invocation.
    pub features: Features,
    /// In all.
    pub invocations: f64,
    /// Bytes of all buffers.
    pub working_set: f64,
    /// Bytes that a device without any of the data needs.
    pub up_bytes: f64,
    /// Of them, those that it needs however small its part is.
    pub shared_up_bytes: f64,
    /// Bytes that it returns.
    pub down_bytes: f64,
    /// How the work lies over the split axis.
    pub profile: Profile,
}

/// Work of a slice at a place from 0 to 1 on the split axis, 1 on average.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Profile {
    /// The same everywhere.
    Even,
    /// Growing from nothing: the inner loop of a triangular matrix.
    Triangular,
    /// Most of the work in a part: `(from, to, share)`.
    Skewed(f64, f64, f64),
}

impl Profile {
    /// The work up to a place, 1 in all.
    pub fn until(&self, x: f64) -> f64 {
        match *self {
            Profile::Even => x,
            Profile::Triangular => x * x,
            Profile::Skewed(from, to, share) => {
                let inside = ((x - from) / (to - from)).clamp(0.0, 1.0);
                let outside = x - inside * (to - from);
                share * inside + (1.0 - share) * outside / (1.0 - (to - from))
            }
        }
    }
}

/// The kernels that come with the simulator, and those of `library` (name, WGSL) whose arguments it knows.
///
/// # Errors
/// A source of the library is not valid.
pub fn standard(library: &[(&str, &str)]) -> Result<Vec<Workload>> {
    let own = [
        ("fill", include_str!("workloads/fill.wgsl")),
        ("matmul", include_str!("workloads/matmul.wgsl")),
        ("matvec", include_str!("workloads/matvec.wgsl")),
        ("transpose", include_str!("workloads/transpose.wgsl")),
        ("black_scholes", include_str!("workloads/black_scholes.wgsl")),
        ("sparse", include_str!("workloads/sparse.wgsl")),
        ("random_walk", include_str!("workloads/random_walk.wgsl")),
        ("blur", include_str!("workloads/blur.wgsl")),
        ("block_sum", include_str!("workloads/block_sum.wgsl")),
        ("scatter", include_str!("workloads/scatter.wgsl")),
        ("polynomial", include_str!("workloads/polynomial.wgsl")),
    ];
    let own_names = own.map(|(name, _)| name);
    let others = library.iter().copied().filter(|(name, _)| !own_names.contains(name));
    own.into_iter().chain(others).filter_map(|(name, source)| Workload::new(name, source).transpose()).collect()
}

impl Workload {
    /// `None` where the arguments of that name are not known.
    fn new(name: &str, source: &str) -> Result<Option<Workload>> {
        let Some((shape, first, factor)) = shape_of(name) else { return Ok(None) };
        let kernel = Compiled::new(&[source], None, &BTreeMap::new())?;
        Ok(Some(Workload { name: name.into(), kernel, shape, first, factor }))
    }

    /// The call of a size, analysed.
    ///
    /// # Errors
    /// The size gives no grid.
    pub fn case(&self, size: u32) -> Result<Case> {
        let n = (self.first as f64 * self.factor.powi(size as i32)).round() as u64;
        let shape = (self.shape)(n);
        let group = self.kernel.reflection.workgroup_size;
        let grid = Grid { groups: std::array::from_fn(|a| shape.items[a].div_ceil(group[a].into()) as u32) };
        let bytes_of = |name: &str| shape.buffers.iter().find(|b| b.0 == name).map(|b| b.1);
        let words_of = |name: &str| shape.uniforms.iter().find(|u| u.0 == name).map(|u| &u.1[..]).unwrap_or_default();
        let bindings = self.kernel.bindings();
        let uniforms: Vec<&[u8]> = bindings.iter().map(|b| bytemuck::cast_slice(words_of(&b.name))).collect();
        let sizes: Vec<u64> =
            bindings.iter().zip(&uniforms).map(|(b, u)| bytes_of(&b.name).unwrap_or(u.len() as u64)).collect();
        let call = CallShape { grid, sizes: &sizes, uniforms: &uniforms };
        let analysis = &self.kernel.analysis;
        let all = GroupRange::all(grid);
        let split = analysis.split(&call);
        let moved = |range: &GroupRange| moved_bytes(&analysis.footprint(&call, range), &self.kernel, &sizes);
        let (up, down) = moved(&all);
        let half = match split {
            Split::Axis(axis) if grid.groups[usize::from(axis)] > 1 => {
                moved(&all.split_at(usize::from(axis), grid.groups[usize::from(axis)] / 2).0).0
            }
            _ => up,
        };
        Ok(Case {
            name: self.name.clone(),
            kernel: self.kernel.id,
            size,
            grid,
            features: analysis.features(&call),
            invocations: all.count() as f64 * f64::from(self.kernel.program.kernel().group_invocations()),
            working_set: sizes.iter().sum::<u64>() as f64,
            up_bytes: up,
            shared_up_bytes: (2.0 * half - up).clamp(0.0, up),
            down_bytes: down,
            split,
            profile: Profile::Even,
        })
    }
}

impl Case {
    /// Slices of the split axis, 1 for a call that runs whole.
    pub fn slices(&self) -> u64 {
        match self.split {
            Split::Axis(axis) => u64::from(self.grid.groups[usize::from(axis).min(2)]),
            Split::Whole(_) => 1,
        }
    }
}

fn moved_bytes(footprint: &Footprint, kernel: &Compiled, sizes: &[u64]) -> (f64, f64) {
    let moved = transfers::of_footprint(footprint, kernel.bindings(), sizes);
    let up: u64 = moved.iter().flat_map(|t| &t.upload).map(|r| r.end - r.start).sum();
    let down: u64 = moved.iter().flat_map(|t| &t.download).map(Strided::bytes).sum();
    (up as f64, down as f64)
}

/// The shape of a call of a size, and the two numbers that [`shape_of`] states for a kernel.
type Shaped = (fn(u64) -> Shape, u64, f64);

/// How a kernel's arguments follow from its size, its smallest size, and the factor from one to the next.
fn shape_of(name: &str) -> Option<Shaped> {
    /// Elements of one-dimensional kernels: 1 Ki to 256 Mi.
    const LINE: (u64, f64) = (1 << 10, 4.0);
    /// Sides of two-dimensional ones: 32 to 16 Ki.
    const SQUARE: (u64, f64) = (32, 2.0);
    let (shape, (first, factor)): (fn(u64) -> Shape, _) = match name {
        "fill" => (|n| line(n, &[("out", 4)], &[("scale", &[0x3f80_0000])]), LINE),
        "saxpy" => (|n| line(n, &[("x", 4), ("y", 4)], &[("a", &[0x3f80_0000])]), LINE),
        "polynomial" => (|n| line(n, &[("y", 4)], &[("c", &[0x3f80_0000])]), LINE),
        "black_scholes" => {
            (|n| line(n, &[("spot", 4), ("strike", 4), ("years", 4), ("price", 4)], &[("rate", &[0x3d00_0000])]), LINE)
        }
        "random_walk" => (|n| line(n, &[("out", 4)], &[("seed", &[7])]), (1 << 8, 4.0)),
        "blur" => (blur, LINE),
        "block_sum" => (block_sum, LINE),
        "scatter" => (|n| line(n, &[("place", 4), ("value", 4), ("out", 4)], &[]), LINE),
        "histogram" => (histogram, LINE),
        "sparse" => (sparse, (1 << 8, 4.0)),
        "matvec" => (matvec, SQUARE),
        "matmul" => (matmul, (16, 2.0)),
        "transpose" => (|n| square(n, &[("source", 4), ("out", 4)], "side", vec![n as u32]), SQUARE),
        "stencil5" => (stencil, SQUARE),
        "mandelbrot" => (mandelbrot, SQUARE),
        "shallow_water" => (shallow_water, SQUARE),
        "nbody" => (nbody, (256, 2.0)),
        _ => return None,
    };
    Some((shape, first, factor))
}

fn line(n: u64, buffers: &[(&'static str, u64)], uniforms: &[(&'static str, &[u32])]) -> Shape {
    Shape {
        items: [n, 1, 1],
        buffers: buffers.iter().map(|(name, bytes)| (*name, n * bytes)).collect(),
        uniforms: uniforms.iter().map(|(name, words)| (*name, words.to_vec())).collect(),
    }
}

fn square(n: u64, buffers: &[(&'static str, u64)], uniform: &'static str, words: Vec<u32>) -> Shape {
    Shape {
        items: [n, n, 1],
        buffers: buffers.iter().map(|(name, bytes)| (*name, n * n * bytes)).collect(),
        uniforms: vec![(uniform, words)],
    }
}

fn blur(n: u64) -> Shape {
    Shape { buffers: vec![("source", 4 * (n + 30)), ("out", 4 * n)], ..line(n, &[], &[("length", &[n as u32])]) }
}

fn block_sum(n: u64) -> Shape {
    Shape { buffers: vec![("source", 4 * n), ("sums", n.div_ceil(256) * 4)], ..line(n, &[], &[]) }
}

fn histogram(n: u64) -> Shape {
    Shape { buffers: vec![("values", 4 * n), ("bins", 1024)], ..line(n, &[], &[]) }
}

fn sparse(n: u64) -> Shape {
    let buffers = vec![("column", 64 * n), ("value", 64 * n), ("x", 4 * n), ("y", 4 * n)];
    Shape { buffers, ..line(n, &[], &[("rows", &[n as u32])]) }
}

fn matvec(n: u64) -> Shape {
    let buffers = vec![("a", 4 * n * n), ("x", 4 * n), ("y", 4 * n)];
    Shape { buffers, ..line(n, &[], &[("size", &[n as u32, n as u32])]) }
}

fn matmul(n: u64) -> Shape {
    square(n, &[("a", 4), ("b", 4), ("c", 4)], "side", vec![n as u32])
}

fn stencil(n: u64) -> Shape {
    square(n, &[("now", 4), ("next", 4)], "grid", vec![n as u32, n as u32, 0x3e4c_cccd])
}

fn mandelbrot(n: u64) -> Shape {
    let pixel = (2.5 / n as f32).to_bits();
    let view = vec![n as u32, n as u32, 200, (-2.0f32).to_bits(), 1.25f32.to_bits(), pixel];
    square(n, &[("count", 4)], "view", view)
}

fn shallow_water(n: u64) -> Shape {
    let cells = ["bed", "depth", "u", "v", "depth_next", "u_next", "v_next"].map(|name| (name, 4));
    let real = |v: f32| v.to_bits();
    let params =
        vec![n as u32, n as u32, real(0.01), real(0.01), real(0.01), real(9.81), real(1e-3), real(0.01), real(0.0)];
    let mut shape = square(n, &cells, "params", params);
    shape.buffers.push(("fastest", 4 * n.div_ceil(64) * n.div_ceil(4)));
    shape
}

fn nbody(n: u64) -> Shape {
    let softening = 0.01f32.to_bits();
    line(n, &[("bodies", 16), ("acceleration", 16)], &[("system", &[n as u32, softening])])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kernel_of_the_simulator_is_analysed_at_every_size() {
        let workloads = standard(&[]).unwrap();
        assert!(workloads.len() >= 11);
        for workload in &workloads {
            for size in 0..SIZES {
                let case = workload.case(size).unwrap();
                assert!(case.down_bytes > 0.0 && case.invocations > 0.0, "{case:?}");
                let whole = matches!(case.split, Split::Whole(_));
                let one_group = case.grid.groups == [1, 1, 1];
                assert_eq!(whole, one_group || case.name == "scatter", "{}: {:?}", case.name, case.split);
            }
        }
    }

    #[test]
    fn profiles_hold_all_of_the_work() {
        for profile in [Profile::Even, Profile::Triangular, Profile::Skewed(0.4, 0.5, 0.7)] {
            assert_eq!(profile.until(0.0), 0.0);
            assert!((profile.until(1.0) - 1.0).abs() < 1e-12);
            assert!(profile.until(0.6) >= profile.until(0.5));
        }
    }
}
