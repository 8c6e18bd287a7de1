//! Element types of npy files.

use super::NpyError;
use std::{fmt, str::FromStr};

/// A number as it lies in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Scalar {
    F16,
    F32,
    F64,
    I8,
    I16,
    I32,
    I64,
    U8,
    U16,
    U32,
    U64,
}

impl Scalar {
    /// Bytes of one.
    pub fn bytes(self) -> u64 {
        use Scalar::*;
        match self {
            I8 | U8 => 1,
            F16 | I16 | U16 => 2,
            F32 | I32 | U32 => 4,
            F64 | I64 | U64 => 8,
        }
    }

    fn from_kind(kind: u8, bytes: u64) -> Option<Self> {
        use Scalar::*;
        Some(match (kind, bytes) {
            (b'f', 2) => F16,
            (b'f', 4) => F32,
            (b'f', 8) => F64,
            (b'i', 1) => I8,
            (b'i', 2) => I16,
            (b'i', 4) => I32,
            (b'i', 8) => I64,
            (b'u', 1) => U8,
            (b'u', 2) => U16,
            (b'u', 4) => U32,
            (b'u', 8) => U64,
            _ => return None,
        })
    }
}

/// `count` numbers of one type, or padding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field {
    /// The number's type; `None` for `count` bytes of padding.
    pub scalar: Option<Scalar>,
    /// How many follow each other.
    pub count: u64,
    /// Whether they lie big-endian in the file.
    pub big_endian: bool,
}

impl Field {
    /// Bytes of all; `None` where that overflows.
    pub fn bytes(&self) -> Option<u64> {
        self.count.checked_mul(self.scalar.map_or(1, Scalar::bytes))
    }
}

/// An element type: one number, a complex one (two numbers), or a record of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dtype {
    /// The `descr` entry for a little-endian file, a Python literal.
    descr: String,
    fields: Vec<Field>,
    record: bool,
    bytes: u64,
}

impl Dtype {
    /// Bytes of an element.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Whether it is a record of named fields.
    pub fn is_record(&self) -> bool {
        self.record
    }

    /// The one scalar type that all of an element consists of, if there is one.
    pub fn scalar(&self) -> Option<Scalar> {
        let mut scalars = self.fields.iter().filter_map(|f| f.scalar);
        let first = scalars.next()?;
        scalars.all(|s| s == first).then_some(first)
    }

    /// The Python literal that describes it in a little-endian file.
    pub fn descr(&self) -> &str {
        &self.descr
    }

    pub(super) fn record(descr: String, fields: Vec<Field>) -> Result<Self, NpyError> {
        let bytes = total(&fields).filter(|b| *b > 0 && fields.iter().any(|f| f.scalar.is_some()));
        let bytes = bytes.ok_or_else(|| NpyError::new(format!("its element type {descr} holds no numbers")))?;
        Ok(Dtype { descr, fields, record: true, bytes })
    }

    /// From a type string such as `<f4`.
    pub(super) fn plain(text: &str) -> Result<Self, NpyError> {
        let (field, descr) = parse_type_string(text)?;
        let bytes = field.bytes().filter(|_| field.scalar.is_some()).ok_or_else(|| refused(text))?;
        Ok(Dtype { descr: format!("'{descr}'"), fields: vec![field], record: false, bytes })
    }

    /// Swaps the bytes of big-endian numbers of the whole elements in `bytes`.
    pub(super) fn make_little_endian(&mut self, bytes: &mut [u8]) {
        if self.fields.iter().all(|f| !f.big_endian) {
            return;
        }
        for element in bytes.chunks_exact_mut(self.bytes as usize) {
            let mut rest = element;
            for field in &self.fields {
                let size = field.scalar.map_or(1, Scalar::bytes) as usize;
                let (numbers, tail) = std::mem::take(&mut rest).split_at_mut(size * field.count as usize);
                if field.big_endian {
                    numbers.chunks_exact_mut(size).for_each(<[u8]>::reverse);
                }
                rest = tail;
            }
        }
        self.fields.iter_mut().for_each(|f| f.big_endian = false);
    }
}

fn total(fields: &[Field]) -> Option<u64> {
    fields.iter().try_fold(0u64, |sum, f| sum.checked_add(f.bytes()?))
}

/// A type string: byte order, kind, size; with the same string for a little-endian file.
pub(super) fn parse_type_string(text: &str) -> Result<(Field, String), NpyError> {
    let &[order, kind, ref digits @ ..] = text.as_bytes() else { return Err(refused(text)) };
    let size: u64 = std::str::from_utf8(digits)
        .ok()
        .filter(|d| !d.is_empty() && d.bytes().all(|b| b.is_ascii_digit()))
        .and_then(|d| d.parse().ok())
        .ok_or_else(|| refused(text))?;
    let big_endian = match order {
        b'<' | b'|' => false,
        b'>' => true,
        b'=' => cfg!(target_endian = "big"),
        _ => return Err(refused(text)),
    };
    let (scalar, count) = match kind {
        b'V' => (None, size),
        b'c' if size == 8 || size == 16 => (Scalar::from_kind(b'f', size / 2), 2),
        _ => (Some(Scalar::from_kind(kind, size).ok_or_else(|| refused(text))?), 1),
    };
    let order = if scalar.is_none_or(|s| s.bytes() == 1) { '|' } else { '<' };
    Ok((Field { scalar, count, big_endian }, format!("{order}{}{size}", kind as char)))
}

fn refused(text: &str) -> NpyError {
    let shown: String = text.chars().take(40).flat_map(char::escape_default).collect();
    let what = match text.as_bytes().get(1) {
        Some(b'b') => ": WGSL has no boolean buffers; convert it with `.astype(np.uint32)`",
        Some(b'O') => ": it holds Python objects",
        Some(b'S' | b'U' | b'a') => ": it holds text",
        Some(b'M' | b'm') => ": it holds dates; convert it with `.astype(np.int64)`",
        _ => "",
    };
    NpyError::new(format!(
        "its element type '{shown}' is none that a kernel takes (f16, f32, f64, i32, u32, i64, u64, complex, or a record of these){what}"
    ))
}

/// The names of `--out`: f16 f32 f64 i32 u32 i64 u64 c64.
impl FromStr for Dtype {
    type Err = NpyError;

    fn from_str(name: &str) -> Result<Self, NpyError> {
        let plain = match name {
            "f16" => "<f2",
            "f32" => "<f4",
            "f64" => "<f8",
            "i32" => "<i4",
            "u32" => "<u4",
            "i64" => "<i8",
            "u64" => "<u8",
            "c64" => "<c8",
            _ => {
                return Err(NpyError::new(format!(
                    "`{name}` is no element type: one of f16 f32 f64 i32 u32 i64 u64 c64"
                )));
            }
        };
        Dtype::plain(plain)
    }
}

impl fmt::Display for Dtype {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.descr.trim_matches('\''))
    }
}
