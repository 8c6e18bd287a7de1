//! Rewritten modules validate and are written by every back end; the uniform's layout holds.

mod rewrite_support;

use evener::backend::{MAX_PIECES, Window};
use evener_lanes::{Grid, GroupRange};
use rewrite_support::{parse, rewrite_all, rewrite_all_for, write_everywhere};

/// One source for each thing that the rewrite must take.
const SOURCES: &[(&str, &str)] = &[
    ("saxpy", include_str!("rewrite_support/saxpy.wgsl")),
    ("built-ins", include_str!("rewrite_support/builtins.wgsl")),
    ("accesses", include_str!("rewrite_support/accesses.wgsl")),
    ("atomics", include_str!("rewrite_support/atomics.wgsl")),
    ("pointers", include_str!("rewrite_support/pointers.wgsl")),
    ("tile", include_str!("rewrite_support/tile.wgsl")),
    ("control flow", include_str!("rewrite_support/control.wgsl")),
    ("wide", include_str!("rewrite_support/wide.wgsl")),
];

/// The kernels that evener itself measures devices with.
const MICRO: &[(&str, &str)] = &[
    ("atomic", include_str!("../src/cost/micro/atomic.wgsl")),
    ("barrier", include_str!("../src/cost/micro/barrier.wgsl")),
    ("divide", include_str!("../src/cost/micro/divide.wgsl")),
    ("float", include_str!("../src/cost/micro/float.wgsl")),
    ("gather", include_str!("../src/cost/micro/gather.wgsl")),
    ("group", include_str!("../src/cost/micro/group.wgsl")),
    ("integer", include_str!("../src/cost/micro/integer.wgsl")),
    ("stream", include_str!("../src/cost/micro/stream.wgsl")),
    ("transcendental", include_str!("../src/cost/micro/transcendental.wgsl")),
];

#[test]
fn each_source_is_rewritten_and_written_by_every_back_end() {
    assert!(evener_shaders::ALL.len() >= 6, "the library's kernels are there");
    for (name, source) in SOURCES.iter().chain(evener_shaders::ALL).chain(MICRO) {
        for pieces in [0, 1, 2, MAX_PIECES] {
            let modules = rewrite_all_for(source, pieces).unwrap_or_else(|e| panic!("{name}, {pieces} pieces: {e}"));
            assert!(!modules.is_empty(), "{name} has no entry point");
            for gpu in &modules {
                let mut failures = write_everywhere(gpu);
                // Metal has no f64.
                failures.retain(|f| *name != "wide" || !f.starts_with("msl"));
                assert!(failures.is_empty(), "{name}, {}, {pieces} pieces: {failures:#?}", gpu.entry);
            }
        }
    }
}

#[test]
fn the_pieces_of_each_array_follow_the_lengths() {
    let gpu = rewrite_all_for(include_str!("rewrite_support/saxpy.wgsl"), 2).unwrap().remove(0);
    let (module, info) = parse(include_str!("rewrite_support/saxpy.wgsl")).unwrap();
    let y = &rewrite_support::bindings(&module, &info, "main")[2];
    let window = Window::new(y, 4004, [400..800, 3200..3600]).unwrap();
    let range = GroupRange { start: [5, 0, 0], end: [9, 1, 1] };
    let windows = [None, None, Some(&window)];
    let dispatch = gpu.dispatch_in(Grid { groups: [40, 1, 1] }, &range, &[16, 4000, 4004], &windows, 65_535).unwrap();
    let words: Vec<u32> = dispatch.params.chunks(4).map(|w| u32::from_le_bytes(w.try_into().unwrap())).collect();
    let x = [0, 1000, 0, 0, 0, 0, 0, 0];
    let y = [100, 100, 0, 0, 800, 100, 100, 0];
    assert_eq!(words[16..], [&[1000, 1001, 0, 0], &x[..], &y[..]].concat());
    assert_eq!(gpu.params_bytes(), 144);
}

#[test]
fn only_the_entry_point_and_what_it_uses_is_left() {
    let modules = rewrite_all(include_str!("rewrite_support/builtins.wgsl")).unwrap();
    for gpu in modules {
        assert_eq!(gpu.module.entry_points.len(), 1);
        assert_eq!(gpu.module.entry_points[0].name, gpu.entry);
        let physical = ["GlobalInvocationId", "NumWorkGroups"];
        for argument in &gpu.module.entry_points[0].function.arguments {
            let binding = format!("{:?}", argument.binding);
            assert!(physical.iter().all(|p| !binding.contains(p)), "{binding} must be logical");
        }
    }
}

#[test]
fn the_uniform_is_at_a_free_binding_and_holds_the_chunk() {
    let gpu = rewrite_all(include_str!("rewrite_support/saxpy.wgsl")).unwrap().remove(0);
    assert_eq!(gpu.params, (0, 3));
    let range = GroupRange { start: [5, 0, 0], end: [9, 1, 1] };
    let dispatch = gpu.dispatch(Grid { groups: [40, 1, 1] }, &range, &[16, 4000, 4004], 65_535).unwrap();
    assert_eq!(dispatch.groups, [4, 1, 1]);
    let words: Vec<u32> = dispatch.params.chunks(4).map(|w| u32::from_le_bytes(w.try_into().unwrap())).collect();
    assert_eq!(words, [5, 0, 0, 0, 40, 1, 1, 0, 4, 1, 1, 0, 0, 0, 0, 0, 1000, 1001, 0, 0]);
    assert_eq!(gpu.params_bytes(), 80);
}

#[test]
fn a_binding_that_is_not_used_is_not_touched() {
    let source = "@group(0) @binding(0) var<storage, read_write> a: array<u32>;
        @group(0) @binding(1) var<storage, read_write> b: array<u32>;
        @compute @workgroup_size(1) fn main() { let dead = b[3]; b[2] = b[1]; a[0] = arrayLength(&b); }";
    let (module, info) = parse(source).unwrap();
    let mut used = rewrite_support::bindings(&module, &info, "main");
    used.retain(|b| b.name == "a");
    let gpu = evener::kernel::rewrite::rewrite_module(&module, &info, "main", &used).unwrap();
    assert!(gpu.module.global_variables.iter().all(|(_, v)| v.name.as_deref() != Some("b")));
    assert_eq!(write_everywhere(&gpu), Vec::<String>::new());
}

#[test]
fn textures_are_a_reason_not_a_panic() {
    let source = "@group(0) @binding(0) var t: texture_2d<f32>;
        @group(0) @binding(1) var<storage, read_write> a: array<f32>;
        @compute @workgroup_size(1) fn main() { a[0] = textureLoad(t, vec2(0), 0).x; }";
    assert_eq!(rewrite_all(source).unwrap_err(), "it uses textures");
}
