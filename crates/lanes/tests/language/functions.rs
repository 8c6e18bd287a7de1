//! Every built-in function of naga on every type that has it, against values computed in f64, i128 or by its definition.

use super::{
    halves::{half, value},
    support::*,
};
use naga::MathFunction as F;

const ALL: &[F] = &[
    F::Abs,
    F::Min,
    F::Max,
    F::Clamp,
    F::Saturate,
    F::Cos,
    F::Cosh,
    F::Sin,
    F::Sinh,
    F::Tan,
    F::Tanh,
    F::Acos,
    F::Asin,
    F::Atan,
    F::Atan2,
    F::Asinh,
    F::Acosh,
    F::Atanh,
    F::Radians,
    F::Degrees,
    F::Ceil,
    F::Floor,
    F::Round,
    F::Fract,
    F::Trunc,
    F::Modf,
    F::Frexp,
    F::Ldexp,
    F::Exp,
    F::Exp2,
    F::Log,
    F::Log2,
    F::Pow,
    F::Dot,
    F::Dot4I8Packed,
    F::Dot4U8Packed,
    F::Outer,
    F::Cross,
    F::Distance,
    F::Length,
    F::Normalize,
    F::FaceForward,
    F::Reflect,
    F::Refract,
    F::Sign,
    F::Fma,
    F::Mix,
    F::Step,
    F::SmoothStep,
    F::Sqrt,
    F::InverseSqrt,
    F::Inverse,
    F::Transpose,
    F::Determinant,
    F::QuantizeToF16,
    F::CountTrailingZeros,
    F::CountLeadingZeros,
    F::CountOneBits,
    F::ReverseBits,
    F::ExtractBits,
    F::InsertBits,
    F::FirstTrailingBit,
    F::FirstLeadingBit,
    F::Pack4x8snorm,
    F::Pack4x8unorm,
    F::Pack2x16snorm,
    F::Pack2x16unorm,
    F::Pack2x16float,
    F::Pack4xI8,
    F::Pack4xU8,
    F::Pack4xI8Clamp,
    F::Pack4xU8Clamp,
    F::Unpack4x8snorm,
    F::Unpack4x8unorm,
    F::Unpack2x16snorm,
    F::Unpack2x16unorm,
    F::Unpack2x16float,
    F::Unpack4xI8,
    F::Unpack4xU8,
];

/// A call on `x`, `y`, `z`, the range of these, and its value.
type Float = (&'static str, [f64; 2], fn(f64, f64, f64) -> f64);

const FLOATS: [Float; 62] = [
    ("abs(x)", [-9.0, 9.0], |x, _, _| x.abs()),
    ("min(x, y)", [-9.0, 9.0], |x, y, _| x.min(y)),
    ("max(x, y)", [-9.0, 9.0], |x, y, _| x.max(y)),
    ("clamp(x, -abs(y), abs(z))", [-9.0, 9.0], |x, y, z| x.clamp(-y.abs(), z.abs())),
    ("saturate(x)", [-2.0, 2.0], |x, _, _| x.clamp(0.0, 1.0)),
    ("cos(x)", [-6.0, 6.0], |x, _, _| x.cos()),
    ("cosh(x)", [-4.0, 4.0], |x, _, _| x.cosh()),
    ("sin(x)", [-6.0, 6.0], |x, _, _| x.sin()),
    ("sinh(x)", [-4.0, 4.0], |x, _, _| x.sinh()),
    ("tan(x)", [-1.2, 1.2], |x, _, _| x.tan()),
    ("tanh(x)", [-4.0, 4.0], |x, _, _| x.tanh()),
    ("acos(x)", [-1.0, 1.0], |x, _, _| x.acos()),
    ("asin(x)", [-1.0, 1.0], |x, _, _| x.asin()),
    ("atan(x)", [-9.0, 9.0], |x, _, _| x.atan()),
    ("atan2(x, y)", [-9.0, 9.0], |x, y, _| x.atan2(y)),
    ("asinh(x)", [-9.0, 9.0], |x, _, _| x.asinh()),
    ("acosh(x)", [1.5, 9.0], |x, _, _| x.acosh()),
    ("atanh(x)", [-0.9, 0.9], |x, _, _| x.atanh()),
    ("radians(x)", [-400.0, 400.0], |x, _, _| x.to_radians()),
    ("degrees(x)", [-6.0, 6.0], |x, _, _| x.to_degrees()),
    ("ceil(x)", [-9.0, 9.0], |x, _, _| x.ceil()),
    ("floor(x)", [-9.0, 9.0], |x, _, _| x.floor()),
    ("round(x)", [-9.0, 9.0], |x, _, _| x.round_ties_even()),
    ("fract(x)", [-9.0, 9.0], |x, _, _| x - x.floor()),
    ("trunc(x)", [-9.0, 9.0], |x, _, _| x.trunc()),
    ("modf(x).fract", [-9.0, 9.0], |x, _, _| x.fract()),
    ("modf(x).whole", [-9.0, 9.0], |x, _, _| x.trunc()),
    ("frexp(x).fract", [0.3, 9.0], |x, _, _| x / 2f64.powi(x.log2().floor() as i32 + 1)),
    ("ldexp(frexp(x).fract, i32(frexp(x).exp))", [-9.0, 9.0], |x, _, _| x),
    ("exp(x)", [-4.0, 4.0], |x, _, _| x.exp()),
    ("exp2(x)", [-4.0, 4.0], |x, _, _| x.exp2()),
    ("log(x)", [1.5, 9.0], |x, _, _| x.ln()),
    ("log2(x)", [1.5, 9.0], |x, _, _| x.log2()),
    ("pow(x, y)", [0.5, 3.0], |x, y, _| x.powf(y)),
    ("sign(x)", [-9.0, 9.0], |x, _, _| x.signum()),
    ("fma(x, y, z)", [1.0, 9.0], f64::mul_add),
    ("mix(x, y, 0.25)", [1.0, 9.0], |x, y, _| x * 0.75 + y * 0.25),
    ("step(x, y)", [-9.0, 9.0], |x, y, _| f64::from(x <= y)),
    ("smoothstep(x - x, x - x + y - y + 8, x)", [0.0, 9.0], |x, _, _| {
        let t = (x / 8.0).clamp(0.0, 1.0);
        t * t * (3.0 - 2.0 * t)
    }),
    ("sqrt(x)", [0.0, 9.0], |x, _, _| x.sqrt()),
    ("inverseSqrt(x)", [0.1, 9.0], |x, _, _| 1.0 / x.sqrt()),
    ("dot(vec3(x, y, z), vec3(z, x, y))", [1.0, 9.0], |x, y, z| x * z + y * x + z * y),
    ("cross(vec3(x, 0, z), vec3(z, x, 0)).y", [1.0, 9.0], |_, _, z| z * z),
    ("distance(vec2(x, y), vec2(-z, -x))", [1.0, 9.0], |x, y, z| (x + z).hypot(y + x)),
    ("distance(x, y)", [1.0, 9.0], |x, y, _| (x - y).abs()),
    ("length(vec4(x, y, z, 1))", [1.0, 9.0], |x, y, z| (x * x + y * y + z * z + 1.0).sqrt()),
    ("length(x)", [-9.0, 9.0], |x, _, _| x.abs()),
    ("normalize(vec3(x, y, z)).z", [1.0, 9.0], |x, y, z| z / (x * x + y * y + z * z).sqrt()),
    ("faceForward(vec2(x, y), vec2(y, x), vec2(z, x)).x", [1.0, 9.0], |x, _, _| -x),
    ("reflect(vec2(x, y), vec2(1, 0)).x", [1.0, 9.0], |x, _, _| -x),
    ("refract(vec2(0, -1), vec2(0, 1), x * 0 + 1).y", [1.0, 9.0], |_, _, _| -1.0),
    ("refract(vec2(1, 0), vec2(0, 1), x).y", [2.0, 9.0], |_, _, _| 0.0),
    ("transpose(M2(x, y, z, 1))[0].y", [1.0, 9.0], |_, _, z| z),
    ("determinant(M2(x, -y, z, x))", [1.0, 9.0], |x, y, z| x * x + y * z),
    ("determinant(M3(x, 0, 0, 0, y, 0, 0, 0, 2))", [1.0, 9.0], |x, y, _| 2.0 * x * y),
    ("determinant(M4(x, 0, 0, 0, 0, y, 0, 0, 0, 0, 2, 0, 0, 0, 0, 3))", [1.0, 9.0], |x, y, _| 6.0 * x * y),
    ("(M2(x, y, z, 1) * vec2(y, x)).x", [1.0, 9.0], |x, y, z| x * y + z * x),
    ("(vec2(y, x) * M2(x, y, z, 1)).y", [1.0, 9.0], |x, y, z| y * z + x),
    ("(M2(x, y, z, 1) * M2(1, x, y, z))[1].x", [1.0, 9.0], |x, y, z| x * y + z * z),
    ("(M2(x, y, z, 1) * x)[1].x", [1.0, 9.0], |x, _, z| z * x),
    ("(M2(x, y, z, 1) + M2(y, x, x, 1))[0].y", [1.0, 9.0], |x, y, _| x + y),
    ("select(x, y, x < y)", [1.0, 9.0], |x, y, _| x.max(y)),
];

/// A float type: its WGSL name, relative error of a function, bytes to and from f64.
struct FloatType {
    name: &'static str,
    error: f64,
    to: fn(f64) -> Vec<u8>,
    from: fn(&[u8]) -> f64,
}

const FLOAT_TYPES: [FloatType; 3] = [
    FloatType {
        name: "f16",
        error: 1.0 / 1024.0,
        to: |x| half(x).to_le_bytes().into(),
        from: |b| value(u16::from_le_bytes(b.try_into().expect("2 bytes"))),
    },
    FloatType {
        name: "f32",
        error: 2e-6,
        to: |x| (x as f32).to_le_bytes().into(),
        from: |b| f32::from_le_bytes(b.try_into().expect("4 bytes")).into(),
    },
    FloatType {
        name: "f64",
        error: 1e-12,
        to: |x| x.to_le_bytes().into(),
        from: |b| f64::from_le_bytes(b.try_into().expect("8 bytes")),
    },
];

/// Runs `out[i] = call` for `x`, `y`, `z` of a type.
fn run_calls(ty: &str, call: &str, data: [Vec<u8>; 3], count: usize, out_bytes: usize, out: &str) -> Vec<u8> {
    let matrix = |n: u32| format!("mat{n}x{n}<{ty}>");
    let call = call.replace("M2", &matrix(2)).replace("M3", &matrix(3)).replace("M4", &matrix(4));
    let source = format!(
        "enable f16;
         @group(0) @binding(0) var<storage, read> xs: array<{ty}>;
         @group(0) @binding(1) var<storage, read> ys: array<{ty}>;
         @group(0) @binding(2) var<storage, read> zs: array<{ty}>;
         @group(0) @binding(3) var<storage, read_write> out: array<{out}>;
         @group(0) @binding(4) var<storage, read_write> used: array<u32>;
         @compute @workgroup_size(64) fn main(@builtin(global_invocation_id) id: vec3u) {{
             let x = xs[id.x]; let y = ys[id.x]; let z = zs[id.x];
             used[id.x] = u32(x) + u32(y) + u32(z);
             out[id.x] = {call};
         }}"
    );
    let [x, y, z] = data;
    let buffers = [x, y, z, vec![0; out_bytes * count], vec![0; 4 * count]];
    run(&source, &buffers, [count.div_ceil(64) as u32, 1, 1]).swap_remove(3)
}

#[test]
fn float_functions_have_their_values_in_every_width() {
    let count = 100;
    for ty in &FLOAT_TYPES {
        let bytes = (ty.to)(0.0).len();
        for (call, [low, high], exact) in FLOATS {
            let column = |step: f64| -> Vec<f64> {
                let at = |i: usize| low + (high - low) * (i as f64 * step).fract();
                (0..count).map(|i| (ty.from)(&(ty.to)(at(i)))).collect()
            };
            let inputs = [column(0.6180339887), column(0.7548776662), column(0.5698402909)];
            let data = inputs.clone().map(|c| c.iter().flat_map(|x| (ty.to)(*x)).collect());
            let out = run_calls(ty.name, call, data, count, bytes, ty.name);
            for (i, got) in out.chunks_exact(bytes).map(ty.from).enumerate() {
                let [x, y, z] = [inputs[0][i], inputs[1][i], inputs[2][i]];
                let want = exact(x, y, z);
                let size = want.abs().max(0.1).max(if call.contains('(') { x.abs() * 0.02 } else { 0.0 });
                assert!((got - want).abs() <= ty.error * size, "{call} of {} {x} {y} {z}: {got}, not {want}", ty.name);
            }
        }
    }
}

#[test]
fn vectors_are_computed_component_by_component() {
    let source = "enable f16;
        @group(0) @binding(0) var<storage, read_write> a: array<vec4<f32>>;
        @group(0) @binding(1) var<storage, read_write> b: array<vec3<f16>>;
        @group(0) @binding(2) var<storage, read_write> c: array<vec2<f64>>;
        @compute @workgroup_size(1) fn main() {
            a[1] = fma(floor(a[0]), a[0].wzyx, vec4(1.0)) + modf(a[0]).fract + ldexp(vec4(1.0), vec4(1, 2, 3, 4));
            b[1] = mix(b[0], b[0].zxy, 0.5h) + select(b[0], -b[0], b[0] > vec3(1.5h)) % vec3(2h);
            c[1] = clamp(c[0], vec2(1.0lf), vec2(2.0lf)) * step(vec2(0.0lf), c[0]) + vec2<f64>(vec2f(frexp(c[0]).exp));
        }";
    let (a, c) = ([1.5f32, -2.25, 3.0, 0.5], [0.5f64, 10.0]);
    let b = [1.0, 2.0, 3.0, 9.0];
    let halves: Vec<u16> = b.iter().map(|x| half(*x)).collect();
    let zeros = |n: usize| vec![0u8; n];
    let buffers = [
        [from_f32(&a), zeros(16)].concat(),
        [from_u16(&halves), zeros(8)].concat(),
        [from_f64(&c), zeros(16)].concat(),
    ];
    let after = run(source, &buffers, [1, 1, 1]);
    let want_a: Vec<f32> =
        (0..4).map(|i| a[i].floor() * a[3 - i] + 1.0 + a[i].fract() + 2f32.powi(i as i32 + 1)).collect();
    assert_eq!(to_f32(&after[0])[4..], want_a);
    let got: Vec<f64> = to_u16(&after[1])[4..7].iter().map(|h| value(*h)).collect();
    let mixed = |i: usize| (b[i] + b[(i + 2) % 3]) / 2.0;
    assert_eq!(got, [mixed(0) + 1.0, mixed(1), mixed(2) - 1.0]);
    assert_eq!(to_f64(&after[2])[2..], [1.0, 2.0 + 4.0]);
}

/// A call on integers and its value.
type Integer = (&'static str, fn(i128, i128, u32, bool) -> i128);

/// The value's bits in the width.
fn bits(v: i128, width: u32) -> u64 {
    (v as u64) & (u64::MAX >> (64 - width))
}

const INTEGERS: [Integer; 15] = [
    ("abs(x)", |x, _, _, _| x.abs()),
    ("sign(x)", |x, _, _, _| x.signum()),
    ("min(x, y)", |x, y, _, _| x.min(y)),
    ("max(x, y)", |x, y, _, _| x.max(y)),
    ("clamp(x, min(y, z), max(y, z))", |x, y, _, _| x.clamp(y.min(3), y.max(3))),
    ("dot(vec3(x, y, z), vec3(y, z, x))", |x, y, _, _| {
        x.wrapping_mul(y).wrapping_add(y.wrapping_mul(3)).wrapping_add(x.wrapping_mul(3))
    }),
    ("countOneBits(x)", |x, _, w, _| bits(x, w).count_ones().into()),
    ("countLeadingZeros(x)", |x, _, w, _| i128::from(bits(x, w).leading_zeros() - (64 - w))),
    ("countTrailingZeros(x)", |x, _, w, _| bits(x, w).trailing_zeros().min(w).into()),
    ("reverseBits(x)", |x, _, w, _| i128::from(bits(x, w).reverse_bits() >> (64 - w))),
    ("firstTrailingBit(x)", |x, _, w, _| if x == 0 { -1 } else { bits(x, w).trailing_zeros().into() }),
    ("firstLeadingBit(x)", |x, _, w, signed| {
        let b = bits(if signed && x < 0 { !x } else { x }, w);
        if b == 0 { -1 } else { i128::from(63 - b.leading_zeros()) }
    }),
    ("extractBits(x, 5u, 9u)", |x, _, _, signed| {
        let field = x >> 5 & 0x1ff;
        if signed && field & 0x100 != 0 { field - 0x200 } else { field }
    }),
    ("insertBits(x, y, 7u, 11u)", |x, y, _, _| x & !(0x7ff << 7) | (y & 0x7ff) << 7),
    ("select(x, y, x > y)", |x, y, _, _| x.min(y)),
];

#[test]
fn integer_functions_have_their_values_in_every_width() {
    for (ty, width, signed) in [("i32", 32, true), ("u32", 32, false), ("i64", 64, true), ("u64", 64, false)] {
        let edges =
            [0u64, 1, 2, 3, 0x80, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff, 0x1234_5678_9abc_def0, 1 << 63, u64::MAX];
        let pairs: Vec<(u64, u64)> = edges.iter().flat_map(|a| edges.iter().map(move |b| (*a, *b))).collect();
        let n = (width / 8) as usize;
        let column = |f: &dyn Fn(&(u64, u64)) -> u64| -> Vec<u8> {
            pairs.iter().flat_map(|p| f(p).to_le_bytes()[..n].to_vec()).collect()
        };
        let wide = |b: u64| match (width, signed) {
            (32, true) => i128::from(b as u32 as i32),
            (32, false) => i128::from(b as u32),
            (_, true) => i128::from(b as i64),
            _ => i128::from(b),
        };
        for (call, exact) in INTEGERS {
            if !signed && call.starts_with("sign") {
                continue;
            }
            let data = [column(&|p| p.0), column(&|p| p.1), column(&|_| 3)];
            let out = run_calls(ty, call, data, pairs.len(), n, ty);
            for (got, (a, b)) in out.chunks_exact(n).zip(&pairs) {
                let (x, y) = (wide(*a), wide(*b));
                let want = exact(x, y, width, signed) as u64;
                assert_eq!(got, &want.to_le_bytes()[..n], "{call} of {ty} {x} {y}");
            }
        }
    }
}

#[test]
fn words_are_packed_and_unpacked() {
    let source = "@group(0) @binding(0) var<storage, read> f: array<vec4<f32>>;
        @group(0) @binding(1) var<storage, read> w: array<u32>;
        @group(0) @binding(2) var<storage, read_write> packed: array<array<u32, 11>>;
        @group(0) @binding(3) var<storage, read_write> floats: array<array<vec4<f32>, 5>>;
        @group(0) @binding(4) var<storage, read_write> ints: array<array<vec4<i32>, 2>>;
        @compute @workgroup_size(64) fn main(@builtin(global_invocation_id) id: vec3u) {
            let i = id.x; let v = f[i]; let x = w[i];
            let n = vec4<i32>(v * 100.0); let u = vec4<u32>(n);
            packed[i] = array<u32, 11>(pack4x8snorm(v), pack4x8unorm(v), pack2x16snorm(v.xy), pack2x16unorm(v.xy),
                pack2x16float(v.xy), pack4xI8(n), pack4xU8(u), pack4xI8Clamp(n), pack4xU8Clamp(u),
                u32(dot4I8Packed(x, w[i + 1u])), dot4U8Packed(x, w[i + 1u]));
            floats[i] = array<vec4<f32>, 5>(unpack4x8snorm(x), unpack4x8unorm(x), vec4(unpack2x16snorm(x), 0, 0),
                vec4(unpack2x16unorm(x), 0, 0), vec4(quantizeToF16(v.xy), quantizeToF16(v.z), 0));
            ints[i] = array<vec4<i32>, 2>(unpack4xI8(x), vec4<i32>(unpack4xU8(x)));
        }";
    let count = 256;
    let v: Vec<[f32; 4]> =
        (0..count).map(|i| [0, 1, 2, 3].map(|k| ((i * 37 + k * 91) % 301) as f32 / 100.0 - 1.5)).collect();
    let w: Vec<u32> = (0..count as u32).map(|i| i.wrapping_mul(0x9e37_79b9)).collect();
    let zeros = |n: usize| vec![0u8; n * count];
    let buffers = [from_f32(v.as_flattened()), from_u32(&w), zeros(44), zeros(80), zeros(32)];
    let after = run(source, &buffers, [4, 1, 1]);
    for i in 0..count {
        let v = v[i];
        let packed = &to_u32(&after[2])[11 * i..][..11];
        let norm = |x: f32, low: f32, scale: f32| (0.5 + scale * x.clamp(low, 1.0)).floor() as i32 as u32;
        let join = |n: usize, bits: u32, part: &dyn Fn(f32) -> u32| -> u32 {
            (0..n).map(|k| (part(v[k]) & ((1 << bits) - 1)) << (bits * k as u32)).sum()
        };
        let int = |x: f32| (x * 100.0) as i32;
        let uint = |x: f32| int(x) as u32;
        let next = w.get(i + 1).copied().unwrap_or(0);
        let dot = |f: &dyn Fn(u8, u8) -> i32| -> u32 {
            w[i].to_le_bytes().iter().zip(next.to_le_bytes()).map(|(a, b)| f(*a, b)).sum::<i32>() as u32
        };
        let expected = [
            join(4, 8, &|x| norm(x, -1.0, 127.0)),
            join(4, 8, &|x| norm(x, 0.0, 255.0)),
            join(2, 16, &|x| norm(x, -1.0, 32767.0)),
            join(2, 16, &|x| norm(x, 0.0, 65535.0)),
            join(2, 16, &|x| half(x.into()).into()),
            join(4, 8, &uint),
            join(4, 8, &uint),
            join(4, 8, &|x| int(x).clamp(-128, 127) as u32),
            join(4, 8, &|x| uint(x).min(255)),
            dot(&|a, b| i32::from(a as i8) * i32::from(b as i8)),
            dot(&|a, b| i32::from(a) * i32::from(b)),
        ];
        assert_eq!(packed, expected, "{i}");
        let bytes = w[i].to_le_bytes();
        let halves = [w[i] as u16, (w[i] >> 16) as u16];
        let quantized = |x: f32| value(half(x.into())) as f32;
        let mut floats: Vec<f32> = bytes.iter().map(|b| (f32::from(*b as i8) / 127.0).max(-1.0)).collect();
        floats.extend(bytes.iter().map(|b| f32::from(*b) / 255.0));
        floats.extend(halves.map(|h| (f32::from(h as i16) / 32767.0).max(-1.0)).iter().chain(&[0.0; 2]));
        floats.extend(halves.map(|h| f32::from(h) / 65535.0).iter().chain(&[0.0; 2]));
        floats.extend([quantized(v[0]), quantized(v[1]), quantized(v[2]), 0.0]);
        assert_eq!(to_f32(&after[3])[20 * i..][..20], floats, "{i}");
        let ints: Vec<i32> =
            bytes.iter().map(|b| i32::from(*b as i8)).chain(bytes.iter().map(|b| i32::from(*b))).collect();
        assert_eq!(to_i32(&after[4])[8 * i..][..8], ints, "{i}");
    }
}

#[test]
fn every_function_is_called_by_a_test() {
    let tests = [include_str!("functions.rs"), include_str!("halves.rs")].concat();
    for (i, fun) in ALL.iter().enumerate() {
        assert_eq!(*fun as usize, i, "the list is in naga's order and leaves none out");
        let debug = format!("{fun:?}");
        let name = match fun {
            F::SmoothStep => "smoothstep".to_string(),
            _ => debug[..1].to_lowercase() + &debug[1..],
        };
        // WGSL has no name for these.
        let is_unnamed = matches!(fun, F::Outer | F::Inverse);
        assert!(is_unnamed || tests.contains(&format!("{name}(")), "{name}");
    }
    assert_eq!(F::Unpack4xU8 as usize + 1, ALL.len(), "naga has more");
}
