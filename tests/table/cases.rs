//! The one case table: kernels with data and the results of a plain Rust reference, which is none of evener's paths.

use evener::prelude::*;

#[path = "../support/reference.rs"]
mod reference;

/// A buffer of a case, as 4-byte words.
#[derive(Clone, Debug)]
pub struct Buffer {
    pub name: &'static str,
    pub kind: ScalarKind,
    pub words: Vec<u32>,
    /// The words after the call, if the kernel writes it.
    pub expected: Option<Vec<u32>>,
}

/// One kernel on one set of data.
#[derive(Clone, Debug)]
pub struct Case {
    pub name: &'static str,
    pub wgsl: String,
    pub uniforms: Vec<(&'static str, String)>,
    pub buffers: Vec<Buffer>,
    pub items: [u64; 3],
    /// Allowed error of f32 results, relative to the larger of 1 and the value; integers are exact.
    pub tolerance: f32,
    /// Share of the elements that may differ: where rounding decides a chaotic iteration.
    pub loose: f64,
    /// Whether it must be splittable (the table states it, so that the analysis cannot silently give up).
    pub splits: bool,
}

pub fn f32_words(values: &[f32]) -> Vec<u32> {
    values.iter().map(|v| v.to_bits()).collect()
}

fn input(name: &'static str, values: &[f32]) -> Buffer {
    Buffer { name, kind: ScalarKind::F32, words: f32_words(values), expected: None }
}

fn output(name: &'static str, before: &[f32], after: &[f32]) -> Buffer {
    Buffer { name, kind: ScalarKind::F32, words: f32_words(before), expected: Some(f32_words(after)) }
}

fn words_in(name: &'static str, words: Vec<u32>) -> Buffer {
    Buffer { name, kind: ScalarKind::U32, words, expected: None }
}

fn words_out(name: &'static str, words: Vec<u32>, expected: Vec<u32>) -> Buffer {
    Buffer { name, kind: ScalarKind::U32, words, expected: Some(expected) }
}

/// Numbers without structure, the same on every machine.
pub fn noise(n: usize, seed: u32) -> Vec<f32> {
    (0..n as u32).map(|i| hash(i ^ seed.wrapping_mul(0x9E37_79B9)) as f32 / u32::MAX as f32 * 2.0 - 1.0).collect()
}

pub fn hash(mut x: u32) -> u32 {
    x ^= x >> 16;
    x = x.wrapping_mul(0x7feb_352d);
    x ^= x >> 15;
    x = x.wrapping_mul(0x846c_a68b);
    x ^ x >> 16
}

/// Every case at a size of about `n` elements.
pub fn cases(n: usize) -> Vec<Case> {
    vec![
        saxpy(n),
        unguarded_copy(n),
        stencil(n),
        mandelbrot(n),
        nbody(n.min(700)),
        histogram(n),
        write_only(n),
        in_place_neighbour(n),
        two_halves(n),
        interleaved(n),
        reversed(n),
        partial_sums(n),
        gather(n),
        scatter(n),
        vec3_store(n),
        struct_array(n),
        three_axes(n),
        column_major(n),
        data_loop(n),
        halves(n),
        subgroup_sums(n),
        shallow_water(n),
    ]
}

/// Kernels of the library on more than 65,535 work-groups of one axis, which a GPU's dispatch does not take at once.
pub fn beyond_one_dispatch() -> Vec<Case> {
    const GROUPS: usize = 65_535;
    let mut bodies = nbody(300);
    bodies.items = [(GROUPS * 64 + 100) as u64, 1, 1];
    vec![
        saxpy(GROUPS * 256 + 300),
        unguarded_copy(GROUPS * 64 + 199),
        write_only(GROUPS * 64 + 199),
        histogram(GROUPS * 256 + 300),
        stencil_on(3, GROUPS * 8 + 9),
        mandelbrot_on(3, GROUPS * 4 + 5),
        bodies,
        shallow_water_on(3, GROUPS * 4 + 5),
    ]
}

fn saxpy(n: usize) -> Case {
    let (x, y) = (noise(n, 1), noise(n, 2));
    let after: Vec<f32> = x.iter().zip(&y).map(|(x, y)| (2.5 * f64::from(*x) + f64::from(*y)) as f32).collect();
    Case {
        name: "saxpy",
        wgsl: evener_shaders::SAXPY.into(),
        uniforms: vec![("a", "2.5".into())],
        buffers: vec![input("x", &x), output("y", &y, &after)],
        items: [n as u64, 1, 1],
        tolerance: 1e-6,
        loose: 0.0,
        splits: true,
    }
}

/// No guard at all: the ragged last work-group reads and writes past the end, which gives zero and is dropped.
fn unguarded_copy(n: usize) -> Case {
    let x = noise(n, 3);
    Case {
        name: "unguarded copy",
        wgsl: "@group(0) @binding(0) var<storage, read> x: array<f32>;
               @group(0) @binding(1) var<storage, read_write> y: array<f32>;
               @compute @workgroup_size(64) fn copy(@builtin(global_invocation_id) id: vec3u) {
                   y[id.x] = x[id.x] + 1.0;
               }"
        .into(),
        uniforms: vec![],
        buffers: vec![input("x", &x), output("y", &vec![-1.0; n], &x.iter().map(|v| v + 1.0).collect::<Vec<_>>())],
        items: [n as u64, 1, 1],
        tolerance: 0.0,
        loose: 0.0,
        splits: true,
    }
}

/// Width and height of a grid of about n cells.
fn grid(n: usize) -> (usize, usize) {
    let w = ((n as f64).sqrt() as usize).max(1);
    (w, n.div_ceil(w))
}

fn stencil(n: usize) -> Case {
    let (w, h) = grid(n);
    stencil_on(w, h)
}

fn stencil_on(w: usize, h: usize) -> Case {
    let old = noise(w * h, 4);
    let at = |x: usize, y: usize| f64::from(old[y * w + x]);
    let new: Vec<f32> = (0..w * h)
        .map(|i| {
            let (x, y) = (i % w, i / w);
            if x == 0 || y == 0 || x + 1 == w || y + 1 == h {
                return old[i];
            }
            (at(x, y) + 0.2 * (at(x - 1, y) + at(x + 1, y) + at(x, y - 1) + at(x, y + 1) - 4.0 * at(x, y))) as f32
        })
        .collect();
    Case {
        name: "stencil",
        wgsl: evener_shaders::STENCIL5.into(),
        uniforms: vec![("grid.width", w.to_string()), ("grid.height", h.to_string()), ("grid.rate", "0.2".into())],
        buffers: vec![input("now", &old), output("next", &vec![9.0; w * h], &new)],
        items: [w as u64, h as u64, 1],
        tolerance: 2e-6,
        loose: 0.0,
        splits: true,
    }
}

fn mandelbrot(n: usize) -> Case {
    let (w, h) = grid(n.min(100_000));
    mandelbrot_on(w, h)
}

fn mandelbrot_on(w: usize, h: usize) -> Case {
    // No row on the real axis: there any rounding (a fused one, say) decides which points ever escape.
    let (left, top, pixel, cap) = (-2.0f32, 1.2531f32, 2.5 / w as f32, 60u32);
    let mut counts = Vec::with_capacity(w * h);
    for y in 0..h {
        for x in 0..w {
            // f32 in the shader's order: the iteration is chaotic, so a wider reference would differ.
            let (cr, ci) = (left + pixel * x as f32, top - pixel * y as f32);
            let (mut re, mut im, mut k) = (0f32, 0f32, 0u32);
            while k < cap && re * re + im * im <= 4.0 {
                (re, im) = (re * re - im * im + cr, 2.0 * re * im + ci);
                k += 1;
            }
            counts.push(k);
        }
    }
    Case {
        name: "mandelbrot",
        wgsl: evener_shaders::MANDELBROT.into(),
        uniforms: vec![
            ("view.width", w.to_string()),
            ("view.height", h.to_string()),
            ("view.cap", cap.to_string()),
            ("view.left", left.to_string()),
            ("view.top", top.to_string()),
            ("view.pixel", pixel.to_string()),
        ],
        buffers: vec![words_out("count", vec![7; w * h], counts)],
        items: [w as u64, h as u64, 1],
        tolerance: 0.0,
        loose: 0.002,
        splits: true,
    }
}

fn nbody(n: usize) -> Case {
    let bodies: Vec<f32> = noise(4 * n, 5).chunks(4).flat_map(|b| [b[0], b[1], b[2], b[3].abs() + 0.1]).collect();
    let softening2 = 0.05f32;
    let mut after = Vec::new();
    for i in 0..n {
        let mut sum = [0f64; 3];
        for j in 0..n {
            let d: [f64; 3] = std::array::from_fn(|k| f64::from(bodies[4 * j + k]) - f64::from(bodies[4 * i + k]));
            let r2 = d.iter().map(|v| v * v).sum::<f64>() + f64::from(softening2);
            let f = f64::from(bodies[4 * j + 3]) / (r2 * r2.sqrt());
            (0..3).for_each(|k| sum[k] += f * d[k]);
        }
        after.extend([sum[0] as f32, sum[1] as f32, sum[2] as f32, 0.0]);
    }
    Case {
        name: "n-body",
        wgsl: evener_shaders::NBODY.into(),
        uniforms: vec![("system.count", n.to_string()), ("system.softening2", softening2.to_string())],
        buffers: vec![input("bodies", &bodies), output("acceleration", &vec![5.0; 4 * n], &after)],
        items: [n as u64, 1, 1],
        tolerance: 3e-3,
        loose: 0.0,
        splits: true,
    }
}

fn histogram(n: usize) -> Case {
    let values: Vec<u32> = (0..n as u32).map(hash).collect();
    let mut bins: Vec<u32> = (0..256).collect();
    values.iter().for_each(|v| bins[(v & 255) as usize] += 1);
    Case {
        name: "histogram",
        wgsl: evener_shaders::HISTOGRAM.into(),
        uniforms: vec![],
        buffers: vec![words_in("values", values), words_out("bins", (0..256).collect(), bins)],
        items: [n as u64, 1, 1],
        tolerance: 0.0,
        loose: 0.0,
        splits: true,
    }
}

/// One line of WGSL for the body, with the usual two arrays.
fn xy_kernel(size: u32, body: &str) -> String {
    format!(
        "@group(0) @binding(0) var<storage, read> x: array<f32>;
         @group(0) @binding(1) var<storage, read_write> y: array<f32>;
         @compute @workgroup_size({size}) fn body(@builtin(global_invocation_id) id: vec3u,
             @builtin(workgroup_id) wg: vec3u, @builtin(local_invocation_index) lane: u32) {{ {body} }}"
    )
}

fn xy(name: &'static str, wgsl: String, n: usize, x: &[f32], before: &[f32], after: &[f32], splits: bool) -> Case {
    let buffers = vec![input("x", x), output("y", before, after)];
    Case { name, wgsl, uniforms: vec![], buffers, items: [n as u64, 1, 1], tolerance: 1e-5, loose: 0.0, splits }
}

fn write_only(n: usize) -> Case {
    let after: Vec<f32> = (0..n).map(|i| i as f32 * 0.5).collect();
    Case {
        name: "write only",
        wgsl: "@group(0) @binding(0) var<storage, read_write> y: array<f32>;
               @compute @workgroup_size(64) fn fill(@builtin(global_invocation_id) id: vec3u) { y[id.x] = f32(id.x) * 0.5; }"
            .into(),
        uniforms: vec![],
        buffers: vec![output("y", &vec![3.0; n], &after)],
        items: [n as u64, 1, 1],
        tolerance: 0.0,
        loose: 0.0,
        splits: true,
    }
}

/// Writes even elements and reads odd ones of the same buffer: disjoint, whatever the cut.
fn in_place_neighbour(n: usize) -> Case {
    let pairs = noise(2 * n, 6);
    let after: Vec<f32> = pairs.chunks(2).flat_map(|p| [p[1] * 2.0, p[1]]).collect();
    let body = "if (2u * id.x + 1u < arrayLength(&y)) { y[2u * id.x] = y[2u * id.x + 1u] * 2.0 + 0.0 * x[0]; }";
    xy("in place pairs", xy_kernel(32, body), n, &[1.0], &pairs, &after, true)
}

fn two_halves(n: usize) -> Case {
    let x = noise(n, 7);
    let after: Vec<f32> = x.iter().map(|v| v + 1.0).chain(x.iter().map(|v| v - 1.0)).collect();
    let body = "let n = arrayLength(&x); if (id.x < n) { y[id.x] = x[id.x] + 1.0; y[id.x + n] = x[id.x] - 1.0; }";
    xy("two halves", xy_kernel(64, body), n, &x, &vec![0.0; 2 * n], &after, true)
}

fn interleaved(n: usize) -> Case {
    let x = noise(n, 8);
    let after: Vec<f32> = x.iter().flat_map(|v| [*v, -v]).collect();
    let body = "if (id.x < arrayLength(&x)) { y[2u * id.x] = x[id.x]; y[2u * id.x + 1u] = -x[id.x]; }";
    xy("interleaved", xy_kernel(64, body), n, &x, &vec![0.0; 2 * n], &after, true)
}

fn reversed(n: usize) -> Case {
    let x = noise(n, 9);
    let after: Vec<f32> = x.iter().rev().copied().collect();
    let body = "let n = arrayLength(&x); if (id.x < n) { y[n - 1u - id.x] = x[id.x]; }";
    xy("reversed", xy_kernel(64, body), n, &x, &vec![0.0; n], &after, true)
}

/// A tree sum in work-group memory, one result per work-group.
fn partial_sums(n: usize) -> Case {
    let x = noise(n, 10);
    let groups = n.div_ceil(64);
    let after: Vec<f32> = x.chunks(64).map(|c| c.iter().map(|v| f64::from(*v)).sum::<f64>() as f32).collect();
    let wgsl = "@group(0) @binding(0) var<storage, read> x: array<f32>;
         @group(0) @binding(1) var<storage, read_write> y: array<f32>;
         var<workgroup> tree: array<f32, 64>;
         @compute @workgroup_size(64) fn sums(@builtin(global_invocation_id) id: vec3u,
             @builtin(workgroup_id) wg: vec3u, @builtin(local_invocation_index) lane: u32) {
             tree[lane] = x[id.x]; // past the end it reads zero
             workgroupBarrier();
             for (var half = 32u; half > 0u; half >>= 1u) {
                 if (lane < half) { tree[lane] += tree[lane + half]; }
                 workgroupBarrier();
             }
             if (lane == 0u) { y[wg.x] = tree[0]; }
         }";
    xy("work-group sums", wgsl.into(), n, &x, &vec![9.0; groups], &after, true)
}

fn gather(n: usize) -> Case {
    let x = noise(n, 11);
    let index: Vec<u32> = (0..n as u32).map(|i| hash(i) % (n as u32 + 3)).collect(); // some are out of bounds
    let after: Vec<f32> = index.iter().map(|i| x.get(*i as usize).copied().unwrap_or(0.0)).collect();
    Case {
        name: "gather",
        wgsl: "@group(0) @binding(0) var<storage, read> x: array<f32>;
               @group(0) @binding(1) var<storage, read> index: array<u32>;
               @group(0) @binding(2) var<storage, read_write> y: array<f32>;
               @compute @workgroup_size(128) fn gather(@builtin(global_invocation_id) id: vec3u) {
                   y[id.x] = x[index[id.x]];
               }"
        .into(),
        uniforms: vec![],
        buffers: vec![input("x", &x), words_in("index", index), output("y", &vec![8.0; n], &after)],
        items: [n as u64, 1, 1],
        tolerance: 0.0,
        loose: 0.0,
        splits: true,
    }
}

/// Through an index buffer: right anywhere, but not splittable. Some indices are out of bounds.
fn scatter(n: usize) -> Case {
    let x = noise(n, 12);
    let index: Vec<u32> = (0..n as u32).map(|i| if i % 5 == 4 { u32::MAX - i } else { n as u32 - 1 - i }).collect();
    let mut after = vec![8.0; n];
    for (i, to) in index.iter().enumerate() {
        if let Some(slot) = after.get_mut(*to as usize) {
            *slot = x[i];
        }
    }
    Case {
        name: "scatter",
        wgsl: "@group(0) @binding(0) var<storage, read> x: array<f32>;
               @group(0) @binding(1) var<storage, read> index: array<u32>;
               @group(0) @binding(2) var<storage, read_write> y: array<f32>;
               @compute @workgroup_size(64) fn scatter(@builtin(global_invocation_id) id: vec3u) {
                   if (id.x < arrayLength(&x)) { y[index[id.x]] = x[id.x]; }
               }"
        .into(),
        uniforms: vec![],
        buffers: vec![input("x", &x), words_in("index", index), output("y", &vec![8.0; n], &after)],
        items: [n as u64, 1, 1],
        tolerance: 0.0,
        loose: 0.0,
        splits: false,
    }
}

/// A vec3 store leaves its 4 bytes of padding alone.
fn vec3_store(n: usize) -> Case {
    let x = noise(n, 13);
    let before = noise(4 * n, 14);
    let after: Vec<f32> = (0..n).flat_map(|i| [x[i], x[i] + 1.0, x[i] + 2.0, before[4 * i + 3]]).collect();
    let wgsl = "@group(0) @binding(0) var<storage, read> x: array<f32>;
         @group(0) @binding(1) var<storage, read_write> y: array<vec3f>;
         @compute @workgroup_size(64) fn store(@builtin(global_invocation_id) id: vec3u) {
             if (id.x < arrayLength(&x)) { y[id.x] = vec3f(x[id.x], x[id.x] + 1.0, x[id.x] + 2.0); }
         }";
    xy("vec3 store", wgsl.into(), n, &x, &before, &after, true)
}

/// Writes some members of each struct and leaves others.
fn struct_array(n: usize) -> Case {
    let x = noise(n, 15);
    let before = noise(8 * n, 16);
    let mut after = before.clone();
    for i in 0..n {
        after[8 * i] = x[i];
        after[8 * i + 6] = x[i] * before[8 * i + 1];
    }
    let wgsl = "struct Cell { first: f32, second: f32, pad: vec2f, v: vec3f, last: f32 }
         @group(0) @binding(0) var<storage, read> x: array<f32>;
         @group(0) @binding(1) var<storage, read_write> y: array<Cell>;
         @compute @workgroup_size(16) fn cells(@builtin(global_invocation_id) id: vec3u) {
             if (id.x >= arrayLength(&y)) { return; }
             let second = y[id.x].second;
             y[id.x].first = x[id.x];
             y[id.x].v.z = x[id.x] * second;
         }";
    xy("struct members", wgsl.into(), n, &x, &before, &after, true)
}

fn three_axes(n: usize) -> Case {
    let side = (n as f64).cbrt() as usize + 1;
    let size = [side, side + 1, side.div_ceil(2)];
    let total = size.iter().product();
    let after: Vec<u32> = (0..total)
        .map(|i| {
            let (x, y, z) = (i % size[0], i / size[0] % size[1], i / size[0] / size[1]);
            (x + 1000 * y + 1_000_000 * z) as u32
        })
        .collect();
    Case {
        name: "three axes",
        wgsl: "@group(0) @binding(0) var<uniform> size: vec3u;
               @group(0) @binding(1) var<storage, read_write> y: array<u32>;
               @compute @workgroup_size(4, 4, 2) fn axes(@builtin(global_invocation_id) id: vec3u) {
                   if (any(id >= size)) { return; }
                   y[(id.z * size.y + id.y) * size.x + id.x] = id.x + 1000u * id.y + 1000000u * id.z;
               }"
        .into(),
        uniforms: vec![("size", format!("{},{},{}", size[0], size[1], size[2]))],
        buffers: vec![words_out("y", vec![0; total], after)],
        items: size.map(|s| s as u64),
        tolerance: 0.0,
        loose: 0.0,
        splits: true,
    }
}

/// Split rows of a column-major array: each device's part is many short runs.
fn column_major(n: usize) -> Case {
    let (w, h) = grid(n);
    let x = noise(w * h, 17);
    let after: Vec<f32> = x.iter().map(|v| v * 3.0).collect();
    let mut case = xy(
        "column major",
        "@group(0) @binding(0) var<storage, read> x: array<f32>;
         @group(0) @binding(1) var<storage, read_write> y: array<f32>;
         @group(0) @binding(2) var<uniform> size: vec2u;
         @compute @workgroup_size(8, 4) fn columns(@builtin(global_invocation_id) id: vec3u) {
             if (id.x >= size.x || id.y >= size.y) { return; }
             y[id.x * size.y + id.y] = x[id.x * size.y + id.y] * 3.0;
         }"
        .into(),
        n,
        &x,
        &vec![1.0; w * h],
        &after,
        true,
    );
    case.uniforms = vec![("size", format!("{w},{h}"))];
    case.items = [w as u64, h as u64, 1];
    case
}

/// Trip counts and control flow that depend on data.
fn data_loop(n: usize) -> Case {
    let steps: Vec<u32> = (0..n as u32).map(|i| hash(i ^ 77) % 50).collect();
    let after: Vec<u32> = steps
        .iter()
        .map(|&s| {
            let mut sum = 0u32;
            for k in 0..s {
                if k % 7 == 3 {
                    continue;
                }
                if sum > 300 {
                    break;
                }
                sum += k;
            }
            sum
        })
        .collect();
    Case {
        name: "data-dependent loop",
        wgsl: "@group(0) @binding(0) var<storage, read> steps: array<u32>;
               @group(0) @binding(1) var<storage, read_write> y: array<u32>;
               @compute @workgroup_size(64) fn loops(@builtin(global_invocation_id) id: vec3u) {
                   if (id.x >= arrayLength(&y)) { return; }
                   var sum = 0u;
                   for (var k = 0u; k < steps[id.x]; k++) {
                       if (k % 7u == 3u) { continue; }
                       if (sum > 300u) { break; }
                       sum += k;
                   }
                   y[id.x] = sum;
               }"
        .into(),
        uniforms: vec![],
        buffers: vec![words_in("steps", steps), words_out("y", vec![1; n], after)],
        items: [n as u64, 1, 1],
        tolerance: 0.0,
        loose: 0.0,
        splits: true,
    }
}

/// Two 16-bit elements in a word; every result is exact.
fn halves(n: usize) -> Case {
    let n = n.next_multiple_of(2);
    let small = |i: usize, seed: u32| (hash(i as u32 ^ seed << 20) % 64) as f32 * 0.25 - 8.0;
    let pack = |value: &dyn Fn(usize) -> f32| -> Vec<u32> {
        let half = |i| u32::from(evener_lanes::ir::half::from_f32(value(i)));
        (0..n).step_by(2).map(|i| half(i) | half(i + 1) << 16).collect()
    };
    let (x, y) = (pack(&|i| small(i, 1)), pack(&|i| small(i, 2)));
    let after = pack(&|i| 2.5 * small(i, 1) + small(i, 2));
    let buffer = |name, words, expected| Buffer { name, kind: ScalarKind::F16, words, expected };
    Case {
        name: "halves",
        wgsl: "enable f16;
               struct P { a: f16, n: u32 }
               @group(0) @binding(0) var<storage, read> x: array<f16>;
               @group(0) @binding(1) var<storage, read_write> y: array<f16>;
               @group(0) @binding(2) var<uniform> p: P;
               @compute @workgroup_size(64) fn axpy(@builtin(global_invocation_id) id: vec3u) {
                   if (id.x < p.n) { y[id.x] = p.a * x[id.x] + y[id.x]; }
               }"
        .into(),
        uniforms: vec![("p.a", "2.5".into()), ("p.n", n.to_string())],
        buffers: vec![buffer("x", x, None), buffer("y", y, Some(after))],
        items: [n as u64, 1, 1],
        tolerance: 0.0,
        loose: 0.0,
        splits: true,
    }
}

/// A sum that does not depend on how many lanes a subgroup has.
fn subgroup_sums(n: usize) -> Case {
    let x: Vec<u32> = (0..n as u32).map(|i| hash(i) >> 8).collect();
    let sums: Vec<u32> = x.chunks(64).map(|c| c.iter().fold(0, |s: u32, v| s.wrapping_add(*v))).collect();
    Case {
        name: "subgroup sums",
        wgsl: "@group(0) @binding(0) var<storage, read> x: array<u32>;
               @group(0) @binding(1) var<storage, read_write> y: array<u32>;
               var<workgroup> total: atomic<u32>;
               @compute @workgroup_size(64) fn sums(@builtin(global_invocation_id) id: vec3u,
                   @builtin(workgroup_id) wg: vec3u, @builtin(local_invocation_index) l: u32,
                   @builtin(subgroup_invocation_id) lane: u32) {
                   let sum = subgroupAdd(x[id.x]);
                   if (lane == 0u) { atomicAdd(&total, sum); }
                   workgroupBarrier();
                   if (l == 0u) { y[wg.x] = atomicLoad(&total); }
               }"
        .into(),
        uniforms: vec![],
        buffers: vec![words_in("x", x), words_out("y", vec![9; sums.len()], sums)],
        items: [n as u64, 1, 1],
        tolerance: 0.0,
        loose: 0.0,
        splits: true,
    }
}

fn shallow_water(n: usize) -> Case {
    let (w, h) = grid(n.min(20_000));
    shallow_water_on(w, h)
}

/// One step of the solver of the flood demo.
fn shallow_water_on(w: usize, h: usize) -> Case {
    let (flow, c) = reference::uneven_ground(w, h);
    let (after, fastest) = reference::shallow_water(&flow, &c);
    let narrow = |x: &[f64]| x.iter().map(|x| *x as f32).collect::<Vec<f32>>();
    let blank = |x: &[f64]| vec![-1.0f32; x.len()];
    let next = |name, x: &[f64]| output(name, &blank(x), &narrow(x));
    let number = |name, x: f64| (name, (x as f32).to_string());
    Case {
        name: "shallow water",
        wgsl: evener_shaders::SHALLOW_WATER.into(),
        uniforms: vec![
            ("params.width", w.to_string()),
            ("params.height", h.to_string()),
            number("params.dt", c.dt),
            number("params.dt_dx", c.dt / c.dx),
            number("params.dt_dy", c.dt / c.dy),
            number("params.gravity", c.gravity),
            number("params.dry", c.dry),
            number("params.friction", c.gravity * c.manning * c.manning),
            number("params.rain", c.rain),
        ],
        buffers: vec![
            input("bed", &narrow(&flow.bed)),
            input("depth", &narrow(&flow.depth)),
            input("u", &narrow(&flow.u)),
            input("v", &narrow(&flow.v)),
            next("depth_next", &after.depth),
            next("u_next", &after.u),
            next("v_next", &after.v),
            next("fastest", &fastest),
        ],
        items: [w as u64, h as u64, 1],
        tolerance: 3e-4,
        loose: 0.0,
        splits: true,
    }
}
