//! Subgroup operations over the stated lane count, in uniform and divergent flow.

use super::support::*;
use evener_lanes::{
    Analysis, Grid, SUBGROUP_LANES,
    analysis::{CallShape, Split},
};

const LANES: usize = SUBGROUP_LANES as usize;

/// A work-group's invocations that are active, a value of each, and what each should get.
type Expected<'a> = &'a dyn Fn(&[usize], &[u32], usize) -> u32;

/// Runs `out[i] = body of x` where `active` holds, over work-groups of a size, and compares lane by lane.
fn check(size: [u32; 3], active: &str, is_active: fn(usize) -> bool, expression: &str, expected: Expected<'_>) {
    let [sx, sy, sz] = size;
    let n = (sx * sy * sz) as usize;
    let source = format!(
        "@group(0) @binding(0) var<storage, read> a: array<u32>;
         @group(0) @binding(1) var<storage, read_write> out: array<u32>;
         @compute @workgroup_size({sx}, {sy}, {sz})
         fn main(@builtin(local_invocation_index) l: u32, @builtin(workgroup_id) g: vec3u) {{
             let i = g.x * {n}u + l;
             let x = a[i];
             if ({active}) {{ out[i] = {expression}; }}
         }}"
    );
    let groups = 3;
    let values: Vec<u32> = (0..groups * n).map(|i| (i as u32).wrapping_mul(2_654_435_761) >> 5).collect();
    let after = run_exact(&source, &[from_u32(&values), vec![0xff; 4 * values.len()]], [groups as u32, 1, 1]);
    let out = to_u32(&after[1]);
    for group in 0..groups {
        for first in (0..n).step_by(LANES) {
            let lanes: Vec<usize> =
                (first..n.min(first + LANES)).filter(|l| is_active(*l)).map(|l| l - first).collect();
            let of = &values[group * n + first..][..n.min(first + LANES) - first];
            for l in 0..of.len() {
                let want = if lanes.contains(&l) { expected(&lanes, of, l) } else { !0 };
                let got = out[group * n + first + l];
                assert_eq!(got, want, "{expression} where {active}, {size:?}, subgroup at {first}, lane {l}");
            }
        }
    }
}

const SIZES: [[u32; 3]; 6] = [[64, 1, 1], [8, 1, 1], [1, 1, 1], [13, 1, 1], [5, 3, 2], [37, 1, 1]];

/// A condition on `l` and the same in Rust.
type Flow = (&'static str, fn(usize) -> bool);
const FLOWS: [Flow; 4] = [
    ("true", |_| true),
    ("l % 3u != 1u", |l| l % 3 != 1),
    ("l >= 4u && l < 21u", |l| (4..21).contains(&l)),
    ("(l & 8u) != 0u", |l| l & 8 != 0),
];

fn everywhere(expression: &str, expected: Expected<'_>) {
    for size in SIZES {
        for (active, is_active) in FLOWS {
            check(size, active, is_active, expression, expected);
        }
    }
}

#[test]
fn reductions_combine_the_active_lanes() {
    everywhere("subgroupAdd(x)", &|on, x, _| on.iter().fold(0, |s: u32, l| s.wrapping_add(x[*l])));
    everywhere("subgroupMul(x | 1u)", &|on, x, _| on.iter().fold(1, |s: u32, l| s.wrapping_mul(x[*l] | 1)));
    everywhere("subgroupMin(x)", &|on, x, _| on.iter().map(|l| x[*l]).min().unwrap());
    everywhere("subgroupMax(x)", &|on, x, _| on.iter().map(|l| x[*l]).max().unwrap());
    everywhere("bitcast<u32>(subgroupMin(bitcast<i32>(x << 5u)))", &|on, x, _| {
        on.iter().map(|l| (x[*l] << 5).cast_signed()).min().unwrap().cast_unsigned()
    });
    everywhere("bitcast<u32>(subgroupMax(bitcast<i32>(x << 5u)))", &|on, x, _| {
        on.iter().map(|l| (x[*l] << 5).cast_signed()).max().unwrap().cast_unsigned()
    });
    everywhere("subgroupAnd(x | 0xff00u)", &|on, x, _| on.iter().fold(!0, |s, l| s & (x[*l] | 0xff00)));
    everywhere("subgroupOr(x)", &|on, x, _| on.iter().fold(0, |s, l| s | x[*l]));
    everywhere("subgroupXor(x)", &|on, x, _| on.iter().fold(0, |s, l| s ^ x[*l]));
    everywhere("u32(subgroupAll(x % 5u != 0u))", &|on, x, _| u32::from(on.iter().all(|l| x[*l] % 5 != 0)));
    everywhere("u32(subgroupAny(x % 5u == 0u))", &|on, x, _| u32::from(on.iter().any(|l| x[*l] % 5 == 0)));
}

#[test]
fn scans_combine_the_active_lanes_before() {
    fn before(on: &[usize], x: &[u32], end: usize) -> impl Iterator<Item = u32> {
        on.iter().filter(move |l| **l < end).map(|l| x[*l])
    }
    everywhere("subgroupInclusiveAdd(x)", &|on, x, l| before(on, x, l + 1).fold(0, u32::wrapping_add));
    everywhere("subgroupExclusiveAdd(x)", &|on, x, l| before(on, x, l).fold(0, u32::wrapping_add));
    everywhere("subgroupInclusiveMul(x | 1u)", &|on, x, l| before(on, x, l + 1).fold(1, |s, x| s.wrapping_mul(x | 1)));
    everywhere("subgroupExclusiveMul(x | 1u)", &|on, x, l| before(on, x, l).fold(1, |s, x| s.wrapping_mul(x | 1)));
}

#[test]
fn exchanges_read_active_lanes_and_zero_elsewhere() {
    fn of(on: &[usize], x: &[u32], from: usize) -> u32 {
        if on.contains(&from) { x[from] } else { 0 }
    }
    everywhere("subgroupBroadcastFirst(x)", &|on, x, _| x[on[0]]);
    everywhere("subgroupBroadcast(x, 3u)", &|on, x, _| of(on, x, 3));
    everywhere("subgroupShuffle(x, (x >> 3u) % 11u)", &|on, x, l| of(on, x, (x[l] >> 3) as usize % 11));
    everywhere("subgroupShuffleXor(x, 5u)", &|on, x, l| of(on, x, l ^ 5));
    everywhere("subgroupShuffleUp(x, 2u)", &|on, x, l| of(on, x, l.wrapping_sub(2)));
    everywhere("subgroupShuffleDown(x, 3u)", &|on, x, l| of(on, x, l + 3));
    everywhere("quadBroadcast(x, 2u)", &|on, x, l| of(on, x, (l & !3) + 2));
    everywhere("quadSwapX(x)", &|on, x, l| of(on, x, l ^ 1));
    everywhere("quadSwapY(x)", &|on, x, l| of(on, x, l ^ 2));
    everywhere("quadSwapDiagonal(x)", &|on, x, l| of(on, x, l ^ 3));
    everywhere("subgroupBallot(x % 2u == 0u).x", &|on, x, _| on.iter().map(|l| u32::from(x[*l] % 2 == 0) << l).sum());
    everywhere("dot(subgroupBallot(), vec4(1u, 7u, 7u, 7u))", &|on, _, _| on.iter().map(|l| 1 << l).sum());
}

#[test]
fn every_type_takes_part() {
    let source = "enable f16; enable wgpu_int16;
        struct S { sum: vec2<f32>, wide: f64, long: i64, down: u64, half: f16, short: i16, low: f32, high: f64 }
        @group(0) @binding(0) var<storage, read_write> out: array<S>;
        @compute @workgroup_size(12) fn main(@builtin(local_invocation_index) l: u32) {
            let x = f32(l) + 0.25;
            let nan = x / f32(l / 100u) - x / f32(l / 100u);
            out[l].sum = subgroupAdd(vec2(x, -x));
            out[l].wide = subgroupExclusiveAdd(f64(x));
            out[l].long = subgroupMin(-i64(l) * 10000000000li);
            out[l].down = subgroupShuffleDown(u64(l) << 40u, 1u);
            out[l].half = subgroupMul(f16(x));
            out[l].short = subgroupAdd(i16(l) * i16(9000));
            out[l].low = subgroupMin(select(x, nan, l == 1u));
            out[l].high = subgroupMax(f64(x));
        }";
    let after = run_exact(source, &[vec![0; 12 * 48]], [1, 1, 1]);
    for l in 0..12 {
        let bytes = &after[0][48 * l..][..48];
        let lanes: Vec<usize> = if l < 8 { (0..8).collect() } else { (8..12).collect() };
        let x: Vec<f64> = lanes.iter().map(|l| *l as f64 + 0.25).collect();
        let sum: f64 = x.iter().sum();
        assert_eq!(to_f32(&bytes[..8]), [sum as f32, -sum as f32]);
        assert_eq!(to_f64(&bytes[8..16]), [x[..l - lanes[0]].iter().sum::<f64>()]);
        assert_eq!(to_u64(&bytes[16..24]), [(*lanes.last().unwrap() as i64 * -10_000_000_000).cast_unsigned()]);
        let below = if lanes.contains(&(l + 1)) { (l as u64 + 1) << 40 } else { 0 };
        assert_eq!(to_u64(&bytes[24..32]), [below]);
        let product = x.iter().product::<f64>();
        assert_eq!(to_u16(&bytes[32..34])[0], super::halves::half(f64::from(product as f32)));
        let short = lanes.iter().map(|l| *l as i32 * 9000).sum::<i32>() as i16;
        assert_eq!(to_u16(&bytes[34..36])[0], short.cast_unsigned());
        assert_eq!(to_f32(&bytes[36..40]), [lanes[0] as f32 + 0.25]);
        assert_eq!(to_f64(&bytes[40..48]), [*x.last().unwrap()]);
    }
}

#[test]
fn float_sums_have_one_order_and_keep_signed_zeros() {
    let source = "@group(0) @binding(0) var<storage, read_write> a: array<f32>;
        @compute @workgroup_size(8) fn main(@builtin(global_invocation_id) id: vec3u) {
            let x = a[id.x];
            a[id.x + 16u] = subgroupAdd(x);
            a[id.x + 32u] = subgroupInclusiveAdd(x);
            a[id.x + 48u] = subgroupExclusiveAdd(x);
        }";
    let mut values = vec![1.0f32, 1e8, -1e8, 3.5, 1e-7, 2e7, 0.1, 0.7];
    values.extend([-0.0; 8]);
    values.resize(64, 9.0);
    let out = to_f32(&run_exact(source, &[from_f32(&values)], [2, 1, 1])[0]);
    let v = &values;
    let sum = ((v[0] + v[1]) + (v[2] + v[3])) + ((v[4] + v[5]) + (v[6] + v[7]));
    assert_eq!(out[16..24], [sum; 8]);
    assert_eq!((out[32], out[39], out[35]), (v[0], sum, (v[0] + v[1]) + (v[2] + v[3])));
    assert_eq!((out[48].to_bits(), out[49], out[55]), (0, v[0], out[38]));
    assert!(out[24..32].iter().all(|x| x.to_bits() == (-0.0f32).to_bits()));
    assert!(out[56..64].iter().all(|x| x.to_bits() == 0));
}

#[test]
fn the_built_ins_state_the_lane_count() {
    for n in [1u32, 7, 8, 9, 64, 100] {
        let source = format!(
            "struct In {{ @builtin(subgroup_size) size: u32, @builtin(num_subgroups) count: u32 }}
             @group(0) @binding(0) var<storage, read_write> out: array<vec4u>;
             @compute @workgroup_size({n}) fn main(in: In, @builtin(global_invocation_id) id: vec3u,
                 @builtin(subgroup_id) subgroup: u32, @builtin(subgroup_invocation_id) lane: u32) {{
                 out[id.x] = vec4(in.size, in.count, subgroup, lane);
             }}"
        );
        let out = to_u32(&run_exact(&source, &[vec![0; 16 * 2 * n as usize]], [2, 1, 1])[0]);
        for (i, got) in out.chunks_exact(4).enumerate() {
            let l = i as u32 % n;
            assert_eq!(got, [8, n.div_ceil(8), l / 8, l % 8]);
        }
    }
}

#[test]
fn loops_that_lanes_leave_one_by_one_shrink_the_subgroup() {
    let source = "@group(0) @binding(0) var<storage, read_write> out: array<u32>;
        fn step(x: u32) -> u32 { return subgroupAdd(x); }
        @compute @workgroup_size(16) fn main(@builtin(local_invocation_index) l: u32) {
            var total = 0u;
            for (var k = 0u; k < l; k++) {
                if (k == 3u) { continue; }
                total += step(1u);
                switch l % 4u { case 1u: { total += 1000u * subgroupBallot(true).x; } default: {} }
            }
            out[l] = total;
        }";
    let out = to_u32(&run_exact(source, &[vec![0; 64]], [1, 1, 1])[0]);
    for l in 0..16u32 {
        let first = l / 8 * 8;
        let mut total = 0;
        for k in (0..l).filter(|k| *k != 3) {
            let live = (first..first + 8).filter(|other| *other > k);
            total += live.clone().count() as u32;
            if l % 4 == 1 {
                total += 1000 * live.filter(|o| o % 4 == 1).map(|o| 1 << (o - first)).sum::<u32>();
            }
        }
        assert_eq!(out[l as usize], total, "{l}");
    }
}

#[test]
fn a_subgroup_barrier_may_be_reached_by_a_part_of_the_work_group() {
    let source = "var<workgroup> tile: array<u32, 32>;
        @group(0) @binding(0) var<storage, read_write> out: array<u32>;
        @compute @workgroup_size(32) fn main(@builtin(local_invocation_index) l: u32,
            @builtin(subgroup_id) subgroup: u32) {
            if (subgroup % 2u == 1u) {
                tile[l] = l * l;
                subgroupBarrier();
                out[l] = tile[l ^ 3u];
            }
        }";
    let out = to_u32(&run_exact(source, &[vec![0; 128]], [1, 1, 1])[0]);
    let expected: Vec<u32> = (0..32u32).map(|l| if l / 8 % 2 == 1 { (l ^ 3) * (l ^ 3) } else { 0 }).collect();
    assert_eq!(out, expected);
}

#[test]
fn the_analysis_takes_results_for_unknown() {
    let source = "@group(0) @binding(0) var<storage, read_write> out: array<u32>;
        @compute @workgroup_size(64) fn main(@builtin(global_invocation_id) id: vec3u) {
            let sum = subgroupAdd(id.x);
            out[id.x] = sum;
            if (sum == 0xffffffffu) { out[sum % 7u + subgroupMax(id.x)] = 1u; }
        }";
    let kernel = compile(source).unwrap();
    assert!(kernel.is_cooperative());
    let (sizes, uniforms) = ([4096], [&[][..]]);
    let call = CallShape { grid: Grid { groups: [16, 1, 1] }, sizes: &sizes, uniforms: &uniforms };
    let analysis = Analysis::new(&kernel);
    assert!(matches!(analysis.split(&call), Split::Whole(_)));
    assert!(analysis.features(&call).integer >= 6.0);
    let plain = compile(&source.replace("sum % 7u + subgroupMax(id.x)", "id.x")).unwrap();
    assert_eq!(Analysis::new(&plain).split(&call), Split::Axis(0));
}
