//! Rows of invocations that a guard cuts, and accesses beside an invocation's own place: at both ends of the arrays, past
//! them, and where ids wrap. Every engine gives the bytes of the interpreter, between guard pages.

#[path = "engines/mod.rs"]
mod engines;
#[path = "differential/guard.rs"]
mod guard;

use evener_lanes::{Buffer, Engine, Grid, GroupRange, Level, Module, Program, Settings};
use guard::Guarded;

/// Ways to leave out invocations: `n` is the width of a row, `h` the number of rows.
const GUARDS: [&str; 12] = [
    "id.x >= n",
    "id.x > n",
    "!(id.x < n && id.y < h)",
    "n <= id.x || h < id.y",
    "id.x == 0u || id.x >= n - 1u || id.y == 0u || id.y >= h - 1u",
    "id.x < h || id.x >= n",
    "id.x <= n",
    "id.x != 3u",
    "id.x >= arrayLength(&to)",
    "id.x + id.y >= n",
    "id.y != h",
    "i32(id.x) >= i32(n)",
];

/// What the others do.
const BODIES: [&str; 5] = [
    "to[i] = from_[i] + 1u;",
    "to[i] = from_[i - 1u] + 3u * from_[i + 1u] + 5u * from_[i - n] + 7u * from_[i + n] + fixed[id.x];",
    "to[i] = to[i] * 3u + from_[id.x + 4294967290u] + fixed[id.y];",
    // More is read in some rows only, and in some lanes.
    "var sum = from_[i];
     if id.y % 2u == 1u { sum += from_[i + 1000u]; }
     if from_[i] % 3u == 0u { sum += fixed[id.x + 2u]; }
     to[i] = sum;",
    "for (var k = 0u; k < 40u; k++) { to[i] += from_[i + k] ^ fixed[k]; }",
];

fn source(guard: &str, body: &str) -> String {
    format!(
        "@group(0) @binding(0) var<uniform> size: vec2<u32>;
        @group(0) @binding(1) var<storage, read> from_: array<u32>;
        @group(0) @binding(2) var<storage, read> fixed: array<u32, 45>;
        @group(0) @binding(3) var<storage, read_write> to: array<u32>;
        @compute @workgroup_size(32, 2)
        fn main(@builtin(global_invocation_id) id: vec3<u32>) {{
            let n = size.x;
            let h = size.y + 0u * fixed[0] + from_[0] - from_[0];
            if {guard} {{ return; }}
            let i = id.y * 131u + id.x;
            {body}
        }}"
    )
}

fn hash(n: u32) -> u32 {
    let n = (n ^ n >> 15).wrapping_mul(2_654_435_761);
    (n ^ n >> 13).wrapping_mul(2_246_822_519) >> 3
}

fn bytes(words: impl IntoIterator<Item = u32>) -> Vec<u8> {
    words.into_iter().flat_map(u32::to_ne_bytes).collect()
}

/// What `to` holds after the work-groups of a range ran.
fn run(program: &Program, [n, h]: [u32; 2], groups: GroupRange) -> Vec<u8> {
    let array = |name: &str| match name {
        "size" => bytes([n, h]),
        "from_" => bytes((0..(131 * h).max(1)).map(hash)),
        "fixed" => bytes((0..45).map(|i| hash(i + 77))),
        // Ends inside the last row.
        _ => bytes((0..(131 * h).max(70) - 66).map(|i| i + 5)),
    };
    let arrays: Vec<Vec<u8>> = program.kernel().bindings.iter().map(|b| array(&b.name)).collect();
    let mut guarded = Guarded::new();
    let starts: Vec<*mut u8> = arrays.iter().map(|b| guarded.place(b, n % 2 == 1).expect("memory")).collect();
    let buffers: Vec<Buffer<'_>> = starts
        .iter()
        .zip(&arrays)
        // SAFETY: the pages outlive the run, and nothing else uses them.
        .map(|(start, b)| unsafe { Buffer::from_raw(*start, b.len() as u64, true) })
        .collect();
    program.run(&buffers, Grid { groups: [u32::MAX, 8, 1] }, groups).unwrap();
    guarded.bytes(arrays.len() - 1).unwrap()
}

/// Rows are 131 elements apart, more than a range has invocations: none writes the element of another.
///
/// Sizes and ranges of work-groups of 32 by 2: all of a grid, its middle, and ids that wrap, where 2^32 is a multiple of 32.
fn cases() -> Vec<([u32; 2], GroupRange)> {
    let range = |x: [u32; 2], y: [u32; 2]| GroupRange { start: [x[0], y[0], 0], end: [x[1], y[1], 1] };
    vec![
        ([96, 6], range([0, 3], [0, 3])),
        ([77, 5], range([0, 3], [0, 3])),
        ([77, 5], range([1, 3], [1, 3])),
        ([130, 4], range([0, 2], [0, 2])),
        ([66, 4], range([0, 4], [0, 2])),
        ([3, 9], range([0, 2], [0, 4])),
        ([0, 0], range([0, 2], [0, 1])),
        ([1, 1], range([0, 2], [0, 1])),
        ([70, 3], range([(1 << 27) - 1, (1 << 27) + 2], [0, 2])),
    ]
}

#[test]
fn every_engine_keeps_to_the_lanes_of_the_guard() {
    for (g, guard) in GUARDS.iter().enumerate() {
        for (b, body) in BODIES.iter().enumerate() {
            let text = source(guard, body);
            let kernel = Module::parse(&text).unwrap().lower("main").unwrap();
            let with = |engine| Program::with(kernel.clone(), &Settings::default().engine(engine)).unwrap();
            let oracle = with(Engine::Interpreter(Level::Baseline));
            let wants: Vec<Vec<u8>> = cases().into_iter().map(|(size, groups)| run(&oracle, size, groups)).collect();
            for engine in engines::best_engines() {
                let program = with(engine);
                for ((size, groups), want) in cases().into_iter().zip(&wants) {
                    let got = run(&program, size, groups);
                    assert!(got == *want, "{engine:?}, guard {g}, body {b}, {size:?}, {groups:?}\n{text}");
                }
            }
        }
    }
}

#[test]
fn a_loop_that_no_lane_enters_does_not_run() {
    // It would not end.
    let text = source("id.x < n || id.x != 0u", "loop { if from_[0] == 1u { break; } to[0] += 1u; }");
    let kernel = Module::parse(&text).unwrap().lower("main").unwrap();
    for engine in engines::best_engines() {
        let program = Program::with(kernel.clone(), &Settings::default().engine(engine).fuel(1000)).unwrap();
        let groups = GroupRange { start: [0; 3], end: [3, 1, 1] };
        assert_eq!(run(&program, [95, 1], groups)[..4], 5u32.to_ne_bytes(), "{engine:?}");
        assert_eq!(run(&program, [96, 1], groups)[..4], 5u32.to_ne_bytes(), "{engine:?}");
    }
}
