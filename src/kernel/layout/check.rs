//! Whether host elements, or the raw bytes of a file, fit a binding.
//!
//! An element matches by kind and stride: `[f32; 4]` for `vec4<f32>`, `[[f32; 4]; 4]` for `mat4x4<f32>`, a struct
//! member by member. What WGSL pads to 16 bytes (`vec3<f32>` in arrays, columns of `mat3x3<f32>`) takes `[f32; 4]`.

use super::{
    host::{HostMember, HostShape, HostType},
    wgsl_type::{Scalar, WgslMember, WgslType},
};
use crate::{
    error::{Error, ErrorKind, Result, did_you_mean},
    kernel::reflect::Parameter,
};
use std::fmt;

/// Checks `count` elements of a host type against a binding.
///
/// # Errors
/// `ArgumentType` with both layouts and what would be right; `ArgumentSize` with the bytes needed.
pub fn check_elements(parameter: &Parameter, host: &HostType, count: usize) -> Result<()> {
    let name = &parameter.binding.name;
    let ty = &parameter.ty;
    let mismatch = match ty {
        WgslType::Array { element, stride, .. } => {
            // A fixed array may also be one host value as a whole.
            let whole = ty.runtime_array().is_none() && matches_type(host, ty, ty.size()).is_ok();
            if whole { None } else { element_mismatch(host, element, *stride) }
        }
        WgslType::Struct { .. } if ty.runtime_array().is_some() => tail_mismatch(host, ty),
        _ => matches_type(host, ty, ty.size()).err(),
    };
    if let Some(reason) = mismatch {
        return Err(Error::new(
            ErrorKind::ArgumentType,
            format!(
                "`{name}` is {}{ty} in WGSL and the argument's elements are {host}: {reason}\n  {}\n  {}",
                if matches!(ty, WgslType::Struct { .. }) { "struct " } else { "" },
                layout_of_elements(ty),
                host.layout(),
            ),
        ));
    }
    check_size(parameter, count as u64 * host.size as u64)
}

/// Checks that a buffer is large enough for its binding, and that it holds at least one element.
///
/// # Errors
/// `ArgumentSize` with the bytes needed.
pub fn check_size(parameter: &Parameter, bytes: u64) -> Result<()> {
    let (name, ty) = (&parameter.binding.name, &parameter.ty);
    let fixed = u64::from(ty.size());
    let (need, what) = match ty.runtime_array() {
        Some((offset, _, stride)) => (u64::from(offset) + u64::from(stride), "at least one element"),
        None => (fixed, "the whole of it"),
    };
    if bytes >= need {
        return Ok(());
    }
    let given = if bytes == 0 { "is empty".to_owned() } else { format!("has {bytes} bytes") };
    Err(Error::new(
        ErrorKind::ArgumentSize,
        format!("`{name}` is {ty} in WGSL and needs {need} bytes for {what}, but the argument {given}"),
    ))
}

/// What an element of the binding looks like.
fn layout_of_elements(ty: &WgslType) -> String {
    match ty.runtime_array() {
        Some((0, element @ WgslType::Struct { .. }, stride)) => {
            format!("{}\n    an element every {stride} bytes", element.layout())
        }
        _ => match ty {
            WgslType::Array { element, .. } if matches!(**element, WgslType::Struct { .. }) => element.layout(),
            _ => ty.layout(),
        },
    }
}

/// Why a host type is not the element of an array of this stride, and the fix.
fn element_mismatch(host: &HostType, element: &WgslType, stride: u32) -> Option<String> {
    if let Err(reason) = matches_type(host, element, stride) {
        return Some(reason);
    }
    if host.size == stride as usize {
        return None;
    }
    if let WgslType::Vector { scalar, .. } = element {
        let unused = stride - element.size();
        return Some(format!(
            "an element of array<{element}> takes {stride} bytes, the last {unused} unused: pass `[{scalar}; 4]`, or declare array<{scalar}> and index it with 3 * i + k"
        ));
    }
    let missing = (stride as usize).saturating_sub(host.size);
    Some(format!(
        "an element takes {stride} bytes in WGSL and {} in Rust: end the struct with padding of {missing} bytes, such as `_pad: [u32; {}]`",
        host.size,
        missing.div_ceil(4),
    ))
}

/// A struct with a runtime-sized array at its end has no Rust type: it takes scalars, where all its are alike.
fn tail_mismatch(host: &HostType, ty: &WgslType) -> Option<String> {
    match (host.shape, common_scalar(ty)) {
        (HostShape::Scalar(s), Some(common)) if s.stands_for(common) => None,
        (_, Some(common)) => Some(format!("a struct that ends in a runtime-sized array takes its scalars: pass `[{}]`", common.host_name())),
        (_, None) => Some(
            "a struct that mixes scalars and ends in a runtime-sized array has no Rust type: split it into a uniform and an array".into(),
        ),
    }
}

fn common_scalar(ty: &WgslType) -> Option<Scalar> {
    match ty {
        WgslType::Struct { members, .. } => {
            let mut scalars = members.iter().map(|m| common_scalar(&m.ty));
            let first = scalars.next()??;
            scalars.all(|s| s == Some(first)).then_some(first)
        }
        WgslType::Array { element, .. } => common_scalar(element),
        _ => ty.scalar(),
    }
}

/// Whether a host type lies as a WGSL type does; `room` is the number of bytes up to what follows it in WGSL.
///
/// The error says what would be right.
pub(crate) fn matches_type(host: &HostType, ty: &WgslType, room: u32) -> Result<(), String> {
    let right = |fix: String| Err(fix);
    match ty {
        WgslType::Scalar(s) | WgslType::Atomic(s) => match host.shape {
            HostShape::Scalar(h) if h.stands_for(*s) => Ok(()),
            _ => right(format!("pass `{}`", s.host_name())),
        },
        WgslType::Vector { size, scalar } => match host.components() {
            Some((h, n)) if h.stands_for(*scalar) && n == *size as usize => Ok(()),
            // The fourth takes the padding, where nothing else is put there.
            Some((h, 4)) if h.stands_for(*scalar) && *size == 3 && room >= 4 * scalar.bytes() => Ok(()),
            _ if *size == 3 && room >= 4 * scalar.bytes() => {
                right(format!("pass `[{}; 4]`, the last unused", scalar.host_name()))
            }
            _ => right(format!("pass `[{}; {size}]`", scalar.host_name())),
        },
        WgslType::Matrix { columns, rows, scalar } => {
            let padded = if *rows == 3 { 4 } else { *rows } as usize;
            let host_scalar = scalar.host_name();
            match host.shape {
                HostShape::Array { element, length }
                    if length == *columns as usize
                        && element.components().is_some_and(|(h, n)| h.stands_for(*scalar) && n == padded) =>
                {
                    Ok(())
                }
                _ if *rows == 3 => right(format!(
                    "a column of {ty} takes {} bytes, the last {} unused: pass `[[{host_scalar}; 4]; {columns}]`, by columns",
                    4 * scalar.bytes(),
                    scalar.bytes(),
                )),
                _ => right(format!("pass `[[{host_scalar}; {rows}]; {columns}]`, by columns")),
            }
        }
        WgslType::Array { element, stride, length } => match (host.shape, length) {
            (HostShape::Array { element: h, length: n }, Some(m)) if n == *m as usize => {
                element_mismatch(h, element, *stride).map_or(Ok(()), Err)
            }
            (_, Some(n)) => right(format!("pass an array of {n} elements")),
            (_, None) => right("a runtime-sized array has no Rust type".into()),
        },
        WgslType::Struct { name, members, size } => match host.shape {
            HostShape::Struct { members: fields, .. } => matches_struct(fields, host.size, members, *size),
            _ => right(format!("pass a #[repr(C)] struct that derives Element, laid out as `{name}`")),
        },
    }
}

fn matches_struct(fields: &[HostMember], host_size: usize, members: &[WgslMember], size: u32) -> Result<(), String> {
    for (i, member) in members.iter().enumerate() {
        let name = &member.name;
        let Some(field) = fields.iter().find(|f| f.name == name) else {
            return Err(format!("the Rust struct has no field `{name}` (at offset {})", member.offset));
        };
        if field.offset != member.offset as usize {
            let fix = if field.offset < member.offset as usize {
                let bytes = member.offset as usize - field.offset;
                format!("put padding of {bytes} bytes before it, such as `_pad: [u32; {}]`", bytes.div_ceil(4))
            } else {
                "remove what is before it in Rust, or reorder the fields as in WGSL".into()
            };
            return Err(format!(
                "`{name}` is at offset {} in WGSL and at {} in Rust: {fix}",
                member.offset, field.offset
            ));
        }
        let end = members.get(i + 1).map_or(size, |next| next.offset);
        let room = end - member.offset;
        matches_type(field.ty, &member.ty, room).map_err(|reason| format!("`{name}`: {reason}"))?;
    }
    for field in fields.iter().filter(|f| !f.name.starts_with('_')) {
        if !members.iter().any(|m| m.name == field.name) {
            let names = members.iter().map(|m| m.name.as_str());
            return Err(format!(
                "the WGSL struct has no member `{}`{} (the name of a padding field starts with `_`)",
                field.name,
                did_you_mean(field.name, names),
            ));
        }
    }
    if host_size > size as usize {
        return Err(format!(
            "the Rust struct has {host_size} bytes and the WGSL struct {size}: remove fields at its end"
        ));
    }
    Ok(())
}

/// Element types of files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FileScalar {
    /// A real number or an integer.
    Scalar(Scalar),
    /// `complex64`: two f32, a `vec2<f32>`.
    C64,
}

impl FileScalar {
    /// Bytes of an element.
    pub fn bytes(self) -> u32 {
        match self {
            FileScalar::Scalar(s) => s.bytes(),
            FileScalar::C64 => 8,
        }
    }
}

impl fmt::Display for FileScalar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FileScalar::Scalar(s) => write!(f, "{s}"),
            FileScalar::C64 => f.write_str("c64"),
        }
    }
}

/// Checks a file's C-order data of a shape against a binding: the bytes are taken as they are.
///
/// The element type must be the scalar that the WGSL type is made of (c64 for `vec2<f32>` and multiples); structs
/// take any whose bytes fit the stride.
///
/// # Errors
/// `ArgumentType` and `ArgumentSize` with both layouts.
pub fn check_bytes(parameter: &Parameter, file: FileScalar, shape: &[usize]) -> Result<()> {
    let (name, ty) = (&parameter.binding.name, &parameter.ty);
    let (fixed, element, stride) = match ty.runtime_array() {
        Some((offset, element, stride)) => (offset, element, stride),
        None => match ty {
            WgslType::Array { element, stride, .. } => (0, &**element, *stride),
            _ => (0, ty, ty.size()),
        },
    };
    let bytes = shape.iter().try_fold(u64::from(file.bytes()), |n, &d| n.checked_mul(d as u64)).ok_or_else(|| {
        Error::new(ErrorKind::ArgumentSize, format!("`{name}`: the shape {shape:?} has more bytes than fit 64 bits"))
    })?;
    let layouts = || format!("\n  {}\n  file {file}, shape {shape:?}: {bytes} bytes, packed", layout_of_elements(ty));
    if let Some(fix) = kind_mismatch(element, stride, file, shape) {
        return Err(Error::new(
            ErrorKind::ArgumentType,
            format!("`{name}` is {ty} in WGSL and the file has {file}: {fix}{}", layouts()),
        ));
    }
    let stride = u64::from(stride.max(1));
    if bytes >= u64::from(fixed) && !(bytes - u64::from(fixed)).is_multiple_of(stride) {
        let head = if fixed > 0 { format!(" after the first {fixed}") } else { String::new() };
        return Err(Error::new(
            ErrorKind::ArgumentSize,
            format!(
                "`{name}` is {ty} in WGSL and takes a multiple of {stride} bytes{head}, but the file has {bytes}{}",
                layouts()
            ),
        ));
    }
    check_size(parameter, bytes)
}

/// Why a file's element type does not fit, and the fix.
fn kind_mismatch(element: &WgslType, stride: u32, file: FileScalar, shape: &[usize]) -> Option<String> {
    let scalar = element.scalar()?;
    match file {
        FileScalar::Scalar(s) if s != scalar => return Some(format!("save it as {scalar}")),
        FileScalar::C64 if scalar != Scalar::F32 => return Some(format!("save it as {scalar}")),
        FileScalar::C64 if !stride.is_multiple_of(8) => return Some("declare array<vec2<f32>> in WGSL".into()),
        _ => {}
    }
    let padded = matches!(element, WgslType::Vector { size: 3, .. } | WgslType::Matrix { rows: 3, .. });
    (padded && shape.len() > 1 && shape.last() == Some(&3)).then(|| {
        format!(
            "WGSL pads each three to {} bytes and the file does not: give it a last dimension of 4, or declare array<{scalar}> and index it with 3 * i + k",
            4 * scalar.bytes()
        )
    })
}
