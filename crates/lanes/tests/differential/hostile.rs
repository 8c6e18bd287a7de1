//! Kernels that reach for the bytes around their buffers: every access pattern, at every ragged length, between guard
//! pages, on every engine, with the oracle's word for what is in bounds.

use crate::{
    ast::{Buffer, Function, Program, Scalar, Stmt, Struct, Ty},
    engines, guard, layout,
};
use std::rc::Rc;

/// A kernel: its buffers as name, element (or whole) type and whether it is written, then its body.
struct Case {
    name: &'static str,
    declarations: &'static str,
    buffers: Vec<(&'static str, Ty, bool)>,
    body: &'static str,
}

const F32: Ty = Ty::Scalar(Scalar::F32);
const U32: Ty = Ty::Scalar(Scalar::U32);
const I32: Ty = Ty::Scalar(Scalar::I32);

fn list(ty: Ty) -> Ty {
    Ty::Runtime(Rc::new(ty))
}

fn item() -> Ty {
    let members =
        vec![("v".into(), Ty::Vector(3, Scalar::F32)), ("b".into(), U32), ("c".into(), Ty::Array(Rc::new(U32), 3))];
    Ty::Struct(Rc::new(Struct { name: "Item".into(), members }))
}

fn headed() -> Ty {
    let members = vec![("count".into(), U32), ("list".into(), list(Ty::Vector(2, Scalar::U32)))];
    Ty::Struct(Rc::new(Struct { name: "Headed".into(), members }))
}

const ITEM: &str = "struct Item { v: vec3<f32>, b: u32, c: array<u32, 3> }";
const HEADED: &str = "struct Headed { count: u32, list: array<vec2<u32>> }";

fn case(
    name: &'static str,
    declarations: &'static str,
    buffers: Vec<(&'static str, Ty, bool)>,
    body: &'static str,
) -> Case {
    Case { name, declarations, buffers, body }
}

/// Loads and stores at forms of the own index.
fn affine() -> Vec<Case> {
    let xy = || vec![("x", list(F32), false), ("y", list(F32), true)];
    vec![
        case("contiguous", "", xy(), "y[i] = 2.5f * x[i] + y[i];"),
        case("shifted", "", xy(), "y[i] = x[i + 1u] + x[i - 1u] + x[i + 16u] + x[i + 0xfffffff0u];"),
        case("reversed", "", xy(), "y[arrayLength(&y) - 1u - i] = x[arrayLength(&x) - i];"),
        case("strided", "", xy(), "y[3u * i + 1u] = x[3u * i] + x[3u * i + 2u] + x[5u * i];"),
        case("wrapping", "", xy(), "y[i] = x[i * 0x40000000u + 1u] + x[0xffffffffu - i] + x[u32(i32(i) - 100i)];"),
        case("far", "", xy(), "y[i + 1000000u] = x[i]; y[i * 0x1000000u] = x[i + 0x3fffffffu] + x[0x40000000u + i];"),
        case("masked", "", xy(), "if (i % 3u == 1u) { y[i] = x[i]; } else if (x[i + 2u] > 0.0f) { y[i] = 7.0f; }"),
        case("guarded", "", xy(), "if (i < arrayLength(&y)) { y[i] = x[i]; }"),
        case(
            "plane",
            "",
            xy(),
            "let at = gid.x + 9u * gid.y; y[i] = x[at - 9u] + x[at + 9u] + x[at - 1u] + x[at + 1u];",
        ),
        case(
            "ends",
            "",
            xy(),
            "if (i == 0u) { y[0] = x[arrayLength(&x) - 1u]; y[arrayLength(&y) - 1u] = x[0]; y[arrayLength(&y)] = 9.0f; }",
        ),
        case("single", "", xy(), "if (i == 5u) { for (var k = -3i; k < 400i; k++) { y[k] = x[k] + 1.0f; } }"),
        case(
            "broadcast",
            "",
            xy(),
            "var s = 0.0f; for (var k = 0u; k < arrayLength(&x) + 70u; k++) { s += x[k]; } y[i] = s;",
        ),
        case("blocks", "", xy(), "var s = 0.0f; for (var k = 0u; k < 4u; k++) { s += x[4u * i + k]; } y[i] = s;"),
        case("rows", "", xy(), "for (var k = 0u; k < 3u; k++) { y[i * 3u + k] = x[k * 50u + i]; }"),
    ]
}

/// Elements wider than a word, and members of structs.
fn wide() -> Vec<Case> {
    let of = |ty: Ty| vec![("x", list(ty.clone()), false), ("y", list(ty), true)];
    let vector = |n, s| of(Ty::Vector(n, s));
    let items = || vec![("x", list(item()), false), ("y", list(item()), true)];
    let heads = || vec![("x", headed(), false), ("y", headed(), true)];
    vec![
        case("vec2", "", vector(2, Scalar::F32), "y[i] = x[i + 1u].yx + y[i];"),
        case("vec3", "", vector(3, Scalar::F32), "y[i] = x[i].zxy; y[i].y = x[i - 1u].x;"),
        case("vec4", "", vector(4, Scalar::U32), "y[i] = x[i] + x[i + 3u]; y[i].w = x[2u * i].z;"),
        case(
            "vec4 by component",
            "",
            vector(4, Scalar::I32),
            "for (var k = -2i; k < 6i; k++) { y[i][k] = x[i][5i - k]; }",
        ),
        case(
            "matrix",
            "",
            of(Ty::Matrix(3, 3, Scalar::F32)),
            "y[i] = transpose(x[i]) + x[i + 1u]; y[i][i % 5u] = x[i][i];",
        ),
        case("u64", "", of(Ty::Scalar(Scalar::U64)), "y[i] = x[i + 1u] * 3lu + x[i * 2u];"),
        case("f64", "", of(Ty::Scalar(Scalar::F64)), "if (i % 2u == 0u) { y[i] = x[i - 1u] + x[i + 7u]; }"),
        case("arrays", "", of(Ty::Array(Rc::new(U32), 5)), "for (var k = 0u; k < 7u; k++) { y[i][k] = x[i + k][k]; }"),
        case(
            "structs",
            ITEM,
            items(),
            "y[i].v = x[i].v; y[i].b = x[i + 1u].b; y[i].c[i % 4u] = x[i].c[2]; y[i].c[1] = x[i - 1u].c[i];",
        ),
        case("whole structs", ITEM, items(), "y[i] = x[i + 1u];"),
        case(
            "headed",
            HEADED,
            heads(),
            "y.list[i] = x.list[i - 1u] + x.list[i].yx + x.count; if (i == 0u) { y.count = arrayLength(&x.list); }",
        ),
    ]
}

/// Indices that come from buffers: negative, huge, anything.
fn random() -> Vec<Case> {
    let with = |ty: Ty| vec![("at", list(I32), false), ("x", list(ty.clone()), false), ("y", list(ty), true)];
    let atomics = |s| vec![("at", list(I32), false), ("x", list(U32), false), ("y", list(Ty::Atomic(s)), true)];
    let shared = "var<workgroup> w: array<u32, 37>;";
    vec![
        case("gather", "", with(F32), "y[i] = x[at[i]] + x[u32(at[i + 1u]) % arrayLength(&x)] + x[at[i] * 7i];"),
        case("gather vectors", "", with(Ty::Vector(3, Scalar::U32)), "y[i] = x[at[i]]; y[i].z = x[at[i]][at[i + 1u]];"),
        case("gather u64", "", with(Ty::Scalar(Scalar::U64)), "y[i] = x[at[i]] + x[u32(at[i]) % 40u];"),
        case("gather structs", ITEM, with(item()), "y[i].c = x[at[i]].c; y[i].c[at[i]] = x[i].c[at[i]];"),
        case(
            "gather in loops",
            "",
            with(U32),
            "var k = i; for (var n = 0u; n < 9u; n++) { k = x[at[k]] + x[k]; } y[i] = k;",
        ),
        case(
            "scatter",
            "",
            with(U32),
            "let k = at[i]; y[k] = u32(k) * 3u; if (k > 3i) { y[k - 3i] = u32(k - 3i) * 3u; }",
        ),
        case(
            "scatter wide",
            "",
            with(Ty::Vector(4, Scalar::I32)),
            "let k = at[i]; y[k] = vec4<i32>(k); y[u32(k) % 19u].y = i32(u32(k) % 19u);",
        ),
        case(
            "atomics",
            "",
            atomics(Scalar::U32),
            "atomicAdd(&y[at[i]], x[i]); atomicAdd(&y[i * 0x20000001u], 1u); atomicAdd(&y[3], 2u);",
        ),
        case(
            "signed atomics",
            "",
            atomics(Scalar::I32),
            "atomicMax(&y[at[i]], at[i]); atomicMax(&y[u32(at[i]) % 10u], i32(i));",
        ),
        case(
            "own atomics",
            "",
            atomics(Scalar::U32),
            "let old = atomicXor(&y[i], x[i]); atomicCompareExchangeWeak(&y[i], old ^ x[i], at_of(i));",
        ),
        case(
            "private",
            "",
            with(U32),
            "var p: array<u32, 21>; for (var k = 0u; k < 30u; k++) { p[at[i + k]] = k; p[k * i] += 1u; } y[i] = p[at[i]] + p[20] + p[i];",
        ),
        case(
            "work-group",
            shared,
            with(U32),
            "w[lidx] = x[i]; workgroupBarrier(); y[i] = w[at[i]] + w[36u - lidx] + w[lidx + 30u];",
        ),
        case(
            "deep",
            "",
            with(Ty::Array(Rc::new(Ty::Vector(2, Scalar::F32)), 4)),
            "y[i][at[i]][at[i + 1u]] = x[at[i]][at[i + 1u]][at[i + 2u]] + x[i][5u * i].y;",
        ),
    ]
}

/// The case as a program on buffers of about `n` elements, `slack` bytes more where that makes no element more.
fn program(case: &Case, n: u32, slack: u32, size: [u32; 3], groups: [u32; 3], seed: u64) -> Program {
    let [x, y, z] = size;
    let width = x * groups[0];
    let buffer = |(i, (name, ty, written)): (usize, &(&str, Ty, bool))| {
        let (fixed, stride) = layout::fixed(ty);
        let stride = stride.unwrap_or(0);
        let elements = if *written { n } else { n + 3 * i as u32 };
        Buffer {
            name: (*name).into(),
            binding: i as u32,
            ty: ty.clone(),
            space: if *written { "storage, read_write" } else { "storage, read" },
            bytes: (fixed + stride * elements + slack.min(stride.saturating_sub(4))) as usize,
            seed: seed + 2 * i as u64,
        }
    };
    let height = y * groups[1];
    let head = format!(
        "fn at_of(i: u32) -> u32 {{ return i * 3u; }}\n@compute @workgroup_size({x}, {y}, {z})\n\
         fn main(@builtin(global_invocation_id) gid: vec3<u32>, @builtin(local_invocation_index) lidx: u32)"
    );
    let own = format!("let i = gid.x + {width}u * (gid.y + {height}u * gid.z);");
    Program {
        declarations: vec![case.declarations.into()],
        buffers: case.buffers.iter().enumerate().map(buffer).collect(),
        functions: vec![Function { head, body: vec![Stmt::new(own, vec![]), Stmt::new(case.body, vec![])] }],
        overrides: Vec::new(),
        groups,
        exact: true,
        floats: true,
    }
}

fn check_all(cases: Vec<Case>) {
    let shapes = [([64, 1, 1], [2, 1, 1]), ([17, 1, 1], [3, 1, 1]), ([3, 5, 1], [2, 3, 1]), ([4, 4, 4], [1, 1, 2])];
    for case in &cases {
        for (i, n) in
            [1, 2, 3, 5, 7, 8, 9, 15, 16, 17, 31, 33, 47, 63, 64, 65, 100, 127, 128, 129, 200].iter().enumerate()
        {
            for seed in 0..2 {
                let (size, groups) = shapes[(i + seed as usize) % shapes.len()];
                let program = program(case, *n, 4 * (i as u32 % 3), size, groups, 1000 * i as u64 + seed);
                guard::announce(1000 * i as u64 + seed);
                if let Err(failure) = engines::check(&program) {
                    panic!("{} with {n} elements, {size:?} x {groups:?}: {failure}\n{}", case.name, program.source());
                }
            }
        }
    }
}

#[test]
fn no_byte_beside_a_buffer_is_touched_by_affine_accesses() {
    check_all(affine());
}

#[test]
fn no_byte_beside_a_buffer_is_touched_by_wide_elements() {
    check_all(wide());
}

#[test]
fn no_byte_beside_a_buffer_is_touched_by_random_indices() {
    check_all(random());
}
