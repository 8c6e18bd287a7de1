//! Operators, conversions and bitcasts on every scalar type, against wide integers and exact floats.

use super::{
    halves::{half, value},
    support::*,
};

/// A number of any type.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Number {
    Int(i128),
    Float(f64),
}
use Number::{Float, Int};

/// A scalar type.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Type {
    name: &'static str,
    bytes: usize,
}

const TYPES: [Type; 9] = [
    Type { name: "i16", bytes: 2 },
    Type { name: "u16", bytes: 2 },
    Type { name: "i32", bytes: 4 },
    Type { name: "u32", bytes: 4 },
    Type { name: "i64", bytes: 8 },
    Type { name: "u64", bytes: 8 },
    Type { name: "f16", bytes: 2 },
    Type { name: "f32", bytes: 4 },
    Type { name: "f64", bytes: 8 },
];

impl Type {
    fn is_float(self) -> bool {
        self.name.starts_with('f')
    }

    /// Bits of the integer type, or digits of the float type.
    fn digits(self) -> u32 {
        match self.name {
            "f16" => 11,
            "f32" => 24,
            "f64" => 53,
            _ => self.bytes as u32 * 8,
        }
    }

    fn decode(self, bits: u64) -> Number {
        match self.name {
            "i16" => Int((bits as i16).into()),
            "u16" => Int((bits as u16).into()),
            "i32" => Int((bits as i32).into()),
            "u32" => Int((bits as u32).into()),
            "i64" => Int((bits as i64).into()),
            "u64" => Int(bits.into()),
            "f16" => Float(value(bits as u16)),
            "f32" => Float(f32::from_bits(bits as u32).into()),
            _ => Float(f64::from_bits(bits)),
        }
    }

    /// The bits of an integer wrapped, or of a float rounded to nearest.
    fn encode(self, number: Number) -> u64 {
        let low = |bits: u64| bits & (u64::MAX >> (64 - 8 * self.bytes));
        match (self.name, number) {
            ("f16", Float(x)) => half(x).into(),
            ("f32", Float(x)) => (x as f32).to_bits().into(),
            ("f64", Float(x)) => x.to_bits(),
            ("f16", Int(v)) => half(v as f64).into(),
            ("f32", Int(v)) => (v as f32).to_bits().into(),
            ("f64", Int(v)) => (v as f64).to_bits(),
            (_, Int(v)) => low(v as u64),
            (_, Float(_)) => panic!("a float is converted first"),
        }
    }

    fn is_nan(self, bits: u64) -> bool {
        matches!(self.decode(bits), Float(x) if x.is_nan())
    }

    /// Edges of the type.
    fn sample(self) -> Vec<u64> {
        let floats = [
            0.0,
            -0.0,
            1.0,
            -1.0,
            0.5,
            -2.5,
            3.75,
            100.0,
            -100.0,
            32767.0,
            32768.0,
            65504.0,
            -65504.0,
            2_147_483_648.0,
            -2_147_483_648.0,
            4_294_967_296.0,
            9.3e18,
            -9.3e18,
            1.9e19,
            1e30,
            -1e30,
            f64::INFINITY,
            f64::NEG_INFINITY,
            f64::NAN,
        ];
        let ints = [0i128, 1, 2, 3, 7, -1, -2, 100, 0x7fff, 0x8000, 0xffff, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff];
        let wide = [0x1234_5678_9abc_def0, i128::from(i64::MAX), i128::from(i64::MIN), i128::from(u64::MAX)];
        match self.is_float() {
            true => floats.iter().map(|x| self.encode(Float(*x))).collect(),
            false => ints.iter().chain(&wide).map(|v| self.encode(Int(*v))).collect(),
        }
    }

    fn bytes_of(self, values: impl IntoIterator<Item = u64>) -> Vec<u8> {
        values.into_iter().flat_map(|v| v.to_le_bytes()[..self.bytes].to_vec()).collect()
    }

    fn values_of(self, bytes: &[u8]) -> Vec<u64> {
        let one = |b: &[u8]| {
            let mut word = [0; 8];
            word[..b.len()].copy_from_slice(b);
            u64::from_le_bytes(word)
        };
        bytes.chunks_exact(self.bytes).map(one).collect()
    }
}

/// Runs `out[i] = expression` of `a[i]` and `b[i]`.
fn map(from: Type, to: Type, expression: &str, a: &[u64], b: &[u64]) -> Vec<u64> {
    let b_used = expression.contains("b[i]");
    let source = format!(
        "enable f16; enable wgpu_int16;
         @group(0) @binding(0) var<storage, read> a: array<{0}>;
         @group(0) @binding(1) var<storage, read> b: array<{0}>;
         @group(0) @binding(2) var<storage, read_write> out: array<{1}>;
         @compute @workgroup_size(64) fn main(@builtin(global_invocation_id) id: vec3u) {{
             let i = id.x;
             out[i] = {expression};
         }}",
        from.name, to.name
    );
    let mut buffers = vec![from.bytes_of(a.iter().copied())];
    if b_used {
        buffers.push(from.bytes_of(b.iter().copied()));
    }
    buffers.push(vec![0; to.bytes * a.len()]);
    let one_nan = |after: &mut [Vec<u8>]| {
        let last = after.last_mut().expect("the output");
        let values = to.values_of(last);
        let nan = if to.is_float() { to.encode(Float(f64::NAN)) } else { 0 };
        *last = to.bytes_of(values.into_iter().map(|v| if to.is_nan(v) { nan } else { v }));
    };
    let after = run_as(&source, &buffers, [a.len().div_ceil(64) as u32, 1, 1], one_nan);
    to.values_of(after.last().expect("the output"))
}

fn same(ty: Type, got: u64, want: u64) -> bool {
    got == want || (ty.is_nan(got) && ty.is_nan(want))
}

/// The value of a conversion: integers wrap, floats round; a float to an integer truncates, saturates at the values that
/// both types have, and NaN is 0.
fn convert(from: Type, to: Type, number: Number) -> u64 {
    let Float(x) = number else { return to.encode(number) };
    if to.is_float() {
        return to.encode(number);
    }
    let bits = to.digits() - u32::from(to.name.starts_with('i'));
    let unit = 1i128 << bits.saturating_sub(from.digits());
    let mut high = (1i128 << bits) - unit;
    if from.name == "f16" {
        // The largest half, where the integers go beyond.
        high = high.min(65504);
    }
    let low = match to.name.starts_with('i') {
        true if from.name == "f16" => (-(1i128 << bits)).max(-65504),
        true => -(1i128 << bits),
        false => 0,
    };
    to.encode(Int(if x.is_nan() { 0 } else { (x.trunc() as i128).clamp(low, high) }))
}

#[test]
fn every_scalar_converts_to_every_other() {
    for from in TYPES {
        for to in TYPES {
            let values = from.sample();
            for (got, bits) in map(from, to, &format!("{}(a[i])", to.name), &values, &[]).iter().zip(&values) {
                let want = convert(from, to, from.decode(*bits));
                let (a, t) = (from.decode(*bits), to.name);
                assert!(
                    same(to, *got, want),
                    "{t} of {} {a:?}: {:?}, not {:?}",
                    from.name,
                    to.decode(*got),
                    to.decode(want)
                );
            }
        }
        let values = from.sample();
        for (got, bits) in map(from, from, &format!("{}(bool(a[i]))", from.name), &values, &[]).iter().zip(&values) {
            let is_zero = matches!(from.decode(*bits), Int(0)) || matches!(from.decode(*bits), Float(x) if x == 0.0);
            let one = if from.is_float() { Float(f64::from(!is_zero)) } else { Int((!is_zero).into()) };
            assert_eq!(*got, from.encode(one), "bool of {} {bits:#x}", from.name);
        }
    }
}

#[test]
fn bits_are_cast_between_types_of_one_width() {
    for from in TYPES {
        for to in TYPES.into_iter().filter(|to| to.bytes == from.bytes) {
            let values = from.sample();
            let out = map(from, to, &format!("bitcast<{}>(a[i])", to.name), &values, &[]);
            for (got, bits) in out.iter().zip(&values) {
                assert!(same(to, *got, *bits), "{} of {} {bits:#x}: {got:#x}", to.name, from.name);
            }
        }
    }
}

type Operator<T> = (&'static str, fn(T, T, u32) -> T);

const INTEGER: [Operator<i128>; 17] = [
    ("a[i] + b[i]", |a, b, _| a + b),
    ("a[i] - b[i]", |a, b, _| a - b),
    ("a[i] * b[i]", |a, b, _| a.wrapping_mul(b)),
    ("a[i] / b[i]", |a, b, _| if b == 0 { a } else { a / b }),
    ("a[i] % b[i]", |a, b, _| if b == 0 { 0 } else { a % b }),
    ("a[i] & b[i]", |a, b, _| a & b),
    ("a[i] | b[i]", |a, b, _| a | b),
    ("a[i] ^ b[i]", |a, b, _| a ^ b),
    ("~a[i]", |a, _, _| !a),
    ("a[i] << u32(b[i])", |a, b, w| a << (b as u32 % w)),
    ("a[i] >> u32(b[i])", |a, b, w| a >> (b as u32 % w)),
    ("T(a[i] == b[i])", |a, b, _| (a == b).into()),
    ("T(a[i] != b[i])", |a, b, _| (a != b).into()),
    ("T(a[i] < b[i])", |a, b, _| (a < b).into()),
    ("T(a[i] <= b[i])", |a, b, _| (a <= b).into()),
    ("T(a[i] > b[i])", |a, b, _| (a > b).into()),
    ("T(a[i] >= b[i])", |a, b, _| (a >= b).into()),
];

const FLOAT: [Operator<f64>; 12] = [
    ("a[i] + b[i]", |a, b, _| a + b),
    ("a[i] - b[i]", |a, b, _| a - b),
    ("a[i] * b[i]", |a, b, _| a * b),
    ("a[i] / b[i]", |a, b, _| a / b),
    ("-a[i]", |a, _, _| -a),
    ("T(a[i] == b[i])", |a, b, _| f64::from(a == b)),
    ("T(a[i] != b[i])", |a, b, _| f64::from(a != b)),
    ("T(a[i] < b[i])", |a, b, _| f64::from(a < b)),
    ("T(a[i] <= b[i])", |a, b, _| f64::from(a <= b)),
    ("T(a[i] > b[i])", |a, b, _| f64::from(a > b)),
    ("T(a[i] >= b[i])", |a, b, _| f64::from(a >= b)),
    ("T(!(a[i] < b[i]) && (a[i] > b[i] || a[i] == b[i]))", |a, b, _| f64::from(a >= b)),
];

/// All pairs of a type's sample.
fn pairs(ty: Type) -> (Vec<u64>, Vec<u64>) {
    let sample = ty.sample();
    sample.iter().flat_map(|a| sample.iter().map(move |b| (*a, *b))).unzip()
}

#[test]
fn integer_operators_are_total_in_every_width() {
    for ty in TYPES.into_iter().filter(|t| !t.is_float()) {
        let (a, b) = pairs(ty);
        for (expression, exact) in INTEGER {
            let out = map(ty, ty, &expression.replace('T', ty.name), &a, &b);
            for ((got, a), b) in out.iter().zip(&a).zip(&b) {
                let (Int(x), Int(y)) = (ty.decode(*a), ty.decode(*b)) else { panic!("an integer") };
                assert_eq!(*got, ty.encode(Int(exact(x, y, ty.digits()))), "{expression} of {} {x} {y}", ty.name);
            }
        }
        if ty.name.starts_with('i') {
            let out = map(ty, ty, "-a[i]", &a, &b);
            for (got, a) in out.iter().zip(&a) {
                let Int(x) = ty.decode(*a) else { panic!("an integer") };
                assert_eq!(*got, ty.encode(Int(-x)), "-{x} of {}", ty.name);
            }
        }
    }
}

#[test]
fn float_operators_round_once_in_every_width() {
    for ty in TYPES.into_iter().filter(|t| t.is_float()) {
        let (a, b) = pairs(ty);
        for (expression, exact) in FLOAT {
            let out = map(ty, ty, &expression.replace('T', ty.name), &a, &b);
            for ((got, a), b) in out.iter().zip(&a).zip(&b) {
                let (Float(x), Float(y)) = (ty.decode(*a), ty.decode(*b)) else { panic!("a float") };
                let want = ty.encode(Float(exact(x, y, 0)));
                assert!(same(ty, *got, want), "{expression} of {} {x} {y}: {:?}", ty.name, ty.decode(*got));
            }
        }
    }
}

#[test]
fn the_remainder_of_floats_truncates() {
    for ty in TYPES.into_iter().filter(|t| t.is_float()) {
        let numbers = [5.5, -5.5, 7.25, 0.5, 3.0, -2.0, 1.5];
        let encoded: Vec<u64> = numbers.iter().map(|x| ty.encode(Float(*x))).collect();
        let (a, b): (Vec<u64>, Vec<u64>) = encoded.iter().flat_map(|a| encoded.iter().map(move |b| (*a, *b))).unzip();
        for ((got, a), b) in map(ty, ty, "a[i] % b[i]", &a, &b).iter().zip(&a).zip(&b) {
            let (Float(x), Float(y)) = (ty.decode(*a), ty.decode(*b)) else { panic!("a float") };
            assert_eq!(ty.decode(*got), Float(x % y), "{x} % {y} of {}", ty.name);
        }
    }
}

#[test]
fn bools_and_vectors_of_bools_have_their_operators() {
    let source = "@group(0) @binding(0) var<storage, read_write> out: array<u32>;
        @compute @workgroup_size(4) fn main(@builtin(local_invocation_index) l: u32) {
            let a = (l & 1u) != 0u; let b = (l & 2u) != 0u;
            let v = vec2(a, b);
            var bits = 0u;
            bits |= u32(!a) | u32(a & b) << 1u | u32(a | b) << 2u | u32(a && b) << 3u | u32(a || b) << 4u;
            bits |= u32(a == b) << 5u | u32(a != b) << 6u | u32(all(v)) << 7u | u32(any(v)) << 8u;
            bits |= u32(all(!v)) << 9u | u32(any(v & v.yx)) << 10u | u32(any(v | v.yx)) << 11u;
            bits |= u32(any(v == v.yx)) << 12u | u32(all(v != v.yx)) << 13u | u32(any(a)) << 14u;
            bits |= u32(select(a, b, a)) << 15u | u32(any(select(v, v.yx, vec2(b, a)))) << 16u;
            out[l] = bits;
        }";
    let out = to_u32(&run_exact(source, &[vec![0; 16]], [1, 1, 1])[0]);
    for (l, got) in out.iter().enumerate() {
        let (a, b) = (l & 1 != 0, l & 2 != 0);
        let list = [!a, a & b, a | b, a && b, a || b, a == b, a != b, a && b, a || b, !a && !b, a && b, a || b, a == b];
        let rest = [a != b, a, if a { b } else { a }, if b { b } else { a } || if a { a } else { b }];
        let want: u32 = list.iter().chain(&rest).enumerate().map(|(i, on)| u32::from(*on) << i).sum();
        assert_eq!(*got, want, "{a} {b}");
    }
}
