//! The affine analysis on WGSL kernels: what splits, on which axis, and why not.

mod analysis_support;

use analysis_support::{Case, words};
use evener_lanes::{Module, analysis::Split, ir::BinaryOp, run::GroupRange};

/// Bytes of a binding, by name.
enum Data {
    /// Zeros.
    Words(usize),
    Are(Vec<u32>),
}
use Data::{Are, Words};

fn case(source: &str, groups: [u32; 3], data: &[(&str, Data)]) -> Case {
    let module = Module::parse(source).unwrap_or_else(|e| panic!("{e}\n{source}"));
    let entry = module.entries().next().unwrap().to_string();
    let kernel = module.lower(&entry).unwrap();
    let buffers = kernel
        .bindings
        .iter()
        .map(|b| match data.iter().find(|d| d.0 == b.name) {
            Some((_, Words(n))) => vec![0; n * 4],
            Some((_, Are(v))) => words(v),
            None => panic!("no data for `{}`", b.name),
        })
        .collect();
    Case { kernel, groups, buffers }
}

/// Two arrays, `n` and a body over `i = gid.x`.
fn line(body: &str, n: u32, groups: u32) -> Case {
    let source = format!(
        "struct P {{ n: u32, k: u32, a: f32 }}
         @group(0) @binding(0) var<storage, read> x: array<f32>;
         @group(0) @binding(1) var<storage, read_write> y: array<f32>;
         @group(0) @binding(2) var<uniform> p: P;
         @group(0) @binding(3) var<storage, read> idx: array<u32>;
         @compute @workgroup_size(64) fn main(@builtin(global_invocation_id) gid: vec3u,
             @builtin(local_invocation_id) lid: vec3u, @builtin(workgroup_id) wg: vec3u,
             @builtin(num_workgroups) groups: vec3u) {{ let i = gid.x; {body} }}"
    );
    let idx: Vec<u32> = (0..n).map(|i| i * 17 % n).collect();
    let len = n as usize;
    let data = [("x", Words(len)), ("y", Words(2 * len)), ("p", Are(vec![n, 3, 0, 0])), ("idx", Are(idx))];
    case(&source, [groups, 1, 1], &data)
}

/// An image `u` and an image `v` of `w x h` and a body over `x` and `y`.
fn plane(body: &str, w: u32, h: u32) -> Case {
    let source = format!(
        "struct P {{ w: u32, h: u32 }}
         @group(0) @binding(0) var<storage, read_write> u: array<f32>;
         @group(0) @binding(1) var<storage, read_write> v: array<f32>;
         @group(0) @binding(2) var<uniform> p: P;
         fn at(x: u32, y: u32) -> u32 {{ return y * p.w + x; }}
         @compute @workgroup_size(8, 8) fn main(@builtin(global_invocation_id) gid: vec3u) {{
             let x = gid.x; let y = gid.y; {body} }}"
    );
    let n = (w * h) as usize;
    case(&source, [w.div_ceil(8), h.div_ceil(8), 1], &[("u", Words(n)), ("v", Words(n)), ("p", Are(vec![w, h]))])
}

const CUTS: [u32; 3] = [1, 3, 6];

#[test]
fn lines_that_split() {
    let bodies = [
        "if (i < p.n) { y[i] = p.a * x[i] + y[i]; }",
        "if (i >= p.n) { return; } y[i] = x[i];",
        "y[i] = x[i];",
        "if (i < arrayLength(&x)) { y[i] = x[i]; }",
        "if (i > 0u && i + 1u < p.n) { y[i] = x[i - 1u] + x[i + 1u]; }",
        "y[i] = x[i - 1u] + x[i + 1u];",
        "y[i] = x[max(i32(i) - 1, 0)] + x[min(i + 1u, p.n - 1u)];",
        "if (i < p.n) { y[i] = x[(i + p.n - 1u) % p.n]; }",
        "if (i < p.n) { y[i] = x[select(i - 1u, p.n - 1u, i == 0u)]; }",
        "if (i < p.n) { y[p.n - 1u - i] = x[i]; }",
        "if (i < p.n) { y[i] = y[i + p.n]; y[i + p.n] = x[i]; }",
        "if (i < p.n) { y[2u * i] = x[i]; y[2u * i + 1u] = -x[i]; }",
        "if (i < p.n) { let j = i32(i); y[j] = x[j]; }",
        "if (i < p.n) { y[wg.x * 64u + lid.x] = x[i]; }",
        "if (i < p.n) { y[i] = x[idx[i]]; }",
        "if (lid.x == 0u) { y[wg.x] = x[i]; }",
        "if (i < p.n) { let r = i / 30u; let c = i % 30u; y[r * 30u + c] = x[(r + 1u) * 30u + c]; }",
        "for (var j = i; j < p.n; j += groups.x * 64u) { y[j] = x[j]; }",
        "if (i * 4u < p.n) { for (var k = 0u; k < 4u; k++) { y[i * 4u + k] = x[i * 4u + k]; } }",
        "var s = 0.0; for (var k = 0u; k < p.k; k++) { s += x[i + k]; } if (i < p.n) { y[i] = s; }",
        "if (i < p.n) { var s = 0.0; var k = p.n; while (k > 0u) { k--; s += x[k]; if (s > 3.0) { break; } } y[i] = s; }",
        "if (i < p.n) { if (x[i] > 0.0) { y[i] = 1.0; } }",
        // Only the first work-group writes `y[0]`.
        "if (i == 0u) { y[0] = 1.0; } y[i] = x[i];",
        "if ((i & 1u) == 0u) { y[i] = 1.0; }",
        "y[(i << 1u) | 1u] = 1.0;",
        "let row = i / p.k; for (var c = 0u; c < 3u; c++) { y[i * 3u + c] = x[row]; }",
    ];
    for body in bodies {
        let case = line(body, 420, 8);
        assert_eq!(case.verify(&CUTS), Split::Axis(0), "{body}");
    }
}

#[test]
fn lines_that_do_not_split_say_why() {
    let bodies = [
        ("y[idx[i]] = x[i];", "`y` is written through an index loaded from `idx`"),
        ("y[i] = y[i + 1u];", "another writes"),
        ("y[0] = x[i];", "every work-group along x writes `y[0]`"),
        ("if (x[i] == 0.0) { y[0] = 1.0; } y[i] = x[i];", "`y[0]`"),
        ("y[min(i, p.n - 1u)] = x[i];", "not an affine function"),
        ("y[i / 100u] = x[i];", "same element"),
        ("y[i % 100u] = x[i];", "same element"),
        ("y[lid.x] = x[i];", "every work-group along x writes `y[lid.x]`"),
        ("y[u32(x[i])] = 1.0;", "computed from data"),
        ("y[wg.x] = x[i]; y[i] = 1.0;", "same element"),
    ];
    for (body, part) in bodies {
        let case = line(body, 420, 8);
        case.verify(&CUTS);
        let reason = match case.split() {
            Split::Whole(reason) => reason,
            Split::Axis(axis) => panic!("{body} splits on {axis}"),
        };
        assert!(reason.contains(part), "{body}: {reason}");
    }
}

#[test]
fn planes() {
    let interior = "x > 0u && x < p.w - 1u && y > 0u && y < p.h - 1u";
    let sum = "u[at(x - 1u, y)] + u[at(x + 1u, y)] + u[at(x, y - 1u)] + u[at(x, y + 1u)]";
    let bodies = [
        format!("if ({interior}) {{ v[at(x, y)] = {sum}; }}"),
        format!("if (x == 0u || y == 0u || x >= p.w - 1u || y >= p.h - 1u) {{ return; }} v[at(x, y)] = {sum};"),
        format!(
            "if (x >= p.w || y >= p.h) {{ return; }} if ({interior}) {{ v[at(x, y)] = {sum}; }} else {{ v[at(x, y)] = 0.0; }}"
        ),
        "if (x < p.w && y < p.h) { v[x * p.h + y] = u[at(x, y)]; }".into(),
        "if (x < p.w && y < p.h) { v[at(x, y)] = u[at((x + p.w - 1u) % p.w, (y + 1u) % p.h)]; }".into(),
        "if (any(gid.xy >= vec2u(p.w, p.h))) { return; } v[at(x, y)] = u[at(x, y)];".into(),
        "if (x < p.w && y < p.h) { v[at(x, y)] = u[at(clamp(x, 1u, p.w - 2u), clamp(y, 1u, p.h - 2u))]; }".into(),
        "if (x < p.w && y < p.h) { var s = 0.0; for (var j = -1; j <= 1; j++) { for (var i = -1; i <= 1; i++) {
             s += u[at(u32(clamp(i32(x) + i, 0, i32(p.w) - 1)), u32(clamp(i32(y) + j, 0, i32(p.h) - 1)))]; } }
             v[at(x, y)] = s; }"
            .into(),
    ];
    for body in &bodies {
        let case = plane(body, 37, 61);
        assert_eq!(case.verify(&CUTS), Split::Axis(1), "{body}");
        case.with(|a, call| {
            let (_, back) = GroupRange::all(call.grid).split_at(1, 4);
            let read: u64 = a.footprint(call, &back).bindings[0].reads.iter().map(|s| s.bytes()).sum();
            let all = 37 * 61 * 4;
            assert!(read < all || body.contains('%') || body.contains("p.h + y"), "{body}: {read} of {all}");
        });
    }
    for body in [
        format!("if ({interior}) {{ u[at(x, y)] = {sum}; }}"),
        "if (x < p.w && y < p.h) { v[x + y] = 1.0; }".into(),
        // Unguarded columns run into the next row.
        "v[at(x, y)] = 1.0;".into(),
    ] {
        let case = plane(&body, 37, 61);
        case.verify(&CUTS);
        assert!(!case.reason().is_empty());
    }
}

const MATMUL: &str = "
    struct P { m: u32, n: u32, k: u32 }
    @group(0) @binding(0) var<storage, read> a: array<f32>;
    @group(0) @binding(1) var<storage, read> b: array<f32>;
    @group(0) @binding(2) var<storage, read_write> c: array<f32>;
    @group(0) @binding(3) var<uniform> p: P;
    @compute @workgroup_size(8, 8) fn main(@builtin(global_invocation_id) gid: vec3u) {
        let row = gid.y; let col = gid.x;
        if (row >= p.m || col >= p.n) { return; }
        var s = 0.0;
        for (var k = 0u; k < p.k; k++) { s += a[row * p.k + k] * b[k * p.n + col]; }
        c[row * p.n + col] = s;
    }";

#[test]
fn matrix_product() {
    let (m, n, k) = (41, 23, 19);
    let data = [("a", Words(m * k)), ("b", Words(k * n)), ("c", Words(m * n)), ("p", Are(vec![41, 23, 19, 0]))];
    let case = case(MATMUL, [3, 6, 1], &data);
    assert_eq!(case.verify(&CUTS), Split::Axis(1));
    case.with(|a, call| {
        let features = a.features(call);
        let live = (m * n) as f64 / (3.0 * 6.0 * 64.0);
        assert!(
            (features.float - live * 19.0).abs() < live * 3.0 || (features.float - live * 38.0).abs() < live * 3.0,
            "{features:?}"
        );
        assert!(!features.data_dependent);
        let (_, back) = GroupRange::all(call.grid).split_at(1, 2);
        let f = a.footprint(call, &back);
        assert_eq!(f.bindings[0].reads.iter().map(|s| s.bytes()).sum::<u64>(), (41 - 16) * 19 * 4);
        assert_eq!(f.bindings[2].certain, f.bindings[2].writes);
        assert_eq!(f.bindings[2].writes.iter().map(|s| s.bytes()).sum::<u64>(), (41 - 16) * 23 * 4);
    });
}

#[test]
fn rows_that_data_cut_are_walked_once_in_all() {
    let source = "
        @group(0) @binding(0) var<storage, read> start: array<u32>;
        @group(0) @binding(1) var<storage, read> value: array<f32>;
        @group(0) @binding(2) var<storage, read_write> y: array<f32>;
        @compute @workgroup_size(32) fn main(@builtin(global_invocation_id) gid: vec3u) {
            let row = gid.x;
            var sum = 0.0;
            let end = start[row + 1u];
            for (var k = start[row]; k < end; k++) { sum += value[k]; }
            y[row] = sum;
        }";
    let (rows, elements) = (32 * 10, 32 * 10 * 7);
    let case = case(source, [10, 1, 1], &[("start", Words(rows + 1)), ("value", Words(elements)), ("y", Words(rows))]);
    case.with(|a, call| {
        let features = a.features(call);
        assert!(features.data_dependent);
        assert!((features.float - 7.0).abs() < 0.5, "{features:?}");
    });
}

#[test]
fn an_end_in_data_of_which_nothing_is_known_is_near() {
    let source = "
        @group(0) @binding(0) var<storage, read> trips: array<u32>;
        @group(0) @binding(1) var<storage, read_write> y: array<f32>;
        @compute @workgroup_size(32) fn main(@builtin(global_invocation_id) gid: vec3u) {
            var sum = 0.0;
            for (var k = 0u; k < trips[gid.x]; k++) { sum += 0.5; }
            y[gid.x] = sum;
        }";
    let case = case(source, [10, 1, 1], &[("trips", Words(320)), ("y", Words(320))]);
    case.with(|a, call| {
        let features = a.features(call);
        assert!(features.data_dependent && features.float > 1.0 && features.float < 100.0, "{features:?}");
    });
}

#[test]
fn structs_and_vectors() {
    let source = "
        struct Body { pos: vec3f, mass: f32, vel: vec3f, id: u32 }
        @group(0) @binding(0) var<storage, read_write> bodies: array<Body>;
        @group(0) @binding(1) var<storage, read_write> out: array<vec3f>;
        @compute @workgroup_size(32) fn main(@builtin(global_invocation_id) gid: vec3u) {
            let i = gid.x;
            if (i >= arrayLength(&bodies)) { return; }
            bodies[i].vel += vec3f(1.0);
            out[i] = bodies[i].pos * bodies[i].mass;
        }";
    let case = case(source, [4, 1, 1], &[("bodies", Words(8 * 100)), ("out", Words(4 * 100))]);
    assert_eq!(case.verify(&CUTS), Split::Axis(0));
    case.with(|a, call| {
        let f = a.footprint(call, &GroupRange::all(call.grid));
        assert_eq!(f.bindings[1].certain.iter().map(|s| s.bytes()).sum::<u64>(), 1200);
        assert_eq!(f.bindings[0].writes.len(), 1);
    });
}

/// A kernel with `x: array<u32>` and `hist` of an atomic type, over 100 items.
fn atomics(ty: &str, body: &str) -> Case {
    let source = format!(
        "@group(0) @binding(0) var<storage, read> x: array<u32>;
         @group(0) @binding(1) var<storage, read_write> hist: array<{ty}>;
         @compute @workgroup_size(32) fn main(@builtin(global_invocation_id) gid: vec3u) {{
             let i = gid.x; if (i < arrayLength(&x)) {{ {body} }}
         }}"
    );
    case(&source, [4, 1, 1], &[("x", Words(100)), ("hist", Words(32))])
}

#[test]
fn atomics_merge_by_field() {
    let case = atomics("atomic<u32>", "atomicAdd(&hist[x[i] % 16u], 1u); atomicMin(&hist[16], x[i]);");
    assert_eq!(case.verify(&CUTS), Split::Axis(0));
    case.with(|a, call| {
        let (_, back) = GroupRange::all(call.grid).split_at(0, 2);
        let merges = &a.footprint(call, &back).bindings[1].merges;
        let ranges: Vec<_> = merges.iter().map(|m| (m.op, m.identity(), m.bytes[0].start, m.bytes[0].end())).collect();
        assert_eq!(ranges, [(BinaryOp::Add, 0, 0, 64), (BinaryOp::Min, u32::MAX.into(), 64, 68)]);
    });
}

#[test]
fn atomics_that_do_not_merge_say_why() {
    let add = "atomicAdd(&hist[x[i] % 16u], 1u);";
    for (ty, body, reason) in [
        ("atomic<u32>", format!("{add} atomicMax(&hist[x[i] % 17u], 1u);"), "atomicAdd and atomicMax"),
        (
            "atomic<u32>",
            format!("{add} if (atomicLoad(&hist[3]) > 9u) {{ {add} }}"),
            "updated by atomicAdd and also read",
        ),
        ("atomic<u32>", "atomicStore(&hist[i], 1u);".into(), "updated by atomicStore"),
        (
            "atomic<u32>",
            "let old = atomicAdd(&hist[0], 1u); atomicMax(&hist[1], old);".into(),
            "the result of an atomic",
        ),
        ("atomic<f32>", "atomicAdd(&hist[0], 1.0);".into(), "floats, whose bits depend on the order"),
    ] {
        let case = atomics(ty, &body);
        case.verify(&CUTS);
        assert!(case.reason().contains(reason), "{body}: {}", case.reason());
    }
}

#[test]
fn work_group_sums_split_by_group() {
    let source = "
        @group(0) @binding(0) var<storage, read> x: array<f32>;
        @group(0) @binding(1) var<storage, read_write> partial: array<f32>;
        var<workgroup> tile: array<f32, 64>;
        @compute @workgroup_size(64) fn main(@builtin(global_invocation_id) gid: vec3u,
            @builtin(local_invocation_index) l: u32, @builtin(workgroup_id) wg: vec3u) {
            tile[l] = x[gid.x];
            workgroupBarrier();
            for (var s = 32u; s > 0u; s >>= 1u) {
                if (l < s) { tile[l] += tile[l + s]; }
                workgroupBarrier();
            }
            if (l == 0u) { partial[wg.x] = tile[0]; }
        }";
    let case = case(source, [10, 1, 1], &[("x", Words(600)), ("partial", Words(10))]);
    assert_eq!(case.verify(&CUTS), Split::Axis(0));
}

#[test]
fn volumes_split_on_z() {
    let source = "
        @group(0) @binding(0) var<storage, read> u: array<f32>;
        @group(0) @binding(1) var<storage, read_write> v: array<f32>;
        override w: u32 = 20; const h = 18u; const d = 9u;
        @compute @workgroup_size(4, 4, 2) fn main(@builtin(global_invocation_id) g: vec3u) {
            if (any(g >= vec3u(20u, h, d))) { return; }
            v[(g.z * h + g.y) * 20u + g.x] = u[(g.z * h + g.y) * 20u + g.x];
        }";
    let case = case(source, [5, 5, 5], &[("u", Words(20 * 18 * 9)), ("v", Words(20 * 18 * 9))]);
    assert_eq!(case.verify(&CUTS), Split::Axis(2));
}

#[test]
fn one_result_of_a_flat_group_is_certain() {
    let source = "
        @group(0) @binding(0) var<storage, read_write> fastest: array<f32>;
        @compute @workgroup_size(16, 4) fn main(@builtin(workgroup_id) wg: vec3u,
            @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) l: u32) {
            if (l == 0u) { fastest[wg.y * groups.x + wg.x] = 1.0; }
        }";
    let case = case(source, [7, 9, 1], &[("fastest", Words(63))]);
    assert_eq!(case.verify(&CUTS), Split::Axis(1));
    case.with(|a, call| {
        let f = a.footprint(call, &GroupRange::all(call.grid));
        assert_eq!(f.bindings[0].certain, f.bindings[0].writes);
        assert_eq!(a.describe(call), ["fastest: write fastest[7*wg.y + wg.x], 252 bytes"]);
    });
}

#[test]
fn arrays_of_16_bit_scalars_split_by_elements_of_two_bytes() {
    let source = "
        enable f16; enable wgpu_int16;
        struct P { shift: u16 }
        @group(0) @binding(0) var<storage, read> x: array<f16>;
        @group(0) @binding(1) var<storage, read_write> y: array<f16>;
        @group(0) @binding(2) var<storage, read> idx: array<u16>;
        @group(0) @binding(3) var<uniform> p: P;
        @compute @workgroup_size(32) fn main(@builtin(global_invocation_id) gid: vec3u) {
            let i = gid.x;
            if (i < arrayLength(&y)) { y[i] = 2h * x[idx[i]] + x[i + u32(p.shift)]; }
        }";
    let data = [("x", Words(100)), ("y", Words(75)), ("idx", Words(75)), ("p", Are(vec![3]))];
    let case = case(source, [5, 1, 1], &data);
    assert_eq!(case.verify(&[1, 3]), Split::Axis(0));
    case.with(|a, call| {
        let y = &a.footprint(call, &GroupRange { start: [1, 0, 0], end: [2, 1, 1] }).bindings[1];
        assert_eq!((y.writes[0].start, y.writes[0].run), (64, 64));
        assert_eq!(a.describe(call)[1], "y: write y[gid.x], 300 bytes");
    });
}
