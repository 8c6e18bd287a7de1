//! Paths into a uniform: `params.n`, `table[2].x`.

use crate::{
    error::{Error, ErrorKind, Result, did_you_mean},
    kernel::layout::WgslType,
};
use std::borrow::Cow;

/// The part of a uniform that a path names.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Part<'t> {
    /// Bytes from the start of the binding.
    pub offset: u32,
    /// Its type.
    pub ty: Cow<'t, WgslType>,
}

/// Splits `params.n` into the binding's name and the path inside it: `("params", ".n")`.
pub fn split_path(name: &str) -> (&str, &str) {
    name.split_at(name.find(['.', '[']).unwrap_or(name.len()))
}

/// Follows a path (`.n`, `[2].x`, or empty) from the root of a uniform.
pub(super) fn resolve<'t>(name: &str, root: &'t WgslType, path: &str) -> Result<Part<'t>> {
    let mut part = Part { offset: 0, ty: Cow::Borrowed(root) };
    let mut rest = path;
    while !rest.is_empty() {
        let done = format!("{name}{}", &path[..path.len() - rest.len()]);
        let (step, after) = next_step(&done, rest)?;
        part = match step {
            Step::Member(member) => member_of(&done, &part, member)?,
            Step::Index(index) => element_of(&done, &part, index)?,
        };
        rest = after;
    }
    Ok(part)
}

enum Step<'p> {
    Member(&'p str),
    Index(u32),
}

fn next_step<'p>(done: &str, rest: &'p str) -> Result<(Step<'p>, &'p str)> {
    let bad = || {
        let message = format!("after `{done}`, `{rest}` is neither a member such as `.n` nor an index such as `[2]`");
        Error::new(ErrorKind::UnknownArgument, message)
    };
    if let Some(rest) = rest.strip_prefix('.') {
        let end = rest.find(['.', '[']).unwrap_or(rest.len());
        return if end == 0 { Err(bad()) } else { Ok((Step::Member(&rest[..end]), &rest[end..])) };
    }
    let (index, after) = rest.strip_prefix('[').and_then(|r| r.split_once(']')).ok_or_else(bad)?;
    Ok((Step::Index(index.trim().parse().map_err(|_| bad())?), after))
}

fn unknown(message: String) -> Error {
    Error::new(ErrorKind::UnknownArgument, message)
}

fn member_of<'t>(done: &str, part: &Part<'t>, name: &str) -> Result<Part<'t>> {
    match &*part.ty {
        WgslType::Struct { members, .. } => {
            let at = members.iter().position(|m| m.name == name).ok_or_else(|| {
                let names = members.iter().map(|m| m.name.as_str());
                unknown(format!("`{done}` has no member `{name}`{}", did_you_mean(name, names)))
            })?;
            let ty = match &part.ty {
                Cow::Borrowed(WgslType::Struct { members, .. }) => Cow::Borrowed(&members[at].ty),
                _ => Cow::Owned(members[at].ty.clone()),
            };
            Ok(Part { offset: part.offset + members[at].offset, ty })
        }
        WgslType::Vector { size, .. } => {
            let component = ["x", "y", "z", "w"].iter().chain(&["r", "g", "b", "a"]).position(|c| *c == name);
            match component.map(|c| c as u32 % 4).filter(|c| c < size) {
                Some(c) => element_of(done, part, c),
                None => Err(unknown(format!("`{done}` is {} and has no component `{name}`", part.ty))),
            }
        }
        _ => Err(unknown(format!("`{done}` is {} and has no members", part.ty))),
    }
}

fn element_of<'t>(done: &str, part: &Part<'t>, index: u32) -> Result<Part<'t>> {
    let (length, stride, ty) = match &*part.ty {
        WgslType::Array { element, stride, length: Some(n) } => (*n, *stride, Cow::Owned((**element).clone())),
        WgslType::Vector { size, scalar } => (*size, scalar.bytes(), Cow::Owned(WgslType::Scalar(*scalar))),
        WgslType::Matrix { columns, rows, scalar } => {
            let column = WgslType::Vector { size: *rows, scalar: *scalar };
            (*columns, part.ty.column_stride(), Cow::Owned(column))
        }
        _ => return Err(unknown(format!("`{done}` is {} and has no elements", part.ty))),
    };
    if index >= length {
        return Err(unknown(format!("`{done}` is {}: the last index is {}", part.ty, length - 1)));
    }
    Ok(Part { offset: part.offset + index * stride, ty })
}
