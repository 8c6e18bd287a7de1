//! Types and features that the conformance data does not reach: 64-bit scalars, work-group memory, tables, private globals.

mod lockstep;

use evener_lanes::{Module, ir::verify::verify};

/// Runs `main` over one work-group on one read-write buffer of 64-bit words at binding 0.
fn run(source: &str, words: &[u64]) -> Vec<u64> {
    let module = Module::parse(source).unwrap_or_else(|e| panic!("{e}"));
    let kernel = module.lower("main").unwrap_or_else(|e| panic!("{e}"));
    verify(&kernel).unwrap_or_else(|e| panic!("{e}\n{kernel}"));
    let mut buffers = vec![words.iter().flat_map(|w| w.to_le_bytes()).collect::<Vec<u8>>()];
    lockstep::run(&kernel, &mut buffers, [1; 3]).unwrap_or_else(|e| panic!("{e}\n{kernel}"));
    buffers[0].chunks_exact(8).map(|b| u64::from_le_bytes(b.try_into().expect("8 bytes"))).collect()
}

fn run_u32(source: &str, words: &[u32]) -> Vec<u32> {
    let wide: Vec<u64> = words.chunks_exact(2).map(|w| u64::from(w[0]) | u64::from(w[1]) << 32).collect();
    run(source, &wide).into_iter().flat_map(|w| [w as u32, (w >> 32) as u32]).collect()
}

#[test]
fn f64_is_computed_as_f64() {
    let source = "@group(0) @binding(0) var<storage, read_write> a: array<f64>;
        @compute @workgroup_size(1) fn main() {
            a[2] = a[0] / a[1];
            a[3] = sqrt(a[0]) + 1.0lf;
            let v = vec3<f64>(a[0], a[1], 2.0lf);
            a[4] = dot(v, v);
            a[5] = f64(i32(a[0])) + f64(1u);
        }";
    let input = [10f64, 3.0, 0.0, 0.0, 0.0, 0.0].map(f64::to_bits);
    let output: Vec<f64> = run(source, &input).into_iter().map(f64::from_bits).collect();
    assert_eq!(output[2..], [10.0 / 3.0, 10f64.sqrt() + 1.0, 113.0, 11.0]);
}

#[test]
fn integers_of_64_bits_wrap_shift_and_convert() {
    let source = "@group(0) @binding(0) var<storage, read_write> a: array<i64>;
        @compute @workgroup_size(1) fn main() {
            a[2] = a[0] * a[1];
            a[3] = a[0] >> 4u;
            a[4] = i64(bitcast<u64>(a[0]) >> 60u);
            a[5] = i64(i32(a[0]));
            a[6] = a[1] / 0li;
            a[7] = min(a[0], abs(a[1])) % 7li;
        }";
    let (x, y) = (-0x1234_5678_9abc_def0i64, i64::MAX);
    let output = run(source, &[x as u64, y as u64, 0, 0, 0, 0, 0, 0]);
    let output: Vec<i64> = output.into_iter().map(|w| w as i64).collect();
    let wanted = [x.wrapping_mul(y), x >> 4, ((x as u64) >> 60) as i64, i64::from(x as i32), y, x % 7];
    assert_eq!(output[2..], wanted);
}

#[test]
fn atomics_work_in_storage_and_work_group_memory() {
    let source = "struct Out { sum: atomic<u32>, low: atomic<i32>, last: u32, exchanged: u32 }
        @group(0) @binding(0) var<storage, read_write> out: Out;
        var<workgroup> count: atomic<u32>;
        var<workgroup> shared_total: u32;
        @compute @workgroup_size(8) fn main(@builtin(local_invocation_index) i: u32) {
            atomicAdd(&count, i);
            atomicMin(&out.low, -i32(i));
            workgroupBarrier();
            if (i == 0u) { shared_total = atomicLoad(&count); }
            let total = workgroupUniformLoad(&shared_total);
            atomicAdd(&out.sum, total);
            if (i == 3u) {
                out.last = atomicExchange(&count, 100u);
                let r = atomicCompareExchangeWeak(&count, 100u, 5u);
                out.exchanged = u32(r.exchanged) + r.old_value + atomicSub(&count, 1u);
            }
        }";
    let output = run_u32(source, &[1, 0, 0, 0]);
    assert_eq!(output, [1 + 8 * 28, (-7i32) as u32, 28, 1 + 100 + 5]);
}

#[test]
fn bools_take_a_word_in_work_group_and_private_memory() {
    let source = "@group(0) @binding(0) var<storage, read_write> a: array<u32>;
        struct S { flag: bool, v: vec3<bool>, x: u32 }
        var<workgroup> shared_flags: array<S, 4>;
        var<private> mine: array<bool, 4>;
        @compute @workgroup_size(4) fn main(@builtin(local_invocation_index) i: u32) {
            shared_flags[i] = S(i == 1u, vec3(true, false, i == 2u), i);
            mine[i] = true;
            workgroupBarrier();
            let other = shared_flags[3u - i];
            a[i] = u32(other.flag) + 10u * u32(other.v.z) + 100u * other.x + 1000u * u32(mine[a[i]]);
        }";
    assert_eq!(run_u32(source, &[0, 1, 3, 9]), [1300, 1210, 101, 0]);
}

#[test]
fn constant_tables_and_computed_arrays_are_indexed_at_run_time() {
    let source = "const table = array<u32, 20>(0, 1, 4, 9, 16, 25, 36, 49, 64, 81, 100, 121, 144, 169, 196, 225, 256, 289, 324, 361);
        const small = array(7u, 8u, 9u);
        @group(0) @binding(0) var<storage, read_write> a: array<u32>;
        @compute @workgroup_size(1) fn main() {
            for (var i = 0u; i < 4u; i++) {
                let copy = array(a[0], a[1], a[2], a[3]);
                let v = vec4(1u, 2u, 3u, 4u) * i;
                a[4u + i] = table[a[i]] + 1000u * small[a[i] % 4u] + 100000u * copy[i] + v[a[i] & 3u];
            }
        }";
    let output = run_u32(source, &[2, 19, 20, 5, 0, 0, 0, 0]);
    let squares = [4, 361, 0, 25];
    let wanted: Vec<u32> = (0..4)
        .map(|i| {
            let x = [2u32, 19, 20, 5][i];
            let small = [7, 8, 9, 0][x as usize % 4];
            squares[i] + 1000 * small + 100_000 * x + (1 + (x & 3)) * i as u32
        })
        .collect();
    assert_eq!(output[4..], wanted);
}

#[test]
fn out_of_bounds_reads_are_zero_and_writes_are_dropped() {
    let source = "struct Head { n: u32, m: u32, rows: array<array<u32, 2>> }
        @group(0) @binding(0) var<storage, read_write> a: Head;
        @compute @workgroup_size(1) fn main() {
            var local = array(5u, 6u, 7u, 8u);
            let wild = a.n;
            a.rows[0][wild] = 1u;
            a.rows[wild][0] = 2u;
            local[wild] = 9u;
            a.rows[1][1] = a.rows[wild][0] + a.rows[0][wild] + local[wild] + local[a.m];
            a.m = arrayLength(&a.rows);
            a.rows[7][0] = 3u;
        }";
    assert_eq!(run_u32(source, &[4_000_000_000, 2, 10, 11, 12, 13]), [4_000_000_000, 2, 10, 11, 12, 7]);
    assert_eq!(run_u32(source, &[2, 1, 10, 11, 12, 13]), [2, 2, 10, 11, 12, 6 + 9]);
}

#[test]
fn locals_start_as_zero_in_every_iteration_and_call() {
    let source = "@group(0) @binding(0) var<storage, read_write> a: array<u32>;
        var<private> calls: u32 = 5u;
        fn count(i: u32) -> u32 {
            var seen: array<u32, 40>;
            var pair: vec2<u32>;
            seen[i] += 1u;
            pair.x += i;
            calls += 1u;
            return seen[0] + seen[1] + seen[2] + 10u * pair.x;
        }
        @compute @workgroup_size(1) fn main() {
            for (var i = 0u; i < 3u; i++) {
                var fresh: array<u32, 3>;
                fresh[a[i] % 3u] += 1u;
                a[i] = count(i) + 100u * (fresh[0] + fresh[1] + fresh[2]);
            }
            a[3] = calls;
        }";
    assert_eq!(run_u32(source, &[0, 1, 2, 3]), [101, 111, 121, 8]);
}

#[test]
fn matrices_in_memory_keep_their_padding_and_columns() {
    let source = "struct M { m: mat3x3<f32>, v: vec3<f32>, n: u32 }
        @group(0) @binding(0) var<storage, read_write> a: M;
        @compute @workgroup_size(1) fn main() {
            a.v = a.m * a.v;
            a.m[a.n] = vec3(7.0, 8.0, 9.0);
            a.m[2][a.n] = 5.0;
            a.m = transpose(a.m);
        }";
    let rows = [1.0, 2.0, 3.0, -1.0, 4.0, 5.0, 6.0, -2.0, 0.0, 1.0, 0.0, -3.0, 1.0, 1.0, 2.0f32];
    let mut words: Vec<u32> = rows.iter().map(|x| x.to_bits()).collect();
    words.push(1);
    let output = run_u32(source, &words);
    let floats: Vec<f32> = output[..15].iter().map(|w| f32::from_bits(*w)).collect();
    assert_eq!(floats, [1.0, 7.0, 0.0, -1.0, 2.0, 8.0, 5.0, -2.0, 3.0, 9.0, 0.0, -3.0, 5.0, 9.0, 9.0]);
}

#[test]
fn components_of_vectors_are_chosen_at_run_time() {
    let source = "@group(0) @binding(0) var<storage, read_write> a: array<u32>;
        @compute @workgroup_size(1) fn main() {
            var v = vec3(1u, 2u, 3u);
            var m = mat2x2<f32>(1.0, 2.0, 3.0, 4.0);
            for (var i = 0u; i < 4u; i++) {
                v[a[i]] += 10u * (i + 1u);
                m[1][a[i]] = f32(i);
            }
            a[4] = v[0]; a[5] = v[1]; a[6] = v[2];
            a[7] = v[a[1]] + 1000u * u32(m[1].x) + 10000u * u32(m[1].y);
        }";
    assert_eq!(run_u32(source, &[2, 0, 7, 2, 0, 0, 0, 0])[4..], [21, 2, 53, 21 + 1000 + 40000]);
}
