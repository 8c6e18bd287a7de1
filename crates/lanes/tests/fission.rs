//! Loops that carry more sums than there are registers, which machine code divides: every engine gives the same bytes, and
//! those of a plain reference.

#[path = "engines/mod.rs"]
mod engines;

use evener_lanes::{Buffer, Grid, GroupRange, Module, Program, Settings};

const LANES: usize = 16;
const GROUPS: usize = 3;

/// A kernel of `rows` by `cols` sums over `n` steps, each of integers so that a reference in Rust is exact.
struct Tiles {
    rows: usize,
    cols: usize,
    /// What is added to sum `i` in step `k`, besides the product: nothing, or a sum before it, so that sums need each
    /// other.
    linked: bool,
    ty: &'static str,
}

impl Tiles {
    fn sums(&self) -> usize {
        self.rows * self.cols
    }

    fn source(&self) -> String {
        let Tiles { rows, cols, ty, .. } = self;
        let sums = self.sums();
        let lines = |n: usize, line: &dyn Fn(usize) -> String| (0..n).map(line).collect::<String>();
        let declared = lines(sums, &|i| format!("var s{i} = {ty}({i});\n"));
        let right = lines(*cols, &|c| format!("let b{c} = {ty}(b[k * {width} + {c} * 16 + l]);\n", width = cols * 16));
        let products = lines(sums, &|i| {
            let left = format!("{ty}(a[k * {rows} + {}])", i / cols);
            let link = if self.linked && i % 3 == 2 { format!(" + s{}", i - 2) } else { String::new() };
            format!("s{i} = s{i} * 3 + {left} * b{}{link};\n", i % cols)
        });
        let stored = lines(sums, &|i| {
            format!("out[g * {i} + {i}] = u32(s{i});\n", i = i)
                .replace(&format!("g * {i} + {i}"), &format!("(g * {sums} + {i}) * 16 + l"))
        });
        format!(
            "@group(0) @binding(0) var<storage, read> n: array<u32>;
            @group(0) @binding(1) var<storage, read> a: array<u32>;
            @group(0) @binding(2) var<storage, read> b: array<u32>;
            @group(0) @binding(3) var<storage, read_write> out: array<u32>;
            @compute @workgroup_size(16)
            fn main(@builtin(local_invocation_id) lid: vec3<u32>, @builtin(workgroup_id) wg: vec3<u32>) {{
                let l = lid.x;
                let g = wg.x;
                {declared}
                var k = 0u;
                while k < n[0] + g {{
                    {right} {products}
                    k += 1u;
                }}
                {stored}
                out[{GROUPS} * {sums} * 16 + g * 16 + l] = k;
            }}"
        )
    }

    /// As the kernel, for one lane.
    fn reference(&self, n: usize, a: &[u32], b: &[u32], lane: usize) -> Vec<u64> {
        let mut s: Vec<u64> = (0..self.sums() as u64).collect();
        for k in 0..n {
            for i in 0..s.len() {
                let (left, right) =
                    (a[k * self.rows + i / self.cols], b[(k * self.cols + i % self.cols) * LANES + lane]);
                let link = if self.linked && i % 3 == 2 { s[i - 2] } else { 0 };
                let product = u64::from(left).wrapping_mul(right.into());
                s[i] = s[i].wrapping_mul(3).wrapping_add(product).wrapping_add(link);
            }
        }
        s
    }
}

#[test]
fn loops_that_carry_many_sums_keep_their_results() {
    const STEPS: usize = 5;
    let steps = [STEPS as u32];
    for (rows, cols) in [(1, 3), (4, 4), (2, 9), (8, 8)] {
        for (linked, ty) in [(false, "u32"), (true, "u32"), (false, "u64"), (true, "u64")] {
            let tiles = Tiles { rows, cols, linked, ty };
            let most = STEPS + GROUPS;
            let noise = |n: usize, seed: u32| -> Vec<u32> {
                (0..n as u32).map(|i| (i ^ seed).wrapping_mul(2_654_435_761)).collect()
            };
            let (a, b) = (noise(most * rows, 1), noise(most * cols * LANES, 2));
            let sums = tiles.sums();
            let mut want = vec![0u32; GROUPS * (sums + 1) * LANES];
            for g in 0..GROUPS {
                for l in 0..LANES {
                    let s = tiles.reference(STEPS + g, &a, &b, l);
                    s.iter().enumerate().for_each(|(i, s)| want[(g * sums + i) * LANES + l] = *s as u32);
                    want[(GROUPS * sums + g) * LANES + l] = (STEPS + g) as u32;
                }
            }
            let kernel = Module::parse(&tiles.source()).unwrap().lower("main").unwrap();
            for engine in engines::engines() {
                let program = Program::with(kernel.clone(), &Settings::default().engine(engine)).unwrap();
                let mut out = vec![0u32; want.len()];
                let buffers = [
                    Buffer::read(bytemuck::cast_slice(&steps)),
                    Buffer::read(bytemuck::cast_slice(&a)),
                    Buffer::read(bytemuck::cast_slice(&b)),
                    Buffer::write(bytemuck::cast_slice_mut(&mut out)),
                ];
                let grid = Grid { groups: [GROUPS as u32, 1, 1] };
                program.run(&buffers, grid, GroupRange::all(grid)).unwrap();
                assert!(out == want, "{engine:?}, {rows} by {cols}, linked: {linked}, {ty}");
            }
        }
    }
}
