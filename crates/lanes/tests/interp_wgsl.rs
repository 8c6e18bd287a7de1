//! The interpreter on WGSL: memory, atomics, work-groups, grids, errors, pools.

use evener_lanes::{Buffer, Engine, Error, ErrorKind, Grid, GroupRange, Level, Module, Program, Settings};

fn program(source: &str) -> Program {
    Program::new(Module::parse(source).unwrap().lower("main").unwrap()).unwrap()
}

fn programs(source: &str) -> Vec<Program> {
    let kernel = Module::parse(source).unwrap().lower("main").unwrap();
    Level::available()
        .map(|level| Program::with(kernel.clone(), &Settings::default().engine(Engine::Interpreter(level))).unwrap())
        .collect()
}

fn bytes<T: Copy>(v: &mut [T]) -> &mut [u8] {
    // SAFETY: plain numbers.
    unsafe { std::slice::from_raw_parts_mut(v.as_mut_ptr().cast(), size_of_val(v)) }
}

fn run(p: &Program, buffers: &mut [&mut [u32]], groups: [u32; 3]) -> Result<(), Error> {
    let grid = Grid { groups };
    run_range(p, buffers, grid, GroupRange::all(grid))
}

fn run_range(p: &Program, buffers: &mut [&mut [u32]], grid: Grid, range: GroupRange) -> Result<(), Error> {
    let buffers: Vec<Buffer<'_>> = buffers.iter_mut().map(|b| Buffer::write(bytes(b))).collect();
    p.run(&buffers, grid, range)
}

#[test]
fn every_axis_of_every_builtin_in_sub_ranges() {
    for size in [[4, 3, 2], [64, 1, 1], [1, 1, 1], [1, 8, 1], [100, 1, 2], [16, 16, 1]] {
        for cooperative in [false, true] {
            let [sx, sy, sz] = size;
            let source = format!(
                "@group(0) @binding(0) var<storage, read_write> out: array<array<u32, 13>>;
                 var<workgroup> w: u32;
                 @compute @workgroup_size({sx}, {sy}, {sz})
                 fn main(@builtin(global_invocation_id) g: vec3u, @builtin(local_invocation_id) l: vec3u,
                         @builtin(workgroup_id) k: vec3u, @builtin(num_workgroups) n: vec3u,
                         @builtin(local_invocation_index) i: u32) {{
                     let at = g.x + n.x * {sx} * (g.y + n.y * {sy} * g.z);
                     {}
                     out[at] = array<u32, 13>(g.x, g.y, g.z, l.x, l.y, l.z, k.x, k.y, k.z, n.x, n.y, n.z, i);
                 }}",
                if cooperative { "w = 1; workgroupBarrier();" } else { "" }
            );
            let p = program(&source);
            let n = [5u32, 3, 2];
            let grid = Grid { groups: n };
            let range = GroupRange { start: [1, 1, 0], end: [4, 3, 2] };
            let total = n[0] * sx * n[1] * sy * n[2] * sz;
            let mut out = vec![u32::MAX; total as usize * 13];
            run_range(&p, &mut [&mut out], grid, range).unwrap();
            for at in 0..total {
                let g = [at % (n[0] * sx), at / (n[0] * sx) % (n[1] * sy), at / (n[0] * sx) / (n[1] * sy)];
                let k = [g[0] / sx, g[1] / sy, g[2] / sz];
                let l = [g[0] % sx, g[1] % sy, g[2] % sz];
                let inside = (0..3).all(|a| (range.start[a]..range.end[a]).contains(&k[a]));
                let expected = if inside {
                    [&g[..], &l, &k, &n, &[l[0] + sx * (l[1] + sy * l[2])]].concat()
                } else {
                    vec![u32::MAX; 13]
                };
                assert_eq!(out[at as usize * 13..][..13], expected, "{size:?} {cooperative} {g:?}");
            }
        }
    }
}

#[test]
fn structs_vectors_and_two_dimensional_arrays_keep_their_layout() {
    let source = "
        struct Item { a: u32, v: vec3u, m: array<vec2u, 3> }
        @group(0) @binding(0) var<storage, read> items: array<Item>;
        @group(0) @binding(1) var<storage, read_write> out: array<vec4u>;
        @compute @workgroup_size(32)
        fn main(@builtin(global_invocation_id) g: vec3u) {
            let i = g.x;
            let reversed = arrayLength(&items) - 1 - i;
            out[i] = vec4u(items[i].a, items[reversed].v.z, items[i].m[i % 3].y, items[(i * 7) % 50].m[5u * i].x);
        }";
    for p in programs(source) {
        let n = 50usize;
        let stride = 14; // 56 bytes: a, pad, v at 16, m at 28 rounded to 32, 24 bytes; aligned to 16: 64
        let words = (stride * 4usize).next_multiple_of(16) / 4;
        let mut items: Vec<u32> = (0..n * words).map(|i| i as u32).collect();
        let mut out = vec![0u32; 4 * n + 4];
        let (body, guard) = out.split_at_mut(4 * n);
        run(&p, &mut [&mut items, body], [2, 1, 1]).unwrap();
        for i in 0..n {
            let item = |k: usize, w: usize| (k * words + w) as u32;
            let far = if 5 * i < 3 { item((i * 7) % 50, 8 + 10 * i) } else { 0 };
            let expected = [item(i, 0), item(n - 1 - i, 6), item(i, 8 + 2 * (i % 3) + 1), far];
            assert_eq!(body[4 * i..][..4], expected, "{i}");
        }
        assert_eq!(guard, [0; 4]);
    }
}

#[test]
fn out_of_bounds_reads_give_zero_and_writes_are_dropped() {
    let source = "
        @group(0) @binding(0) var<storage, read_write> a: array<u32>;
        @group(0) @binding(1) var<storage, read_write> b: array<atomic<u32>>;
        @compute @workgroup_size(64)
        fn main(@builtin(global_invocation_id) g: vec3u) {
            let i = g.x;
            let far = a[i + 0xffffffc0u] + a[i * 0x10000000u + 200u] + a[4000000000u];
            let old = atomicAdd(&b[i], 1u + far);
            a[i] = a[i] + old + far;
            a[i - 2000u] = 7u;
            a[1000000u] = 8u;
            atomicMax(&b[999999u], 9u);
        }";
    for p in programs(source) {
        for n in [1usize, 5, 63, 64, 65, 130] {
            let mut all_a = vec![3u32; n + 100];
            let mut all_b = vec![5u32; n + 100];
            run(&p, &mut [&mut all_a[40..40 + n], &mut all_b[40..40 + n]], [4, 1, 1]).unwrap();
            let expect = |inside: u32, outside: u32| -> Vec<u32> {
                (0..n + 100).map(|i| if (40..40 + n).contains(&i) { inside } else { outside }).collect()
            };
            // i + 0xffffffc0 is in bounds again for i >= 64.
            if n <= 64 {
                assert_eq!(all_a, expect(8, 3), "{n}");
                assert_eq!(all_b, expect(6, 5), "{n}");
            }
            assert!(all_a[..40].iter().chain(&all_a[40 + n..]).all(|v| *v == 3));
            assert!(all_b[..40].iter().chain(&all_b[40 + n..]).all(|v| *v == 5));
        }
    }
}

#[test]
fn storage_atomics_of_all_kinds() {
    let source = "
        struct All { add: atomic<u32>, sub: atomic<i32>, min: atomic<i32>, max: atomic<u32>, and: atomic<u32>,
                     or: atomic<u32>, xor: atomic<u32>, swaps: atomic<u32>, wins: atomic<u32>, seen: atomic<u32> }
        @group(0) @binding(0) var<storage, read_write> all: All;
        @group(0) @binding(1) var<storage, read_write> hist: array<atomic<u32>, 7>;
        @group(0) @binding(2) var<storage, read_write> olds: array<u32>;
        @compute @workgroup_size(64)
        fn main(@builtin(global_invocation_id) g: vec3u) {
            let i = g.x;
            if (i >= 10000u) { return; }
            atomicAdd(&all.add, i);
            atomicSub(&all.sub, i32(i) - 3);
            atomicMin(&all.min, 500 - i32(i));
            atomicMax(&all.max, i ^ 21u);
            atomicAnd(&all.and, ~(1u << (i % 5u)));
            atomicOr(&all.or, 1u << (i % 9u));
            atomicXor(&all.xor, i);
            let old = atomicExchange(&all.swaps, i + 1u);
            if (atomicCompareExchangeWeak(&all.wins, 0u, i + 1u).exchanged) { atomicAdd(&all.seen, 1u); }
            atomicAdd(&hist[i % 7u], 1u);
            olds[atomicAdd(&all.seen, 1u) % 10001u] = atomicLoad(&all.wins) + min(old, 0u);
        }";
    for p in programs(source) {
        let mut all = [0u32, 0, 0, 0, u32::MAX, 0, 0, 0, 0, 0];
        let (mut hist, mut olds) = ([0u32; 7], vec![0u32; 10001]);
        run(&p, &mut [&mut all, &mut hist, &mut olds], [160, 1, 1]).unwrap();
        let ids = 0..10000u32;
        assert_eq!(all[0], ids.clone().sum());
        assert_eq!(all[1] as i32, -ids.clone().map(|i| i as i32 - 3).sum::<i32>());
        assert_eq!(all[2] as i32, 500 - 9999);
        assert_eq!(all[3], ids.clone().map(|i| i ^ 21).max().unwrap());
        assert_eq!(all[4], !0b11111);
        assert_eq!(all[5], 0b1_1111_1111);
        assert_eq!(all[6], ids.clone().fold(0, |a, b| a ^ b));
        assert!((1..=10000).contains(&all[7]));
        assert!((1..=10000).contains(&all[8]));
        assert_eq!(all[9], 10001);
        assert_eq!(hist, std::array::from_fn(|k| ids.clone().filter(|i| i % 7 == k as u32).count() as u32));
        assert!(olds.iter().filter(|v| **v == all[8]).count() >= 9999);
    }
}

#[test]
fn work_group_memory_is_zeroed_and_barriers_order_it() {
    let source = "
        var<workgroup> tile: array<u32, 64>;
        var<workgroup> count: atomic<u32>;
        @group(0) @binding(0) var<storage, read_write> a: array<u32>;
        @group(0) @binding(1) var<storage, read_write> sums: array<vec2u>;
        @compute @workgroup_size(64)
        fn main(@builtin(global_invocation_id) g: vec3u, @builtin(local_invocation_index) l: u32,
                @builtin(workgroup_id) w: vec3u) {
            let fresh = tile[l];
            workgroupBarrier();
            tile[l] = a[g.x] + fresh;
            if (l % 3u == 0u) { atomicAdd(&count, 1u); }
            workgroupBarrier();
            a[g.x] = tile[63u - l];
            workgroupBarrier();
            for (var s = 32u; s > 0u; s >>= 1u) {
                if (l < s) { tile[l] += tile[l + s]; }
                workgroupBarrier();
            }
            if (l == 0u) { sums[w.x] = vec2u(tile[0], atomicLoad(&count)); }
        }";
    for p in programs(source) {
        let groups = 37;
        let original: Vec<u32> = (0..groups * 64).map(|i| i * 3 + 1).collect();
        let (mut a, mut sums) = (original.clone(), vec![0u32; 2 * groups as usize]);
        run(&p, &mut [&mut a, &mut sums], [groups, 1, 1]).unwrap();
        for (g, (now, before)) in a.chunks(64).zip(original.chunks(64)).enumerate() {
            assert!(now.iter().eq(before.iter().rev()));
            assert_eq!(sums[2 * g..][..2], [before.iter().sum(), 22]);
        }
    }
}

#[test]
fn a_group_past_the_lanes_of_a_block_and_odd_sizes_work() {
    for size in [1u32, 3, 17, 48, 100, 255, 1024] {
        let source = format!(
            "var<workgroup> tile: array<u32, {size}>;
             @group(0) @binding(0) var<storage, read_write> a: array<u32>;
             @compute @workgroup_size({size})
             fn main(@builtin(global_invocation_id) g: vec3u, @builtin(local_invocation_index) l: u32) {{
                 tile[l] = a[g.x];
                 workgroupBarrier();
                 a[g.x] = tile[(l * 7u + 5u) % {size}u];
             }}"
        );
        let p = program(&source);
        let original: Vec<u32> = (0..size * 5 + 3).collect();
        let mut a = original.clone();
        run(&p, &mut [&mut a], [6, 1, 1]).unwrap();
        for g in 0..5 {
            for l in 0..size {
                assert_eq!(a[(g * size + l) as usize], g * size + (l * 7 + 5) % size);
            }
        }
    }
}

#[test]
fn a_barrier_reached_by_a_part_of_a_group_is_an_error() {
    let source = |cond: &str| {
        format!(
            "var<workgroup> w: u32;
             @group(0) @binding(0) var<storage, read_write> a: array<u32>;
             @compute @workgroup_size(40)
             fn main(@builtin(local_invocation_index) l: u32, @builtin(workgroup_id) g: vec3u) {{
                 if ({cond}) {{ w = 1u; workgroupBarrier(); a[g.x] = w; }}
             }}"
        )
    };
    let run = |cond: &str| {
        let mut a = vec![0u32; 8];
        // naga refuses some of these in its own uniformity analysis: those are not for the interpreter.
        let kernel = Module::parse(&source(cond)).ok()?.lower("main").unwrap();
        Some((Program::new(kernel).unwrap().run(&[Buffer::write(bytes(&mut a))], G8, GroupRange::all(G8)), a))
    };
    const G8: Grid = Grid { groups: [8, 1, 1] };
    for cond in ["l < 39u", "l == 0u", "a[l] == 0u && l > 7u"] {
        if let Some((result, _)) = run(cond) {
            assert_eq!(result.unwrap_err().kind(), ErrorKind::NonUniformBarrier, "{cond}");
        }
    }
    let (result, a) = run("g.x > 3u").unwrap();
    result.unwrap();
    assert_eq!(a, [0, 0, 0, 0, 1, 1, 1, 1]);
    if let Some((result, a)) = run("l < 40u") {
        result.unwrap();
        assert_eq!(a, [1; 8]);
    }
}

#[test]
fn endless_loops_run_out_of_fuel_and_long_ones_do_not() {
    let endless = "
        @group(0) @binding(0) var<storage, read_write> a: array<u32>;
        @compute @workgroup_size(64)
        fn main(@builtin(global_invocation_id) g: vec3u) {
            var i = g.x;
            while (i != 0xffffffffu || a[0] == 0u) { i = i | 1u; }
            a[1] = i;
        }";
    let kernel = Module::parse(endless).unwrap().lower("main").unwrap();
    let p = Program::with(kernel, &Settings::default().fuel(100_000)).unwrap();
    let mut a = vec![0u32; 4];
    let error = run(&p, &mut [&mut a], [1000, 1, 1]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::OutOfFuel);
    let long = "
        @group(0) @binding(0) var<storage, read_write> a: array<u32>;
        @compute @workgroup_size(1)
        fn main() {
            var s = 0u;
            for (var i = 0u; i < 3000000u; i++) { s += i ^ a[0]; }
            a[1] = s;
        }";
    let p = program(long);
    run(&p, &mut [&mut a], [1, 1, 1]).unwrap();
    assert_eq!(a[1], (0..3_000_000u32).fold(0, u32::wrapping_add));
}

#[test]
fn buffers_that_do_not_fit_are_refused_by_name() {
    let source = "
        struct Head { n: u32, scale: f32, rest: array<vec4f> }
        @group(0) @binding(0) var<uniform> params: vec4u;
        @group(0) @binding(1) var<storage, read_write> body: Head;
        @group(0) @binding(2) var<storage, read_write> hits: array<atomic<u32>>;
        @compute @workgroup_size(64)
        fn main(@builtin(global_invocation_id) g: vec3u) {
            body.rest[g.x].x = f32(params.x);
            atomicAdd(&hits[0], 1u);
        }";
    let p = program(source);
    let grid = Grid { groups: [1, 1, 1] };
    let go = |buffers: &[Buffer<'_>]| p.run(buffers, grid, GroupRange::all(grid));
    let (mut u, mut b, mut h) = (vec![0u32; 4], vec![0u32; 8], vec![0u32; 4]);
    let refused = |r: Result<(), Error>, part: &str| {
        let e = r.unwrap_err();
        assert_eq!(e.kind(), ErrorKind::InvalidBuffer);
        assert!(e.message().contains(part), "{e}");
    };
    refused(go(&[]), "takes 3 buffers");
    let b_read: Vec<u8> = vec![0; 32];
    refused(go(&[Buffer::write(bytes(&mut u)), Buffer::read(&b_read), Buffer::write(bytes(&mut h))]), "`body`");
    refused(
        go(&[Buffer::write(bytes(&mut u)), Buffer::write(bytes(&mut b[..7])), Buffer::write(bytes(&mut h))]),
        "32 bytes",
    );
    refused(
        go(&[Buffer::write(bytes(&mut u[..3])), Buffer::write(bytes(&mut b)), Buffer::write(bytes(&mut h))]),
        "`params`",
    );
    let odd = &mut bytes(&mut h)[1..9];
    refused(go(&[Buffer::write(bytes(&mut u)), Buffer::write(bytes(&mut b)), Buffer::write(odd)]), "multiple of 4");
    let outside = GroupRange { start: [0; 3], end: [2, 1, 1] };
    let (mut u, mut h) = (vec![5u32; 4], vec![0u32; 4]);
    let buffers = [Buffer::write(bytes(&mut u)), Buffer::write(bytes(&mut b)), Buffer::write(bytes(&mut h))];
    assert!(p.run(&buffers, grid, outside).is_err());
    go(&buffers).unwrap();
    assert_eq!((b[4], h[0]), (5f32.to_bits(), 64));
}

const GREY: &str = "
    @group(0) @binding(0) var<storage, read_write> a: array<u32>;
    @compute @workgroup_size(64)
    fn main(@builtin(global_invocation_id) g: vec3u) {
        var n = 0u;
        for (var i = 0u; i < g.x % 37u; i++) { n += i; }
        a[g.x] = n;
    }";

fn check_grey(p: &Program) {
    let mut a = vec![0u32; 50_000];
    run(p, &mut [&mut a], [50_000u32.div_ceil(64), 1, 1]).unwrap();
    assert!(a.iter().enumerate().all(|(i, v)| *v == (0..i as u32 % 37).sum()));
}

#[test]
fn runs_nest_in_any_pool() {
    use rayon::prelude::*;
    let p = program(GREY);
    for threads in [1, 2, 5] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| check_grey(&p));
        pool.install(|| (0..20).into_par_iter().for_each(|_| check_grey(&p)));
    }
    std::thread::scope(|s| {
        for _ in 0..4 {
            s.spawn(|| check_grey(&p));
        }
    });
}

#[test]
fn levels_give_the_same_bits() {
    let source = "
        @group(0) @binding(0) var<storage, read_write> a: array<f32>;
        @compute @workgroup_size(64)
        fn main(@builtin(global_invocation_id) g: vec3u) {
            var x = a[g.x];
            for (var i = 0; i < 20; i++) {
                x = x * 1.7 + sin(x) - sqrt(abs(x)) + floor(x * 0.3) + fma(x, 0.1, 0.7) + exp(-abs(x)) + pow(abs(x), 0.3);
                if (x > 1000.0) { x = fract(x) - round(x * 0.001) % 7.0; }
            }
            a[g.x] = x;
        }";
    let results: Vec<Vec<u32>> = programs(source)
        .iter()
        .map(|p| {
            let mut a: Vec<u32> = (0..3000).map(|i| (i as f32 * 0.37 - 500.0).to_bits()).collect();
            run(p, &mut [&mut a], [47, 1, 1]).unwrap();
            a
        })
        .collect();
    assert!(results.windows(2).all(|w| w[0] == w[1]));
}

#[test]
fn narrow_grids_fill_their_lanes() {
    let source = "
        @group(0) @binding(0) var<storage, read_write> a: array<u32>;
        @compute @workgroup_size(2, 3, 1)
        fn main(@builtin(global_invocation_id) g: vec3u, @builtin(num_workgroups) n: vec3u) {
            a[g.y * 2u * n.x + g.x] = g.x * 1000000u + g.y;
        }";
    let p = program(source);
    let mut a = vec![0u32; 6 * 3000];
    run(&p, &mut [&mut a], [3, 1000, 1]).unwrap();
    assert!(a.iter().enumerate().all(|(i, v)| *v == (i as u32 % 6) * 1_000_000 + i as u32 / 6));
}

#[test]
fn private_arrays_are_each_invocations_own() {
    let source = "
        @group(0) @binding(0) var<storage, read_write> a: array<u32>;
        @compute @workgroup_size(64)
        fn main(@builtin(global_invocation_id) g: vec3u) {
            var stack: array<u32, 16>;
            var n = 0u;
            for (var v = g.x; v > 0u && n < 20u; v = v / 3u) {
                stack[n] = v % 3u;
                n++;
            }
            var s = stack[15];
            for (var i = 0u; i < n; i++) { s = s * 3u + stack[n - 1u - i]; }
            a[g.x] = s;
        }";
    for p in programs(source) {
        let mut a = vec![0u32; 5000];
        run(&p, &mut [&mut a], [80, 1, 1]).unwrap();
        assert!(a.iter().enumerate().all(|(i, v)| *v == i as u32), "{:?}", &a[..20]);
    }
}

#[test]
fn stores_under_any_mask_leave_the_other_lanes_bytes_alone() {
    let source = "
        @group(0) @binding(0) var<storage, read> live: array<u32>;
        @group(0) @binding(1) var<storage, read_write> out: array<u32>;
        @compute @workgroup_size(32)
        fn main(@builtin(global_invocation_id) g: vec3u) {
            if live[g.x] != 0 { out[g.x + 3] = g.x * 7 + 1; }
        }";
    let n = 1024usize;
    let patterns: [fn(usize) -> bool; 8] = [
        |i| i > 0 && i < 1023,
        |i| (5..700).contains(&i),
        |i| i % 2 == 0,
        |i| i % 16 == 15 || i % 16 == 0,
        |i| i % 48 < 33,
        |i| i.wrapping_mul(2_654_435_761) & 0x300 != 0,
        |i| i.wrapping_mul(2_654_435_761) & 0xf00 == 0,
        |i| i == 511,
    ];
    for p in programs(source) {
        for (k, is_live) in patterns.iter().enumerate() {
            for len in [n + 3, n, 700, 40] {
                let mut live: Vec<u32> = (0..n).map(|i| is_live(i).into()).collect();
                let mut out = vec![u32::MAX; len];
                run(&p, &mut [&mut live, &mut out], [n as u32 / 32, 1, 1]).unwrap();
                for (at, got) in out.iter().enumerate() {
                    let stored = at >= 3 && is_live(at - 3);
                    let expected = if stored { (at as u32 - 3) * 7 + 1 } else { u32::MAX };
                    assert_eq!(*got, expected, "pattern {k}, element {at} of {len}");
                }
            }
        }
    }
}

#[test]
fn runs_much_longer_or_shorter_than_the_last_are_right() {
    let source = "
        @group(0) @binding(0) var<storage, read> trips: array<u32>;
        @group(0) @binding(1) var<storage, read_write> out: array<u32>;
        @compute @workgroup_size(64)
        fn main(@builtin(global_invocation_id) g: vec3u) {
            var x = g.x;
            for (var i = 0u; i < trips[0]; i++) { x = x * 1664525u + 1013904223u; }
            out[g.x] = x;
        }";
    let p = program(source);
    for trips in [0u32, 1, 20_000, 0, 3, 20_000] {
        let mut out = vec![0; 4096];
        run(&p, &mut [&mut [trips], &mut out], [64, 1, 1]).unwrap();
        for g in [0u32, 1, 777, 4095] {
            let expected = (0..trips).fold(g, |x, _| x.wrapping_mul(1_664_525).wrapping_add(1_013_904_223));
            assert_eq!(out[g as usize], expected, "{trips} trips");
        }
    }
}
