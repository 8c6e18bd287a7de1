//! i16 and u16 (`enable wgpu_int16;`): every operation against wide integers, wrapped.

use super::{halves::half, support::*};

const EDGES: [i64; 16] = [0, 1, 2, 3, 7, 15, 16, 17, 0xff, 0x100, 0x7fff, 0x8000, 0x8001, 0xfffe, 0xffff, 0x1234];

/// A type, an expression and its value.
type Case = (&'static str, &'static str, fn(i64, i64) -> i64);

/// Runs `out[i] = expression` of `a[i]`, `b[i]` for all pairs of edges.
fn check((ty, expression, exact): Case) {
    let source = format!(
        "enable wgpu_int16; enable f16;
         @group(0) @binding(0) var<storage, read> a: array<{ty}>;
         @group(0) @binding(1) var<storage, read> b: array<{ty}>;
         @group(0) @binding(2) var<storage, read_write> out: array<{ty}>;
         @compute @workgroup_size(64) fn main(@builtin(global_invocation_id) id: vec3u) {{
             let i = id.x;
             out[i] = {expression};
         }}"
    );
    let pairs: Vec<(i64, i64)> = EDGES.iter().flat_map(|a| EDGES.iter().map(move |b| (*a, *b))).collect();
    let column = |f: fn(&(i64, i64)) -> i64| from_u16(&pairs.iter().map(|p| f(p) as u16).collect::<Vec<_>>());
    let mut buffers = Vec::new();
    if expression.contains("a[i]") {
        buffers.push(column(|p| p.0));
    }
    if expression.contains("b[i]") {
        buffers.push(column(|p| p.1));
    }
    buffers.push(vec![0; 2 * pairs.len()]);
    let after = run_exact(&source, &buffers, [pairs.len() as u32 / 64, 1, 1]);
    let out = to_u16(after.last().expect("the output"));
    let wide = |x: i64| if ty == "i16" { i64::from(x as i16) } else { x };
    for (got, (a, b)) in out.iter().zip(&pairs) {
        let expected = exact(wide(*a), wide(*b)) as u16;
        assert_eq!(*got, expected, "{expression} of {ty} for {} {}", wide(*a), wide(*b));
    }
}

fn div(a: i64, b: i64) -> i64 {
    if b == 0 { a } else { a / b }
}

fn rem(a: i64, b: i64) -> i64 {
    if b == 0 { 0 } else { a % b }
}

#[test]
fn operators_wrap_at_16_bits() {
    for ty in ["i16", "u16"] {
        let both: [Case; 12] = [
            (ty, "a[i] + b[i]", |a, b| a + b),
            (ty, "a[i] - b[i]", |a, b| a - b),
            (ty, "a[i] * b[i]", |a, b| a * b),
            (ty, "a[i] / b[i]", div),
            (ty, "a[i] % b[i]", rem),
            (ty, "a[i] & ~b[i]", |a, b| a & !b),
            (ty, "a[i] | b[i]", |a, b| a | b),
            (ty, "a[i] ^ b[i]", |a, b| a ^ b),
            (ty, "a[i] << (u32(b[i]) & 15u)", |a, b| a << (b & 15)),
            (ty, "a[i] >> (u32(b[i]) & 15u)", |a, b| a >> (b & 15)),
            (ty, "min(a[i], b[i])", |a, b| a.min(b)),
            (ty, "select(a[i], b[i], a[i] < b[i])", |a, b| if a < b { b } else { a }),
        ];
        both.into_iter().for_each(check);
    }
    check(("i16", "-a[i]", |a, _| -a));
    check(("i16", "abs(a[i])", |a, _| a.abs()));
    check(("i16", "sign(a[i])", |a, _| a.signum()));
    check(("i16", "dot(vec2(a[i], b[i]), vec2(b[i], i16(3)))", |a, b| a * b + 3 * b));
}

#[test]
fn bit_functions_know_the_width() {
    fn low(a: i64) -> u16 {
        a as u16
    }
    for ty in ["i16", "u16"] {
        let both: [Case; 5] = [
            (ty, "countOneBits(a[i])", |a, _| low(a).count_ones().into()),
            (ty, "countLeadingZeros(a[i])", |a, _| low(a).leading_zeros().into()),
            (ty, "countTrailingZeros(a[i])", |a, _| low(a).trailing_zeros().into()),
            (ty, "reverseBits(a[i])", |a, _| low(a).reverse_bits().into()),
            (ty, "firstTrailingBit(a[i])", |a, _| if a == 0 { -1 } else { low(a).trailing_zeros().into() }),
        ];
        both.into_iter().for_each(check);
        check((ty, "insertBits(a[i], b[i], 3u, 7u)", |a, b| a & !(0x7f << 3) | (b & 0x7f) << 3));
        check((ty, "insertBits(a[i], b[i], 12u, 9u)", |a, b| a & 0xfff | b << 12));
        check((ty, "insertBits(a[i], b[i], 0u, 16u)", |_, b| b));
    }
    check(("u16", "extractBits(a[i], 5u, 6u)", |a, _| a >> 5 & 0x3f));
    check(("i16", "extractBits(a[i], 5u, 6u)", |a, _| i64::from((a << 5) as i16 >> 10)));
    check(("i16", "extractBits(a[i], 9u, 100u)", |a, _| i64::from(a as i16 >> 9)));
    check(("u16", "firstLeadingBit(a[i])", |a, _| if a == 0 { -1 } else { 15 - i64::from(low(a).leading_zeros()) }));
    check(("i16", "firstLeadingBit(a[i])", |a, _| {
        let bits = if a < 0 { !low(a) } else { low(a) };
        if bits == 0 { -1 } else { 15 - i64::from(bits.leading_zeros()) }
    }));
}

#[test]
fn conversions_clamp_floats_and_wrap_integers() {
    check(("i16", "i16(i32(a[i]) * 70000)", |a, _| a * 70000));
    check(("u16", "u16(u32(a[i]) * 70000u)", |a, _| a * 70000));
    check(("i16", "i16(f32(a[i]) * 1.5)", |a, _| (a * 3 / 2).clamp(-32768, 32767)));
    check(("u16", "u16(f32(a[i]) * 1.5 - 10.0)", |a, _| (a * 3 - 20).max(0).div_euclid(2).min(65535)));
    check(("i16", "i16(u16(a[i]))", |a, _| a));
    check(("u16", "u16(i16(a[i]) / i16(2))", |a, _| i64::from(a as i16 / 2)));
    check(("i16", "i16(i64(a[i]) * 3li)", |a, _| a * 3));
    check(("i16", "i16(f64(a[i]) * 2.0lf)", |a, _| (a * 2).clamp(-32768, 32767)));
    check(("i16", "bitcast<i16>(bitcast<u16>(a[i]))", |a, _| a));
    check(("u16", "bitcast<u16>(f16(a[i] & 0x7ff))", |a, _| half((a & 0x7ff) as f64).into()));
    check(("u16", "bitcast<u16>(bitcast<f16>(a[i]))", |a, _| a));
    check(("i16", "i16(f16(a[i]))", |a, _| (super::halves::value(half(a as f64)) as i64).min(32752)));
    check(("u16", "u16(bool(a[i]))", |a, _| i64::from(a != 0)));
}

#[test]
fn vectors_arrays_and_overrides_of_16_bit_integers() {
    let source = "enable wgpu_int16;
        override step: u16 = 3;
        struct S { a: i16, v: vec3<u16>, b: array<i16, 5> }
        var<workgroup> tile: array<i16, 4>;
        @group(0) @binding(0) var<uniform> u: vec4<u16>;
        @group(0) @binding(1) var<storage, read_write> s: array<S>;
        @compute @workgroup_size(4) fn main(@builtin(local_invocation_index) i: u32) {
            tile[i] = s[0].b[i + 1u];
            var mine = array<u16, 4>(u.x, u.y, u.z, u.w);
            mine[s[0].a] += step;
            workgroupBarrier();
            s[1].b[i] = tile[3u - i] * -1;
            if (i == 2u) { s[1].v = s[0].v.zyx << vec3(8u); s[1].a = i16(mine[2] + mine[u.x]); }
        }";
    // a 0, v 8, b 14: 24 bytes.
    let mut before = vec![0u16; 24];
    before[0] = 2;
    before[4..7].copy_from_slice(&[0x101, 0x202, 0x303]);
    before[7..12].copy_from_slice(&[9, 1, 0xffff, 0x8000, 4]);
    let uniform = [1u16, 20, 0xfffe, 40];
    let after = to_u16(&run_exact(source, &[from_u16(&uniform), from_u16(&before)], [1, 1, 1])[1]);
    let mut expected = before.clone();
    expected[12] = 1 + 20;
    expected[16..19].copy_from_slice(&[0x300, 0x200, 0x100]);
    expected[19..23].copy_from_slice(&[-4i16 as u16, 0x8000, 1, 0xffff]);
    assert_eq!(after, expected);
}

/// Places that lie side by side, a stride apart, where the data says, outside of their array, common to all lanes.
const REACHED: [&str; 6] = [
    "out[i] = a[i + 1u] + a[i - 1u] * b[0];",
    "out[3u * i + 1u] = a[2u * i + 1u]; out[3u * i + 2u] = b[0];",
    "let k = u32(a[i]) * 7u % 811u; out[i] = b[k]; if (k % 3u == 0u) { out[i] += a[k + i]; }",
    "if ((i & 1u) == 0u) { out[i ^ 5u] = a[i]; } else { out[i * 40u] = b[i]; }",
    "for (var k = 0u; k < u32(a[i]) % 5u; k++) { out[i] += b[i + k] - a[k]; }",
    "let v = vec4(a[4u * i], a[4u * i + 1u], a[4u * i + 2u], a[4u * i + 3u]); out[i] = v.x * v.y + v.z - v.w * b[i];",
];

#[test]
fn machine_code_reaches_16_bits_as_the_interpreter_does() {
    for (ty, body) in ["f16", "i16", "u16"].iter().flat_map(|ty| REACHED.map(|body| (ty, body))) {
        let source = format!(
            "enable wgpu_int16; enable f16;
             @group(0) @binding(0) var<storage, read> a: array<{ty}>;
             @group(0) @binding(1) var<storage, read> b: array<{ty}>;
             @group(0) @binding(2) var<storage, read_write> out: array<{ty}>;
             @compute @workgroup_size(32) fn main(@builtin(global_invocation_id) id: vec3u) {{
                 let i = id.x;
                 {body}
             }}"
        );
        // Lengths at which a vector of lanes ends, and odd ones.
        for (count, groups) in [(1024, 32), (1019, 33), (77, 3), (3, 1)] {
            let small = |seed: usize| from_u16(&(0..count).map(|k| half_or(ty, k * seed % 23)).collect::<Vec<_>>());
            // No two lanes write one element.
            run(&source, &[small(7), small(5), small(1)], [groups, 1, 1]);
        }
        let settings = evener_lanes::Settings::default();
        let program = evener_lanes::Program::with(compile(&source).unwrap(), &settings).unwrap();
        let able = evener_lanes::Level::detect() > evener_lanes::Level::Baseline && cfg!(target_arch = "x86_64");
        assert_eq!(program.is_native(), able, "{:?}", program.fallback());
    }
}

/// A small number as the type has it.
fn half_or(ty: &str, k: usize) -> u16 {
    if ty == "f16" { half(k as f64) } else { k as u16 }
}
