//! Tiles larger than their work-group: an invocation makes several elements, and a guard bounds sums of ids.

use super::{Case, Expect, noise};

const W: usize = 75;
const H: usize = 29;

/// A plane in tiles of 32 by 4, four columns an invocation, 8 apart.
fn tiles(name: &'static str, body: &str) -> Case {
    let mut case = Case::line(name, body).grid([8, 4, 1], [W.div_ceil(32) as u32, H.div_ceil(4) as u32, 1]);
    case.uniforms = vec![("w", W as u32), ("h", H as u32)];
    case.expect(Expect::Axis(1))
}

pub fn cases() -> Vec<Case> {
    let n = W * H;
    let (u, v) = (noise(n as u32, 91), noise(n as u32, 92));
    let columns = "for (var j = 0u; j < 32u; j += 8u) { let col = wg.x * 32u + lid.x + j; let row = gid.y;
        if (row < p.h && col < p.w) {";
    let squares = "for (var i = 0u; i < 8u; i += 4u) { for (var j = 0u; j < 32u; j += 8u) {
        let col = wg.x * 32u + lid.x + j; let row = wg.y * 8u + lid.y + i; if (row < p.h && col < p.w) {";
    let doubled: Vec<u32> = u.iter().map(|x| x.wrapping_add(*x)).collect();
    let transposed: Vec<u32> = (0..n).map(|i| u[i % H * W + i / H]).collect();
    let short = noise(W as u32, 93);
    vec![
        tiles("columns 8 apart", &format!("{columns} v[row * p.w + col] = 2u * u[row * p.w + col]; }} }}"))
            .input("u", &u)
            .output("v", &v, doubled.clone()),
        tiles("columns 8 apart in place", &format!("{columns} v[row * p.w + col] += v[row * p.w + col]; }} }}"))
            .output("v", &u, doubled.clone()),
        tiles("columns 8 apart, transposed", &format!("{columns} v[col * p.h + row] = u[row * p.w + col]; }} }}"))
            .input("u", &u)
            .output("v", &v, transposed),
        tiles("squares of tiles", &format!("{squares} v[row * p.w + col] = 2u * u[row * p.w + col]; }} }} }}"))
            .grid([8, 4, 1], [W.div_ceil(32) as u32, H.div_ceil(8) as u32, 1])
            .input("u", &u)
            .output("v", &v, doubled.clone()),
        tiles(
            "from the last element on",
            &format!("{columns} v[p.w * p.h - 1u - (row * p.w + col)] = u[row * p.w + col]; }} }}"),
        )
        .input("u", &u)
        .output("v", &v, u.iter().rev().copied().collect()),
        tiles("one row of tiles", &format!("{columns} v[col] = 2u * u[col]; }} }}"))
            .grid([8, 1, 1], [W.div_ceil(32) as u32, 1, 1])
            .expect(Expect::Axis(0))
            .input("u", &short)
            .output("v", &noise(W as u32, 94), short.iter().map(|x| x.wrapping_add(*x)).collect()),
        tiles("tiles that run into the next row", &format!("{columns} v[row * (p.w - 3u) + col] = 1u; }} }}"))
            .whole("different work-groups may write the same element of `v`")
            .output("v", &v, (0..n).map(|i| if i < (H - 1) * (W - 3) + W { 1 } else { v[i] }).collect()),
    ]
}
