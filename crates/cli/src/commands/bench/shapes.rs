//! How the arguments of what is measured follow from a size.

use super::kernels::{Buffer, Fill, Kind, Shape};

fn read(name: &'static str, kind: Kind, len: u64) -> Buffer {
    let fill = if kind == Kind::Word { Fill::Byte } else { Fill::Near1 };
    Buffer { name, kind, len: len as usize, fill, written: false }
}

fn written(name: &'static str, kind: Kind, len: u64) -> Buffer {
    Buffer { name, kind, len: len as usize, fill: Fill::Zero, written: true }
}

fn line(n: u64, buffers: Vec<Buffer>, uniforms: Vec<(&'static str, String)>) -> Shape {
    Shape { size: n, items: [n, 1, 1], buffers, uniforms }
}

/// The side of the square of about `n`.
fn side(n: u64) -> u64 {
    ((n as f64).sqrt().round() as u64).max(1)
}

/// Of [`super::kernels::spec`].
pub fn saxpy(n: u64) -> Shape {
    line(n, vec![read("x", Kind::Float, n), written("y", Kind::Float, n)], vec![("a", "0.5".into())])
}

/// Of [`super::kernels::spec`].
pub fn histogram(n: u64) -> Shape {
    line(n, vec![read("values", Kind::Word, n), written("bins", Kind::Word, 256)], vec![])
}

/// Of [`super::kernels::spec`].
pub fn black_scholes(n: u64) -> Shape {
    let mut buffers: Vec<Buffer> = ["spot", "strike", "years"].map(|name| read(name, Kind::Float, n)).into();
    buffers.push(written("price", Kind::Float, n));
    line(n, buffers, vec![("rate", "0.03".into())])
}

/// Of [`super::kernels::spec`].
pub fn nbody(n: u64) -> Shape {
    let buffers = vec![read("bodies", Kind::Vector, n), written("acceleration", Kind::Vector, n)];
    line(n, buffers, vec![("system.count", n.to_string()), ("system.softening2", "0.01".into())])
}

/// Of [`super::kernels::spec`].
pub fn stencil5(n: u64) -> Shape {
    let s = side(n);
    let sides = ["grid.width", "grid.height"].map(|name| (name, s.to_string()));
    Shape {
        size: s * s,
        items: [s, s, 1],
        buffers: vec![read("now", Kind::Float, s * s), written("next", Kind::Float, s * s)],
        uniforms: sides.into_iter().chain([("grid.rate", "0.2".into())]).collect(),
    }
}

/// Of [`super::kernels::spec`].
pub fn mandelbrot(n: u64) -> Shape {
    let s = side(n);
    let mut uniforms: Vec<_> = ["view.width", "view.height"].map(|name| (name, s.to_string())).into();
    let pixel = 2.5 / s as f64;
    uniforms.extend([("view.cap", "200".into()), ("view.left", "-2.0".into()), ("view.top", "1.25".into())]);
    uniforms.push(("view.pixel", pixel.to_string()));
    Shape { size: s * s, items: [s, s, 1], buffers: vec![written("count", Kind::Word, s * s)], uniforms }
}

/// Of [`super::kernels::spec`].
pub fn shallow_water(n: u64) -> Shape {
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
    Shape { size: s * s, items: [s, s, 1], buffers, uniforms }
}

/// Elements that become as many.
pub fn one_to_one(n: u64) -> Shape {
    line(n, vec![read("x", Kind::Float, n), written("y", Kind::Float, n)], vec![])
}

/// Pairs of elements that become one each.
pub fn two_to_one(n: u64) -> Shape {
    line(n, vec![read("x", Kind::Float, n), read("y", Kind::Float, n), written("z", Kind::Float, n)], vec![])
}

/// Pairs of elements that become one number.
pub fn dot(n: u64) -> Shape {
    line(n, vec![read("x", Kind::Float, n), read("y", Kind::Float, n), written("total", Kind::Float, 1)], vec![])
}

/// Elements that become one number.
pub fn sum(n: u64) -> Shape {
    line(n, vec![read("x", Kind::Float, n), written("total", Kind::Float, 1)], vec![])
}

/// Elements of which half are kept.
pub fn compact(n: u64) -> Shape {
    let mask = Buffer { fill: Fill::Below(2), ..read("mask", Kind::Word, n) };
    line(n, vec![read("x", Kind::Float, n), mask, written("kept", Kind::Float, n)], vec![])
}

/// Elements in 256 bins.
pub fn count_bins(n: u64) -> Shape {
    line(n, vec![read("x", Kind::Float, n), written("counts", Kind::Word, 256)], vec![])
}

/// Words of all sizes, and room for them in order.
pub fn sort(n: u64) -> Shape {
    let words = Buffer { fill: Fill::Below(u32::MAX), ..read("x", Kind::Word, n) };
    line(n, vec![words, written("y", Kind::Word, n)], vec![])
}

/// A square that becomes another one.
pub fn square_to_square(n: u64) -> Shape {
    one_to_one(side(n).pow(2))
}

/// A square under weights of five by five.
pub fn convolve(n: u64) -> Shape {
    let n = side(n).pow(2);
    line(n, vec![read("x", Kind::Float, n), read("weights", Kind::Float, 25), written("y", Kind::Float, n)], vec![])
}

/// Words to be made.
pub fn random(n: u64) -> Shape {
    line(n, vec![written("y", Kind::Word, n)], vec![])
}

/// Floats to be made.
pub fn normal(n: u64) -> Shape {
    line(n, vec![written("y", Kind::Float, n)], vec![])
}

/// Names with their values as text.
fn texts(uniforms: &[(&'static str, u64)]) -> Vec<(&'static str, String)> {
    uniforms.iter().map(|(name, value)| (*name, value.to_string())).collect()
}

/// The product of two squares.
pub fn gemm(n: u64) -> Shape {
    let s = side(n);
    let mut buffers: Vec<Buffer> = ["a", "b"].map(|name| read(name, Kind::Float, s * s)).into();
    buffers.push(written("c", Kind::Float, s * s));
    let mut uniforms = texts(&[("p.alpha", 1), ("p.beta", 0), ("p.rows", s), ("p.cols", s), ("p.depth", s)]);
    uniforms.extend(texts(&["p.a_row", "p.b_row", "p.c_row"].map(|name| (name, s))));
    uniforms.extend(texts(&["p.a_col", "p.b_col", "p.c_col"].map(|name| (name, 1))));
    uniforms.extend(texts(&["p.a_batch", "p.b_batch", "p.c_batch"].map(|name| (name, 0))));
    // A work-group of 16 by 16 makes 64 by 64 elements.
    let invocations = 16 * s.div_ceil(64);
    Shape { size: s * s, items: [invocations, invocations, 1], buffers, uniforms }
}

/// A square times a vector.
pub fn gemv(n: u64) -> Shape {
    let s = side(n);
    let buffers = vec![read("a", Kind::Float, s * s), read("x", Kind::Float, s), written("y", Kind::Float, s)];
    let sizes = [("params.rows", s), ("params.cols", s), ("params.row_stride", s), ("params.col_stride", 1)];
    let uniforms = texts(&[[("params.alpha", 1), ("params.beta", 0)].as_slice(), &sizes].concat());
    // A work-group of 64 makes an element.
    Shape { size: s * s, items: [64 * s, 1, 1], buffers, uniforms }
}

/// A sparse square of so many rows, of eight elements each at places without structure, times a vector.
pub fn spmv(n: u64) -> Shape {
    let starts = Buffer { fill: Fill::Multiples(8), ..read("row_start", Kind::Word, n + 1) };
    let columns = Buffer { fill: Fill::Below(n as u32), ..read("column", Kind::Word, 8 * n) };
    let values = read("value", Kind::Float, 8 * n);
    let vectors = [read("x", Kind::Float, n), written("y", Kind::Float, n)];
    line(n, [vec![starts, columns, values], vectors.into()].concat(), texts(&[("rows", n)]))
}

/// Elements that a pass of [`fft_pass`] finds put together.
pub const BLOCK: u64 = 64;

/// A pass of radix 4 in the midst of a Fourier transform.
pub fn fft_pass(n: u64) -> Shape {
    let n = (n / (4 * BLOCK)).max(1) * (4 * BLOCK);
    let root = Buffer { fill: Fill::Roots, ..read("root", Kind::Pair, n) };
    let buffers = vec![root, read("src", Kind::Pair, n), written("dst", Kind::Pair, n)];
    let sizes = [("p.butterflies", n / 4), ("p.quarter", n / 4), ("p.block", BLOCK), ("p.inner", 1)];
    let others = [("p.step", n / (4 * BLOCK)), ("p.sign", 1), ("p.scale", 1)];
    Shape { size: n, items: [n / 4, 1, 1], buffers, uniforms: texts(&[sizes.as_slice(), &others].concat()) }
}
