//! Kernels whose chunks would touch each other's bytes.

use super::{Case, GROUPS, N, SIZE, noise, written};

const MEAN: &str = "if (gid.x > 0u && gid.x < p.w - 1u && gid.y > 0u && gid.y < p.h - 1u) {
    let at = gid.y * p.w + gid.x; u[at] = (u[at - 1u] + u[at + 1u] + u[at - p.w] + u[at + p.w]) / 4u; }";

pub fn cases() -> Vec<Case> {
    let (x, y) = (noise(N, 81), noise(N, 82));
    // Results that do not depend on the order, although the analysis cannot know that.
    let flat = vec![4u32; N as usize];
    let plane = vec![6u32; 37 * 29];
    let one = noise(SIZE, 83);
    vec![
        Case::line("in place with a neighbour", "if (i + 1u < p.n) { y[i] = min(y[i], y[i + 1u]); }")
            .whole("a work-group may read `y[gid.x + 1]` while another writes `y[gid.x]`")
            .output("y", &flat, flat.clone()),
        Case::line("everyone writes one element", "y[0] = 5u;")
            .whole("every work-group along x writes `y[0]`")
            .output("y", &y, written(&y, 1, |y, _| y[0] = 5))
            .fresh(),
        Case::line("four write one element", "if (i < p.n) { y[i / 40u] = i / 40u; }")
            .whole("different work-groups may write the same element of `y`")
            .output("y", &y, written(&y, N, |y, i| y[i / 40] = (i / 40) as u32))
            .fresh(),
        Case::line("round a small circle", "if (i < p.n) { y[i % 100u] = i % 100u; }")
            .whole("same element")
            .output("y", &y, written(&y, N, |y, i| y[i % 100] = (i % 100) as u32))
            .fresh(),
        Case::line("the last elements are clamped", "y[min(i, p.n - 1u)] = min(i, p.n - 1u);")
            .whole("not an affine function")
            .output("y", &y, (0..N).collect()),
        Case::line("one row of the work-group", "y[lid.x] = lid.x;")
            .whole("every work-group along x writes `y[lid.x]`")
            .output("y", &y, written(&y, SIZE, |y, i| y[i] = i as u32))
            .fresh(),
        Case::plane("a plane in place", [37, 29], MEAN).whole("another writes").output("u", &plane, plane.clone()),
        Case::plane("columns that run into the next row", [37, 29], "v[gid.y * p.w + gid.x] = 1u;")
            .whole("different work-groups may write the same element of `v`")
            .output("v", &plane, vec![1; plane.len()])
            .fresh(),
        Case::line("one work-group", "y[i] = x[i];")
            .grid([SIZE, 1, 1], [1, 1, 1])
            .whole("the call is one work-group")
            .input("x", &x)
            .output("y", &one, x[..SIZE as usize].to_vec())
            .fresh(),
        Case::line("pairs that overlap", "if (i + 1u < p.n) { y[i] = i / 400u; y[i + 1u] = (i + 1u) / 400u; }")
            .whole("may write the same element of `y`")
            .output("y", &y, vec![0; (GROUPS * SIZE - 5) as usize])
            .fresh(),
    ]
}
