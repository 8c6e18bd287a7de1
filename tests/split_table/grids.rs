//! Grids of two and three axes, matrices, work-groups.

use super::{Case, Expect, GROUPS, SIZE, noise, written};

const W: usize = 37;
const H: usize = 29;

pub fn cases() -> Vec<Case> {
    [planes(), volumes(), matrices(), groups()].into_iter().flatten().collect()
}

/// The five-point sum around (x, y).
fn five(u: &[u32], at: usize) -> u32 {
    [at, at - 1, at + 1, at - W, at + W].iter().fold(0, |s, k| s.wrapping_add(u[*k]))
}

fn planes() -> Vec<Case> {
    let n = (W * H) as u32;
    let (u, v) = (noise(n, 21), noise(n, 22));
    let plane = |name, body| Case::plane(name, [W as u32, H as u32], body);
    let inside = |i: usize| (1..W - 1).contains(&(i % W)) && (1..H - 1).contains(&(i / W));
    let wrapped = |x: usize, y: usize| u[y % H * W + x % W];
    vec![
        plane("a plane", "if (gid.x < p.w && gid.y < p.h) { v[gid.y * p.w + gid.x] = u[gid.y * p.w + gid.x] + gid.y; }")
            .input("u", &u)
            .output("v", &v, written(&v, n, |v, i| v[i] = u[i].wrapping_add((i / W) as u32)))
            .fresh(),
        plane("a halo of a plane", "if (gid.x > 0u && gid.x < p.w - 1u && gid.y > 0u && gid.y < p.h - 1u) {
             let at = gid.y * p.w + gid.x; v[at] = u[at] + u[at - 1u] + u[at + 1u] + u[at - p.w] + u[at + p.w]; }")
            .input("u", &u)
            .output("v", &v, written(&v, n, |v, i| {
                if inside(i) {
                    v[i] = five(&u, i);
                }
            })).fresh(),
        plane("a periodic plane", "if (gid.x < p.w && gid.y < p.h) {
             v[gid.y * p.w + gid.x] = u[gid.y * p.w + (gid.x + 1u) % p.w] ^ u[(gid.y + p.h - 1u) % p.h * p.w + gid.x]; }")
            .input("u", &u)
            .output("v", &v, written(&v, n, |v, i| {
                v[i] = wrapped(i % W + 1, i / W) ^ wrapped(i % W, i / W + H - 1);
            }))
            .fresh(),
        plane("borders by functions", "if (any(gid.xy >= vec2u(p.w, p.h))) { return; }
             v[at(gid.x, gid.y)] = u[at(clamp(gid.x, 1u, p.w - 2u), clamp(gid.y, 1u, p.h - 2u))];")
            .module("fn at(x: u32, y: u32) -> u32 { return y * p.w + x; }")
            .input("u", &u)
            .output("v", &v, written(&v, n, |v, i| {
                v[i] = u[(i / W).clamp(1, H - 2) * W + (i % W).clamp(1, W - 2)];
            }))
            .fresh(),
        plane("every second row", "if (gid.x < p.w && 2u * gid.y < p.h) { v[2u * gid.y * p.w + gid.x] = u[gid.y * p.w + gid.x]; }")
            .input("u", &u)
            .output("v", &v, written(&v, (W * H.div_ceil(2)) as u32, |v, i| v[i / W * 2 * W + i % W] = u[i])).fresh(),
        plane("transposed", "if (gid.x < p.w && gid.y < p.h) { v[gid.x * p.h + gid.y] = u[gid.y * p.w + gid.x]; }")
            .input("u", &u)
            .output("v", &v, written(&v, n, |v, i| v[i % W * H + i / W] = u[i]))
            .fresh(),
        plane("a plane upside down", "if (gid.x < p.w && gid.y < p.h) { v[(p.h - 1u - gid.y) * p.w + p.w - 1u - gid.x] = u[gid.y * p.w + gid.x]; }")
            .input("u", &u)
            .output("v", &v, u.iter().rev().copied().collect())
            .fresh(),
        plane("a line folded over two axes", "let k = gid.y * (groups.x * 8u) + gid.x; if (k < p.w * p.h) { v[k] = u[k] + 1u; }")
            .input("u", &u)
            .output("v", &v, u.iter().map(|x| x.wrapping_add(1)).collect()),
    ]
}

fn volumes() -> Vec<Case> {
    const D: [usize; 3] = [11, 9, 13];
    let n: usize = D.iter().product();
    let (u, v) = (noise(n as u32, 23), noise(n as u32, 24));
    let volume = |name, body: &str| {
        let at = "fn at(x: u32, y: u32, z: u32) -> u32 { return (z * p.h + y) * p.w + x; }";
        let groups = [D[0].div_ceil(4), D[1].div_ceil(4), D[2].div_ceil(2)].map(|g| g as u32);
        let mut case = Case::line(name, body).module(at).grid([4, 4, 2], groups).expect(Expect::Axis(2));
        case.uniforms = vec![("w", D[0] as u32), ("h", D[1] as u32), ("d", D[2] as u32)];
        case
    };
    let place = |i: usize| [i % D[0], i / D[0] % D[1], i / D[0] / D[1]];
    let plane = D[0] * D[1];
    vec![
        volume("a volume", "if (all(gid < vec3u(p.w, p.h, p.d))) { v[at(gid.x, gid.y, gid.z)] = u[at(gid.x, gid.y, gid.z)] + 1u; }")
            .input("u", &u)
            .output("v", &v, u.iter().map(|x| x.wrapping_add(1)).collect())
            .fresh(),
        volume("a halo of a volume", "if (all(gid > vec3u(0u)) && all(gid + vec3u(1u) < vec3u(p.w, p.h, p.d))) {
             let k = at(gid.x, gid.y, gid.z); v[k] = u[k - 1u] + u[k + 1u] + u[k - p.w] + u[k + p.w] + u[k - p.w * p.h] + u[k + p.w * p.h]; }")
            .input("u", &u)
            .output("v", &v, written(&v, n as u32, |v, i| {
                let at = place(i);
                if (0..3).all(|a| at[a] > 0 && at[a] + 1 < D[a]) {
                    let near = [i - 1, i + 1, i - D[0], i + D[0], i - plane, i + plane];
                    v[i] = near.iter().fold(0, |s, k| s.wrapping_add(u[*k]));
                }
            })).fresh(),
    ]
}

fn matrices() -> Vec<Case> {
    const K: usize = 19;
    let (a, b) = (noise((H * K) as u32, 25), noise((K * W) as u32, 26));
    let c = noise((W * H) as u32, 27);
    let dot =
        |row: usize, col: usize| (0..K).fold(0u32, |s, k| s.wrapping_add(a[row * K + k].wrapping_mul(b[k * W + col])));
    let u = noise((W * H) as u32, 28);
    let sums = |i: usize| (0..H).fold(0u32, |s, r| s.wrapping_add(u[r * W + i]));
    let mut columns = Case::line(
        "sums of columns",
        "if (i >= p.w) { return; }
             var s = 0u; for (var r = 0u; r < p.h; r++) { s += u[r * p.w + i]; } y[i] = s;",
    )
    .grid([4, 1, 1], [W.div_ceil(4) as u32, 1, 1]);
    columns.uniforms = vec![("w", W as u32), ("h", H as u32)];
    vec![
        Case::plane(
            "matrix product",
            [W as u32, H as u32],
            "if (gid.y >= p.h || gid.x >= p.w) { return; }
             var s = 0u; for (var k = 0u; k < p.k; k++) { s += a[gid.y * p.k + k] * b[k * p.w + gid.x]; }
             c[gid.y * p.w + gid.x] = s;",
        )
        .set("k", K as u32)
        .input("a", &a)
        .input("b", &b)
        .output("c", &c, (0..W * H).map(|i| dot(i / W, i % W)).collect())
        .fresh(),
        columns.input("u", &u).output("y", &noise(W as u32, 29), (0..W).map(sums).collect()).fresh(),
    ]
}

fn groups() -> Vec<Case> {
    let n = GROUPS * SIZE;
    let x = noise(n, 30);
    let sums: Vec<u32> = x.chunks(SIZE as usize).map(|c| c.iter().fold(0u32, |s, v| s.wrapping_add(*v))).collect();
    let tree = "tile[l] = x[gid.x]; workgroupBarrier();
         for (var s = 8u; s > 0u; s >>= 1u) { if (l < s) { tile[l] += tile[l + s]; } workgroupBarrier(); }";
    let tile = "var<workgroup> tile: array<u32, 16>;";
    let flat: Vec<u32> = noise(7 * 9, 31);
    let blocks = noise(7 * 9 * 32, 32);
    let block = |i: usize| {
        let (group, l) = (i / 32, i % 32);
        (group / 7 * 4 + l / 8) * 56 + group % 7 * 8 + l % 8
    };
    vec![
        Case::line("sums of work-groups", &format!("{tree} if (l == 0u) {{ y[wg.x] = tile[0]; }}"))
            .module(tile)
            .input("x", &x)
            .output("y", &noise(GROUPS, 33), sums.clone())
            .fresh(),
        Case::line("every one has its work-group's sum", &format!("{tree} y[wg.x * 16u + l] = tile[0];"))
            .module(tile)
            .input("x", &x)
            .output("y", &noise(n, 34), (0..n).map(|i| sums[(i / SIZE) as usize]).collect())
            .fresh(),
        Case::plane(
            "a result of each work-group of a plane",
            [56, 36],
            "if (l == 5u) { y[wg.y * groups.x + wg.x] = gid.x + gid.y; }",
        )
        .output("y", &flat, (0..63).map(|g| g % 7 * 8 + 5 + g / 7 * 4).collect())
        .fresh(),
        Case::plane(
            "tiles one after the other",
            [56, 36],
            "y[(wg.y * groups.x + wg.x) * 32u + l] = x[gid.y * 56u + gid.x];",
        )
        .input("x", &blocks)
        .output("y", &noise(7 * 9 * 32, 35), (0..7 * 9 * 32).map(|i| blocks[block(i)]).collect())
        .fresh(),
    ]
}
