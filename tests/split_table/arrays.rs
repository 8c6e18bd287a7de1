//! One-dimensional maps: shifts, strides, remainders, loops.

use super::{Case, GROUPS, N, SIZE, noise, written};

const T: u32 = GROUPS * SIZE;

pub fn cases() -> Vec<Case> {
    [maps(), neighbours(), rows(), cycles(), strides(), loops()].into_iter().flatten().collect()
}

fn maps() -> Vec<Case> {
    let (x, y, n) = (noise(N, 1), noise(N, 2), N as usize);
    let two = noise(2 * N, 3);
    let add = |a: u32, b: u32| a.wrapping_add(b);
    vec![
        Case::line("map", "if (i < p.n) { y[i] = 3u * x[i] + y[i]; }").input("x", &x).output(
            "y",
            &y,
            written(&y, N, |y, i| y[i] = add(x[i].wrapping_mul(3), y[i])),
        ),
        Case::line("unguarded map", "y[i] = x[i] + 1u;")
            .input("x", &x)
            .output("y", &y, x.iter().map(|v| add(*v, 1)).collect())
            .fresh(),
        Case::line("early return", "if (i >= arrayLength(&y)) { return; } y[i] = x[i] ^ 5u;")
            .input("x", &x)
            .output("y", &y, x.iter().map(|v| v ^ 5).collect())
            .fresh(),
        Case::line("in place", "if (i < p.n) { y[i] *= 3u; y[i] += 7u; }").output(
            "y",
            &y,
            y.iter().map(|v| v.wrapping_mul(3).wrapping_add(7)).collect(),
        ),
        Case::line("set, then added to", "if (i < p.n) { y[i] = x[i]; for (var k = 0u; k < 3u; k++) { y[i] += k; } }")
            .input("x", &x)
            .output("y", &y, x.iter().map(|v| add(*v, 3)).collect())
            .fresh(),
        Case::line("both halves written", "if (i < p.n) { y[i] = x[i]; y[i + p.n] = ~x[i]; }")
            .input("x", &x)
            .output("y", &two, x.iter().copied().chain(x.iter().map(|v| !v)).collect())
            .fresh(),
        Case::line("one half from the other", "if (i < p.n) { y[i] = y[i + p.n] + 1u; }")
            .output("y", &two, written(&two, N, |y, i| y[i] = add(y[i + n], 1)))
            .fresh(),
        Case::line("halves exchanged", "if (i < p.n) { let t = y[i]; y[i] = y[i + p.n]; y[i + p.n] = t; }").output(
            "y",
            &two,
            written(&two, N, |y, i| y.swap(i, i + n)),
        ),
        Case::line("written where the data say", "if (i < p.n) { if (x[i] > 0x80000000u) { y[i] = 1u; } }")
            .input("x", &x)
            .output(
                "y",
                &y,
                written(&y, N, |y, i| {
                    if x[i] > 0x8000_0000 {
                        y[i] = 1;
                    }
                }),
            ),
        Case::line(
            "one of two values",
            "if (i < p.n) { if (x[i] > 0x80000000u) { y[i] = 1u; } else { y[i] = x[i]; } }",
        )
        .input("x", &x)
        .output("y", &y, x.iter().map(|v| if *v > 0x8000_0000 { 1 } else { *v }).collect())
        .fresh(),
        Case::line("a header and items", "if (i < arrayLength(&y.items)) { y.items[i] = y.first + i * y.step; }")
            .module("struct List { first: u32, step: u32, items: array<u32> }")
            .typed(
                "y",
                "List",
                &two,
                written(&two, 2 * N - 2, |y, i| {
                    if i < T as usize {
                        y[i + 2] = add(y[0], y[1].wrapping_mul(i as u32));
                    }
                }),
            )
            .fresh(),
    ]
}

fn neighbours() -> Vec<Case> {
    let (x, y, n) = (noise(N, 4), noise(N, 5), N as usize);
    let add = |a: u32, b: u32| a.wrapping_add(b);
    let red = (0..N).map(|i| 3 * i + 1).collect::<Vec<u32>>();
    vec![
        Case::line("halo", "if (i > 0u && i + 1u < p.n) { y[i] = x[i - 1u] + x[i + 1u]; }")
            .input("x", &x)
            .output(
                "y",
                &y,
                written(&y, N - 1, |y, i| {
                    if i > 0 {
                        y[i] = add(x[i - 1], x[i + 1]);
                    }
                }),
            )
            .fresh(),
        Case::line("halo past the ends", "if (i < p.n) { y[i] = x[i - 1u] + x[i + 1u]; }")
            .input("x", &x)
            .output(
                "y",
                &y,
                written(&y, N, |y, i| {
                    let at = |k: usize| x.get(k).copied().unwrap_or(0);
                    y[i] = add(at(i.wrapping_sub(1)), at(i + 1));
                }),
            )
            .fresh(),
        Case::line("clamped halo", "if (i < p.n) { y[i] = x[max(i32(i) - 2, 0)] + x[min(i + 2u, p.n - 1u)]; }")
            .input("x", &x)
            .output("y", &y, written(&y, N, |y, i| y[i] = add(x[i.saturating_sub(2)], x[(i + 2).min(n - 1)])))
            .fresh(),
        Case::line("periodic halo", "if (i < p.n) { y[i] = x[(i + p.n - 1u) % p.n] + 3u * x[(i + 1u) % p.n]; }")
            .input("x", &x)
            .output("y", &y, written(&y, N, |y, i| y[i] = add(x[(i + n - 1) % n], x[(i + 1) % n].wrapping_mul(3))))
            .fresh(),
        Case::line("periodic by a select", "if (i < p.n) { y[i] = x[select(i - 1u, p.n - 1u, i == 0u)]; }")
            .input("x", &x)
            .output("y", &y, written(&y, N, |y, i| y[i] = x[(i + n - 1) % n]))
            .fresh(),
        Case::line("every second in place", "if (i + 1u < p.n && i % 2u == 1u) { y[i] = y[i - 1u] + y[i + 1u]; }")
            .output(
                "y",
                &red,
                written(&red, N - 1, |y, i| {
                    if i % 2 == 1 {
                        y[i] = add(y[i - 1], y[i + 1]);
                    }
                }),
            ),
        Case::line(
            "a stage of butterflies",
            "let b = i / p.half; let j = i % p.half; let at = b * 2u * p.half + j;
             if (at + p.half < p.n) { let u = y[at]; let v = y[at + p.half]; y[at] = u + v; y[at + p.half] = u - v; }",
        )
        .set("half", 24)
        .output(
            "y",
            &y,
            written(&y, T, |y, i| {
                let at = i / 24 * 48 + i % 24;
                if at + 24 < n {
                    (y[at], y[at + 24]) = (add(y[at], y[at + 24]), y[at].wrapping_sub(y[at + 24]));
                }
            }),
        ),
    ]
}

fn rows() -> Vec<Case> {
    // No multiple of the work-group size, so that every cut is in the middle of a row.
    const W: u32 = 37;
    const PITCH: u32 = 40;
    let (x, w, pitch) = (noise(N, 6), W as usize, PITCH as usize);
    let y = noise(N, 7);
    let wide = noise(N.div_ceil(W) * PITCH, 8);
    let deep = noise(N.div_ceil(5 * 7) * 6 * 8, 9);
    let line = |name, body| Case::line(name, body).set("w", W).set("pitch", PITCH);
    vec![
        line(
            "rows",
            "if (i < p.n) { let row = i / p.w; let col = i % p.w; y[row * p.w + col] = x[row * p.w + col] + row; }",
        )
        .input("x", &x)
        .output("y", &y, written(&y, N, |y, i| y[i] = x[i].wrapping_add((i / w) as u32)))
        .fresh(),
        line("pitched rows", "if (i < p.n) { let row = i / p.w; let col = i % p.w; y[row * p.pitch + col] = x[i]; }")
            .input("x", &x)
            .output("y", &wide, written(&wide, N, |y, i| y[i / w * pitch + i % w] = x[i]))
            .fresh(),
        line(
            "rows made dense",
            "let row = i / p.pitch; let col = i % p.pitch;
             if (col < p.w && row < p.n / p.pitch) { y[row * p.w + col] = x[i]; }",
        )
        .input("x", &x)
        .output(
            "y",
            &y,
            written(&y, N / PITCH * PITCH, |y, i| {
                if i % pitch < w {
                    y[i / pitch * w + i % pitch] = x[i];
                }
            }),
        ),
        line(
            "a pitched volume",
            "if (i < p.n) { let z = i / 35u; let y0 = i / 5u % 7u; let x0 = i % 5u;
             y[(z * 8u + y0) * 6u + x0] = x[i]; }",
        )
        .input("x", &x)
        .output("y", &deep, written(&deep, N, |y, i| y[(i / 35 * 8 + i / 5 % 7) * 6 + i % 5] = x[i]))
        .fresh(),
        line(
            "a pitched volume by remainders",
            "if (i < p.n) { let z = i / 35u; let rest = i % 35u; let y0 = rest / 5u; let x0 = rest % 5u;
             y[(z * 8u + y0) * 6u + x0] = x[i]; }",
        )
        .input("x", &x)
        .output("y", &deep, written(&deep, N, |y, i| y[(i / 35 * 8 + i / 5 % 7) * 6 + i % 5] = x[i]))
        .fresh(),
        line("transposed by a flat index", "if (i < p.n) { y[i % p.w * 10u + i / p.w] = x[i]; }")
            .input("x", &x)
            .output("y", &noise(10 * W, 10), written(&noise(10 * W, 10), N, |y, i| y[i % w * 10 + i / w] = x[i]))
            .fresh(),
        line("pairs of bits", "if (i < p.n) { y[(i >> 3u) * 8u + (i & 7u)] = x[i]; }")
            .input("x", &x)
            .output("y", &y, x.clone())
            .fresh(),
    ]
}

fn cycles() -> Vec<Case> {
    let (x, y, n) = (noise(N, 11), noise(N, 12), N as usize);
    assert!(!N.is_multiple_of(7));
    vec![
        Case::line("rotated write", "if (i < p.n) { y[(i + p.by) % p.n] = x[i]; }")
            .set("by", 100)
            .input("x", &x)
            .output("y", &y, written(&y, N, |y, i| y[(i + 100) % n] = x[i]))
            .fresh(),
        Case::line("every seventh round the circle", "if (i < p.n) { y[(i * 7u) % p.n] = x[i]; }")
            .input("x", &x)
            .output("y", &y, written(&y, N, |y, i| y[i * 7 % n] = x[i]))
            .fresh(),
        Case::line("read every seventh round the circle", "if (i < p.n) { y[i] = x[(i * 7u) % p.n]; }")
            .input("x", &x)
            .output("y", &y, written(&y, N, |y, i| y[i] = x[i * 7 % n]))
            .fresh(),
    ]
}

fn strides() -> Vec<Case> {
    let (x, n) = (noise(N, 13), N as usize);
    let y = noise(4 * N, 14);
    vec![
        Case::line("strided", "if (i < p.n) { y[4u * i + 1u] = x[i]; }")
            .input("x", &x)
            .output("y", &y, written(&y, N, |y, i| y[4 * i + 1] = x[i]))
            .fresh(),
        Case::line("interleaved", "if (i < p.n) { y[2u * i] = x[i]; y[(i << 1u) | 1u] = ~x[i]; }")
            .input("x", &x)
            .output("y", &y[..2 * n], x.iter().flat_map(|v| [*v, !v]).collect())
            .fresh(),
        Case::line("reversed", "if (i < p.n) { y[p.n - 1u - i] = x[i]; }")
            .input("x", &x)
            .output("y", &y[..n], x.iter().rev().copied().collect())
            .fresh(),
        Case::line("reversed pairs", "if (i < p.n) { let at = 2u * (p.n - 1u - i); y[at] = x[i]; y[at + 1u] = i; }")
            .input("x", &x)
            .output("y", &y[..2 * n], (0..n).rev().flat_map(|i| [x[i], i as u32]).collect())
            .fresh(),
    ]
}

fn loops() -> Vec<Case> {
    let (y, long) = (noise(N, 15), noise(5 * N, 16));
    let own = |i: usize| 4 * i..4 * i + 4;
    let grid_stride = "for (var j = i; j < p.n; j += groups.x * 16u) { y[j] = x[j] + 1u; }";
    let mut strided = Case::line("grid stride", grid_stride);
    strided.uniforms[0].1 = 5 * N;
    vec![
        strided.input("x", &long).output("y", &noise(5 * N, 17), long.iter().map(|v| v.wrapping_add(1)).collect()),
        Case::line("four to an invocation", "for (var k = 0u; k < 4u; k++) { y[4u * i + k] = x[4u * i + k] + k; }")
            .input("x", &long[..4 * T as usize])
            .output("y", &noise(4 * T, 18), (0..4 * T).map(|k| long[k as usize].wrapping_add(k % 4)).collect())
            .fresh(),
        Case::line(
            "a running sum of one's own row",
            "for (var k = 1u; k < 4u; k++) { y[4u * i + k] += y[4u * i + k - 1u]; }",
        )
        .output(
            "y",
            &long[..4 * T as usize],
            written(&long[..4 * T as usize], T, |y, i| {
                own(i).skip(1).for_each(|k| y[k] = y[k].wrapping_add(y[k - 1]));
            }),
        ),
        Case::line(
            "sums of windows",
            "var s = 0u; for (var k = 0u; k < p.k; k++) { s += x[i + k]; } if (i < p.n) { y[i] = s; }",
        )
        .set("k", 9)
        .input("x", &long)
        .output("y", &y, written(&y, N, |y, i| y[i] = long[i..i + 9].iter().fold(0, |s, v| s.wrapping_add(*v))))
        .fresh(),
    ]
}
