//! Every operation, on edge and random values, with operands uniform and not, at every level.

use crate::{build::Build, engines::engines, oracle, rng::Random};
use evener_lanes::{Buffer, Engine, Grid, GroupRange, Program, Settings, ir::*};

const TYPES: [Ty; 7] = [Ty::Bool, Ty::I32, Ty::U32, Ty::F32, Ty::I64, Ty::U64, Ty::F64];

const BINARY: [BinaryOp; 19] = {
    use BinaryOp::*;
    [Add, Sub, Mul, MulHigh, Div, Rem, Min, Max, And, Or, Xor, Eq, Ne, Lt, Le, Gt, Ge, Pow, Atan2]
};

/// Edge values and some random ones, as bits.
fn values(ty: Ty) -> Vec<u64> {
    let mut r = Random(0x9e37_79b9_7f4a_7c15);
    let f64s = [
        0.0,
        -0.0,
        1.0,
        -1.0,
        0.5,
        -0.5,
        1.5,
        2.5,
        -2.5,
        3.0,
        0.1,
        1e-3,
        65504.0,
        65519.0,
        65520.0,
        -1e5,
        3e-5,
        6e-8,
        2.9e-8,
        2147483520.0,
        2147483648.0,
        -2147483648.0,
        4294967296.0,
        9.3e18,
        -9.3e18,
        1.9e19,
        1e30,
        f64::INFINITY,
        f64::NEG_INFINITY,
        f64::NAN,
        f64::MIN_POSITIVE,
        5e-324,
        1e-40,
        8388609.5,
        0.999999,
    ];
    match ty {
        Ty::Bool => vec![0, 1],
        Ty::F32 => {
            let random = (0..40).map(|_| r.next() >> 32).filter(|b| !oracle::f32_of(*b).is_nan()).collect::<Vec<_>>();
            f64s.iter().map(|v| u64::from((*v as f32).to_bits())).chain(random).collect()
        }
        Ty::F64 => {
            let random = (0..40).map(|_| r.next()).filter(|b| !f64::from_bits(*b).is_nan()).collect::<Vec<_>>();
            f64s.iter().map(|v| v.to_bits()).chain(random).collect()
        }
        _ => {
            let mask = if ty.bytes() == 8 { u64::MAX } else { u64::from(u32::MAX) };
            let top = 1u64 << (8 * ty.bytes() - 1);
            let edges = [0, 1, 2, 3, 7, 31, 32, 33, 64, 1000, top, top - 1, top + 1, mask, mask - 1, 1 << 31, 0xffff];
            let random = (0..20)
                .map(|_| {
                    let n = r.next();
                    n & mask >> (n % 31)
                })
                .collect::<Vec<_>>();
            edges.into_iter().chain(random).map(|v| v & mask).collect()
        }
    }
}

fn memory(ty: Ty, values: &[u64]) -> Vec<u8> {
    values.iter().flat_map(|v| v.to_le_bytes()[..ty.bytes() as usize].to_vec()).collect()
}

fn bits(ty: Ty, memory: &[u8]) -> Vec<u64> {
    let read = |c: &[u8]| c.iter().rev().fold(0u64, |v, b| v << 8 | u64::from(*b));
    memory.chunks(ty.bytes() as usize).map(read).collect()
}

/// Equal, or both NaN of a type.
fn same(ty: Ty, a: u64, b: u64) -> bool {
    match ty {
        Ty::F32 => a == b || (oracle::f32_of(a).is_nan() && oracle::f32_of(b).is_nan()),
        Ty::F64 => a == b || (f64::from_bits(a).is_nan() && f64::from_bits(b).is_nan()),
        _ => a == b,
    }
}

/// [`same`], or at most two places apart: what a library function may differ from another's.
fn close(ty: Ty, a: u64, b: u64) -> bool {
    let order = |x: u64| {
        let (magnitude, negative) =
            if ty == Ty::F32 { (x & 0x7fff_ffff, x >> 31 != 0) } else { (x & !(1 << 63), x >> 63 != 0) };
        if negative { -i128::from(magnitude) } else { magnitude.into() }
    };
    same(ty, a, b) || (ty.is_float() && order(a).abs_diff(order(b)) <= 2)
}

/// Whether an operation has one result to the last bit (the functions of `math` do not).
fn is_exact(op: UnaryOp) -> bool {
    use UnaryOp::*;
    !matches!(
        op,
        InverseSqrt
            | Exp
            | Exp2
            | Log
            | Log2
            | Sin
            | Cos
            | Tan
            | Asin
            | Acos
            | Atan
            | Sinh
            | Cosh
            | Tanh
            | Asinh
            | Acosh
            | Atanh
    )
}

/// Runs `out[i] = op(in[0][i], in[1][i], ...)` at a level; operand `k` is loaded at index 0 where `uniform[k]`.
fn run(
    op: &dyn Fn(&[Value]) -> Op,
    tys: &[Ty],
    out: Ty,
    inputs: &[&[u64]],
    uniform: &[bool],
    level: Engine,
) -> Vec<u64> {
    let mut b = Build::new([32, 1, 1]);
    let bases: Vec<Base> = tys.iter().map(|t| b.array("in", t.bytes())).collect();
    let to = b.array("out", out.bytes());
    let (i, zero) = (b.gid(0), b.u32(0));
    let mut args = vec![];
    for (k, ty) in tys.iter().enumerate() {
        args.push(b.load(*ty, bases[k], if uniform[k] { zero } else { i }));
    }
    let result = b.op(out, op(&args));
    b.store(to, i, result);
    let program = Program::with(b.done(), &Settings::default().engine(level)).unwrap();
    let n = inputs[0].len();
    let mut memories: Vec<Vec<u8>> = tys.iter().zip(inputs).map(|(t, v)| memory(*t, v)).collect();
    let mut output = vec![0u8; n * out.bytes() as usize];
    let mut buffers: Vec<Buffer<'_>> = memories.iter_mut().map(|m| Buffer::write(m)).collect();
    buffers.push(Buffer::write(&mut output));
    let grid = Grid { groups: [n.div_ceil(32) as u32, 1, 1] };
    program.run(&buffers, grid, GroupRange::all(grid)).unwrap();
    bits(out, &output)
}

#[test]
fn unary_operations_are_the_oracles() {
    let mut tested = 0;
    let mut all_levels = std::collections::HashMap::new();
    for level in engines() {
        for (op, ty) in UnaryOp::ALL.iter().flat_map(|op| TYPES.map(|ty| (*op, ty))) {
            let input = values(ty);
            let Some(expected) = input.iter().map(|a| oracle::unary(op, ty, *a)).collect::<Option<Vec<_>>>() else {
                continue;
            };
            let make = |v: &[Value]| Op::Unary(op, v[0]);
            let got = run(&make, &[ty], ty, &[&input], &[false], level);
            let equal = if is_exact(op) { same } else { close };
            let first = all_levels.entry((format!("{op:?}"), ty)).or_insert_with(|| got.clone());
            for k in 0..input.len() {
                assert!(
                    same(ty, got[k], first[k]),
                    "{op:?} {ty:?} {level:?} {:x} differs from another level",
                    input[k]
                );
                assert!(
                    equal(ty, got[k], expected[k]),
                    "{op:?} {ty:?} {level:?} {:x}: {:x} is not {:x}",
                    input[k],
                    got[k],
                    expected[k]
                );
            }
            let once = run(&make, &[ty], ty, &[&input[1..]], &[true], level);
            assert!(once.iter().all(|r| same(ty, *r, got[1])), "uniform {op:?} {ty:?}");
            tested += 1;
        }
    }
    assert!(tested > 80);
}

#[test]
fn binary_operations_are_the_oracles() {
    let mut tested = 0;
    for level in engines() {
        for (op, ty) in BINARY.iter().flat_map(|op| TYPES.map(|ty| (*op, ty))) {
            let v = values(ty);
            let equal = if matches!(op, BinaryOp::Pow | BinaryOp::Atan2) { close } else { same };
            let Some(_) = oracle::binary(op, ty, v[0], v[1]) else { continue };
            let out = if op.is_comparison() { Ty::Bool } else { ty };
            let pairs: Vec<(u64, u64)> = v.iter().flat_map(|a| v.iter().map(|b| (*a, *b))).collect();
            let (a, b): (Vec<u64>, Vec<u64>) = pairs.into_iter().unzip();
            check_pair(
                &|v| Op::Binary(op, v[0], v[1]),
                &|a, b| oracle::binary(op, ty, a, b).unwrap(),
                [ty, ty],
                out,
                [&a, &b],
                level,
                equal,
            );
            tested += 1;
        }
    }
    assert!(tested > 80);
}

#[test]
fn shifts_take_the_amount_modulo_the_width() {
    for level in engines() {
        for (op, ty) in [BinaryOp::Shl, BinaryOp::Shr]
            .into_iter()
            .flat_map(|op| [Ty::I32, Ty::U32, Ty::I64, Ty::U64].map(|t| (op, t)))
        {
            let (v, amounts) = (values(ty), values(Ty::U32));
            let (a, b): (Vec<u64>, Vec<u64>) = v.iter().flat_map(|a| amounts.iter().map(|b| (*a, *b))).unzip();
            check_pair(
                &|v| Op::Binary(op, v[0], v[1]),
                &|a, b| oracle::binary(op, ty, a, b).unwrap(),
                [ty, Ty::U32],
                ty,
                [&a, &b],
                level,
                same,
            );
        }
    }
}

type Make<'a> = &'a dyn Fn(&[Value]) -> Op;

fn check_pair(
    op: Make<'_>,
    oracle: &dyn Fn(u64, u64) -> u64,
    tys: [Ty; 2],
    out: Ty,
    [a, b]: [&[u64]; 2],
    level: Engine,
    equal: fn(Ty, u64, u64) -> bool,
) {
    for uniform in [[false, false], [true, false], [false, true], [true, true]] {
        // Rotate so that the uniform operand is not always the first value.
        let turn = a.len() / 3;
        let rotate = |v: &[u64]| [&v[turn..], &v[..turn]].concat();
        let (a, b) = (rotate(a), rotate(b));
        let got = run(op, &tys, out, &[&a, &b], &uniform, level);
        for k in 0..a.len() {
            let (x, y) = (if uniform[0] { a[0] } else { a[k] }, if uniform[1] { b[0] } else { b[k] });
            let expected = oracle(x, y);
            assert!(
                equal(out, got[k], expected),
                "{:?} {tys:?} {level:?} {uniform:?} ({x:x}, {y:x}): {:x} is not {expected:x}",
                op(&[Value(0), Value(1)]),
                got[k]
            );
        }
    }
}

#[test]
fn conversions_are_the_oracles() {
    for level in engines() {
        for (from, to) in TYPES.iter().flat_map(|a| TYPES.map(|b| (*a, b))) {
            let input = values(from);
            for uniform in [false, true] {
                let got = run(&|v| Op::Convert(v[0]), &[from], to, &[&input], &[uniform], level);
                for k in 0..input.len() {
                    let a = if uniform { input[0] } else { input[k] };
                    let expected = oracle::convert(from, to, a);
                    assert!(
                        same(to, got[k], expected),
                        "{from:?} to {to:?} {level:?} {a:x}: {:x} is not {expected:x}",
                        got[k]
                    );
                }
            }
        }
    }
}

#[test]
fn fma_rounds_once_and_select_chooses() {
    for level in engines() {
        let v = values(Ty::F32);
        let a: Vec<u64> = v.iter().flat_map(|a| v.iter().map(|_| *a)).collect();
        let b: Vec<u64> = v.iter().flat_map(|_| v.iter().copied()).collect();
        let c: Vec<u64> = b.iter().rev().copied().collect();
        let f = oracle::f32_of;
        for mask in 0..8u32 {
            let uniform: [bool; 3] = std::array::from_fn(|k| mask >> k & 1 == 1);
            let got = run(&|v| Op::Fma(v[0], v[1], v[2]), &[Ty::F32; 3], Ty::F32, &[&a, &b, &c], &uniform, level);
            let pick = |k: usize, i: usize| [&a, &b, &c][k][if uniform[k] { 0 } else { i }];
            for i in 0..a.len() {
                let expected = f(pick(0, i)).mul_add(f(pick(1, i)), f(pick(2, i)));
                assert!(same(Ty::F32, got[i], expected.to_bits().into()), "{level:?} {uniform:?}");
            }
            for ty in [Ty::F64, Ty::U32, Ty::Bool] {
                let v = values(ty);
                let n = 60;
                let cond: Vec<u64> = (1..=n as u64).map(|i| i % 3 % 2).collect();
                let (x, y): (Vec<u64>, Vec<u64>) = (0..n).map(|i| (v[i % v.len()], v[(i * 7 + 1) % v.len()])).unzip();
                let make = |v: &[Value]| Op::Select { cond: v[0], accept: v[1], reject: v[2] };
                let got = run(&make, &[Ty::Bool, ty, ty], ty, &[&cond, &x, &y], &uniform, level);
                for i in 0..n {
                    let at = |k: usize| if uniform[k] { 0 } else { i };
                    let expected = if cond[at(0)] == 1 { x[at(1)] } else { y[at(2)] };
                    assert_eq!(got[i], expected, "select {ty:?} {level:?} {uniform:?}");
                }
            }
        }
    }
}
