//! Types: where the scalars of a value lie, in a host's buffer and in the evaluator's own memory.

use super::scalar::Kind;
use naga::{ArraySize, Handle, Module, Type, TypeInner};
use std::rc::Rc;

/// A type.
#[derive(Debug)]
pub enum Shape {
    Scalar(Kind),
    Atomic(Kind),
    Vector(Kind, usize),
    Matrix {
        kind: Kind,
        columns: usize,
        rows: usize,
    },
    /// `len` is `None` for a runtime-sized array; `stride` is in bytes.
    Array {
        element: Rc<Shape>,
        len: Option<u32>,
        stride: u32,
    },
    /// Byte offsets and types.
    Struct(Vec<(u32, Rc<Shape>)>),
}

/// How memory is addressed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Layout {
    /// In bytes, as WGSL lays out buffers.
    Host,
    /// In scalars.
    Leaves,
}

impl Shape {
    pub fn of(module: &Module, ty: Handle<Type>) -> Result<Rc<Shape>, String> {
        Shape::of_inner(module, &module.types[ty].inner)
    }

    pub fn of_inner(module: &Module, inner: &TypeInner) -> Result<Rc<Shape>, String> {
        Ok(Rc::new(match *inner {
            TypeInner::Scalar(s) => Shape::Scalar(Kind::of(s)?),
            TypeInner::Atomic(s) => Shape::Atomic(Kind::of(s)?),
            TypeInner::Vector { size, scalar } => Shape::Vector(Kind::of(scalar)?, size as usize),
            TypeInner::Matrix { columns, rows, scalar } => {
                Shape::Matrix { kind: Kind::of(scalar)?, columns: columns as usize, rows: rows as usize }
            }
            TypeInner::Array { base, size, stride } => {
                let len = match size {
                    ArraySize::Constant(n) => Some(n.get()),
                    ArraySize::Dynamic => None,
                    ArraySize::Pending(_) => return Err("an array of unresolved size".into()),
                };
                Shape::Array { element: Shape::of(module, base)?, len, stride }
            }
            TypeInner::Struct { ref members, .. } => {
                let member = |m: &naga::StructMember| Ok((m.offset, Shape::of(module, m.ty)?));
                Shape::Struct(members.iter().map(member).collect::<Result<_, String>>()?)
            }
            TypeInner::Pointer { base, .. } => return Shape::of(module, base),
            TypeInner::ValuePointer { size: None, scalar, .. } => Shape::Scalar(Kind::of(scalar)?),
            TypeInner::ValuePointer { size: Some(n), scalar, .. } => Shape::Vector(Kind::of(scalar)?, n as usize),
            ref other => return Err(format!("the type {other:?}")),
        }))
    }

    /// Scalars in a value.
    pub fn leaves(&self) -> usize {
        match self {
            Shape::Scalar(_) | Shape::Atomic(_) => 1,
            Shape::Vector(_, n) => *n,
            Shape::Matrix { columns, rows, .. } => columns * rows,
            Shape::Array { element, len, .. } => element.leaves() * len.unwrap_or(0) as usize,
            Shape::Struct(members) => members.iter().map(|(_, m)| m.leaves()).sum(),
        }
    }

    /// The kind of its scalars, for scalars, vectors and matrices.
    pub fn kind(&self) -> Result<Kind, String> {
        match self {
            Shape::Scalar(k) | Shape::Atomic(k) | Shape::Vector(k, _) | Shape::Matrix { kind: k, .. } => Ok(*k),
            _ => Err("a composite where numbers are due".into()),
        }
    }

    /// Number of parts; `None` for a runtime-sized array.
    pub fn parts(&self) -> Option<u32> {
        match self {
            Shape::Scalar(_) | Shape::Atomic(_) => Some(0),
            Shape::Vector(_, n) => Some(*n as u32),
            Shape::Matrix { columns, .. } => Some(*columns as u32),
            Shape::Array { len, .. } => *len,
            Shape::Struct(members) => Some(members.len() as u32),
        }
    }

    /// A part: its offset in a layout, and its type.
    pub fn part(&self, i: u32, layout: Layout) -> Option<(u64, Rc<Shape>)> {
        let stride = |host: u64, leaves: usize| match layout {
            Layout::Host => host * u64::from(i),
            Layout::Leaves => leaves as u64 * u64::from(i),
        };
        Some(match self {
            Shape::Scalar(_) | Shape::Atomic(_) => return None,
            Shape::Vector(k, _) => (stride(k.bytes() as u64, 1), Rc::new(Shape::Scalar(*k))),
            Shape::Matrix { kind, rows, .. } => {
                let padded = if *rows == 3 { 4 } else { *rows };
                (stride((padded * kind.bytes()) as u64, *rows), Rc::new(Shape::Vector(*kind, *rows)))
            }
            Shape::Array { element, stride: bytes, .. } => {
                (stride(u64::from(*bytes), element.leaves()), element.clone())
            }
            Shape::Struct(members) => {
                let (offset, member) = members.get(i as usize)?;
                let before = members[..i as usize].iter().map(|(_, m)| m.leaves() as u64).sum();
                (if layout == Layout::Host { (*offset).into() } else { before }, member.clone())
            }
        })
    }

    /// Calls `f` with the offset and kind of each scalar, in order.
    pub fn each_leaf(&self, at: u64, layout: Layout, f: &mut dyn FnMut(u64, Kind)) {
        match self {
            Shape::Scalar(k) | Shape::Atomic(k) => f(at, *k),
            _ => {
                for i in 0..self.parts().unwrap_or(0) {
                    if let Some((offset, part)) = self.part(i, layout) {
                        part.each_leaf(at + offset, layout, f);
                    }
                }
            }
        }
    }

    /// Bytes before the runtime-sized array at the end, and its stride; all bytes count as fixed without one.
    pub fn runtime_array(&self) -> Option<(u32, u32)> {
        match self {
            Shape::Array { len: None, stride, .. } => Some((0, *stride)),
            Shape::Struct(members) => {
                let (offset, last) = members.last()?;
                last.runtime_array().map(|(_, stride)| (*offset, stride))
            }
            _ => None,
        }
    }
}
