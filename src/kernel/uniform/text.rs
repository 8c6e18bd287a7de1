//! Uniform values from text.

use crate::{
    error::{Error, ErrorKind, Result},
    kernel::layout::{Scalar, WgslType},
};

/// The bytes of a value of a type, in WGSL layout, from numbers separated by commas.
pub(super) fn parse(name: &str, ty: &WgslType, text: &str) -> Result<Vec<u8>> {
    let mut slots = Vec::new();
    if !scalars(ty, 0, &mut slots) {
        let members = match ty {
            WgslType::Struct { members, .. } => members.iter().map(|m| format!("{name}.{}", m.name)).collect(),
            _ => vec![format!("{name}[0].member")],
        };
        return Err(Error::new(
            ErrorKind::ArgumentType,
            format!("`{name}` is {ty} in WGSL: set its members one by one: {}", members.join(", ")),
        ));
    }
    let values: Vec<&str> = text.split(',').map(str::trim).collect();
    if values.len() != slots.len() {
        return Err(Error::new(
            ErrorKind::ArgumentSize,
            format!("`{name}` is {ty} in WGSL and takes {} numbers, but `{text}` has {}", slots.len(), values.len()),
        ));
    }
    let mut bytes = vec![0; ty.size() as usize];
    for ((offset, scalar), value) in slots.into_iter().zip(values) {
        let number = number(name, scalar, value)?;
        bytes[offset as usize..][..number.len()].copy_from_slice(&number);
    }
    Ok(bytes)
}

/// Offsets of the scalars in order; false where there is a struct.
fn scalars(ty: &WgslType, offset: u32, found: &mut Vec<(u32, Scalar)>) -> bool {
    match ty {
        WgslType::Scalar(s) | WgslType::Atomic(s) => {
            found.push((offset, *s));
            true
        }
        WgslType::Vector { size, scalar } => {
            found.extend((0..*size).map(|i| (offset + i * scalar.bytes(), *scalar)));
            true
        }
        WgslType::Matrix { columns, rows, scalar } => (0..*columns).all(|c| {
            let column = WgslType::Vector { size: *rows, scalar: *scalar };
            scalars(&column, offset + c * ty.column_stride(), found)
        }),
        WgslType::Array { element, stride, length } => {
            (0..length.unwrap_or(0)).all(|i| scalars(element, offset + i * stride, found))
        }
        WgslType::Struct { .. } => false,
    }
}

fn number(name: &str, scalar: Scalar, text: &str) -> Result<Vec<u8>> {
    let parsed = match scalar {
        Scalar::F32 => single(text).map(|v| v.to_le_bytes().to_vec()),
        Scalar::F64 => float(text).map(|v| v.to_le_bytes().to_vec()),
        Scalar::I32 => integer(text).and_then(|v| i32::try_from(v).ok()).map(|v| v.to_le_bytes().to_vec()),
        Scalar::U32 => integer(text).and_then(|v| u32::try_from(v).ok()).map(|v| v.to_le_bytes().to_vec()),
        Scalar::I64 => integer(text).and_then(|v| i64::try_from(v).ok()).map(|v| v.to_le_bytes().to_vec()),
        Scalar::U64 => integer(text).and_then(|v| u64::try_from(v).ok()).map(|v| v.to_le_bytes().to_vec()),
        Scalar::I16 => integer(text).and_then(|v| i16::try_from(v).ok()).map(|v| v.to_le_bytes().to_vec()),
        Scalar::U16 => integer(text).and_then(|v| u16::try_from(v).ok()).map(|v| v.to_le_bytes().to_vec()),
        Scalar::F16 => half(text).map(|v| v.to_le_bytes().to_vec()),
    };
    parsed.ok_or_else(|| {
        let right = match scalar {
            Scalar::F16 => "a number within 65504, such as 2 or 1.5e-3",
            Scalar::I16 => "an integer from -32768 to 32767",
            Scalar::U16 => "an integer from 0 to 65535",
            Scalar::F32 => "a number within 3.4e38, such as 2 or 1.5e-3",
            Scalar::F64 => "a number, such as 2 or 1.5e-3",
            Scalar::I32 => "an integer from -2147483648 to 2147483647",
            Scalar::U32 => "an integer from 0 to 4294967295",
            Scalar::I64 => "an integer from -9223372036854775808 to 9223372036854775807",
            Scalar::U64 => "an integer from 0 to 18446744073709551615",
        };
        Error::new(ErrorKind::ArgumentType, format!("`{name}`: `{text}` is no {scalar}: {right}"))
    })
}

/// A float, or an integer in any notation.
fn float(text: &str) -> Option<f64> {
    text.parse().ok().or_else(|| integer(text).map(|v| v as f64))
}

/// An f32, rounded once from the text; finite text stays finite.
fn single(text: &str) -> Option<f32> {
    let wide = float(text)?;
    let narrow = text.parse().unwrap_or(wide as f32);
    (narrow.is_finite() || !wide.is_finite()).then_some(narrow)
}

/// The bits of an f16; finite text stays finite.
fn half(text: &str) -> Option<u16> {
    let single = single(text)?;
    (single.abs() < 65520.0 || !single.is_finite()).then(|| evener_lanes::ir::half::from_f32(single))
}

/// Decimal, `0x` or `0b`, with `_` between digits.
fn integer(text: &str) -> Option<i128> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let (radix, digits) = match digits.get(..2) {
        Some("0x" | "0X") => (16, &digits[2..]),
        Some("0b" | "0B") => (2, &digits[2..]),
        _ => (10, digits),
    };
    if digits.is_empty() || !digits.starts_with(|c: char| c.is_ascii_hexdigit()) {
        return None;
    }
    let value = i128::from_str_radix(&digits.replace('_', ""), radix).ok()?;
    Some(if negative { -value } else { value })
}
