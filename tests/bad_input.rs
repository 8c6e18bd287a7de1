//! Every wrong input is a typed error that names the argument and what would be right; nothing is written.

use evener::{call::args::HostArg, prelude::*};

const SAXPY: &str = evener_shaders::SAXPY;

fn rt() -> Runtime {
    Runtime::builder().gpu(false).profile(None).build().unwrap()
}

/// The error of making a kernel.
fn refused(wgsl: &str) -> Error {
    rt().kernel(wgsl).map(|_| ()).unwrap_err()
}

#[track_caller]
fn says(error: &Error, kind: ErrorKind, words: &[&str]) {
    let text = error.to_string();
    assert_eq!(error.kind(), kind, "{text}");
    for word in words {
        assert!(text.contains(word), "`{word}` is not in: {text}");
    }
    assert!(error.is_invalid_input());
}

#[test]
fn invalid_wgsl_shows_the_line_and_a_caret() {
    let error = refused("@compute @workgroup_size(1)\nfn main() { let x = 1.0 + true; }");
    says(&error, ErrorKind::InvalidKernel, &["let x = 1.0 + true", "^"]);
    says(&refused("fn main( {"), ErrorKind::InvalidKernel, &["^"]);
    says(&refused(""), ErrorKind::UnknownEntry, &["entry point"]);
}

#[test]
fn an_error_in_the_second_source_is_shown_there() {
    let sources = ["fn square(x: f32) -> f32 { return x * x; }", "@compute @workgroup_size(1)\nfn main() { oops(); }"];
    let error = rt().kernel(sources).map(|_| ()).unwrap_err();
    says(&error, ErrorKind::InvalidKernel, &["oops", "2"]);
}

#[test]
fn a_fault_at_run_time_is_shown_in_its_source() {
    let sources = [
        "var<workgroup> w: u32;\nfn part(l: u32) {\n  if (l < 3u) { workgroupBarrier(); }\n}",
        "@group(0) @binding(0) var<storage, read_write> y: array<u32>;
         @compute @workgroup_size(8) fn main(@builtin(local_invocation_index) l: u32) { part(l); y[l] = w; }",
    ];
    let mut y = vec![0u32; 8];
    for count in [1, 2] {
        let kernel = if count == 1 { rt().kernel(sources.concat().as_str()) } else { rt().kernel(sources) };
        let error = kernel.unwrap().call().arg("y", &mut y).items(8).run().unwrap_err();
        let text = error.to_string();
        assert_eq!(error.kind(), ErrorKind::KernelFault, "{text}");
        assert!(text.contains("line 3") && text.contains("workgroupBarrier()") && text.contains('^'), "{text}");
        assert_eq!(text.contains("source 1 of 2"), count == 2, "{text}");
    }
}

#[test]
fn an_unknown_entry_point_or_override_suggests_the_right_name() {
    let options = |entry: &str| KernelOptions { entry: Some(entry.into()), ..Default::default() };
    let error = rt().kernel_with(SAXPY, &options("saxpi")).map(|_| ()).unwrap_err();
    says(&error, ErrorKind::UnknownEntry, &["saxpi", "`saxpy`"]);
    let two = "@compute @workgroup_size(1) fn one() {} @compute @workgroup_size(1) fn two() {}";
    says(&refused(two), ErrorKind::UnknownEntry, &["one", "two"]);
    let tunable = "override size: u32 = 64; @compute @workgroup_size(size) fn main() {}";
    let options = KernelOptions { overrides: [("sise".to_owned(), 3.0)].into(), ..Default::default() };
    let error = rt().kernel_with(tunable, &options).map(|_| ()).unwrap_err();
    says(&error, ErrorKind::UnknownArgument, &["sise", "size"]);
}

#[test]
fn textures_and_large_work_groups_are_refused_by_name() {
    let texture = "@group(0) @binding(0) var image: texture_2d<f32>;
        @group(0) @binding(1) var<storage, read_write> y: array<f32>;
        @compute @workgroup_size(1) fn main() { y[0] = textureLoad(image, vec2(0, 0), 0).x; }";
    says(&refused(texture), ErrorKind::Unsupported, &["image"]);
    let large = "@group(0) @binding(0) var<storage, read_write> y: array<f32>;
        @compute @workgroup_size(64, 64) fn main() { y[0] = 1.0; }";
    says(&refused(large), ErrorKind::Limit, &["4096", "1024"]);
}

#[test]
fn arguments_are_checked_by_name_type_size_and_access() {
    let rt = rt();
    let kernel = rt.kernel(SAXPY).unwrap();
    let (x, mut y) = (vec![1.0f32; 10], vec![2.0f32; 10]);
    let call = |k: u32| {
        let call = kernel.call().items(10);
        if k == 0 { call } else { call.set("a", 2.0f32) }
    };
    says(&call(0).arg("x", &x).arg("y", &mut y).run().unwrap_err(), ErrorKind::MissingArgument, &["`a`", "f32"]);
    says(&call(1).arg("x", &x).run().unwrap_err(), ErrorKind::MissingArgument, &["`y`", "&mut"]);
    says(&call(1).arg("xs", &x).run().unwrap_err(), ErrorKind::UnknownArgument, &["xs", "`x`"]);
    says(&call(1).arg("x", &x).arg("y", &x).run().unwrap_err(), ErrorKind::NotWritable, &["`y`", "&mut"]);
    let doubles = vec![1.0f64; 10];
    says(&call(1).arg("x", &doubles).run().unwrap_err(), ErrorKind::ArgumentType, &["`x`", "f64", "f32"]);
    says(&call(0).set("a", 2.0f64).run().unwrap_err(), ErrorKind::ArgumentType, &["`a`", "2.0f32"]);
    says(&call(0).set("a", 2i32).run().unwrap_err(), ErrorKind::ArgumentType, &["`a`"]);
    let empty: Vec<f32> = vec![];
    says(&call(1).arg("x", &empty).run().unwrap_err(), ErrorKind::ArgumentSize, &["`x`", "4 bytes"]);
    says(&call(1).set("x", 1.0f32).run().unwrap_err(), ErrorKind::ArgumentType, &["`x`", ".arg"]);
    says(&call(1).arg("x", &x).arg("x", &x).run().unwrap_err(), ErrorKind::Aliasing, &["`x`", "twice"]);
    assert_eq!(y, vec![2.0f32; 10], "nothing was written");
}

#[test]
fn vec3_against_12_bytes_shows_both_layouts_and_the_fix() {
    let rt = rt();
    let kernel = rt
        .kernel(
            "@group(0) @binding(0) var<storage, read_write> p: array<vec3f>;
             @compute @workgroup_size(64) fn main(@builtin(global_invocation_id) id: vec3u) { p[id.x] *= 2.0; }",
        )
        .unwrap();
    let mut p = vec![[1.0f32; 3]; 8];
    says(
        &kernel.call().arg("p", &mut p).items(8).run().unwrap_err(),
        ErrorKind::ArgumentType,
        &["16", "12", "[f32; 4]"],
    );
    // As a file: (8, 3) of f32 is a multiple of 16 bytes and still wrong.
    let mut bytes = vec![0u8; 96];
    let file = HostArg::from_bytes_mut(ScalarKind::F32, &[8, 3], &mut bytes);
    says(&kernel.call().arg("p", file).items(8).run().unwrap_err(), ErrorKind::ArgumentType, &["16 bytes"]);
    let mut right = vec![[1.0f32, 2.0, 3.0, 7.0]; 8];
    kernel.call().arg("p", &mut right).items(8).run().unwrap();
    assert_eq!(right[7], [2.0, 4.0, 6.0, 7.0], "the padding stays");
}

#[test]
fn a_buffer_smaller_than_its_struct_names_the_bytes() {
    let rt = rt();
    let kernel = rt
        .kernel(
            "struct Header { a: vec4f, b: vec4f, c: u32 }
             @group(0) @binding(0) var<storage, read> head: Header;
             @group(0) @binding(1) var<storage, read_write> y: array<f32>;
             @compute @workgroup_size(1) fn main() { y[0] = head.b.x + f32(head.c); }",
        )
        .unwrap();
    let (short, mut y) = (vec![0u8; 32], vec![0.0f32]);
    let file = HostArg::from_bytes(ScalarKind::F32, &[8], &short);
    says(
        &kernel.call().arg("head", file).arg("y", &mut y).items(1).run().unwrap_err(),
        ErrorKind::ArgumentSize,
        &["`head`", "48", "32"],
    );
}

#[test]
fn sizes_of_nothing_and_of_too_much_are_refused() {
    let rt = rt();
    let kernel = rt.kernel(SAXPY).unwrap();
    let (x, mut y) = (vec![1.0f32; 4], vec![1.0f32; 4]);
    let mut run = |items: [u64; 3]| kernel.call().set("a", 1.0f32).arg("x", &x).arg("y", &mut y).items(items).run();
    says(&run([0, 1, 1]).unwrap_err(), ErrorKind::ItemCount, &["zero items"]);
    says(&run([4, 0, 1]).unwrap_err(), ErrorKind::ItemCount, &["zero items", "y"]);
    says(&run([(1 << 32) + 1, 1, 1]).unwrap_err(), ErrorKind::ItemCount, &["2^32"]);
    says(&run([u64::MAX, 1, 1]).unwrap_err(), ErrorKind::ItemCount, &["2^32"]);
    let call = kernel.call().set("a", 1.0f32).arg("x", &x).arg("y", &mut y);
    says(&call.run().unwrap_err(), ErrorKind::ItemCount, &["items"]);
}

#[test]
fn overlapping_arguments_are_refused_when_one_is_written() {
    let rt = rt();
    let kernel = rt.kernel(SAXPY).unwrap();
    let mut memory = vec![1.0f32; 100];
    let ptr = memory.as_mut_ptr();
    // SAFETY: the slices are handed to a call that must refuse them before it touches a byte.
    let (x, y) = unsafe { (std::slice::from_raw_parts(ptr, 60), std::slice::from_raw_parts_mut(ptr.add(50), 50)) };
    let error = kernel.call().set("a", 1.0f32).arg("x", x).arg("y", y).items(50).run().unwrap_err();
    says(&error, ErrorKind::Aliasing, &["`x`", "`y`", "overlap"]);
    assert_eq!(memory, vec![1.0; 100]);
}

#[test]
fn devices_that_are_not_there_are_named() {
    let rt = rt();
    let (x, mut y) = (vec![1.0f32; 4], vec![1.0f32; 4]);
    let kernel = rt.kernel(SAXPY).unwrap();
    for placement in ["gpu", "gpu:0", "gpu:7", "split=0.5"] {
        let call = kernel.call().set("a", 1.0f32).arg("x", &x).arg("y", &mut y).items(4);
        let error = call.on(placement.parse().unwrap()).run().unwrap_err();
        says(&error, ErrorKind::NoSuchDevice, &["only the CPU"]);
    }
    says(&"split=2".parse::<Placement>().unwrap_err(), ErrorKind::NoSuchDevice, &["0 to 1"]);
}

#[test]
fn a_kernel_that_never_ends_is_a_fault_and_not_a_hang() {
    let rt = rt();
    let kernel = rt
        .kernel(
            "@group(0) @binding(0) var<storage, read_write> y: array<u32>;
             @compute @workgroup_size(1) fn main() { loop { if (y[0] == 1u) { break; } } }",
        )
        .unwrap();
    let mut y = vec![0u32];
    let error = kernel.call().arg("y", &mut y).items(1).run().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::KernelFault, "{error}");
    assert!(!error.is_invalid_input());
}
