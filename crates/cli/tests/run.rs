//! `evener run`: results, reports and files.

mod common;

use common::{Dir, software_gpu};
use serde_json::Value;
use std::fs;

const CALL: &str =
    "run saxpy.wgsl --set params.a=2.0 --set params.n=1000 --in x=x.npy --inout y=y.npy:z.npy --items 1000";

fn expect_saxpy(dir: &Dir, file: &str, n: usize) {
    let got = dir.read_floats(file);
    assert_eq!(got.len(), n);
    for (i, v) in got.iter().enumerate() {
        assert_eq!(*v, 2.0 * i as f32 + 1000.0, "element {i}");
    }
}

#[test]
fn saxpy_gives_the_right_numbers_and_keeps_its_inputs() {
    let dir = Dir::saxpy("saxpy", 1000);
    let ran = dir.line(CALL).ok();
    assert!(ran.stdout.contains("saxpy"), "{}", ran.stdout);
    expect_saxpy(&dir, "z.npy", 1000);
    assert_eq!(dir.read_floats("y.npy"), vec![1000.0; 1000]);
}

#[test]
fn every_place_gives_the_same_numbers() {
    let dir = Dir::saxpy("places", 1000);
    let gpu = software_gpu(&dir);
    for on in ["auto", "cpu", "gpu", "gpu:0", "split=0.37", "split=0", "split=1", "split=0.5"] {
        let needs_gpu = on.starts_with("gpu") || on.starts_with("split");
        if needs_gpu && !gpu {
            continue;
        }
        let software = if gpu { "--software-gpu" } else { "" };
        let report = dir.json(&format!("{CALL} --on {on} {software} --json"));
        expect_saxpy(&dir, "z.npy", 1000);
        let shares: f64 = report["placement"].as_object().unwrap().values().map(|v| v.as_f64().unwrap()).sum();
        assert!((shares - 1.0).abs() < 1e-9, "{report}");
        match on {
            "cpu" => assert_eq!(report["chose"], "cpu"),
            "gpu" | "gpu:0" => assert_eq!(report["chose"], "gpu:0"),
            "split=0.37" | "split=0.5" => assert_eq!(report["chose"], "split"),
            _ => {}
        }
        fs::remove_file(dir.0.join("z.npy")).unwrap();
    }
}

#[test]
fn the_json_report_has_every_field_of_the_contract() {
    let dir = Dir::saxpy("json", 1000);
    let r = dir.json(&format!("{CALL} --on cpu --repeat 3 --json"));
    assert!(r["kernel"].is_string() && r["chose"].is_string() && r["reason"].is_string(), "{r}");
    assert_eq!(r["entry"], "saxpy");
    assert_eq!(r["placement"]["cpu"], 1.0);
    for key in ["predicted_ns", "actual_ns"] {
        assert!(r[key].as_f64().is_some_and(|v| v > 0.0), "{key}: {r}");
    }
    for phase in ["decide", "upload", "run", "download", "merge"] {
        let phase = &r["phases"][phase];
        assert!(phase["predicted_ns"].is_number() && phase["actual_ns"].is_number(), "{r}");
    }
    assert!(r["bytes"]["up"].is_u64() && r["bytes"]["down"].is_u64(), "{r}");
    assert_eq!(r["recoveries"], Value::Array(vec![]));
    assert!(!r["candidates"].as_array().unwrap().is_empty() && !r["chunks"].as_array().unwrap().is_empty(), "{r}");
    assert_eq!(r["repeats"], 3);
    let times: Vec<f64> = r["times_ns"].as_array().unwrap().iter().map(|t| t.as_f64().unwrap()).collect();
    let mut sorted = times.clone();
    sorted.sort_by(f64::total_cmp);
    assert_eq!((times.len(), Some(sorted[1])), (3, r["actual_ns"].as_f64()));
}

#[test]
fn each_repeat_starts_from_the_original_inputs() {
    let dir = Dir::saxpy("repeat", 1000);
    dir.line(&format!("{CALL} --repeat 5")).ok();
    expect_saxpy(&dir, "z.npy", 1000);
}

#[test]
fn a_file_can_be_changed_in_place() {
    let dir = Dir::saxpy("in-place", 1000);
    dir.line(&CALL.replace("y.npy:z.npy", "y.npy:y.npy")).ok();
    expect_saxpy(&dir, "y.npy", 1000);
    assert_eq!(dir.files(), ["saxpy.wgsl", "x.npy", "y.npy"]);
}

#[test]
fn an_output_starts_as_zeros_and_has_the_type_and_shape_asked_for() {
    let dir = Dir::new("out");
    dir.text(
        "k.wgsl",
        "@group(0) @binding(0) var<storage, read_write> o: array<u32>;
         @compute @workgroup_size(8, 4) fn main(@builtin(global_invocation_id) id: vec3u) {
             if id.x < 5u && id.y < 3u { o[id.y * 5u + id.x] += id.y * 100u + id.x + 1u; }
         }",
    );
    dir.line("run k.wgsl --items 5,3 --out o=u32:3x5:o.npy").ok();
    let o = dir.read("o.npy");
    assert_eq!((o.dtype.descr(), o.shape.as_slice()), ("'<u4'", [3, 5].as_slice()));
    let values: Vec<u32> = o.bytes.chunks_exact(4).map(|b| u32::from_le_bytes(b.try_into().unwrap())).collect();
    assert_eq!(values, (0..3).flat_map(|y| (0..5).map(move |x| y * 100 + x + 1)).collect::<Vec<u32>>());
}

#[test]
fn groups_are_an_alternative_to_items() {
    let dir = Dir::saxpy("groups", 1000);
    dir.line(&CALL.replace("--items 1000", "--groups 16")).ok();
    expect_saxpy(&dir, "z.npy", 1000);
}

#[test]
fn vectors_overrides_and_entry_points_are_set_by_name() {
    let dir = Dir::new("set");
    dir.text(
        "k.wgsl",
        "override scale: u32 = 1;
         @group(0) @binding(0) var<uniform> v: vec3<i32>;
         @group(0) @binding(1) var<storage, read_write> o: array<i32>;
         @compute @workgroup_size(1) fn first() { o[0] = v.x + v.y * 10 + v.z * 100 + i32(scale) * 1000; }
         @compute @workgroup_size(1) fn second() { o[0] = -v.z; }",
    );
    let value = |args: &str| {
        dir.line(&format!("run k.wgsl --items 1 --set v=1,2,-3 --out o=i32:1:o.npy {args}")).ok();
        i32::from_le_bytes(dir.read("o.npy").bytes.try_into().unwrap())
    };
    assert_eq!(value("--entry first --override scale=7"), 1 + 20 - 300 + 7000);
    assert_eq!(value("--entry first"), 1 + 20 - 300 + 1000);
    assert_eq!(value("--entry second"), 3);
}

#[test]
fn big_endian_input_is_converted() {
    let dir = Dir::saxpy("endian", 4);
    let data: Vec<u8> = (0..4).flat_map(|i| (i as f32).to_be_bytes()).collect();
    dir.raw_npy("x.npy", "{'descr': '>f4', 'fortran_order': False, 'shape': (4,), }", &data);
    dir.line("run saxpy.wgsl --set params.a=2 --set params.n=4 --in x=x.npy --inout y=y.npy:z.npy --items 4").ok();
    expect_saxpy(&dir, "z.npy", 4);
}

#[test]
fn fortran_order_of_one_axis_is_taken_and_of_two_refused_with_the_fix() {
    let dir = Dir::saxpy("fortran", 4);
    let data: Vec<u8> = (0..4).flat_map(|i| (i as f32).to_le_bytes()).collect();
    let call = "run saxpy.wgsl --set params.a=2 --set params.n=4 --in x=x.npy --inout y=y.npy:z.npy --items 4";
    dir.raw_npy("x.npy", "{'descr': '<f4', 'fortran_order': True, 'shape': (4,), }", &data);
    dir.line(call).ok();
    expect_saxpy(&dir, "z.npy", 4);
    dir.raw_npy("x.npy", "{'descr': '<f4', 'fortran_order': True, 'shape': (2, 2), }", &data);
    dir.line(call).refused(&["x.npy", "np.ascontiguousarray"]);
}

#[test]
fn complex_numbers_are_vectors_of_two() {
    let dir = Dir::new("complex");
    dir.text(
        "k.wgsl",
        "@group(0) @binding(0) var<storage, read_write> z: array<vec2f>;
         @compute @workgroup_size(1) fn main(@builtin(global_invocation_id) id: vec3u) { z[id.x] = z[id.x].yx; }",
    );
    let bytes = [1.0f32, 2.0, 3.0, 4.0].iter().flat_map(|v| v.to_le_bytes()).collect();
    dir.array("z.npy", "c64", &[2], bytes);
    dir.line("run k.wgsl --items 2 --inout z=z.npy:w.npy").ok();
    let w = dir.read("w.npy");
    let want: Vec<u8> = [2.0f32, 1.0, 4.0, 3.0].iter().flat_map(|v| v.to_le_bytes()).collect();
    assert_eq!((w.dtype.descr(), w.bytes), ("'<c8'", want));
}

#[test]
fn structs_take_any_element_type_whose_bytes_fit() {
    let dir = Dir::new("structs");
    dir.text(
        "k.wgsl",
        "struct P { pos: vec3f, id: u32 }
         @group(0) @binding(0) var<storage, read_write> p: array<P>;
         @compute @workgroup_size(1) fn main(@builtin(global_invocation_id) i: vec3u) { p[i.x].id += 1u; p[i.x].pos.x = 5.0; }",
    );
    dir.array("p.npy", "u32", &[2, 4], vec![0; 32]);
    dir.line("run k.wgsl --items 2 --inout p=p.npy:q.npy").ok();
    let one: Vec<u8> = [5f32.to_bits(), 0, 0, 1].iter().flat_map(|w| w.to_le_bytes()).collect();
    assert_eq!(dir.read("q.npy").bytes, [one.clone(), one].concat());
    let record = "{'descr': [('pos', '<f4', (3,)), ('id', '<u4')], 'fortran_order': False, 'shape': (2,), }";
    dir.raw_npy("p.npy", record, &[0; 32]);
    dir.line("run k.wgsl --items 2 --inout p=p.npy:r.npy").ok();
    assert_eq!(dir.read("r.npy").bytes, dir.read("q.npy").bytes);
    assert!(dir.read("r.npy").dtype.is_record());
    dir.array("p.npy", "u32", &[9], vec![0; 36]);
    dir.line("run k.wgsl --items 2 --inout p=p.npy:r.npy").refused(&["p", "16"]);
}

#[test]
fn a_trace_has_a_row_per_device_and_the_whole_call() {
    let dir = Dir::saxpy("trace", 1000);
    dir.line(&format!("{CALL} --on cpu --trace t.json")).ok();
    let trace: Value = serde_json::from_slice(&fs::read(dir.0.join("t.json")).unwrap()).unwrap();
    let events = trace["traceEvents"].as_array().unwrap();
    assert!(events.iter().any(|e| e["args"]["name"] == "cpu"), "{trace}");
    assert!(events.iter().any(|e| e["ph"] == "X" && e["dur"].as_f64().unwrap() > 0.0), "{trace}");
}

#[test]
fn the_footprint_of_saxpy_holds() {
    let dir = Dir::saxpy("footprint", 1000);
    let report = dir.json(&format!("{CALL} --check-footprint --json"));
    assert_eq!(report["footprint"], "held");
    expect_saxpy(&dir, "z.npy", 1000);
}

#[test]
fn a_kernel_that_cannot_be_split_runs_whole_or_is_refused_when_strict() {
    let dir = Dir::new("whole");
    dir.text(
        "k.wgsl",
        "@group(0) @binding(0) var<storage, read> i: array<u32>;
         @group(0) @binding(1) var<storage, read_write> o: array<u32>;
         @compute @workgroup_size(4) fn main(@builtin(global_invocation_id) id: vec3u) {
             if id.x < 16u { o[i[id.x]] = id.x; }
         }",
    );
    dir.words("i.npy", &(0..16).rev().collect::<Vec<u32>>());
    if !software_gpu(&dir) {
        return;
    }
    let call = "run k.wgsl --items 16 --in i=i.npy --out o=u32:16:o.npy --on split=0.5 --software-gpu";
    let report = dir.json(&format!("{call} --json"));
    assert_ne!(report["chose"], "split");
    assert!(report["reason"].as_str().unwrap().contains('o'), "{report}");
    assert_eq!(dir.read("o.npy").bytes[..8], [15, 0, 0, 0, 14, 0, 0, 0]);
    fs::remove_file(dir.0.join("o.npy")).unwrap();
    dir.line(&format!("{call} --strict")).refused(&["o"]);
    assert!(!dir.exists("o.npy"));
}

#[cfg(unix)]
#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let dir = Dir::saxpy("pipe", 1000);
    let mut command = dir.command(&CALL.split_whitespace().collect::<Vec<_>>());
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let ran = command.stdout(writer).output().unwrap();
    assert_eq!(ran.status.code(), Some(0), "{}", String::from_utf8_lossy(&ran.stderr));
    expect_saxpy(&dir, "z.npy", 1000);
}
