//! A pass changes no bit of a result; contraction changes only what one rounding less changes.

use crate::{build::Build, conformance, lockstep, random_flow, random_kernels, rng::Random};
use evener_lanes::{
    analysis::uniformity::{BatchShape, Uniformity},
    ir::{BinaryOp, Inst, Kernel, Op, Region, Ty, verify::verify},
    passes::{
        convert_branches, fold_operations, hoist_invariants, number_values, optimize, recognize_products,
        reduce_divisions, remove_dead, rotate_loops, simplify_carried, unroll_loops,
    },
};

type Pass = (&'static str, fn(&mut Kernel));

const PASSES: &[Pass] = &[
    ("fold_operations", fold_operations),
    ("number_values", number_values),
    ("recognize_products", recognize_products),
    ("reduce_divisions", reduce_divisions),
    ("rotate_loops", rotate_loops),
    ("unroll_loops", |k| {
        rotate_loops(k);
        fold_operations(k);
        unroll_loops(k);
        fold_operations(k);
    }),
    ("simplify_carried", |k| _ = simplify_carried(k)),
    ("convert_branches", |k| {
        let uniformity = Uniformity::new(k, BatchShape::Linear);
        convert_branches(k, &uniformity);
    }),
    ("hoist_invariants", hoist_invariants),
    ("remove_dead", remove_dead),
    ("optimize", |k| *k = optimize(k.clone(), false)),
    // Each leaves behind what gives another something to do.
    ("number, rotate, number", |k| {
        number_values(k);
        rotate_loops(k);
        number_values(k);
        simplify_carried(k);
        hoist_invariants(k);
        fold_operations(k);
    }),
];

fn run(kernel: &Kernel, buffers: &[Vec<u8>], groups: [u32; 3]) -> Result<Vec<Vec<u8>>, String> {
    let mut buffers = buffers.to_vec();
    lockstep::run(kernel, &mut buffers, groups).map(|()| buffers)
}

/// Checks every pass on a kernel and its buffers.
fn check(kernel: &Kernel, buffers: &[Vec<u8>], groups: [u32; 3]) {
    let Ok(expected) = run(kernel, buffers, groups) else { return };
    for (name, pass) in PASSES {
        let mut changed = kernel.clone();
        pass(&mut changed);
        verify(&changed).unwrap_or_else(|e| panic!("{name}: {e}\n{kernel}\n{changed}"));
        let found = run(&changed, buffers, groups).unwrap_or_else(|e| panic!("{name}: {e}\n{kernel}\n{changed}"));
        assert!(found == expected, "{name} changes what a kernel computes\n{kernel}\n{changed}");
    }
}

#[test]
fn passes_keep_what_random_kernels_compute() {
    random_kernels(1200, |kernel, groups| {
        let n: u32 = (0..3).map(|a| kernel.workgroup_size[a] * groups[a]).product();
        let data = (0..n).flat_map(|i| ((i * 37 % 101) as f32 - 30.0).to_le_bytes()).collect();
        let out = vec![0u8; (n * 16 - 20) as usize];
        check(&kernel, &[data, out], groups);
    });
}

#[test]
fn passes_keep_what_random_control_flow_computes() {
    random_flow(150, |kernel| check(&kernel, &[vec![0; 8 * 4 * 4]], [1; 3]));
}

#[test]
fn passes_keep_what_conformance_programs_compute() {
    let seen = conformance::each_program(|_, program| {
        let buffers = program.buffers();
        for op in program.dispatches() {
            let Ok(kernel) = program.lower(op) else { return };
            let bound = |b: &evener_lanes::ir::Binding| {
                let list = op["bindings"].as_array().expect("bindings");
                let bound = list.iter().find(|l| l["group"] == b.group && l["binding"] == b.binding).expect("a buffer");
                let buffer = &buffers[bound["buffer"].as_u64().unwrap_or(0) as usize];
                let start = bound["offset"].as_u64().unwrap_or(0) as usize;
                let end = bound["size"].as_u64().map_or(buffer.len(), |n| start + n as usize);
                buffer[start..end].to_vec()
            };
            let bytes: Vec<Vec<u8>> = kernel.bindings.iter().map(bound).collect();
            check(&kernel, &bytes, program.groups(op, &buffers));
        }
    });
    if !seen {
        println!("skipped: the conformance data is not there");
    }
}

fn count_fma(region: &Region) -> usize {
    let own = region.insts.iter().filter(|i| matches!(i, Inst::Op { op: Op::Fma(..), .. })).count();
    own + region.insts.iter().flat_map(|i| i.regions()).map(count_fma).sum::<usize>()
}

#[test]
fn contraction_is_off_where_it_is_off() {
    for kernel in crate::shaders() {
        assert_eq!(count_fma(&optimize(kernel, false).body), 0);
    }
}

/// `x op c` for all of some values, before and after.
fn divide(ty: Ty, op: BinaryOp, c: u64, values: &[u64]) {
    let mut b = Build::new([64, 1, 1]);
    let stride = ty.bytes();
    let (from, to) = (b.array("x", stride), b.array("y", stride));
    let i = b.gid(0);
    let x = b.load(ty, from, i);
    let by = b.op(ty, Op::Const(c));
    let y = b.binary(op, x, by);
    b.store(to, i, y);
    let kernel = b.done();
    let data: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()[..stride as usize].to_vec()).collect();
    let groups = [values.len().div_ceil(64) as u32, 1, 1];
    let buffers = [data.clone(), vec![0; data.len()]];
    let expected = run(&kernel, &buffers, groups).expect("it ends");
    let mut reduced = kernel.clone();
    reduce_divisions(&mut reduced);
    verify(&reduced).unwrap_or_else(|e| panic!("{e}\n{reduced}"));
    assert!(run(&reduced, &buffers, groups) == Ok(expected), "{op:?} of {ty} by {c:#x}\n{reduced}");
}

#[test]
fn divisions_by_constants_are_exact() {
    let mut rng = Random(77);
    for ty in [Ty::U32, Ty::I32, Ty::U64, Ty::I64] {
        let width = 8 * ty.bytes();
        let cut = |x: u64| if width == 32 { x & 0xffff_ffff } else { x };
        let near = |x: u64| [x.wrapping_sub(1), x, x.wrapping_add(1)].map(cut);
        let mut constants: Vec<u64> = (0..24).collect();
        constants.extend((0..width).flat_map(|k| near(1 << k)));
        constants.extend((0..24).map(|k| cut(rng.next() >> (rng.next() % u64::from(width)) >> (k % 2))));
        let negative: Vec<u64> = constants.iter().map(|c| cut(c.wrapping_neg())).collect();
        constants.extend(negative);
        for c in constants {
            let multiple = cut(u64::MAX) / c.max(1) * c.max(1);
            let mut values: Vec<u64> = (0..width).flat_map(|k| near(1 << k)).collect();
            values
                .extend(near(c).into_iter().chain(near(multiple)).chain(near(multiple / 2)).chain(near(multiple / 3)));
            values.extend((0..16).map(|_| cut(rng.next())));
            for op in [BinaryOp::Div, BinaryOp::Rem, BinaryOp::Mul] {
                divide(ty, op, c, &values);
            }
        }
    }
}

#[test]
fn high_products_are_recognized_and_exact() {
    let ways = [
        "let t = al * bl; let u = ah * bl + (t >> 16u); let v = al * bh + (u & 0xffffu);
            return ah * bh + (u >> 16u) + (v >> 16u);",
        "let t = al * bl; let u = (t >> 16u) + bh * al; let v = (u & 0xffffu) + bl * ah;
            return (v >> 16u) + ((u >> 16u) + bh * ah);",
        "let p = al * bh; let q = ah * bl; let m = (al * bl >> 16u) + (p & 0xffffu) + (q & 0xffffu);
            return (p >> 16u) + ah * bh + (q >> 16u) + (m >> 16u);",
    ];
    for way in ways {
        for b in ["y[i.x * 2u + 1u]", "3528531795u"] {
            let source = format!(
                "@group(0) @binding(0) var<storage, read_write> y: array<u32>;
                fn high(a: u32, b: u32) -> u32 {{
                    let al = a & 0xffffu; let ah = a >> 16u; let bl = b & 0xffffu; let bh = b >> 16u;
                    {way}
                }}
                @compute @workgroup_size(64) fn main(@builtin(global_invocation_id) i: vec3u) {{
                    y[i.x * 2u] = high(y[i.x * 2u], {b});
                }}"
            );
            let kernel = evener_lanes::Module::parse(&source).and_then(|m| m.lower("main")).expect("a kernel");
            let text = optimize(kernel.clone(), false).to_string();
            assert!(text.contains("mulhigh") && !text.contains(" mul "), "{source}\n{text}");
            let mut rng = Random(5);
            let words: Vec<u32> = (0..256).map(|_| rng.next() as u32 >> (rng.next() % 8 * 3)).collect();
            let bytes: Vec<u8> = words.iter().flat_map(|w| w.to_le_bytes()).collect();
            check(&kernel, &[bytes], [2, 1, 1]);
        }
    }
}
