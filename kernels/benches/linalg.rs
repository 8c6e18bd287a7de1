//! Linear algebra and transforms beside tuned libraries and plain rayon in one run:
//! `cargo bench -p evener-kernels --bench linalg [-- NAME...]`.
//!
//! Medians of interleaved runs on the CPU, and their ratio: above 1 is faster than the peer. Figures of different runs do
//! not compare. Without `--bench` it runs small, once.

use evener::prelude::*;
use evener_kernels::{
    Linalg,
    linalg::{Csr, Matrix, MatrixMut, Real},
};
use num_complex::Complex;
use rayon::prelude::*;
use std::hint::black_box;
use support::Bench;

mod support;

/// Numbers from -1 to 1 (SplitMix64).
fn noise<T: Real>(n: usize) -> Vec<T> {
    let number = |k: u64| {
        let z = k.wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        T::from_f64(((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 52) as f64 - 1.0)
    };
    (1..=n as u64).map(number).collect()
}

fn main() {
    let bench = Bench::from_args();
    let rt = Runtime::builder().gpu(false).build().expect("a CPU");
    products::<f32>(&bench, &rt, "f32");
    products::<f64>(&bench, &rt, "f64");
    transforms(&bench, &rt);
    sparse(&bench, &rt);
    vectors(&bench, &rt);
}

/// The crate `gemm` on row-major squares.
fn peer_product<T: Real>(n: usize, a: &[T], b: &[T], c: &mut [T]) {
    assert!(a.len() == n * n && b.len() == n * n && c.len() == n * n);
    let row = n as isize;
    let (zero, one) = (T::from_f64(0.0), T::from_f64(1.0));
    let rayon = gemm::Parallelism::Rayon(0);
    // SAFETY: three squares of n by n elements at strides n and 1, C apart from the others; T is f32 or f64.
    unsafe {
        gemm::gemm(
            n,
            n,
            n,
            c.as_mut_ptr(),
            1,
            row,
            false,
            a.as_ptr(),
            1,
            row,
            b.as_ptr(),
            1,
            row,
            zero,
            one,
            false,
            false,
            false,
            rayon,
        );
    }
}

fn products<T: Real>(bench: &Bench, rt: &Runtime, ty: &str) {
    let sizes: &[usize] = if bench.timed { &[128, 512, 1024] } else { &[64] };
    let (zero, one) = (T::from_f64(0.0), T::from_f64(1.0));
    // The WGSL without its native body.
    let wgsl = rt.kernel([T::PRELUDE, evener_shaders::linalg::GEMM]).expect("a kernel");
    for &n in sizes {
        let (a, b) = (noise::<T>(n * n), noise::<T>(n * n + 1)[1..].to_vec());
        let (mut c, mut d) = (vec![zero; n * n], vec![zero; n * n]);
        let work = 2 * n.pow(3);
        let matrix = |data| Matrix::new(data, n, n).expect("a matrix");
        let ours = || {
            let c = MatrixMut::new(&mut c, n, n).expect("a matrix");
            black_box(rt.gemm(one, matrix(&a), matrix(&b), zero, c).expect("a product"));
        };
        bench.compare(&format!("gemm {ty} {n}"), work, ours, || peer_product(n, &a, &b, &mut d));
        let ours = || {
            let call = wgsl.call().set("p.alpha", one).set("p.beta", zero);
            let sizes = ["p.rows", "p.cols", "p.depth", "p.a_row", "p.b_row", "p.c_row"];
            let call = sizes.into_iter().fold(call, |call, name| call.set(name, n as u32));
            let call = ["p.a_col", "p.b_col", "p.c_col"].into_iter().fold(call, |call, name| call.set(name, 1u32));
            let batches = ["p.a_batch", "p.b_batch", "p.c_batch"];
            let call = batches.into_iter().fold(call, |call, name| call.set(name, 0u32));
            let tiles = n.div_ceil(64) as u32;
            let report = call.arg("a", &a).arg("b", &b).arg("c", &mut c).groups([tiles, tiles, 1]).run();
            assert_eq!(report.expect("a product").interpreted, None);
        };
        bench.compare(&format!("gemm {ty} {n} in WGSL"), work, ours, || peer_product(n, &a, &b, &mut d));
    }
}

/// rustfft, a vector for each task.
fn transforms(bench: &Bench, rt: &Runtime) {
    let shapes: &[[usize; 2]] =
        if bench.timed { &[[256, 4096], [1000, 1024], [4096, 256], [1 << 20, 1]] } else { &[[64, 2]] };
    for &[n, vectors] in shapes {
        let fft = rt.fft::<f32>(n).expect("a transform");
        let input: Vec<[f32; 2]> = noise::<f32>(2 * n * vectors).chunks(2).map(|z| [z[0], z[1]]).collect();
        let (mut ours, mut theirs) = (input.clone(), vec![Complex::new(0.0f32, 0.0); input.len()]);
        let plan = rustfft::FftPlanner::<f32>::new().plan_fft_forward(n);
        let src: &[Complex<f32>] = bytemuck::cast_slice(&input);
        let peer = || {
            let room = || vec![Complex::new(0.0, 0.0); plan.get_immutable_scratch_len()];
            src.par_chunks(n).zip(theirs.par_chunks_mut(n)).for_each_init(room, |room, (src, dst)| {
                plan.process_immutable_with_scratch(src, dst, room);
            });
        };
        let work = (5.0 * (n * vectors) as f64 * (n as f64).log2()) as usize;
        let name = format!("fft {n} x {vectors}");
        bench.compare(&name, work, || drop(fft.forward(&input, &mut ours).expect("a transform")), peer);
    }
}

/// A random matrix against plain rayon, rows of few and of many elements.
fn sparse(bench: &Bench, rt: &Runtime) {
    let rows = if bench.timed { 1 << 16 } else { 1 << 8 };
    for each in [4usize, 32] {
        let places = noise::<f64>(rows * each);
        let column: Vec<u32> = places.iter().map(|x| ((x + 1.0) * 0.5 * (rows - 1) as f64) as u32).collect();
        let row_start: Vec<u32> = (0..=rows).map(|row| (row * each) as u32).collect();
        let (value, x) = (noise::<f32>(rows * each), noise::<f32>(rows));
        let a = Csr::new(rt, rows, &row_start, &column, &value).expect("a matrix");
        let (mut ours, mut theirs) = (vec![0.0f32; rows], vec![0.0f32; rows]);
        let peer = || {
            theirs.par_iter_mut().with_min_len(256).enumerate().for_each(|(row, y)| {
                let range = row_start[row] as usize..row_start[row + 1] as usize;
                *y = range.map(|k| value[k] * x[column[k] as usize]).sum();
            });
        };
        let work = 2 * rows * each;
        let name = format!("spmv {rows}, {each} a row");
        bench.compare(&name, work, || drop(rt.spmv(&a, &x, &mut ours).expect("a product")), peer);
    }
}

/// Sums of vectors against rayon over chunks; dot is a building block.
fn vectors(bench: &Bench, rt: &Runtime) {
    let sizes: &[usize] = if bench.timed { &[1 << 16, 1 << 24] } else { &[1 << 10] };
    for &n in sizes {
        let (x, y) = (noise::<f32>(n), noise::<f32>(n));
        let (mut ours, mut theirs) = (y.clone(), y.clone());
        let peer = || {
            let step = |(y, x): (&mut [f32], &[f32])| y.iter_mut().zip(x).for_each(|(y, x)| *y += 1.5 * x);
            theirs.par_chunks_mut(1 << 14).zip(x.par_chunks(1 << 14)).for_each(step);
        };
        bench.compare(&format!("axpy {n}"), 12 * n, || drop(rt.axpy(1.5, &x, &mut ours).expect("a sum")), peer);
    }
}
