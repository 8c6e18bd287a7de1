//! Results that are stored past the caches: the same bytes, wherever buffers start and whatever of them is written.

#[path = "engines/mod.rs"]
mod engines;

use evener_lanes::{Buffer, Engine, Grid, GroupRange, Level, Module, Program, Settings};

/// Elements of an array; not a multiple of a block.
const ITEMS: usize = 1003;

/// Type of the elements, and what an invocation does.
const KERNELS: [(&str, &str); 8] = [
    ("f32", "result[i] = 2.0 * source[i] + 1.0;"),
    ("u32", "result[i] = source[i] ^ i;"),
    // Two results, the second one not at multiples of a vector, some of it out of bounds.
    ("u32", "result[i] = source[i]; more[i + 3u] = source[i] * 3u;"),
    ("u32", "more[i - 2u] = source[i]; result[i] = more[i - 2u];"),
    // 64 bits a lane.
    ("u64", "result[i] = source[i] * 3lu;"),
    // Some lanes only, and the place of another store.
    ("u32", "if i % 64u < 40u { result[i] = source[i]; } else { result[i] = 7u; }"),
    // In a loop: not taken for results.
    ("u32", "for (var k = 0u; k < 3u; k++) { result[3u * i + k] = source[i] + k; }"),
    ("f32", "if source[0] < 1e30 { result[i] = inverseSqrt(source[i]); }"),
];

fn source(ty: &str, body: &str) -> String {
    format!(
        "@group(0) @binding(0) var<storage, read> source: array<{ty}>;
        @group(0) @binding(1) var<storage, read_write> result: array<{ty}>;
        @group(0) @binding(2) var<storage, read_write> more: array<{ty}>;
        @compute @workgroup_size(64)
        fn main(@builtin(global_invocation_id) id: vec3<u32>) {{
            let i = id.x;
            if i >= arrayLength(&result) {{ return; }}
            {body}
        }}"
    )
}

/// What a program leaves in its arrays, which start `shift` bytes after a multiple of 64.
fn run(program: &Program, element: usize, shift: usize) -> Vec<Vec<u8>> {
    let len = ITEMS * element;
    let bindings = &program.kernel().bindings;
    let mut memories: Vec<Vec<u8>> = bindings.iter().map(|_| vec![0xa5; len + 128]).collect();
    let starts: Vec<usize> = memories.iter().map(|m| m.as_ptr().align_offset(64) + shift).collect();
    for ((binding, memory), start) in bindings.iter().zip(&mut memories).zip(&starts) {
        if binding.name == "source" {
            memory[*start..][..len].iter_mut().enumerate().for_each(|(k, byte)| *byte = (k * k / 7) as u8 & 0x3f);
        }
    }
    let buffers: Vec<Buffer<'_>> =
        memories.iter_mut().zip(&starts).map(|(m, start)| Buffer::write(&mut m[*start..][..len])).collect();
    let grid = Grid { groups: [ITEMS.div_ceil(64) as u32, 1, 1] };
    program.run(&buffers, grid, GroupRange::all(grid)).unwrap();
    memories.into_iter().zip(starts).map(|(m, start)| m[start..][..len].to_vec()).collect()
}

#[test]
fn results_past_the_caches_are_those_through_them() {
    for (ty, body) in KERNELS {
        let kernel = Module::parse(&source(ty, body)).unwrap().lower("main").unwrap();
        let with = |engine, from| {
            let settings = Settings::default().engine(engine).past_caches_from(from);
            Program::with(kernel.clone(), &settings).unwrap()
        };
        let element = if ty == "u64" { 8 } else { 4 };
        let want = run(&with(Engine::Interpreter(Level::Baseline), u64::MAX), element, 0);
        for engine in engines::best_engines() {
            let [past, through] = [1, u64::MAX].map(|from| with(engine, from));
            for shift in (0..64).step_by(element) {
                assert!(run(&past, element, shift) == want, "{engine:?}, {shift} bytes off\n{body}");
            }
            assert!(run(&through, element, 0) == want, "{engine:?}\n{body}");
        }
    }
}

#[test]
fn rows_of_two_axes_end_where_they_should() {
    let text = "@group(0) @binding(0) var<storage, read_write> result: array<u32>;
        @compute @workgroup_size(32, 2)
        fn main(@builtin(global_invocation_id) id: vec3<u32>) {
            if id.x < 75u { result[id.y * 75u + id.x] = id.x ^ id.y << 8u; }
        }";
    let kernel = Module::parse(text).unwrap().lower("main").unwrap();
    let grid = Grid { groups: [3, 5, 1] };
    let want: Vec<u32> = (0..10).flat_map(|y| (0..75).map(move |x| x ^ y << 8)).collect();
    for engine in engines::best_engines() {
        let program = Program::with(kernel.clone(), &Settings::default().engine(engine).past_caches_from(1)).unwrap();
        let mut got = vec![0u32; want.len()];
        let bytes = bytemuck::cast_slice_mut(&mut got);
        program.run(&[Buffer::write(bytes)], grid, GroupRange::all(grid)).unwrap();
        assert_eq!(got, want, "{engine:?}");
    }
}
