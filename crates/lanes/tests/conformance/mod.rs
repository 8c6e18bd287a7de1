//! Reads the conformance data: programs, their buffers, and the checks of their results.

#![allow(dead_code, reason = "not every test runs the programs")]

use evener_lanes::{Error, Module, ir::Kernel};
use serde_json::Value as Json;
use std::{
    collections::BTreeMap,
    io::Read,
    path::{Path, PathBuf},
};

/// One program of the data.
pub struct Program {
    pub json: Json,
}

fn data() -> Option<PathBuf> {
    let above = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().skip(3).take(2);
    above.map(|dir| dir.join("shared/conformance")).find(|path| path.is_dir())
}

fn read_gz(path: &Path) -> Json {
    let mut text = String::new();
    let file = std::fs::File::open(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    flate2::read::GzDecoder::new(file).read_to_string(&mut text).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    serde_json::from_str(&text).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// Calls `f` with each program and its file; false where the data is not there.
pub fn each_program(mut f: impl FnMut(&str, &Program)) -> bool {
    let Some(data) = data() else { return false };
    let manifest = std::fs::read_to_string(data.join("MANIFEST.json")).expect("MANIFEST.json");
    let manifest: Json = serde_json::from_str(&manifest).expect("JSON");
    let mut programs = 0;
    for file in manifest.as_array().expect("a list").iter().filter_map(|f| f["file"].as_str()) {
        let mut spec = read_gz(&data.join(file));
        for json in spec["programs"].as_array_mut().expect("programs") {
            f(file, &Program { json: json.take() });
            programs += 1;
        }
    }
    assert!(programs > 0, "the data holds no program");
    true
}

impl Program {
    /// The buffers at the start.
    pub fn buffers(&self) -> Vec<Vec<u8>> {
        let list = self.json["buffers"].as_array().expect("buffers");
        let buffer = |b: &Json| {
            let mut bytes = if b["data"].is_string() { base64(&b["data"]) } else { Vec::new() };
            bytes.resize(b["size"].as_u64().expect("size") as usize, 0);
            bytes
        };
        list.iter().map(buffer).collect()
    }

    /// The dispatches, in order.
    pub fn dispatches(&self) -> impl Iterator<Item = &Json> {
        self.json["ops"].as_array().expect("ops").iter().filter(|op| op["op"] == "dispatch")
    }

    /// The kernel of a dispatch.
    pub fn lower(&self, op: &Json) -> Result<Kernel, Error> {
        let source = self.json["wgsl"][op["wgsl"].as_u64().unwrap_or(0) as usize].as_str().expect("WGSL");
        let constants = op["constants"].as_object().into_iter().flatten();
        let overrides: BTreeMap<String, f64> =
            constants.filter_map(|(name, value)| Some((name.clone(), value.as_f64()?))).collect();
        let module = Module::parse(source)?.specialize(&overrides)?;
        let entry = op["entry"].as_str().or(module.entries().next()).unwrap_or_default().to_string();
        module.lower(&entry)
    }

    /// The work-groups of a dispatch.
    pub fn groups(&self, op: &Json, buffers: &[Vec<u8>]) -> [u32; 3] {
        if let Some(indirect) = op["indirect"].as_object() {
            let bytes = &buffers[indirect["buffer"].as_u64().unwrap_or(0) as usize];
            let at = indirect["offset"].as_u64().unwrap_or(0) as usize;
            return [0, 1, 2].map(|i| word(bytes, at + 4 * i));
        }
        [0, 1, 2].map(|i| op["workgroups"][i].as_u64().unwrap_or(1) as u32)
    }
}

/// Does an operation that is no dispatch: the published data has none.
pub fn other(op: &Json, _: &mut [Vec<u8>]) {
    panic!("operation {} is not known", op["op"]);
}

fn word(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().expect("4 bytes"))
}

/// Decodes base64.
pub fn base64(text: &Json) -> Vec<u8> {
    let digit = |c: u8| match c {
        b'A'..=b'Z' => Some(u32::from(c - b'A')),
        b'a'..=b'z' => Some(u32::from(c - b'a') + 26),
        b'0'..=b'9' => Some(u32::from(c - b'0') + 52),
        b'+' => Some(62),
        b'/' => Some(63),
        _ => None,
    };
    let digits: Vec<u32> = text.as_str().expect("base64").bytes().filter_map(digit).collect();
    let mut bytes = Vec::with_capacity(digits.len() * 3 / 4);
    for four in digits.chunks(4) {
        let bits = four.iter().enumerate().fold(0, |bits, (i, d)| bits | d << (18 - 6 * i));
        bytes.extend(bits.to_be_bytes()[1..four.len()].iter());
    }
    bytes
}

/// Checks a result; an error says what differs.
pub fn check(check: &Json, bytes: &[u8]) -> Result<(), String> {
    let offset = check["offset"].as_u64().unwrap_or(0) as usize;
    match check["kind"].as_str().unwrap_or_default() {
        "bytes" => same(&base64(&check["expect"]), &bytes[offset..]),
        "golden" => same(&base64(&check["observed"]), &bytes[offset..]),
        "words" => {
            let words: Vec<u32> = check["expect"].as_array().expect("words").iter().map(as_word).collect();
            same(&words.iter().flat_map(|w| w.to_le_bytes()).collect::<Vec<_>>(), &bytes[offset..])
        }
        "cases" => cases(check, bytes),
        other => Err(format!("unknown check {other}")),
    }
}

fn as_word(json: &Json) -> u32 {
    json.as_u64().map(|w| w as u32).or(json.as_i64().map(|w| w as u32)).unwrap_or(0)
}

fn same(expected: &[u8], found: &[u8]) -> Result<(), String> {
    match expected.iter().zip(found).position(|(a, b)| a != b) {
        Some(at) => Err(format!("byte {at} is {} and not {}", found[at], expected[at])),
        None if found.len() < expected.len() => Err("the buffer is too short".to_string()),
        None => Ok(()),
    }
}

fn cases(check: &Json, bytes: &[u8]) -> Result<(), String> {
    let ty = check["type"].as_str().unwrap_or_default();
    let stride = check["stride"].as_u64().unwrap_or(0) as usize;
    for (i, case) in check["cases"].as_array().into_iter().flatten().enumerate() {
        let found: Vec<u32> = offsets(ty).into_iter().map(|at| word(bytes, i * stride + at)).collect();
        if !accepts(&case["ok"], &found, ty.contains("f32")) {
            let floats: Vec<f32> = found.iter().map(|w| f32::from_bits(*w)).collect();
            return Err(format!("case {i} {}: {found:x?} {floats:?}, not {}", case["in"], case["ok"]));
        }
    }
    Ok(())
}

/// Byte offsets of the components of a type of 32-bit scalars.
fn offsets(ty: &str) -> Vec<usize> {
    let size = |n: usize| if n == 3 { 16 } else { 4 * n };
    if let Some(rest) = ty.strip_prefix("array<") {
        let (element, n) = rest.trim_end_matches('>').rsplit_once(',').expect("array<T, N>");
        let inner = offsets(&format!("{element}>"));
        let stride = if inner.len() == 3 { 16 } else { 4 * inner.len() };
        let n: usize = n.trim().parse().expect("a length");
        return (0..n).flat_map(|i| inner.iter().map(move |o| i * stride + o)).collect();
    }
    let digit = |i: usize| ty.as_bytes().get(i).map_or(0, |c| usize::from(c - b'0'));
    if ty.starts_with("vec") {
        (0..digit(3)).map(|i| 4 * i).collect()
    } else if ty.starts_with("mat") {
        (0..digit(3)).flat_map(|c| (0..digit(5)).map(move |r| c * size(digit(5)) + 4 * r)).collect()
    } else {
        vec![0]
    }
}

/// Whether the components are what a verdict allows; a list is one verdict for each part.
fn accepts(ok: &Json, found: &[u32], is_float: bool) -> bool {
    if ok == "any" {
        return true;
    }
    if let Some(parts) = ok.as_array() {
        let mut chunks = found.chunks((found.len() / parts.len().max(1)).max(1));
        return parts.iter().all(|part| chunks.next().is_some_and(|found| accepts(part, found, is_float)));
    }
    if let Some(list) = ok["any_of"].as_array() {
        return list.iter().any(|o| accepts(o, found, is_float));
    }
    found.iter().all(|&bits| {
        let x = f64::from(f32::from_bits(bits));
        match ok["i"].as_array().map(Vec::as_slice) {
            Some([low, high]) => number(low) <= x && x <= number(high),
            _ if is_float => x == number(&ok["v"]),
            _ => bits == as_word(&ok["v"]) || ok["v"].as_bool() == Some(bits != 0),
        }
    })
}

fn number(json: &Json) -> f64 {
    match json.as_str() {
        Some("inf" | "Infinity") => f64::INFINITY,
        Some("-inf" | "-Infinity") => f64::NEG_INFINITY,
        Some(text) => text.parse().unwrap_or(f64::NAN),
        None => json.as_f64().unwrap_or(f64::NAN),
    }
}
