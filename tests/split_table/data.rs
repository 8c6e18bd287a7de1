//! Indices from data, structs, vectors.

use super::{Case, GROUPS, N, SIZE, noise, written};

pub fn cases() -> Vec<Case> {
    [indirect(), structs()].into_iter().flatten().collect()
}

/// Row starts of `N` rows of 0 to 4 entries.
fn row_starts() -> Vec<u32> {
    let lengths = noise(N, 41).into_iter().map(|v| v % 5);
    std::iter::once(0)
        .chain(lengths.scan(0, |at, len| {
            *at += len;
            Some(*at)
        }))
        .collect()
}

fn indirect() -> Vec<Case> {
    let n = N as usize;
    let (x, y) = (noise(N, 42), noise(N, 43));
    let idx: Vec<u32> = noise(N, 44).into_iter().map(|v| v % (N + 3)).collect();
    let starts = row_starts();
    let entries = starts[n];
    let (cols, vals): (Vec<u32>, Vec<u32>) = (noise(entries, 45).iter().map(|v| v % N).collect(), noise(entries, 46));
    let row = |i: usize| starts[i] as usize..starts[i + 1] as usize;
    let product = |i: usize| row(i).fold(0u32, |s, k| s.wrapping_add(vals[k].wrapping_mul(x[cols[k] as usize])));
    let out = noise(entries, 47);
    vec![
        Case::line("gather", "if (i < p.n) { y[i] = x[idx[i]]; }")
            .input("x", &x)
            .input("idx", &idx)
            .output("y", &y, idx.iter().map(|k| x.get(*k as usize).copied().unwrap_or(0)).collect())
            .fresh(),
        Case::line(
            "sparse matrix times vector",
            "if (i >= p.n) { return; } var s = 0u;
             for (var k = start[i]; k < start[i + 1u]; k++) { s += val[k] * x[col[k]]; } y[i] = s;",
        )
        .input("start", &starts)
        .input("val", &vals)
        .input("col", &cols)
        .input("x", &x)
        .output("y", &y, (0..n).map(product).collect())
        .fresh(),
        Case::line("scatter", "if (i < p.n) { y[to[i]] = x[i]; }")
            .whole("`y` is written through an index loaded from `to`")
            .input("x", &x)
            .input("to", &(0..N).rev().collect::<Vec<u32>>())
            .output("y", &y, x.iter().rev().copied().collect()),
        Case::line(
            "rows of varying length written",
            "if (i < p.n) { for (var k = start[i]; k < start[i + 1u]; k++) { y[k] = i; } }",
        )
        .whole("loaded from `start`")
        .input("start", &starts)
        .output("y", &out, (0..n).flat_map(|i| row(i).map(move |_| i as u32)).collect()),
        Case::line("a triangle", "for (var k = 0u; k <= i; k++) { y[i * (i + 1u) / 2u + k] = k; }")
            .whole("not an affine function")
            .output(
                "y",
                &noise(GROUPS * SIZE * (GROUPS * SIZE + 1) / 2, 48),
                (0..GROUPS * SIZE).flat_map(|i| 0..=i).collect(),
            ),
    ]
}

fn structs() -> Vec<Case> {
    let n = N as usize;
    let (x, y) = (noise(N, 49), noise(8 * N, 50));
    let body = "struct Body { pos: vec3u, mass: u32, vel: vec3u, id: u32 }";
    vec![
        Case::line("vectors of three", "if (i < p.n) { y[i] = vec3u(x[i], i, ~x[i]); }")
            .input("x", &x)
            .typed(
                "y",
                "array<vec3u>",
                &y[..4 * n],
                written(&y[..4 * n], N, |y, i| {
                    y[4 * i..4 * i + 3].copy_from_slice(&[x[i], i as u32, !x[i]]);
                }),
            )
            .fresh(),
        Case::line("vectors of four", "if (i < p.n) { y[i] = vec4u(x[i], i, 1u, 2u); }")
            .input("x", &x)
            .typed("y", "array<vec4u>", &y[..4 * n], (0..n).flat_map(|i| [x[i], i as u32, 1, 2]).collect())
            .fresh(),
        Case::line("a part of each struct", "if (i < p.n) { y[i].vel += y[i].pos * x[i]; y[i].id = i; }")
            .module(body)
            .input("x", &x)
            .typed(
                "y",
                "array<Body>",
                &y,
                written(&y, N, |y, i| {
                    let at = 8 * i;
                    (0..3).for_each(|k| y[at + 4 + k] = y[at + 4 + k].wrapping_add(y[at + k].wrapping_mul(x[i])));
                    y[at + 7] = i as u32;
                }),
            ),
        Case::line("one member from the next struct's other", "if (i + 1u < p.n) { y[i].mass = y[i + 1u].id; }")
            .module(body)
            .typed("y", "array<Body>", &y, written(&y, N - 1, |y, i| y[8 * i + 3] = y[8 * i + 15]))
            .fresh(),
        Case::line(
            "rows of an array of arrays",
            "if (i < p.n / 3u) { for (var k = 0u; k < 6u; k++) { y[i][k] = x[i] + k; } }",
        )
        .input("x", &x)
        .typed(
            "y",
            "array<array<u32, 6>>",
            &y[..2 * n / 6 * 6],
            written(&y[..2 * n / 6 * 6], N / 3, |y, i| {
                (0..6).for_each(|k| y[6 * i + k] = x[i].wrapping_add(k as u32));
            }),
        )
        .fresh(),
    ]
}
