//! Work-groups of several rows, whose blocks stack rows: tiles in work-group memory, rows whose distance is known at run
//! time only, edges that cut rows and columns. Every engine gives the same bytes; buffers lie between guard pages.

#[path = "engines/mod.rs"]
mod engines;
#[path = "differential/guard.rs"]
mod guard;

use evener_lanes::{Buffer, Engine, Grid, GroupRange, Module, Program, Settings};
use guard::Guarded;

/// Words of each array.
const WORDS: usize = 4096;

/// Tiles are read with a guard and kept over a barrier, turned around, and combined row by row.
fn source([x, y, z]: [u32; 3], body: &str) -> String {
    format!(
        "struct Params {{ width: u32, height: u32, pitch: u32 }}
        @group(0) @binding(0) var<uniform> p: Params;
        @group(0) @binding(1) var<storage, read> a: array<u32>;
        @group(0) @binding(2) var<storage, read_write> b: array<u32>;
        var<workgroup> tile: array<array<array<u32, {x}>, {y}>, {z}>;
        @compute @workgroup_size({x}, {y}, {z})
        fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(local_invocation_id) l: vec3<u32>,
                @builtin(local_invocation_index) n: u32, @builtin(workgroup_id) g: vec3<u32>) {{
            var sum = n;
            {body}
        }}"
    )
}

const BODIES: [&str; 6] = [
    // A guard that edges cut, before and after the barrier.
    "var v = 7u;
     if id.x < p.width && id.y < p.height { v = a[id.y * p.pitch + id.x]; }
     tile[l.z][l.y][l.x] = v;
     workgroupBarrier();
     for (var k = 0u; k < 4u; k++) { sum = sum * 3u + tile[l.z][k % SY][l.x] * tile[l.z][l.y][k % SX]; }
     if id.x < p.width && id.y < p.height { b[(id.z * p.height + id.y) * p.pitch + id.x] = sum; }",
    // Rows in the other direction, and a distance that is a product.
    "tile[l.z][l.y][l.x] = a[(p.height - id.y) * (p.pitch * 2u) - id.x];
     workgroupBarrier();
     sum += tile[l.z][SY - 1u - l.y][SX - 1u - l.x];
     b[id.x + p.pitch * (id.y + 3u * id.z)] = sum;",
    // What a row multiplies is carried by a loop around barriers.
    "var at = id.y * p.pitch + l.x;
     for (var turn = 0u; turn < 3u; turn++) {
         tile[l.z][l.y][l.x] = a[at] + turn;
         workgroupBarrier();
         sum = sum * 5u + tile[l.z][(l.y + 1u) % SY][l.x];
         workgroupBarrier();
         at += p.pitch;
     }
     b[n + g.x * 512u + g.y * 1024u] = sum ^ at;",
    // A branch that rows disagree on, and a loop whose counter starts with the row.
    "tile[l.z][l.y][l.x] = n;
     workgroupBarrier();
     if l.y >= 2u { sum += a[id.y * p.width + id.x]; } else { sum ^= l.x * p.pitch; }
     for (var k = l.y; k < p.height; k += 3u) { sum += tile[l.z][k % SY][l.x] * k; }
     b[id.y * p.pitch + id.x + id.z] = sum;",
    // A choice of distances, products of products, and what is left of a shift.
    "tile[l.z][l.y][l.x] = 1u;
     workgroupBarrier();
     let i = select(id.y * p.pitch, l.y * p.width * p.height, p.width > 20u);
     sum += a[i + l.x] + a[(l.y << 2u) * p.width + l.x] + a[u32(-i32(l.y * p.pitch)) + 64u] + u32(i32(id.y * p.pitch) / 3);
     b[i % 1024u + l.x + 1024u * l.z] = sum;",
    // Every row the same, and columns the same.
    "tile[l.z][l.y][l.x] = a[l.x * 2u] + a[l.y * 3u] + a[l.y * p.pitch];
     workgroupBarrier();
     sum += tile[0][0][l.x] + tile[0][l.y][0];
     b[id.y * p.pitch + id.x] = sum;
     b[3000u + l.x] = 5u;",
];

/// Guards that hold for all of some work-groups, for parts of others, and for none.
const GUARDS: [&str; 6] = [
    // A border around the tile: signed bounds below and above.
    "let at = vec2<i32>(id.xy) - 1;
     var v = 3u;
     if at.x >= 0 && at.y > -1 && at.x < i32(p.width) && at.y <= i32(p.height) - 1 {
         v = a[u32(at.y) * p.pitch + u32(at.x)];
     }
     tile[l.z][l.y][l.x] = v;
     workgroupBarrier();
     sum = sum * 3u + tile[l.z][(l.y + 1u) % SY][l.x];
     b[(id.z * 16u + id.y) * 32u + id.x] = sum;",
    // A loop over tiles, whose guards lie in the arms of a branch that the work-group takes together.
    "for (var first = 0u; first < min(p.height, 100u); first += SX) {
         var v = 1u;
         if p.width > 18u {
             if id.y < p.height && first + l.x < p.width { v = a[id.y * p.pitch + first + l.x]; }
         } else {
             if id.y + first < p.height && l.x * 2u + first < p.width { v = a[(id.y + first) * p.pitch + l.x]; }
         }
         tile[l.z][l.y][l.x] = v;
         workgroupBarrier();
         sum = sum * 7u + tile[l.z][(l.y + 1u) % SY][(l.x + 2u) % SX];
         workgroupBarrier();
     }
     if id.y < p.height && id.x < p.width { b[id.y * 32u + id.x] = sum; }",
    // Sums that wrap, products with constants, and guards that are negations.
    "var v = 9u;
     if !(id.x + p.pitch >= p.width) && id.y * 3u + p.height > p.pitch { v = a[id.x + p.pitch]; }
     tile[l.z][l.y][l.x] = v;
     workgroupBarrier();
     sum += tile[l.z][SY - 1u - l.y][l.x];
     if id.y * 2u + p.pitch >= p.height && (id.x << 1u) + 3u <= p.width { b[id.y * 64u + id.x] = sum; }",
    // The same of signed numbers.
    "var v = 9u;
     if i32(id.x + p.pitch) < i32(p.width) && i32(id.y) + i32(p.height) > i32(p.pitch) { v = a[id.x + 2u * id.y]; }
     tile[l.z][l.y][l.x] = v;
     workgroupBarrier();
     sum += tile[l.z][l.y][SX - 1u - l.x];
     if i32(id.x) * 3 - i32(p.width) <= i32(p.pitch) { b[id.y * 64u + id.x] = sum; }",
    // Numbers of invocations, and indices behind a guard that are out of bounds.
    "let i = (g.x + 2u * g.y) * (SX * SY) + n;
     var v = 5u;
     if i < p.width * p.height { v = a[i * 3u + p.pitch]; }
     tile[l.z][l.y][l.x] = v;
     workgroupBarrier();
     sum = tile[l.z][l.y][(l.x + 1u) % SX] + i;
     if i + 1u < p.pitch { b[i + p.pitch] = sum; }",
    // What is outside has an arm of its own, and what is inside a loop.
    "tile[l.z][l.y][l.x] = id.x;
     workgroupBarrier();
     if id.x + 1u >= p.width || id.y >= p.height {
         sum += 11u;
     } else {
         for (var k = 0u; k < 3u; k++) { if id.x + k < p.width { sum += a[id.y * p.pitch + id.x + k] * tile[l.z][l.y][k]; } }
     }
     if id.x + 1u >= p.width || id.y >= p.height { } else { b[id.y * 64u + id.x] = sum; }",
];

fn run(program: &Program, params: [u32; 3], at_end: bool) -> Vec<u8> {
    let uniform: Vec<u8> = params.iter().flat_map(|v| v.to_ne_bytes()).collect();
    let words = |seed: u32| (0..WORDS as u32).flat_map(move |i| (i ^ seed).wrapping_mul(2_654_435_761).to_ne_bytes());
    let bytes = [uniform, words(1).collect(), words(9).collect()];
    let mut guarded = Guarded::new();
    let starts: Vec<*mut u8> = bytes.iter().map(|b| guarded.place(b, at_end).expect("memory for the test")).collect();
    let buffers: Vec<Buffer<'_>> = starts
        .iter()
        .zip(&bytes)
        // SAFETY: the pages outlive the run, and nothing else uses them.
        .map(|(start, b)| unsafe { Buffer::from_raw(*start, b.len() as u64, true) })
        .collect();
    let grid = Grid { groups: [2, 2, 1] };
    // One thread: some bodies write one word from several work-groups.
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
    pool.install(|| program.run(&buffers, grid, GroupRange::all(grid))).unwrap();
    // SAFETY: as many bytes were placed there.
    unsafe { std::slice::from_raw_parts(starts[2], bytes[2].len()) }.to_vec()
}

/// Runs bodies in work-groups of some sizes on every engine.
fn compare(sizes: &[[u32; 3]], bodies: &[&str], params: &[[u32; 3]]) {
    for size in sizes {
        for body in bodies {
            let body = body.replace("SX", &format!("{}u", size[0])).replace("SY", &format!("{}u", size[1]));
            let text = source(*size, &body);
            let kernel = Module::parse(&text).unwrap().lower("main").unwrap();
            let programs: Vec<(Engine, Program)> = engines::best_engines()
                .into_iter()
                .map(|e| (e, Program::with(kernel.clone(), &Settings::default().engine(e)).unwrap()))
                .collect();
            for params in params {
                for at_end in [false, true] {
                    let want = run(&programs[0].1, *params, at_end);
                    for (engine, program) in &programs[1..] {
                        assert!(program.is_native(), "{:?}\n{text}", program.fallback());
                        assert!(run(program, *params, at_end) == want, "{engine:?}, {params:?}, {size:?}\n{text}");
                    }
                }
            }
        }
    }
}

#[test]
fn rows_of_work_groups_are_stacked() {
    let sizes = [[16, 16, 1], [8, 8, 1], [32, 4, 1], [16, 4, 2], [8, 6, 2], [64, 3, 1], [12, 4, 1]];
    compare(&sizes, &BODIES, &[[32, 32, 32], [20, 25, 40], [4, 1, 33], [17, 31, 64], [5, 40, 0xffff_fff0]]);
}

#[test]
fn guards_are_settled_for_work_groups() {
    let params = [[32, 32, 32], [20, 25, 40], [17, 31, 64], [30, 25, 0xffff_fff0], [0xffff_fffa, 40, 0x7fff_ffe0]];
    compare(&[[16, 16, 1], [8, 6, 2], [64, 3, 1], [12, 4, 1]], &GUARDS, &params);
}
