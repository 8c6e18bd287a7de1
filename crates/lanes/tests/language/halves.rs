//! f16: every operation against exact arithmetic in f64, rounded once; layouts; conversions.

use super::support::*;

/// The bits of the half nearest to `x`, ties to even, by its definition.
pub fn half(x: f64) -> u16 {
    let sign = if x.is_sign_negative() { 0x8000 } else { 0 };
    let x = x.abs();
    if x.is_nan() {
        return 0x7e00;
    }
    // 65504 is the largest half; half a place above it rounds to infinity.
    if x >= 65520.0 {
        return sign | 0x7c00;
    }
    let exponent = if x < 2f64.powi(-14) { -14 } else { ((x.to_bits() >> 52) as i32) - 1023 };
    let places = (x * 2f64.powi(10 - exponent)).round_ties_even() as u16;
    sign | (places + (((exponent + 14) as u16) << 10))
}

/// The value of a half.
pub fn value(h: u16) -> f64 {
    let (e, m) = (i32::from(h >> 10 & 31), f64::from(h & 0x3ff));
    let size = match e {
        0 => m * 2f64.powi(-24),
        31 if m == 0.0 => f64::INFINITY,
        31 => f64::NAN,
        _ => (1024.0 + m) * 2f64.powi(e - 25),
    };
    if h & 0x8000 == 0 { size } else { -size }
}

fn random(state: &mut u64) -> u64 {
    *state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
    *state >> 33
}

/// Zeros, subnormals, ones, the largest, infinities, NaN, and anything.
pub fn sample(count: usize, seed: u64) -> Vec<u16> {
    let edges = [0, 0x8000, 1, 0x3ff, 0x400, 0x8001, 0x3c00, 0xbc00, 0x3c01, 0x7bff, 0xfbff, 0x7c00, 0xfc00, 0x7e00];
    let mut state = seed;
    let any = std::iter::repeat_with(|| {
        let bits = random(&mut state);
        // Half of them near one, so that sums and quotients stay in range.
        (if bits & 0x10000 == 0 { bits & 0x83ff | 0x3800 | bits >> 17 & 0xc00 } else { bits & 0xffff }) as u16
    });
    let mixed = edges.iter().flat_map(|a| edges.iter().map(move |b| if seed & 1 == 0 { *a } else { *b }));
    mixed.chain(any).take(count).collect()
}

#[track_caller]
fn assert_half(got: u16, expected: f64, what: &str) {
    let expected = half(expected);
    let both_nan = value(got).is_nan() && value(expected).is_nan();
    assert!(both_nan || got == expected, "{what}: {got:#x} = {}, not {expected:#x} = {}", value(got), value(expected));
}

/// Runs `out[i] = expression` for halves `a[i]`, `b[i]`, `c[i]`.
fn map(expression: &str) -> impl Iterator<Item = ([f64; 3], u16)> {
    let source = format!(
        "enable f16;
         @group(0) @binding(0) var<storage, read> a: array<f16>;
         @group(0) @binding(1) var<storage, read> b: array<f16>;
         @group(0) @binding(2) var<storage, read> c: array<f16>;
         @group(0) @binding(3) var<storage, read_write> out: array<f16>;
         @compute @workgroup_size(64) fn main(@builtin(global_invocation_id) id: vec3u) {{
             let i = id.x;
             if (i < arrayLength(&out)) {{ out[i] = {expression}; }}
         }}"
    );
    let count = 5003;
    let [a, b, c] = [2, 3, 5].map(|seed| sample(count, seed));
    let used = [("a[i]", &a), ("b[i]", &b), ("c[i]", &c)].into_iter().filter(|(name, _)| expression.contains(name));
    let mut buffers: Vec<Vec<u8>> = used.map(|(_, values)| from_u16(values)).collect();
    buffers.push(vec![0; 2 * count]);
    let groups = [count.div_ceil(64) as u32, 1, 1];
    let after = run_as(&source, &buffers, groups, |after| {
        let one_nan = |h: u16| if value(h).is_nan() { 0x7e00 } else { h };
        after.iter_mut().for_each(|b| *b = from_u16(&to_u16(b).into_iter().map(one_nan).collect::<Vec<_>>()));
    });
    let out = to_u16(after.last().expect("the output"));
    (0..count).map(move |i| ([value(a[i]), value(b[i]), value(c[i])], out[i]))
}

/// An expression and its exact value.
type Exact = (&'static str, fn(f64, f64, f64) -> f64);

#[test]
fn every_operation_is_rounded_once() {
    let operations: [Exact; 27] = [
        ("a[i] + b[i]", |a, b, _| a + b),
        ("a[i] - b[i]", |a, b, _| a - b),
        ("a[i] * b[i]", |a, b, _| a * b),
        ("a[i] / b[i]", |a, b, _| a / b),
        ("-a[i]", |a, _, _| -a),
        ("sqrt(a[i])", |a, _, _| a.sqrt()),
        ("fma(a[i], b[i], c[i])", f64::mul_add),
        ("abs(a[i])", |a, _, _| a.abs()),
        ("floor(a[i])", |a, _, _| a.floor()),
        ("ceil(a[i])", |a, _, _| a.ceil()),
        ("trunc(a[i])", |a, _, _| a.trunc()),
        ("round(a[i])", |a, _, _| a.round_ties_even()),
        ("fract(a[i])", |a, _, _| a - a.floor()),
        ("sign(a[i])", |a, _, _| {
            if a > 0.0 {
                1.0
            } else if a < 0.0 {
                -1.0
            } else {
                0.0
            }
        }),
        ("select(a[i], b[i], a[i] < b[i])", |a, b, _| if a < b { b } else { a }),
        ("step(a[i], b[i])", |a, b, _| f64::from(a <= b)),
        ("f16(a[i] == b[i])", |a, b, _| f64::from(a == b)),
        ("f16(a[i] >= b[i])", |a, b, _| f64::from(a >= b)),
        ("f16(f32(a[i]) * f32(b[i]))", |a, b, _| a * b),
        ("f16(f64(a[i]) * 1.1lf)", |a, _, _| a * 1.1),
        ("modf(a[i]).whole", |a, _, _| a.trunc()),
        ("dot(vec2(a[i]), vec2(b[i], 0.0h))", |a, b, _| a * b + a * 0.0),
        ("a[i] + 0.5h", |a, _, _| a + 0.5),
        ("f16(i32(a[i]))", |a, _, _| if a.is_nan() { 0.0 } else { a.trunc().clamp(-65504.0, 65504.0) + 0.0 }),
        ("f16(u32(a[i]))", |a, _, _| if a.is_nan() { 0.0 } else { a.trunc().clamp(0.0, 65504.0) + 0.0 }),
        ("f16(i64(a[i]))", |a, _, _| if a.is_nan() { 0.0 } else { a.trunc().clamp(-65504.0, 65504.0) + 0.0 }),
        ("f16(bool(a[i]))", |a, _, _| f64::from(a != 0.0)),
    ];
    for (expression, exact) in operations {
        for ([a, b, c], got) in map(expression) {
            assert_half(got, exact(a, b, c), &format!("{expression} for {a} {b} {c}"));
        }
    }
}

#[test]
fn minimum_and_maximum_prefer_a_number() {
    let least: [Exact; 2] = [("min(a[i], b[i])", |a, b, _| a.min(b)), ("max(a[i], b[i])", |a, b, _| a.max(b))];
    for (expression, exact) in least {
        for ([a, b, _], got) in map(expression) {
            let expected = exact(a, b, 0.0);
            assert!(value(got) == expected || expected.is_nan(), "{expression} for {a} {b}: {}", value(got));
        }
    }
}

#[test]
fn functions_are_near_their_values() {
    let functions: [Exact; 12] = [
        ("sin(clamp(a[i], -3.0h, 3.0h))", |a, _, _| a.clamp(-3.0, 3.0).sin()),
        ("exp(a[i])", |a, _, _| a.exp()),
        ("log2(abs(a[i]))", |a, _, _| a.abs().log2()),
        ("inverseSqrt(abs(a[i]))", |a, _, _| 1.0 / a.abs().sqrt()),
        ("atan2(a[i], b[i])", |a, b, _| a.atan2(b)),
        ("tanh(a[i])", |a, _, _| a.tanh()),
        ("mix(a[i], b[i], 0.25h)", |a, b, _| a * 0.75 + b * 0.25),
        ("length(vec3(a[i], b[i], c[i]))", |a, b, c| (a * a + b * b + c * c).sqrt()),
        ("ldexp(a[i], -3)", |a, _, _| a / 8.0),
        ("radians(a[i])", |a, _, _| a.to_radians()),
        ("(mat2x2<f16>(a[i], b[i], c[i], 1.0h) * vec2(c[i], a[i])).x", |a, _, c| a * c + c * a),
        ("determinant(mat2x2<f16>(a[i], b[i], c[i], 2.0h))", |a, b, c| a * 2.0 - c * b),
    ];
    for (expression, exact) in functions {
        for ([a, b, c], got) in map(expression) {
            let expected = exact(a, b, c);
            let finite = [a, b, c].iter().all(|x| x.is_finite()) && expected.is_finite() && expected.abs() < 60000.0;
            let place = (expected.abs() * 2f64.powi(-10)).max(2f64.powi(-24));
            let cancels = (a * c * 2.0).abs().max((c * b).abs()) * 1e-6;
            let near = (value(got) - expected).abs() <= 0.51 * place + cancels;
            assert!(!finite || near, "{expression} for {a} {b} {c}: {} not {expected}", value(got));
        }
    }
}

#[test]
fn conversions_from_wider_floats_round_once() {
    let source = "enable f16;
        @group(0) @binding(0) var<storage, read> wide: array<f64>;
        @group(0) @binding(1) var<storage, read> single: array<f32>;
        @group(0) @binding(2) var<storage, read_write> out: array<vec2<f16>>;
        @compute @workgroup_size(64) fn main(@builtin(global_invocation_id) id: vec3u) {
            out[id.x] = vec2(f16(wide[id.x]), f16(single[id.x]));
        }";
    let mut wide = Vec::new();
    for h in (0..0x7bff).step_by(7) {
        // Halfway between two halves, and so little off it that f32 does not see it.
        let middle = (value(h) + value(h + 1)) / 2.0;
        for off in [0.0, 1e-12, -1e-12, 1e-3, -1e-3] {
            wide.push(middle * (1.0 + off) * if h % 2 == 0 { 1.0 } else { -1.0 });
        }
    }
    wide.extend([0.0, -0.0, 65519.99999999, 65520.0, 1e300, -1e300, f64::INFINITY, f64::NAN, 5e-324, 2.98e-8]);
    let single: Vec<f32> = wide.iter().map(|x| *x as f32).collect();
    let buffers = [from_f64(&wide), from_f32(&single), vec![0; 4 * wide.len()]];
    let out = to_u16(&run_exact(source, &buffers, [wide.len().div_ceil(64) as u32, 1, 1])[2]);
    for (i, got) in out.chunks_exact(2).enumerate() {
        assert_half(got[0], wide[i], &format!("{:e}", wide[i]));
        assert_half(got[1], single[i].into(), &format!("{:e}", single[i]));
    }
}

#[test]
fn storage_and_uniform_layouts_are_those_of_wgsl() {
    let source = "enable f16;
        struct S { a: f16, v: vec3<f16>, b: f16, w: vec2<f16>, c: f32, m: mat3x2<f16>, n: mat2x3<f16>, t: array<f16, 3> }
        struct U { x: vec4<f16>, y: vec4<f16> }
        @group(0) @binding(0) var<uniform> u: U;
        @group(0) @binding(1) var<storage, read_write> s: array<S>;
        @compute @workgroup_size(1) fn main() {
            let old = s[0];
            s[1] = old;
            s[1].a = u.y.w;
            s[1].m = mat3x2<f16>(u.x.xy, u.x.zw, u.y.xy);
            s[1].t[u32(u.x.x)] = old.n[1].z;
        }";
    // a 0, v 8, b 14, w 16, c 20, m 24 (columns of 4), n 40 (columns of 8), t 56: 62 bytes, 64 with padding.
    let words: Vec<u16> = (0..64).map(|i| half(f64::from(i))).collect();
    let uniform: Vec<u16> = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0].map(half).to_vec();
    let after = to_u16(&run_exact(source, &[from_u16(&uniform), from_u16(&words)], [1, 1, 1])[1]);
    let mut expected = words.clone();
    let used = |half: usize| {
        [0..1, 4..7, 7..8, 8..10, 10..12, 12..18, 20..23, 24..27, 28..31].iter().any(|r| r.contains(&half))
    };
    for i in (0..32).filter(|i| used(*i)) {
        expected[32 + i] = words[i];
    }
    expected[32] = half(8.0);
    expected[32 + 12..32 + 18].copy_from_slice(&uniform[..6]);
    expected[32 + 28 + 1] = words[26];
    assert_eq!(after, expected);
}

#[test]
fn stores_leave_their_neighbours_alone() {
    // Odd elements are written by one work-group, even ones by another, some by none.
    let source = "enable f16;
        @group(0) @binding(0) var<storage, read_write> out: array<f16>;
        @compute @workgroup_size(32) fn main(@builtin(local_invocation_index) l: u32, @builtin(workgroup_id) g: vec3u) {
            let i = 2u * (l + 32u * (g.x / 2u)) + (g.x & 1u);
            if (i % 5u != 3u) { out[i] = f16(i); }
        }";
    for count in [1usize, 2, 31, 64, 333, 20_001] {
        let before: Vec<u16> = (0..count).map(|i| 0xa000 + i as u16 % 99).collect();
        let after = to_u16(&run_exact(source, &[from_u16(&before)], [2 * count.div_ceil(64) as u32, 1, 1])[0]);
        for i in 0..count {
            let expected = if i % 5 == 3 { before[i] } else { half(i as f64) };
            assert_eq!(after[i], expected, "{i} of {count}");
        }
    }
}

#[test]
fn halves_live_in_private_and_work_group_memory_and_cross_calls() {
    let source = "enable f16;
        const table = array<f16, 20>(0h, 1h, 4h, 9h, 16h, 25h, 36h, 49h, 64h, 81h, 100h, 121h, 144h, 169h, 196h, 225h,
            256h, 289h, 324h, 361h);
        override factor: f16 = 1.5h;
        struct P { x: f16, v: vec3<f16> }
        var<workgroup> tile: array<P, 8>;
        var<private> mine: array<f16, 40>;
        @group(0) @binding(0) var<storage, read_write> out: array<vec4<f16>>;
        fn twice(p: ptr<function, f16>) -> f16 { *p = *p * 2.0h; return *p + 1h; }
        @compute @workgroup_size(8) fn main(@builtin(local_invocation_index) i: u32) {
            var x = f16(i);
            mine[(i * 7u) % 40u] = twice(&x);
            tile[i] = P(x, vec3(mine[(i * 7u) % 40u], table[i + 3u], factor));
            workgroupBarrier();
            let other = tile[7u - i];
            out[i] = vec4(other.x, other.v);
            for (var k = 0; k < 3; k++) { out[i].w += other.v[k % 2]; }
        }";
    let out = to_u16(&run_exact(source, &[vec![0; 64]], [1, 1, 1])[0]);
    for i in 0..8 {
        let o = 7.0 - i as f64;
        let expected = [2.0 * o, 2.0 * o + 1.0, (o + 3.0) * (o + 3.0), 1.5 + 2.0 * (2.0 * o + 1.0) + (o + 3.0).powi(2)];
        assert_eq!(out[4 * i..][..4].iter().map(|h| value(*h)).collect::<Vec<_>>(), expected, "{i}");
    }
}

#[test]
fn packing_keeps_every_half() {
    let source = "enable f16;
        @group(0) @binding(0) var<storage, read_write> words: array<u32>;
        @group(0) @binding(1) var<storage, read_write> halves: array<vec2<f16>>;
        @compute @workgroup_size(64) fn main(@builtin(global_invocation_id) id: vec3u) {
            let v = unpack2x16float(words[id.x]);
            halves[id.x] = vec2<f16>(v);
            words[id.x] = pack2x16float(vec2<f32>(halves[id.x]).yx);
        }";
    let words: Vec<u32> = (0..0x8000u32).map(|i| i | (i + 0x8000) << 16).collect();
    let after = run_exact(source, &[from_u32(&words), vec![0; 4 * words.len()]], [512, 1, 1]);
    let same = |got: u16, expected: u16| got == expected || (value(got).is_nan() && value(expected).is_nan());
    for (i, word) in words.iter().enumerate() {
        let (low, high) = (*word as u16, (*word >> 16) as u16);
        let stored = to_u16(&after[1][4 * i..][..4]);
        let packed = to_u16(&after[0][4 * i..][..4]);
        assert!(same(stored[0], low) && same(stored[1], high), "{word:#x}: {stored:x?}");
        assert!(same(packed[0], high) && same(packed[1], low), "{word:#x}: {packed:x?}");
    }
}
