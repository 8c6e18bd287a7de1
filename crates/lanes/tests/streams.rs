//! Loops in which each lane reads elements one after the other, from where it likes: rows of a sparse matrix, rows that
//! end past their array or start there, indices that wrap. Every engine gives the bytes of the interpreter, and the sums
//! of rows are those of plain Rust; buffers lie between guard pages.

#[path = "engines/mod.rs"]
mod engines;
#[path = "differential/guard.rs"]
mod guard;

use evener_lanes::{Buffer, Engine, Grid, GroupRange, Level, Module, Program, Settings};
use guard::Guarded;

/// Invocations; not a multiple of a vector.
const ITEMS: u32 = 203;
/// Elements of `value`.
const VALUES: u32 = 500;

/// The sum of a row.
const ROW: &str = "for (var k = first[i]; k != end; k++) { sum = sum * 3u + value[k]; }";

const BODIES: [&str; 12] = [
    ROW,
    // Three arrays of different lengths, one with fewer elements than are read at once, one of a fixed length.
    "for (var k = first[i]; k != end; k++) {
        sum += value[k] * other[value[k] % 7u] + fixed[k] + other[k];
    }",
    // Entered by all lanes; left in the middle.
    "var k = first[i];
     loop {
        sum = sum * 5u + value[k];
        k += 1u;
        if sum % 11u == 3u || k >= end { break; }
     }",
    // A signed index, and only some lanes.
    "if i % 3u != 1u {
        for (var k = i32(first[i]) - 5; k != i32(end); k++) { sum = sum * 7u + value[k] + fixed[k + 1]; }
     }",
    // Rows inside rows.
    "for (var turn = 0u; turn < count[i]; turn++) {
        for (var k = first[i] + turn; k != end; k++) { sum = sum * 3u + value[k]; }
     }",
    // What is stored may be what is read: nothing is read ahead.
    "for (var k = first[i]; k != end; k++) { sum += value[k]; result[i] = sum; }",
    // More that lanes know before the loop than there are registers.
    "var before: array<f32, 12>;
     for (var n = 0u; n < 12u; n++) { before[n] = f32(value[i + 17u * n] % 1000u); }
     let scale = f32(count[0]);
     var far = vec3<f32>(0.0);
     for (var k = first[i]; k != end; k++) {
        let v = f32(value[k] % 100u) * scale;
        far += vec3<f32>(v - before[0], v * before[1] - before[2], before[3] - v) * before[4];
        far = fma(far, vec3<f32>(before[5], v, before[6]), vec3<f32>(before[7], before[8], before[9]));
        far = max(far * 0.5 - before[10], vec3<f32>(before[11]));
        far = 1e6 * fract(far * 1e-6);
     }
     sum = bitcast<u32>(far.x) ^ bitcast<u32>(far.y) ^ bitcast<u32>(far.z);",
    // Elements at places that were read: inside and, mostly, outside of their array.
    "for (var k = first[i]; k < end; k++) { sum = sum * 3u + fixed[value[k] & 31u]; }",
    "for (var k = first[i]; k < end; k++) { sum = sum * 5u + other[value[k] & 3u]; }",
    // The same for some lanes only, up to and past the largest index, with what differs from lane to lane.
    "if i % 3u != 1u {
        for (var k = first[i]; k != end; k++) { sum = (sum ^ i) + fixed[value[k] & 63u]; }
     }",
    // Sums of floats, with a signed index and a result that counts.
    "var far = 0.5;
     var k = i32(first[i]) - 5;
     if k < i32(end) {
        loop {
            far = fma(far, 0.25, f32(fixed[value[k] & 31u] & 1023u));
            k += 1;
            if k >= i32(end) { break; }
        }
     }
     sum = bitcast<u32>(far) ^ u32(k);",
    // Places that depend on the sum so far.
    "for (var k = first[i]; k < end; k++) { sum = value[k] + fixed[sum & 31u]; }",
];

fn source(body: &str) -> String {
    format!(
        "@group(0) @binding(0) var<storage, read> first: array<u32>;
        @group(0) @binding(1) var<storage, read> count: array<u32>;
        @group(0) @binding(2) var<storage, read> value: array<u32>;
        @group(0) @binding(3) var<storage, read> other: array<u32>;
        @group(0) @binding(4) var<storage, read> fixed: array<u32, 37>;
        @group(0) @binding(5) var<storage, read_write> result: array<u32>;
        @compute @workgroup_size(64)
        fn main(@builtin(global_invocation_id) id: vec3<u32>) {{
            let i = id.x;
            if i >= arrayLength(&result) {{ return; }}
            var sum = i;
            let end = first[i] + count[i];
            {body}
            result[i] = sum;
        }}"
    )
}

fn hash(n: u32) -> u32 {
    let n = (n ^ n >> 15).wrapping_mul(2_654_435_761);
    (n ^ n >> 13).wrapping_mul(2_246_822_519) >> 3
}

/// Where rows start and how long they are.
fn rows(kind: u32) -> (Vec<u32>, Vec<u32>) {
    let first = |i: u32| match kind {
        // One after the other, all inside.
        0 => i * 2,
        // Anywhere, up to the end of the array and past it.
        1 => hash(i) % (VALUES + 20),
        // Around the end.
        2 => VALUES - 12 + hash(i) % 14,
        // Far outside, and around the largest index.
        _ => u32::MAX - hash(i) % 20,
    };
    let count = |i: u32| hash(i + 1000) % [9, 24, 6, 30][kind as usize];
    ((0..ITEMS).map(first).collect(), (0..ITEMS).map(count).collect())
}

fn bytes(words: impl IntoIterator<Item = u32>) -> Vec<u8> {
    words.into_iter().flat_map(u32::to_ne_bytes).collect()
}

fn run(program: &Program, kind: u32, at_end: bool) -> Vec<u8> {
    let (first, count) = rows(kind);
    let array = |name: &str| match name {
        "first" => bytes(first.clone()),
        "count" => bytes(count.clone()),
        "value" => bytes((0..VALUES).map(hash)),
        "other" => bytes([3, 5]),
        "fixed" => bytes((0..37).map(|i| hash(i + 77))),
        _ => bytes((0..ITEMS).map(|_| 0)),
    };
    // Those that the kernel uses; the result is the last.
    let arrays: Vec<Vec<u8>> = program.kernel().bindings.iter().map(|b| array(&b.name)).collect();
    let mut guarded = Guarded::new();
    let starts: Vec<*mut u8> = arrays.iter().map(|b| guarded.place(b, at_end).expect("memory for the test")).collect();
    let buffers: Vec<Buffer<'_>> = starts
        .iter()
        .zip(&arrays)
        // SAFETY: the pages outlive the run, and nothing else uses them.
        .map(|(start, b)| unsafe { Buffer::from_raw(*start, b.len() as u64, true) })
        .collect();
    let grid = Grid { groups: [ITEMS.div_ceil(64), 1, 1] };
    program.run(&buffers, grid, GroupRange::all(grid)).unwrap();
    guarded.bytes(arrays.len() - 1).unwrap()
}

#[test]
fn every_engine_reads_the_elements_of_each_lane() {
    for body in BODIES {
        let text = source(body);
        let kernel = Module::parse(&text).unwrap().lower("main").unwrap();
        let with = |engine| Program::with(kernel.clone(), &Settings::default().engine(engine)).unwrap();
        let oracle = with(Engine::Interpreter(Level::Baseline));
        for engine in engines::best_engines() {
            let program = with(engine);
            for (kind, at_end) in (0..4).flat_map(|kind| [(kind, false), (kind, true)]) {
                let want = run(&oracle, kind, at_end);
                assert!(run(&program, kind, at_end) == want, "{engine:?}, rows {kind}, at end: {at_end}\n{text}");
            }
        }
    }
}

#[test]
fn sums_of_rows_are_those_of_plain_rust() {
    let kernel = Module::parse(&source(ROW)).unwrap().lower("main").unwrap();
    for kind in 0..4 {
        let (first, count) = rows(kind);
        let value = |k: u32| if k < VALUES { hash(k) } else { 0 };
        let row = |i: u32| {
            let start = first[i as usize];
            (0..count[i as usize]).fold(i, |sum, n| sum.wrapping_mul(3).wrapping_add(value(start.wrapping_add(n))))
        };
        let want = bytes((0..ITEMS).map(row));
        for engine in engines::best_engines() {
            let program = Program::with(kernel.clone(), &Settings::default().engine(engine)).unwrap();
            assert_eq!(run(&program, kind, true), want, "{engine:?}, rows {kind}");
        }
    }
}
