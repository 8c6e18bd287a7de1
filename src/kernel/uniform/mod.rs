//! The bytes of a uniform binding, set member by member.
//!
//! A path names what is set: `a` for the whole binding, `params.n` for a member, `table[2]` for an element,
//! `v.x` for a component. Typed values must be of the WGSL type exactly; `text` reads what the command line gives.

mod path;
mod text;

use super::{
    layout::{Element, HostType, WgslType, check::matches_type, host::bytes_of},
    reflect::Parameter,
};
use crate::error::{Error, ErrorKind, Result};
use evener_lanes::Few;
pub use path::split_path;

/// A host value for a uniform: a scalar, an array as a vector or matrix, or a struct that derives
/// [`Element`](trait@Element).
#[derive(Clone, Debug)]
pub struct UniformValue {
    ty: HostType,
    bytes: Few<u8>,
}

impl<T: Element> From<T> for UniformValue {
    fn from(value: T) -> Self {
        UniformValue { ty: T::TYPE, bytes: bytes_of(&[value]).iter().copied().collect() }
    }
}

impl UniformValue {
    /// How the value lies in memory.
    pub fn host_type(&self) -> &HostType {
        &self.ty
    }
}

/// The bytes of one uniform binding on the way to being complete.
#[derive(Clone, Debug)]
pub struct UniformBuffer<'k> {
    parameter: &'k Parameter,
    /// The bytes, and after them one for each that says whether it was set: one piece of memory, as this is made for every
    /// call.
    contents: Vec<u8>,
}

impl<'k> UniformBuffer<'k> {
    /// An empty one for a uniform parameter; all zero until set.
    pub fn new(parameter: &'k Parameter) -> Self {
        UniformBuffer { parameter, contents: vec![0; 2 * parameter.ty.size() as usize] }
    }

    /// The bytes in WGSL layout.
    pub fn bytes(&self) -> &[u8] {
        self.halves().0
    }

    /// The bytes, and whether each was set.
    fn halves(&self) -> (&[u8], &[u8]) {
        self.contents.split_at(self.contents.len() / 2)
    }

    fn name(&self) -> &'k str {
        &self.parameter.binding.name
    }

    /// Sets the whole binding (`path` empty) or a part: `.n`, `[2].x`, as [`split_path`] gives it.
    ///
    /// # Errors
    /// `UnknownArgument` for a part that is not there, `ArgumentType` for a value of another type.
    pub fn set(&mut self, path: &str, value: &UniformValue) -> Result<()> {
        let part = path::resolve(self.name(), &self.parameter.ty, path)?;
        let room = part.ty.size();
        if let Err(reason) = matches_type(&value.ty, &part.ty, room) {
            let suggestion = literal(value, &part.ty).unwrap_or(reason);
            return Err(Error::new(
                ErrorKind::ArgumentType,
                format!(
                    "`{}{path}` is {} in WGSL and the value is {}: {suggestion}{}",
                    self.name(),
                    part.ty,
                    value.ty,
                    layouts(&part.ty, &value.ty),
                ),
            ));
        }
        self.write(part.offset, &value.bytes, &part.ty);
        Ok(())
    }

    /// Sets a part from text: numbers in decimal or `0x...`, several separated by commas, matrices by columns.
    ///
    /// # Errors
    /// `UnknownArgument` for a part that is not there; `ArgumentType` for text that is no number of the type;
    /// `ArgumentSize` for another count.
    pub fn set_text(&mut self, path: &str, text: &str) -> Result<()> {
        let part = path::resolve(self.name(), &self.parameter.ty, path)?;
        let bytes = text::parse(&format!("{}{path}", self.name()), &part.ty, text)?;
        self.write(part.offset, &bytes, &part.ty);
        Ok(())
    }

    /// Paths of what is not set yet; empty when the buffer is complete.
    pub fn missing(&self) -> Vec<String> {
        let mut missing = Vec::new();
        if self.halves().1.contains(&0) {
            self.collect_missing(&self.parameter.ty, 0, self.name().to_owned(), &mut missing);
        }
        missing
    }

    fn write(&mut self, offset: u32, bytes: &[u8], ty: &WgslType) {
        let offset = offset as usize;
        let whole = self.contents.len() / 2;
        let (own, set) = self.contents.split_at_mut(whole);
        // A host struct may end before the WGSL struct does: what is left is padding.
        let size = (ty.size() as usize).min(own.len() - offset);
        let length = bytes.len().min(size);
        own[offset..offset + length].copy_from_slice(&bytes[..length]);
        set[offset..offset + size].fill(1);
    }

    /// Reports a part of which nothing is set as one, and goes into one of which something is.
    fn collect_missing(&self, ty: &WgslType, offset: u32, path: String, missing: &mut Vec<String>) {
        let (_, set) = self.halves();
        let start = (offset as usize).min(set.len());
        let end = (start + ty.size() as usize).min(set.len());
        let set = &set[start..end];
        if set.iter().all(|s| *s != 0) {
            return;
        }
        let untouched = set.iter().all(|s| *s == 0);
        match ty {
            WgslType::Struct { members, .. } => {
                for m in members {
                    self.collect_missing(&m.ty, offset + m.offset, format!("{path}.{}", m.name), missing);
                }
            }
            WgslType::Array { element, stride, length: Some(n) } if !untouched => {
                for i in 0..*n {
                    self.collect_missing(element, offset + i * stride, format!("{path}[{i}]"), missing);
                }
            }
            WgslType::Vector { size, scalar } if !untouched => {
                for i in (0..*size).filter(|i| set[(i * scalar.bytes()) as usize] == 0) {
                    missing.push(format!("{path}.{}", ["x", "y", "z", "w"][i as usize]));
                }
            }
            WgslType::Matrix { columns, rows, scalar } if !untouched => {
                let column = WgslType::Vector { size: *rows, scalar: *scalar };
                for i in 0..*columns {
                    self.collect_missing(&column, offset + i * ty.column_stride(), format!("{path}[{i}]"), missing);
                }
            }
            _ => missing.push(path),
        }
    }
}

/// Both layouts, where they have parts.
fn layouts(ty: &WgslType, host: &HostType) -> String {
    match ty {
        WgslType::Struct { .. } => format!("\n  {}\n  {}", ty.layout(), host.layout()),
        _ => String::new(),
    }
}

/// `write 2.0f32`, for a number of another type that the WGSL scalar can hold.
fn literal(value: &UniformValue, ty: &WgslType) -> Option<String> {
    use super::layout::{Scalar as S, host::HostShape};
    let (WgslType::Scalar(want), HostShape::Scalar(have)) = (ty, value.ty.shape) else { return None };
    let word = |n: usize| value.bytes.get(..n);
    let number = match have {
        S::F32 => f64::from(f32::from_ne_bytes(word(4)?.try_into().ok()?)),
        S::F64 => f64::from_ne_bytes(word(8)?.try_into().ok()?),
        S::I16 => f64::from(i16::from_ne_bytes(word(2)?.try_into().ok()?)),
        S::U16 => f64::from(u16::from_ne_bytes(word(2)?.try_into().ok()?)),
        S::I32 => f64::from(i32::from_ne_bytes(word(4)?.try_into().ok()?)),
        S::U32 => f64::from(u32::from_ne_bytes(word(4)?.try_into().ok()?)),
        S::I64 => i64::from_ne_bytes(word(8)?.try_into().ok()?) as f64,
        S::U64 => u64::from_ne_bytes(word(8)?.try_into().ok()?) as f64,
        S::F16 => return None,
    };
    let is_float = matches!(want, S::F32 | S::F64);
    let fits = match want {
        S::F16 => false,
        S::F32 | S::F64 => true,
        S::I16 => (f64::from(i16::MIN)..=f64::from(i16::MAX)).contains(&number),
        S::U16 => (0.0..=f64::from(u16::MAX)).contains(&number),
        S::I32 => (f64::from(i32::MIN)..=f64::from(i32::MAX)).contains(&number),
        S::U32 => (0.0..=f64::from(u32::MAX)).contains(&number),
        S::I64 => number.abs() < 9e15,
        S::U64 => (0.0..9e15).contains(&number),
    };
    if !fits || (!is_float && number.fract() != 0.0) || number.abs() > 1e15 {
        return None;
    }
    Some(if is_float { format!("write {number:?}{want}") } else { format!("write {number}{want}") })
}
