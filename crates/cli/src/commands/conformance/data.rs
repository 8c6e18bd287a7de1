//! The conformance data: gzipped JSON as its README describes it.

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Deserializer, de::Error as _};
use std::{collections::BTreeMap, fs::File, io::Read, path::Path};

/// Largest file taken, unpacked, in bytes.
const MAX_FILE: u64 = 1 << 30;

/// One entry of `MANIFEST.json`.
#[derive(Debug, Deserialize)]
pub(super) struct Entry {
    pub(super) file: String,
}

/// One file.
#[derive(Debug, Deserialize)]
pub(super) struct Spec {
    pub(super) spec: String,
    pub(super) programs: Vec<Program>,
}

/// Dispatches over fresh buffers, and what must be in them afterwards.
#[derive(Debug, Deserialize)]
pub(super) struct Program {
    pub(super) name: String,
    #[serde(default)]
    pub(super) params: serde_json::Value,
    pub(super) wgsl: Vec<String>,
    pub(super) buffers: Vec<Initial>,
    pub(super) ops: Vec<Op>,
    pub(super) checks: Vec<Check>,
}

/// A buffer before the first operation.
#[derive(Debug, Deserialize)]
pub(super) struct Initial {
    pub(super) size: u64,
    #[serde(default)]
    pub(super) data: Option<Bytes>,
}

/// One operation.
#[derive(Debug, Deserialize)]
#[serde(tag = "op", rename_all = "lowercase")]
pub(super) enum Op {
    Dispatch(Dispatch),
    Copy {},
    Clear {
        buffer: usize,
        offset: Option<u64>,
        size: Option<u64>,
    },
    Write {
        buffer: usize,
        #[serde(default)]
        offset: u64,
        data: Bytes,
    },
}

/// A dispatch.
#[derive(Debug, Deserialize)]
pub(super) struct Dispatch {
    pub(super) wgsl: usize,
    pub(super) entry: Option<String>,
    pub(super) bindings: Vec<Binding>,
    #[serde(alias = "groups")]
    pub(super) workgroups: Option<[u32; 3]>,
    pub(super) indirect: Option<Indirect>,
    #[serde(default)]
    pub(super) constants: BTreeMap<String, f64>,
}

/// A part of a buffer behind a binding.
#[derive(Debug, Deserialize)]
pub(super) struct Binding {
    pub(super) group: u32,
    pub(super) binding: u32,
    pub(super) buffer: usize,
    #[serde(default)]
    pub(super) offset: u64,
    pub(super) size: Option<u64>,
}

/// Where the work-group counts of an indirect dispatch lie.
#[derive(Debug, Deserialize)]
pub(super) struct Indirect {
    pub(super) buffer: usize,
    #[serde(default)]
    pub(super) offset: u64,
}

/// What must hold afterwards.
#[derive(Debug, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub(super) enum Check {
    Cases {
        buffer: usize,
        stride: u64,
        #[serde(rename = "type")]
        ty: String,
        cases: Vec<Case>,
    },
    Bytes {
        buffer: usize,
        #[serde(default)]
        offset: u64,
        expect: Bytes,
    },
    Words {
        buffer: usize,
        #[serde(default)]
        offset: u64,
        expect: Vec<Option<u32>>,
    },
    Golden {
        buffer: usize,
        #[serde(default)]
        offset: u64,
        observed: Bytes,
    },
}

/// One case of a `cases` check.
#[derive(Debug, Deserialize)]
pub(super) struct Case {
    #[serde(rename = "in", default)]
    pub(super) input: serde_json::Value,
    pub(super) ok: serde_json::Value,
}

/// Bytes written as base64.
#[derive(Debug, Default)]
pub(super) struct Bytes(pub(super) Vec<u8>);

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let text = String::deserialize(d)?;
        base64(&text).map(Bytes).ok_or_else(|| D::Error::custom("not base64"))
    }
}

/// The standard alphabet of RFC 4648, padded.
fn base64(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3);
    let (mut bits, mut count) = (0u32, 0);
    for c in text.trim_end_matches('=').bytes() {
        let value = match c {
            b'A'..=b'Z' => c - b'A',
            b'a'..=b'z' => c - b'a' + 26,
            b'0'..=b'9' => c - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        bits = bits << 6 | u32::from(value);
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push((bits >> count) as u8);
        }
    }
    Some(bytes)
}

/// Reads `MANIFEST.json`.
pub(super) fn manifest(folder: &Path) -> Result<Vec<Entry>> {
    let path = folder.join("MANIFEST.json");
    let text = std::fs::read(&path).with_context(|| path.display().to_string())?;
    serde_json::from_slice(&text).with_context(|| path.display().to_string())
}

/// Reads one file of the manifest. Its name stays inside the folder.
pub(super) fn spec(folder: &Path, entry: &Entry) -> Result<Spec> {
    let relative = Path::new(&entry.file);
    if !relative.components().all(|c| matches!(c, std::path::Component::Normal(_))) {
        bail!("`{}` is not a file below the folder", entry.file);
    }
    let path = folder.join(relative);
    let read = || -> Result<Spec> {
        let mut text = Vec::new();
        flate2::read::GzDecoder::new(File::open(&path)?).take(MAX_FILE).read_to_end(&mut text)?;
        Ok(serde_json::from_slice(&text)?)
    };
    read().with_context(|| path.display().to_string())
}

#[cfg(test)]
mod tests {
    #[test]
    fn base64_reads_every_length() {
        for (text, bytes) in
            [("", &b""[..]), ("TQ==", b"M"), ("TWE=", b"Ma"), ("TWFu", b"Man"), ("+/8=", &[0xfb, 0xff])]
        {
            assert_eq!(super::base64(text).as_deref(), Some(bytes));
        }
        assert_eq!(super::base64("!"), None);
    }
}
