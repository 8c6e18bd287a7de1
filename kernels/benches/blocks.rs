//! The building blocks beside plain rayon in one run: `cargo bench -p evener-kernels --bench blocks [-- NAME...]`.
//!
//! Medians of interleaved runs on the CPU, and their ratio: above 1 is faster than the counterpart. Figures of different
//! runs do not compare: machines differ, and so do their moods. Without `--bench` it runs small, once.

use evener::prelude::*;
use evener_kernels::{Axis, Blocks, Order};
use rayon::prelude::*;
use rdst::RadixSort;
use support::Bench;

mod support;

/// Elements that a rayon task takes at least.
const PART: usize = 1 << 14;

fn main() {
    let bench = Bench::from_args();
    let rt = Runtime::builder().gpu(false).build().expect("a CPU");
    let sizes: &[usize] = if bench.timed { &[1 << 16, 1 << 20, 1 << 24] } else { &[1 << 12] };
    for &n in sizes {
        let x = noise(n);
        let sized = AtSize { bench: &bench, n };
        stream(&sized, &rt, &x);
        reductions(&sized, &rt, &x);
        scans(&sized, &rt, &x);
        sorts(&sized, &rt, &x);
        moves(&sized, &rt, &x);
        made(&sized, &rt, n);
    }
}

/// A benchmark at a size, which stands beside each name.
struct AtSize<'b> {
    bench: &'b Bench,
    n: usize,
}

impl AtSize<'_> {
    fn compare<A, B>(&self, name: &str, ours: impl FnMut() -> A, peer: impl FnMut() -> B) {
        self.bench.compare(&format!("{name} {}", self.n), self.n, ours, peer);
    }
}

/// Compiles what is inlined into it for AVX2, where this processor has it: peers written by hand would be.
fn wide<R>(run: impl FnOnce() -> R) -> R {
    #[cfg(target_arch = "x86_64")]
    if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
        #[target_feature(enable = "avx2,fma")]
        fn inside<R>(run: impl FnOnce() -> R) -> R {
            run()
        }
        // SAFETY: the processor has both, as was asked.
        return unsafe { inside(run) };
    }
    run()
}

/// Makes a part of the last vector of parts of two.
type Make<'m> = dyn Fn(&mut [f32], &[f32], &[f32]) + Sync + 'm;

/// BabelStream's kernels as map expressions; its dot is a reduction.
fn stream(bench: &AtSize<'_>, rt: &Runtime, x: &[f32]) {
    let y: Vec<f32> = x.iter().rev().copied().collect();
    let (mut z, mut w) = (vec![0.0f32; x.len()], vec![0.0f32; x.len()]);
    let mut chunks = |make: &Make<'_>| {
        let inputs = x.par_chunks(PART).zip(y.par_chunks(PART));
        w.par_chunks_mut(PART).zip(inputs).for_each(|(w, (x, y))| make(w, x, y));
    };
    let ours = || rt.map("x").arg("x", x).arg("z", &mut z).run().unwrap().actual_ns;
    bench.compare("copy", ours, || chunks(&|w, x, _| w.copy_from_slice(x)));
    let ours = || rt.map("0.4 * x").arg("x", x).arg("z", &mut z).run().unwrap().actual_ns;
    let by_hand = |w: &mut [f32], x: &[f32], _: &[f32]| {
        wide(|| w.iter_mut().zip(x).for_each(|(w, x)| *w = 0.4 * x));
    };
    bench.compare("mul", ours, || chunks(&by_hand));
    let ours = || rt.map("x + y").arg("x", x).arg("y", &y).arg("z", &mut z).run().unwrap().actual_ns;
    let by_hand = |w: &mut [f32], x: &[f32], y: &[f32]| {
        wide(|| w.iter_mut().zip(x.iter().zip(y)).for_each(|(w, (x, y))| *w = x + y));
    };
    bench.compare("add", ours, || chunks(&by_hand));
    let ours = || rt.map("x + 0.4 * y").arg("x", x).arg("y", &y).arg("z", &mut z).run().unwrap().actual_ns;
    let by_hand = |w: &mut [f32], x: &[f32], y: &[f32]| {
        wide(|| w.iter_mut().zip(x.iter().zip(y)).for_each(|(w, (x, y))| *w = x + 0.4 * y));
    };
    bench.compare("triad", ours, || chunks(&by_hand));
}

/// Floats in [0, 1) that look random.
fn noise(n: usize) -> Vec<f32> {
    (0..n as u64).map(|i| (i.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40) as f32 / (1 << 24) as f32).collect()
}

/// A sum in lanes, so that it is not one chain of additions.
fn lanes_sum(x: &[f32]) -> f32 {
    let mut lanes = [0.0f32; 64];
    let (chunks, rest) = x.as_chunks::<64>();
    wide(|| chunks.iter().for_each(|c| lanes.iter_mut().zip(c).for_each(|(l, x)| *l += x)));
    rest.iter().sum::<f32>() + lanes.iter().sum::<f32>()
}

fn lanes_dot(x: &[f32], y: &[f32]) -> f32 {
    let mut lanes = [0.0f32; 64];
    let ((x, _), (y, _)) = (x.as_chunks::<64>(), y.as_chunks::<64>());
    wide(|| {
        for (x, y) in x.iter().zip(y) {
            lanes.iter_mut().zip(x.iter().zip(y)).for_each(|(l, (x, y))| *l = x.mul_add(*y, *l));
        }
    });
    lanes.iter().sum()
}

fn reductions(bench: &AtSize<'_>, rt: &Runtime, x: &[f32]) {
    let n = x.len();
    let y: Vec<f32> = x.iter().rev().copied().collect();
    let parts = || x.par_chunks(PART);
    bench.compare("sum", || rt.sum(x).unwrap().value, || x.par_iter().with_min_len(PART).sum::<f32>());
    bench.compare("sum, by hand", || rt.sum(x).unwrap().value, || parts().map(lanes_sum).sum::<f32>());
    let by_hand = || parts().zip(y.par_chunks(PART)).map(|(x, y)| lanes_dot(x, y)).sum::<f32>();
    bench.compare("dot, by hand", || rt.sum_of_products(x, &y).unwrap().value, by_hand);
    let max = || x.par_iter().with_min_len(PART).copied().reduce(|| f32::NEG_INFINITY, f32::max);
    bench.compare("max", || rt.max(x).unwrap().value, max);
    let place = || x.par_iter().with_min_len(PART).enumerate().max_by(|a, b| a.1.total_cmp(b.1)).unwrap().0;
    bench.compare("arg_max", || rt.arg_max(x).unwrap().value, place);
    let side = n.isqrt();
    let (square, mut of_rows, mut of_columns) = (&x[..side * side], vec![0.0f32; side], vec![0.0f32; side]);
    let rows = |sums: &mut [f32]| {
        sums.par_iter_mut().zip(square.par_chunks(side)).with_min_len(16).for_each(|(s, row)| *s = row.iter().sum());
    };
    let mut again = of_rows.clone();
    let ours = || rt.sum_axis(square, [side, side], Axis::Columns, &mut of_rows).unwrap();
    bench.compare("sum of each row", ours, || rows(&mut again));
    let columns = || {
        let add = |mut sums: Vec<f32>, row: &[f32]| {
            sums.iter_mut().zip(row).for_each(|(s, x)| *s += x);
            sums
        };
        let zeros = || vec![0.0f32; side];
        square.par_chunks(side).with_min_len(16).fold(zeros, add).reduce(zeros, |a, b| add(a, &b))
    };
    let ours = || rt.sum_axis(square, [side, side], Axis::Rows, &mut of_columns).unwrap();
    bench.compare("sum of each column", ours, columns);
}

/// The two passes of a scan by threads.
fn rayon_scan<T: Copy + Default + Send + Sync + std::ops::Add<Output = T>>(x: &[T], y: &mut [T]) {
    let part = x.len().div_ceil(4 * rayon::current_num_threads()).max(PART);
    let add = |x: &[T]| x.iter().fold(T::default(), |a, b| a + *b);
    let totals: Vec<T> = x.par_chunks(part).map(add).collect();
    y.par_chunks_mut(part).zip(x.par_chunks(part)).enumerate().for_each(|(k, (y, x))| {
        let mut sum = add(&totals[..k]);
        for (y, x) in y.iter_mut().zip(x) {
            sum = sum + *x;
            *y = sum;
        }
    });
}

fn scans(bench: &AtSize<'_>, rt: &Runtime, x: &[f32]) {
    let n = x.len();
    let (mut y, mut again) = (vec![0.0f32; n], vec![0.0f32; n]);
    bench.compare("inclusive_scan f32", || rt.inclusive_scan(x, &mut y).unwrap(), || rayon_scan(x, &mut again));
    let words: Vec<u32> = x.iter().map(|x| (x * 100.0) as u32).collect();
    let (mut v, mut w) = (vec![0u32; n], vec![0u32; n]);
    bench.compare("inclusive_scan u32", || rt.inclusive_scan(&words, &mut v).unwrap(), || rayon_scan(&words, &mut w));
    let mask: Vec<u32> = words.iter().map(|w| w & 1).collect();
    let plain = || -> Vec<f32> {
        let kept = x.par_iter().zip(&mask).with_min_len(PART).filter(|(_, m)| **m != 0);
        kept.map(|(x, _)| *x).collect()
    };
    bench.compare("compact", || rt.compact(x, &mask, &mut y).unwrap().value, plain);
    let mut counts = vec![0u32; 256];
    let plain = || {
        let count = |mut counts: Vec<u32>, x: &f32| {
            counts[((x * 256.0) as usize).min(255)] += 1;
            counts
        };
        let merge = |mut a: Vec<u32>, b: Vec<u32>| {
            a.iter_mut().zip(&b).for_each(|(a, b)| *a += b);
            a
        };
        x.par_iter().with_min_len(PART).fold(|| vec![0; 256], count).reduce(|| vec![0; 256], merge)
    };
    bench.compare("count_bins", || rt.count_bins(x, [0.0, 1.0], &mut counts).unwrap(), plain);
}

fn sorts(bench: &AtSize<'_>, rt: &Runtime, x: &[f32]) {
    let words: Vec<u32> = x.iter().map(|x| x.to_bits().wrapping_mul(0x9e37_79b9)).collect();
    let (mut y, mut z) = (words.clone(), words.clone());
    let mut ours = || {
        y.copy_from_slice(&words);
        rt.sort(&mut y, Order::Ascending).unwrap().reports.len()
    };
    let plain = || {
        z.copy_from_slice(&words);
        z.par_sort_unstable();
    };
    bench.compare("sort u32", &mut ours, plain);
    let rdst = || {
        z.copy_from_slice(&words);
        z.radix_sort_unstable();
    };
    bench.compare("sort u32, rdst", &mut ours, rdst);
    let (mut y, mut z) = (x.to_vec(), x.to_vec());
    let ours = || {
        y.copy_from_slice(x);
        rt.sort(&mut y, Order::Ascending).unwrap().reports.len()
    };
    let rdst = || {
        z.copy_from_slice(x);
        z.radix_sort_unstable();
    };
    bench.compare("sort f32, rdst", ours, rdst);
    let (mut keys, mut values) = (words.clone(), words.clone());
    let ours = || {
        keys.copy_from_slice(&words);
        rt.sort_by_key(&mut keys, &mut values, Order::Ascending).unwrap().reports.len()
    };
    let mut pairs: Vec<(u32, u32)> = Vec::new();
    let plain = || {
        pairs.clear();
        pairs.extend(words.iter().map(|w| (*w, *w)));
        pairs.par_sort_by_key(|p| p.0);
    };
    bench.compare("sort_by_key", ours, plain);
    let few: Vec<u32> = words.iter().map(|w| w >> 12).collect();
    let plain = || {
        let mut sorted = few.clone();
        sorted.par_sort_unstable();
        sorted.dedup();
        sorted.len()
    };
    bench.compare("unique", || rt.unique(&few).unwrap().value.len(), plain);
}

fn moves(bench: &AtSize<'_>, rt: &Runtime, x: &[f32]) {
    let n = x.len();
    let index: Vec<u32> = (0..n as u64).map(|i| (i * 7919 % n as u64) as u32).collect();
    let (mut y, mut z) = (vec![0.0f32; n], vec![0.0f32; n]);
    let plain = || z.par_iter_mut().zip(&index).with_min_len(PART).for_each(|(z, i)| *z = x[*i as usize]);
    bench.compare("gather", || rt.gather(x, &index, &mut y).unwrap(), plain);
    let ours = || rt.scatter(x, &index, &mut y).unwrap();
    bench.compare("scatter, one thread", ours, || x.iter().zip(&index).for_each(|(x, i)| z[*i as usize] = *x));
    let side = n.isqrt();
    let (square, shape) = (&x[..side * side], [side, side]);
    let ours = || rt.transpose(square, shape, &mut y[..side * side]).unwrap();
    let plain = || {
        let rows = z[..side * side].par_chunks_mut(side).enumerate();
        rows.for_each(|(c, row)| row.iter_mut().enumerate().for_each(|(r, z)| *z = square[r * side + c]));
    };
    bench.compare("transpose", ours, plain);
    let weights = noise(25);
    let ours = || rt.convolve(square, shape, &weights, [5, 5], &mut y[..side * side]).unwrap();
    let mut z = vec![0.0f32; side * side];
    bench.compare("convolve 5 x 5", ours, || convolve(square, side, &weights, &mut z));
    let (five, mut z2) = (noise(5), vec![0.0f32; side * side]);
    let ours = || rt.convolve_separable(square, shape, &five, &five, &mut y[..side * side]).unwrap();
    bench.compare("convolve_separable 5", ours, || separable(square, side, &five, &mut z, &mut z2));
}

/// Five by five weights, inside of the edge.
fn convolve(x: &[f32], side: usize, weights: &[f32], y: &mut [f32]) {
    y.par_chunks_mut(side).enumerate().skip(2).take(side - 4).for_each(|(r, row)| {
        for (c, y) in row.iter_mut().enumerate().skip(2).take(side - 4) {
            let tap = |k: usize| weights[k] * x[(r + 2 - k / 5) * side + c + 2 - k % 5];
            *y = (0..25).map(tap).sum();
        }
    });
}

/// Along the rows, then along the columns, inside of the edge.
fn separable(x: &[f32], side: usize, w: &[f32], between: &mut [f32], y: &mut [f32]) {
    between.par_chunks_mut(side).zip(x.par_chunks(side)).for_each(|(row, x)| {
        for (c, y) in row.iter_mut().enumerate().skip(2).take(side - 4) {
            *y = (0..5).map(|j| w[j] * x[c + 2 - j]).sum();
        }
    });
    let between = &*between;
    y.par_chunks_mut(side).enumerate().skip(2).take(side - 4).for_each(|(r, row)| {
        for (c, y) in row.iter_mut().enumerate() {
            *y = (0..5).map(|i| w[i] * between[(r + 2 - i) * side + c]).sum();
        }
    });
}

/// Philox 4x32-10 by 64-bit products.
fn philox(mut c: [u32; 4], mut k: [u32; 2]) -> [u32; 4] {
    for _ in 0..10 {
        let (p, q) = (u64::from(c[0]) * 0xd251_1f53, u64::from(c[2]) * 0xcd9e_8d57);
        c = [(q >> 32) as u32 ^ c[1] ^ k[0], q as u32, (p >> 32) as u32 ^ c[3] ^ k[1], p as u32];
        k = [k[0].wrapping_add(0x9e37_79b9), k[1].wrapping_add(0xbb67_ae85)];
    }
    c
}

fn made(bench: &AtSize<'_>, rt: &Runtime, n: usize) {
    let (mut w, mut v) = (vec![0u32; n], vec![0u32; n]);
    let plain = || {
        let fours = v.par_chunks_mut(4).enumerate().with_min_len(PART / 4);
        fours.for_each(|(i, four)| four.copy_from_slice(&philox([i as u32, 0, 0, 0], [1, 0])[..four.len()]));
    };
    bench.compare("random_u32", || rt.random_u32(1, &mut w).unwrap(), plain);
    let (mut y, mut z) = (vec![0.0f32; n], vec![0.0f32; n]);
    let plain = || {
        z.par_chunks_mut(2).enumerate().with_min_len(PART / 2).for_each(|(i, pair)| {
            let [a, b, ..] = philox([i as u32, 0, 0, 0], [1, 0]);
            let r = (-2.0 * ((a >> 8) as f32 + 1.0).ln() + 33.271065).sqrt();
            let (sin, cos) = ((b >> 8) as f32 * (std::f32::consts::TAU / (1 << 24) as f32)).sin_cos();
            pair.iter_mut().zip([r * cos, r * sin]).for_each(|(y, made)| *y = made);
        });
    };
    bench.compare("random_normal", || rt.random_normal(1, &mut y).unwrap(), plain);
}
