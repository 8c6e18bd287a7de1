//! Members of elements of arrays, loaded and stored together: every stride and choice of members, in blocks that are
//! full and not, under conditions, out of bounds, in work-group memory; buffers lie between guard pages.

#[path = "differential/guard.rs"]
mod guard;

use evener_lanes::{Buffer, Engine, Grid, GroupRange, Level, Module, Program, Settings};
use guard::Guarded;

/// A struct of scalars.
#[derive(Clone, Debug)]
struct Element {
    members: Vec<(&'static str, u32)>,
    stride: u32,
}

impl Element {
    fn of(types: &[&'static str]) -> Self {
        let mut offset = 0u32;
        let mut align = 4;
        let members = types
            .iter()
            .map(|t| {
                let bytes = if *t == "f64" { 8 } else { 4 };
                align = align.max(bytes);
                let at = offset.next_multiple_of(bytes);
                offset = at + bytes;
                (*t, at)
            })
            .collect();
        Element { members, stride: offset.next_multiple_of(align) }
    }

    fn words(count: usize) -> Self {
        Element::of(&["f32", "u32", "i32", "f32"].repeat(4)[..count])
    }

    fn declaration(&self) -> String {
        let members: Vec<String> = self.members.iter().enumerate().map(|(i, (t, _))| format!("m{i}: {t}")).collect();
        format!("struct E {{ {} }}\n", members.join(", "))
    }

    /// Stores some members of `to`, made from some members of `from`.
    fn statements(&self, from: &str, load: u32, to: &str, store: u32) -> String {
        let chosen = |set: u32| self.members.iter().enumerate().filter(move |(i, _)| set >> i & 1 == 1);
        let mut text = "var s = 1u; var d = f64(1.5);\n".to_string();
        for (i, (t, _)) in chosen(load) {
            text += &match *t {
                "f64" => format!("d = d * 0.5lf + {from}.m{i};\n"),
                _ => format!("s = s * 5u + bitcast<u32>({from}.m{i});\n"),
            };
        }
        for (i, (t, _)) in chosen(store) {
            text += &match *t {
                "f64" => format!("{to}.m{i} = d + {i}.0lf;\n"),
                "f32" => format!("{to}.m{i} = f32((s >> 8u) + {i}u);\n"),
                t => format!("{to}.m{i} = {t}(s ^ {i}u);\n"),
            };
        }
        text
    }
}

/// Buffers of words, the same for every engine.
fn contents(bytes: &[usize]) -> Vec<Vec<u8>> {
    let mut state = 12345u32;
    let mut next = || {
        state = state.wrapping_mul(1664525).wrapping_add(1013904223);
        // As a float, or a half of one, between 1 and 2.
        0x3f80_0000 | state >> 9
    };
    bytes.iter().map(|n| (0..n / 4).flat_map(|_| next().to_le_bytes()).collect()).collect()
}

fn run(
    kernel: &evener_lanes::ir::Kernel,
    engine: Engine,
    buffers: &[Vec<u8>],
    groups: u32,
    at_end: bool,
) -> Vec<Vec<u8>> {
    let program = Program::with(kernel.clone(), &Settings::default().engine(engine)).unwrap();
    assert!(program.is_native() || !matches!(engine, Engine::Jit(_)), "{:?}", program.fallback());
    let mut guarded = Guarded::new();
    let bound: Vec<Buffer<'_>> = kernel
        .bindings
        .iter()
        .map(|b| {
            let bytes = &buffers[b.binding as usize];
            let start = guarded.place(bytes, at_end).expect("memory for the test");
            // SAFETY: the region is this buffer's own.
            Buffer::write(unsafe { std::slice::from_raw_parts_mut(start, bytes.len()) })
        })
        .collect();
    let grid = Grid { groups: [groups, 1, 1] };
    program.run(&bound, grid, GroupRange::all(grid)).unwrap();
    (0..kernel.bindings.len()).map(|i| guarded.bytes(i).unwrap()).collect()
}

/// Runs a kernel of 64 invocations a group on buffers of these sizes, everywhere.
fn agree(source: &str, bytes: &[usize], lanes: usize) {
    let kernel = Module::parse(source).unwrap_or_else(|e| panic!("{e}\n{source}")).lower("main").unwrap();
    let groups = lanes.div_ceil(64) as u32;
    let buffers = contents(bytes);
    let wanted = run(&kernel, Engine::Interpreter(Level::detect()), &buffers, groups, true);
    for level in Level::available().filter(|l| *l > Level::Baseline && cfg!(target_arch = "x86_64")) {
        for at_end in [true, false] {
            let got = run(&kernel, Engine::Jit(level), &buffers, groups, at_end);
            for (b, (x, y)) in got.iter().zip(&wanted).enumerate() {
                let at = x.iter().zip(y).position(|(x, y)| x != y);
                assert!(at.is_none(), "{level:?}, {bytes:?} bytes: buffer {b} differs at {at:?}\n{source}");
            }
        }
    }
}

const HEAD: &str = "@compute @workgroup_size(64)
    fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let i = id.x;\n";
const NONE_LEFT: &str = "if i >= arrayLength(&a) { return; }\n";

fn arrays(declaration: &str) -> String {
    format!(
        "{declaration}
         @group(0) @binding(0) var<storage, read_write> a: array<E>;
         @group(0) @binding(1) var<storage, read_write> b: array<E>;\n{HEAD}"
    )
}

/// All elements to be tried.
fn elements() -> Vec<Element> {
    let mut all: Vec<Element> = [2, 3, 4, 5, 6, 7, 8, 12, 16].into_iter().map(Element::words).collect();
    for types in [&["f64", "f64"][..], &["f64"; 3], &["f64"; 4], &["f64", "u32", "f32"], &["u32", "f64", "f32"]] {
        all.push(Element::of(types));
    }
    all
}

/// Choices of members to load and to store.
fn choices(count: usize) -> Vec<(u32, u32)> {
    let all = (1u32 << count) - 1;
    if count <= 4 {
        return (1..=all).flat_map(|l| [(l, all), (all, l), (l, all + 1 - l)]).collect();
    }
    let some = [0b1, 0b10, 0b111, 0b1110, 0b1111_0000, 0b1010_1010, 0b1000_0001, 0x8421, 0xf00f, all];
    let some: Vec<u32> = some.into_iter().map(|s| s & all).filter(|s| *s > 0).collect();
    (0..some.len()).map(|i| (some[i], some[some.len() - 1 - i])).collect()
}

#[test]
fn members_of_every_stride() {
    for e in elements() {
        let stride = e.stride as usize;
        for (load, store) in choices(e.members.len()) {
            let body = e.statements("a[i]", load, "b[i]", store);
            let source = format!("{}{NONE_LEFT}{body}}}", arrays(&e.declaration()));
            for n in [64, 100] {
                agree(&source, &[n * stride; 2], n);
            }
        }
    }
}

#[test]
fn blocks_that_are_not_full() {
    for e in elements() {
        let stride = e.stride as usize;
        let all = (1 << e.members.len()) - 1;
        for set in [all, all >> 1, 1] {
            let body = e.statements("a[i]", set, "b[i]", set);
            let checked = format!("{}{NONE_LEFT}{body}}}", arrays(&e.declaration()));
            let unchecked = format!("{}{body}}}", arrays(&e.declaration()));
            for n in [1, 2, 3, 7, 8, 15, 16, 17, 31, 33, 63, 65, 127, 129, 200] {
                agree(&checked, &[n * stride; 2], n);
                agree(&unchecked, &[n * stride, (n + 5) * stride], n);
            }
        }
    }
}

#[test]
fn in_place_and_under_conditions() {
    for e in elements() {
        let stride = e.stride as usize;
        for (load, store) in choices(e.members.len()) {
            let body = e.statements("a[i]", load, "a[i]", store);
            let head = arrays(&e.declaration());
            for source in [
                format!("{head}{NONE_LEFT}b[i].m0 = a[i].m0;\n{body}}}"),
                format!("{head}{NONE_LEFT}b[i] = a[i];\nif i % 3u != 1u {{ {body} }} }}"),
                format!("{head}if i % 5u == 2u {{ {body} }}\n b[i] = a[i]; }}"),
            ] {
                agree(&source, &[144 * stride; 2], 144);
            }
        }
    }
}

#[test]
fn other_ways_to_count() {
    for e in elements() {
        let stride = e.stride as usize;
        let all = (1 << e.members.len()) - 1;
        for (load, store) in [(all, all), (1, all), (all, 1), (all >> 1, all - 1)] {
            let head = arrays(&e.declaration());
            for (from, to) in [
                ("a[2u * i]", "b[i]"),
                ("a[i]", "b[2u * i + 1u]"),
                ("a[arrayLength(&a) - 1u - i]", "b[i]"),
                ("a[i + 3u]", "b[arrayLength(&a) - 1u - i]"),
                ("a[(i * 7u) & 63u]", "b[(i * 5u) & 63u]"),
                ("a[5]", "b[i]"),
                ("a[i / 2u]", "b[i ^ 1u]"),
            ] {
                let body = e.statements(from, load, to, store);
                agree(&format!("{head}{body}}}"), &[70 * stride; 2], 64);
            }
        }
    }
}

/// Vectors have padding that is not to be written, and arrays start behind other members.
#[test]
fn vectors_and_headers() {
    let vectors =
        [("vec2<f32>", "xy"), ("vec3<f32>", "xyz"), ("vec4<f32>", "xyzw"), ("vec3<f64>", "xyz"), ("vec2<f64>", "xy")];
    for (ty, names) in vectors {
        let stride = if ty.contains("f64") { 16 } else { 8 } * names.len().div_ceil(2);
        let one = &names[names.len() - 1..];
        for body in [
            "b.e[i] = a.e[i];".to_string(),
            format!("b.e[i] = a.e[i] + {ty}(a.e[i].{one});"),
            format!("b.e[i].{one} = a.e[i].x;"),
            "b.e[i].x = a.e[i].x + a.e[i].y; b.e[i].y = a.e[i].x; b.h.x = a.h.y;".to_string(),
            format!("a.e[i] = b.e[i]; if b.e[i].x > b.e[i].{one} {{ a.e[i] += b.e[i + 1u]; }}"),
        ] {
            let source = format!(
                "struct A {{ h: vec2<f32>, e: array<{ty}> }}
                 @group(0) @binding(0) var<storage, read_write> a: A;
                 @group(0) @binding(1) var<storage, read_write> b: A;
                 {HEAD}{body} }}"
            );
            for n in [1, 16, 50, 64, 128] {
                agree(&source, &[(n + 1) * stride; 2], n);
            }
        }
    }
}

#[test]
fn work_group_memory() {
    for e in elements().into_iter().filter(|e| e.members.iter().all(|(t, _)| *t != "f64")) {
        let stride = e.stride as usize;
        for (load, store) in choices(e.members.len()).into_iter().step_by(3) {
            let source = format!(
                "{} var<workgroup> w: array<E, 64>; var<workgroup> v: array<vec3<f32>, 64>;
                 @group(0) @binding(0) var<storage, read_write> a: array<E>;
                 @group(0) @binding(1) var<storage, read_write> b: array<E>;
                 {HEAD}{{ {} }}
                 v[local] = vec3<f32>(a[i].m0, 1.0, f32(i));
                 workgroupBarrier();
                 {{ {} }}
                 let u = v[63u - local].zy + v[local].yx;
                 b[i].m0 += u.x + u.y;
                 }}",
                e.declaration(),
                e.statements("a[i]", load, "w[local]", store),
                e.statements("w[local ^ 1u]", store, "b[i]", load)
                    + "} {"
                    + &e.statements("w[local]", load, "a[i]", store)
            );
            agree(&source, &[192 * stride; 2], 192);
        }
    }
}

/// What lies between the stores of an element must be seen in order.
#[test]
fn order_between_members() {
    for body in [
        "a[i].m0 = 1.5; let t = a[i ^ 1u].m0 * 8.0; a[i].m1 = u32(t); a[i].m2 = i32(a[i].m0);",
        "a[i].m0 = f32(i); b[i].m0 = a[i ^ 1u].m0; a[i].m1 = i; a[i].m3 = 2.5;",
        "a[i].m0 = 1.5; a[i].m0 = f32(a[i].m1); a[i].m1 = 7u; a[i].m0 += 1.0;",
        "let x = a[i].m0; a[i].m1 = 5u; let y = a[i].m1; b[i].m1 = y; b[i].m0 = x; a[i].m0 = f32(y);",
        "a[i].m1 = 3u; b[i].m1 = a[i].m1 + b[i].m1; a[i].m2 = b[i].m2; b[i].m2 = 4; a[i].m3 = b[i].m3;",
        "for (var k = 0u; k < 3u; k++) { b[i].m0 = a[i].m0 * 2.0; b[i].m1 = k; a[i].m0 = b[i].m0; a[i].m1 = k + i; }",
        "a[i].m3 = b[0].m0; a[i].m0 = f32(a[i].m2); let t = a[i].m0 + f32(a[i].m1) + f32(a[i].m2) + a[i].m3; b[i].m3 = t;",
        "a[i].m1 = i; a[i].m3 = f32(a[i].m2); b[i].m0 = a[i].m0; b[i].m1 = a[i].m1; a[i].m1 = 3u; b[i].m3 = a[i].m3;",
        "b[i & 3u].m0 = f32(i); b[i & 3u].m1 = i; b[i & 3u].m2 = i32(i) + 1; b[(i & 3u) + 4u].m0 = f32(i);",
    ] {
        let e = Element::words(4);
        agree(&format!("{}{body} }}", arrays(&e.declaration())), &[16 * 16; 2], 8);
        agree(&format!("{}{body} }}", arrays(&e.declaration())), &[66 * 16; 2], 64);
    }
}

/// Atomics are done lane by lane, neighbours of one address together.
#[test]
fn atomics_of_few_and_many_addresses() {
    let ops = ["Add", "Sub", "And", "Or", "Xor", "Min", "Max"];
    for at in ["i", "i / 5u", "i % 3u", "7u", "(i * 7u) & 31u", "i + 60u"] {
        for (ty, value) in [("u32", "(i * 0x9E3779B9u) ^ b[0]"), ("i32", "i32(i * 0x9E3779B9u)")] {
            for op in ops {
                let group = format!(
                    "atomic{op}(&w[({at}) & 63u], {value}); workgroupBarrier(); let t = atomic{op}(&w[local], {value});"
                );
                let source = format!(
                    "@group(0) @binding(0) var<storage, read_write> a: array<atomic<{ty}>>;
                     @group(0) @binding(1) var<storage, read_write> b: array<u32>;
                     @group(0) @binding(2) var<storage, read_write> c: array<{ty}>;
                     var<workgroup> w: array<atomic<{ty}>, 64>;
                     {HEAD}
                     if i % 7u != 3u {{ atomic{op}(&a[{at}], {value}); }}
                     {group}
                     workgroupBarrier();
                     c[i] = atomicLoad(&w[local]) + t + atomicExchange(&w[local], {ty}(1)) - atomicLoad(&w[local]);
                     atomicStore(&w[local], c[i]);
                     c[i] ^= atomicLoad(&w[local]);
                     }}"
                );
                agree(&source, &[96 * 4, 64, 64 * 4], 64);
            }
        }
    }
}
