//! Lowers every program of the conformance data: what naga accepts must lower and verify.

use evener_lanes::{ErrorKind, Module, ir::verify::verify};
use std::{
    collections::BTreeMap,
    io::Read,
    path::{Path, PathBuf},
};

fn data() -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(3)?.join("shared/conformance");
    let path = if path.is_dir() {
        path
    } else {
        Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(4)?.join("shared/conformance")
    };
    path.is_dir().then_some(path)
}

fn read_gz(path: &Path) -> serde_json::Value {
    let mut text = String::new();
    let file = std::fs::File::open(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    flate2::read::GzDecoder::new(file).read_to_string(&mut text).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    serde_json::from_str(&text).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

#[derive(Default, Debug)]
struct Counts {
    lowered: usize,
    rejected: usize,
    unsupported: usize,
}

#[test]
fn every_program_that_naga_accepts_lowers() {
    let Some(data) = data() else {
        println!("skipped: the conformance data is not there");
        return;
    };
    let manifest: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(data.join("MANIFEST.json")).expect("MANIFEST.json"))
            .expect("JSON");
    let files: Vec<&str> = manifest.as_array().expect("a list").iter().filter_map(|f| f["file"].as_str()).collect();
    assert!(!files.is_empty());
    let mut counts = Counts::default();
    let mut failures: BTreeMap<String, usize> = BTreeMap::new();
    for file in files {
        let spec = read_gz(&data.join(file));
        for program in spec["programs"].as_array().expect("programs") {
            for op in program["ops"].as_array().expect("ops").iter().filter(|op| op["op"] == "dispatch") {
                let source = program["wgsl"][op["wgsl"].as_u64().unwrap_or(0) as usize].as_str().expect("WGSL");
                let outcome = lower(source, op);
                match outcome {
                    Ok(()) => counts.lowered += 1,
                    Err((ErrorKind::InvalidWgsl, message)) => {
                        counts.rejected += 1;
                        if message.contains("front end failed") || message.contains("inconsistent") {
                            *failures.entry(format!("{file}: {message}")).or_default() += 1;
                        }
                    }
                    Err((_, message)) => {
                        counts.unsupported += 1;
                        *failures.entry(format!("{file}: {message}")).or_default() += 1;
                    }
                }
            }
        }
    }
    println!("{counts:?}");
    failures.iter().for_each(|(what, n)| println!("{n} x {what}"));
    assert!(counts.lowered > 1000);
    assert_eq!(counts.unsupported, 0);
    assert!(failures.is_empty());
}

fn lower(source: &str, op: &serde_json::Value) -> Result<(), (ErrorKind, String)> {
    let error = |e: evener_lanes::Error| (e.kind(), e.to_string());
    let module = Module::parse(source).map_err(error)?;
    let overrides = op["constants"].as_object().map(|map| {
        map.iter().filter_map(|(name, value)| Some((name.clone(), value.as_f64()?))).collect::<BTreeMap<_, _>>()
    });
    let module = module.specialize(&overrides.unwrap_or_default()).map_err(error)?;
    let entry = op["entry"].as_str().or(module.entries().next()).unwrap_or_default().to_string();
    let kernel = module.lower(&entry).map_err(error)?;
    verify(&kernel).map_err(|e| (ErrorKind::Unsupported, format!("{e}\n{kernel}")))
}
