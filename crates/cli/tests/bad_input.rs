//! Every kind of bad input exits 2, names the thing, writes nothing and never panics.

mod common;

use common::{Dir, SAXPY};
use std::fs;

/// A folder with saxpy, its inputs, and an output of an earlier run that must survive.
fn folder(name: &str) -> Dir {
    let dir = Dir::saxpy(name, 8);
    dir.floats("z.npy", &[7.0]);
    dir
}

const GOOD: &str = "run saxpy.wgsl --set params.a=2.0 --set params.n=8 --in x=x.npy --inout y=y.npy:z.npy --items 8";

/// Runs GOOD with `from` replaced by `to`; it must be refused and leave all files as they were.
fn refused(dir: &Dir, from: &str, to: &str, names: &[&str]) {
    assert!(GOOD.contains(from));
    let before = dir.files();
    dir.line(&GOOD.replace(from, to)).refused(names);
    assert_eq!(dir.files(), before, "no file appears, not even a temporary one");
    assert_eq!(dir.read_floats("z.npy"), [7.0], "the old output is as it was");
}

#[test]
fn the_call_that_the_cases_spoil_is_good() {
    let dir = folder("good");
    dir.line(GOOD).ok();
    assert_eq!(dir.read_floats("z.npy")[7], 1014.0);
}

#[test]
fn names_are_checked_with_a_suggestion() {
    let dir = folder("names");
    refused(&dir, "--in x=", "--in xs=", &["xs", "did you mean", "x"]);
    refused(&dir, "params.n=8", "params.m=8", &["params", "`m`"]);
    refused(&dir, "params.n=8", "parms.n=8", &["parms"]);
    refused(&dir, "--items", "--entry saxpi --items", &["saxpi", "did you mean", "saxpy"]);
    refused(&dir, "--items", "--override k=1 --items", &["k"]);
    refused(&dir, "--items", "--itmes", &["--itmes", "--items"]);
    dir.line("rum saxpy.wgsl").refused(&["rum", "run"]);
}

#[test]
fn missing_arguments_are_named() {
    let dir = folder("missing");
    refused(&dir, "--in x=x.npy", "", &["x"]);
    refused(&dir, "--inout y=y.npy:z.npy", "", &["y"]);
    refused(&dir, "--set params.n=8", "", &["params", "n"]);
    refused(&dir, "--items 8", "", &["--items", "--groups"]);
    refused(&dir, "--items 8", "--items 8 --groups 1", &["--groups"]);
    refused(&dir, "saxpy.wgsl", "nowhere.wgsl", &["nowhere.wgsl"]);
    refused(&dir, "x.npy", "nowhere.npy", &["nowhere.npy", "x"]);
    refused(&dir, "--in x=x.npy", "--in x=x.npy --in x=y.npy", &["x", "twice"]);
}

#[test]
fn types_and_sizes_are_checked_with_both_layouts() {
    let dir = folder("types");
    dir.words("words.npy", &[0; 8]);
    refused(&dir, "--in x=x.npy", "--in x=words.npy", &["x", "f32", "u32"]);
    dir.array("doubles.npy", "f64", &[8], vec![0; 64]);
    refused(&dir, "--in x=x.npy", "--in x=doubles.npy", &["x", "f32", "f64"]);
    refused(&dir, "params.n=8", "params.n=-1", &["n", "-1"]);
    refused(&dir, "params.n=8", "params.n=4294967296", &["n"]);
    refused(&dir, "params.n=8", "params.n=1.5", &["n", "1.5"]);
    refused(&dir, "params.a=2.0", "params.a=two", &["a", "two"]);
    refused(&dir, "params.a=2.0", "params.a=1,2", &["a"]);
    refused(&dir, "--inout y=y.npy:z.npy", "--in y=y.npy", &["y", "--inout"]);
}

#[test]
fn vec3_against_packed_data_shows_the_padding() {
    let dir = Dir::new("vec3");
    dir.text(
        "k.wgsl",
        "@group(0) @binding(0) var<storage, read_write> p: array<vec3f>;
         @compute @workgroup_size(1) fn main(@builtin(global_invocation_id) i: vec3u) { p[i.x].x = 1.0; }",
    );
    dir.array("p.npy", "f32", &[2, 3], vec![0; 24]);
    dir.line("run k.wgsl --items 2 --inout p=p.npy:q.npy").refused(&["p", "vec3", "16", "3]", "last dimension of 4"]);
    // Bytes that happen to be a multiple of the stride are still rows of three.
    dir.array("p.npy", "f32", &[4, 3], vec![0; 48]);
    dir.line("run k.wgsl --items 4 --inout p=p.npy:q.npy").refused(&["p", "vec3", "16", "3]", "last dimension of 4"]);
    dir.array("p.npy", "f32", &[2, 4], vec![0; 32]);
    dir.line("run k.wgsl --items 2 --inout p=p.npy:q.npy").ok();
}

#[test]
fn a_buffer_smaller_than_its_struct_is_refused() {
    let dir = Dir::new("small");
    dir.text(
        "k.wgsl",
        "struct S { head: array<u32, 8>, tail: array<u32> }
         @group(0) @binding(0) var<storage, read_write> s: S;
         @compute @workgroup_size(1) fn main() { s.head[0] = 1u; s.tail[0] = 2u; }",
    );
    dir.line("run k.wgsl --items 1 --out s=u32:4:s.npy").refused(&["s", "16"]);
    dir.line("run k.wgsl --items 1 --out s=u32:0:s.npy").refused(&["s"]);
    assert!(!dir.exists("s.npy"));
}

#[test]
fn item_counts_are_checked() {
    let dir = folder("items");
    refused(&dir, "--items 8", "--items 0", &["zero", "axis x"]);
    refused(&dir, "--items 8", "--items 8,0", &["zero", "axis y"]);
    refused(&dir, "--items 8", "--groups 0", &["zero", "axis x"]);
    refused(&dir, "--items 8", "--items 1,2,3,4", &["three"]);
    refused(&dir, "--items 8", "--items x", &["x"]);
    refused(&dir, "--items 8", "--items -8", &["-8"]);
    refused(&dir, "--items 8", "--items 4294967297", &["2^32", "axis x"]);
    refused(&dir, "--items 8", "--groups 4294967295", &["4294967295", "2^32"]);
    refused(&dir, "--items 8", "--groups 4294967296", &["4294967296"]);
}

#[test]
fn invalid_kernels_show_the_line_with_a_caret() {
    let dir = folder("wgsl");
    dir.text("saxpy.wgsl", &SAXPY.replace("params.n {", "params.n + {"));
    refused(&dir, "--items", "--items", &["^", "params.n + {"]);
    dir.text("saxpy.wgsl", &SAXPY.replace("let i = id.x;", "let i = idd.x;"));
    refused(&dir, "--items", "--items", &["^", "idd"]);
    dir.text("saxpy.wgsl", "");
    refused(&dir, "--items", "--items", &["entry"]);
    fs::write(dir.0.join("saxpy.wgsl"), [0xff, 0xfe, 0]).unwrap();
    refused(&dir, "--items", "--items", &["saxpy.wgsl", "UTF-8"]);
    dir.text("saxpy.wgsl", &SAXPY.replace("(64)", "(4096, 4096)"));
    refused(&dir, "--items", "--items", &["4096"]);
}

#[test]
fn textures_are_refused_by_name() {
    let dir = Dir::new("texture");
    dir.text(
        "k.wgsl",
        "@group(0) @binding(0) var t: texture_2d<f32>;
         @group(0) @binding(1) var<storage, read_write> o: array<f32>;
         @compute @workgroup_size(1) fn main() { o[0] = textureLoad(t, vec2u(0u), 0).x; }",
    );
    dir.line("run k.wgsl --items 1 --out o=f32:1:o.npy").refused(&["t", "texture"]);
}

#[test]
fn files_that_are_no_npy_are_refused() {
    let dir = folder("files");
    dir.text("x.npy", "1,2,3");
    refused(&dir, "--items", "--items", &["x.npy", "not an npy file"]);
    dir.text("x.npy", "");
    refused(&dir, "--items", "--items", &["x.npy", "not an npy file"]);
    dir.raw_npy("x.npy", "{'descr': '<f4', 'fortran_order': False, 'shape': (8,), }", &[0; 31]);
    refused(&dir, "--items", "--items", &["x.npy", "truncated"]);
    dir.raw_npy("x.npy", "{'descr': '<f4', 'fortran_order': False, 'shape': (1000000000000,), }", &[0; 31]);
    refused(&dir, "--items", "--items", &["x.npy", "truncated"]);
    dir.raw_npy("x.npy", "{'descr': '|b1', 'fortran_order': False, 'shape': (8,), }", &[0; 8]);
    refused(&dir, "--items", "--items", &["x.npy", "boolean"]);
    dir.raw_npy("x.npy", "{'descr': '|O', 'fortran_order': False, 'shape': (8,), }", &[0; 8]);
    refused(&dir, "--items", "--items", &["x.npy", "objects"]);
    refused(&dir, "x.npy", ".", &["x", "directory"]);
}

#[test]
fn outputs_that_cannot_be_written_are_refused_before_the_run() {
    let dir = folder("outputs");
    refused(&dir, "y.npy:z.npy", "y.npy:nowhere/z.npy", &["nowhere"]);
    refused(&dir, "y.npy:z.npy", "y.npy:.", &["directory"]);
    refused(&dir, "--inout y=y.npy:z.npy", "--inout y=y.npy", &["y=y.npy:y.npy"]);
    refused(&dir, "--items", "--out q=f32:8 --items", &["DTYPE"]);
    refused(&dir, "--items", "--out q=f31:8:q.npy --items", &["f31", "f32"]);
    refused(&dir, "--items", "--out q=f32:8by8:q.npy --items", &["8by8"]);
    refused(&dir, "--items", "--out q=f32:8:z.npy --items", &["z.npy"]);
    refused(&dir, "--items", "--out q=f64:9999999999x9999999999:q.npy --items", &["q"]);
    refused(&dir, "--items", "--trace nowhere/t.json --items", &["nowhere"]);
}

#[test]
fn places_that_are_not_there_are_refused() {
    let dir = folder("places-bad");
    refused(&dir, "--items", "--on gpu:7 --items", &["gpu:7"]);
    refused(&dir, "--items", "--on tpu --items", &["tpu", "did you mean"]);
    refused(&dir, "--items", "--on split=2 --items", &["2"]);
    refused(&dir, "--items", "--on split=nan --items", &["nan"]);
    refused(&dir, "--items", "--repeat 0 --items", &["0"]);
}

#[test]
fn a_gpu_that_is_not_there_is_refused() {
    let dir = folder("no-gpu");
    let args: Vec<&str> = GOOD.split_whitespace().chain(["--on", "gpu"]).collect();
    let mut command = dir.command(&args);
    // No driver, so no device even on a machine with a card.
    command.env("VK_DRIVER_FILES", "/nonexistent.json").env("VK_ICD_FILENAMES", "/nonexistent.json");
    if cfg!(target_os = "linux") {
        common::run(&mut command).refused(&["GPU", "evener devices"]);
    }
}

#[test]
fn a_kernel_that_fails_at_run_time_exits_1_and_writes_nothing() {
    let dir = folder("endless");
    dir.text(
        "saxpy.wgsl",
        &SAXPY.replace("let i = id.x;", "let i = id.x; var k = 0u; loop { k += params.n; if k == 1u { break; } }"),
    );
    let ran = dir.line(&format!("{GOOD} --on cpu"));
    assert_eq!(ran.code, 1, "{}{}", ran.stdout, ran.stderr);
    assert!(ran.stderr.contains("loop"), "{}", ran.stderr);
    assert_eq!(dir.read_floats("z.npy"), [7.0]);
    assert_eq!(dir.read_floats("y.npy"), [1000.0; 8]);
}
