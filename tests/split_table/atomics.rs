//! Atomics: what merges, and what does not.

use super::{Case, N, noise, written};

pub fn cases() -> Vec<Case> {
    [merging(), others()].into_iter().flatten().collect()
}

fn merging() -> Vec<Case> {
    let x = noise(N, 61);
    let count = |bins: u32, before: &[u32]| {
        written(before, N, |y, i| y[(x[i] % bins) as usize] = y[(x[i] % bins) as usize].wrapping_add(1))
    };
    let bins = noise(50, 62);
    let fold = |start: u32, f: fn(u32, u32) -> u32| x.iter().fold(start, |a, v| f(a, *v));
    let signed = |a: u32, v: u32| (a as i32).max(v as i32) as u32;
    let extremes = [900_000, u32::MAX - 7, 0x1234_5678, 77, 0x0f0f_0f0f, 5];
    let all = vec![
        fold(extremes[0], u32::min),
        fold(extremes[1], signed),
        fold(extremes[2], |a, v| a & (v | 0xff00_ff00)),
        fold(extremes[3], |a, v| a | (v & 0x0110_0110)),
        fold(extremes[4], |a, v| a ^ v),
        fold(extremes[5], |a, v| a.wrapping_sub(v)),
    ];
    let fields = "struct All { low: atomic<u32>, high: atomic<i32>, both: atomic<u32>, any: atomic<u32>, odd: atomic<u32>, sum: atomic<u32> }";
    let best = x.iter().enumerate().map(|(i, v)| v >> 9 << 9 | i as u32).min().unwrap();
    let y = noise(N, 63);
    let mixed: Vec<u32> = noise(N + 2, 64);
    let wide = noise(8, 65);
    let mut wide_after = wide.clone();
    for v in &x {
        let at = 2 * (v % 4) as usize;
        let sum = (u64::from(wide_after[at]) | u64::from(wide_after[at + 1]) << 32).wrapping_add(u64::from(*v) << 20);
        (wide_after[at], wide_after[at + 1]) = (sum as u32, (sum >> 32) as u32);
    }
    vec![
        Case::line("histogram", "if (i < p.n) { atomicAdd(&bins[x[i] % 50u], 1u); }")
            .input("x", &x)
            .typed("bins", "array<atomic<u32>>", &bins, count(50, &bins)),
        Case::line("a minimum and where it is", "if (i < p.n) { atomicMin(&best, (x[i] >> 9u << 9u) | i); }")
            .input("x", &x)
            .typed("best", "atomic<u32>", &[u32::MAX - 3], vec![best]),
        Case::line("a field for each operation", "if (i < p.n) {
             atomicMin(&all.low, x[i]); atomicMax(&all.high, i32(x[i])); atomicAnd(&all.both, x[i] | 0xff00ff00u);
             atomicOr(&all.any, x[i] & 0x01100110u); atomicXor(&all.odd, x[i]); atomicSub(&all.sum, x[i]); }")
            .module(fields)
            .input("x", &x)
            .typed("all", "All", &extremes, all),
        Case::line("a map and a sum", "if (i < p.n) { y[i] = x[i] / 3u; atomicAdd(&total, x[i] / 3u); }")
            .input("x", &x)
            .output("y", &y, x.iter().map(|v| v / 3).collect())
            .fresh()
            .typed("total", "atomic<u32>", &[17], vec![x.iter().fold(17, |s, v| s.wrapping_add(v / 3))]),
        Case::line("a counter in front of a map", "if (i < p.n) { y.items[i] = x[i] + 1u; if (x[i] > 0x40000000u) { atomicAdd(&y.count, 1u); } }")
            .module("struct List { step: u32, count: atomic<u32>, items: array<u32> }")
            .input("x", &x)
            .typed("y", "List", &mixed, written(&mixed, N, |y, i| {
                y[i + 2] = x[i].wrapping_add(1);
                y[1] = y[1].wrapping_add(u32::from(x[i] > 0x4000_0000));
            })),
        Case::line("a histogram by work-groups first", "if (i < p.n) { atomicAdd(&tile[x[i] % 50u], 1u); } workgroupBarrier();
             for (var k = l; k < 50u; k += 16u) { let c = atomicLoad(&tile[k]); if (c > 0u) { atomicAdd(&bins[k], c); } }")
            .module("var<workgroup> tile: array<atomic<u32>, 50>;")
            .input("x", &x)
            .typed("bins", "array<atomic<u32>>", &bins, count(50, &bins)),
        Case::line("sums of 64 bits", "if (i < p.n) { atomicAdd(&sums[x[i] % 4u], u64(x[i]) << 20u); }")
            .input("x", &x)
            .typed("sums", "array<atomic<u64>>", &wide, wide_after),
    ]
}

fn others() -> Vec<Case> {
    let x = noise(N, 66);
    let total = x.iter().fold(0u32, |s, v| s.wrapping_add(*v));
    vec![
        Case::line("the old value is used", "if (i < p.n) { y[i] = select(0u, 1u, atomicAdd(&total, 1u) < 1000000u); }")
            .whole("the result of an atomic on `total` is used")
            .output("y", &x, vec![1; N as usize])
            .fresh()
            .typed("total", "atomic<u32>", &[5], vec![N + 5]),
        Case::line("an atomic that is also read", "if (i < p.n) { atomicAdd(&total[0], x[i]); if (atomicLoad(&total[0]) == 0u && p.n == 0u) { atomicMax(&total[1], 1u); } }")
            .whole("`total` is updated by atomicAdd and also read")
            .input("x", &x)
            .typed("total", "array<atomic<u32>>", &[0, 3], vec![total, 3]),
        Case::line("two operations on one field", "if (i < p.n) { if (x[i] >= 0x80000000u) { atomicMax(&total, 9u); } else { atomicOr(&total, 9u); } }")
            .whole("`total` is updated by atomicMax and atomicOr")
            .input("x", &x)
            .typed("total", "atomic<u32>", &[1], vec![9]),
        Case::line("an exchange", "if (i < p.n) { atomicStore(&last, 7u); }")
            .whole("`last` is updated by atomicStore")
            .typed("last", "atomic<u32>", &[1], vec![7]),
    ]
}
