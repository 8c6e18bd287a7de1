//! Types as the lowering sees them: a flat list of scalar leaves, and where each lies in memory.
//!
//! Uniform and storage memory has naga's offsets (WGSL's layout with `@size` and `@align`). Work-group and
//! private memory, which no host sees, is laid out by the same rules with bools and 16-bit scalars taking 4 bytes.

use crate::{
    error::{Error, ErrorKind},
    ir::Ty,
};
use naga::{Handle, Scalar, ScalarKind, TypeInner};
use std::{collections::HashMap, rc::Rc};

/// Nesting of arrays and structs in a type.
const MAX_TYPE_DEPTH: u32 = 64;

/// A type.
#[derive(Debug, PartialEq)]
pub(super) enum Shape {
    Scalar(Ty),
    Atomic(Ty),
    Vector(Ty, u32),
    Matrix { columns: u32, column: Rc<Shape> },
    Array { element: Rc<Shape>, len: Option<u32>, stride: u32 },
    Struct { members: Vec<(u32, Rc<Shape>)>, size: u32, align: u32 },
}

impl Shape {
    /// Scalars that a value of the type consists of; 0 for a runtime-sized array.
    pub fn leaves(&self) -> u64 {
        match self {
            Shape::Scalar(_) | Shape::Atomic(_) => 1,
            Shape::Vector(_, n) => u64::from(*n),
            Shape::Matrix { columns, column } => u64::from(*columns) * column.leaves(),
            Shape::Array { element, len, .. } => u64::from(len.unwrap_or(0)).saturating_mul(element.leaves()),
            Shape::Struct { members, .. } => members.iter().fold(0, |n, (_, m)| n.saturating_add(m.leaves())),
        }
    }

    /// The type of each leaf, in order, with its byte offset from `base`.
    pub fn each_leaf(&self, base: u32, f: &mut dyn FnMut(u32, Ty)) {
        match self {
            Shape::Scalar(ty) | Shape::Atomic(ty) => f(base, *ty),
            Shape::Vector(ty, n) => (0..*n).for_each(|i| f(base + i * ty.bytes(), *ty)),
            Shape::Matrix { columns, column } => {
                let stride = self.stride();
                (0..*columns).for_each(|i| column.each_leaf(base + i * stride, f));
            }
            Shape::Array { element, len, stride } => {
                (0..len.unwrap_or(0)).for_each(|i| element.each_leaf(base + i * stride, f));
            }
            Shape::Struct { members, .. } => members.iter().for_each(|(at, m)| m.each_leaf(base + at, f)),
        }
    }

    /// The leaf types, in order. A leaf's value is of its [carrier](Ty::carrier).
    pub fn leaf_types(&self) -> Vec<Ty> {
        let mut types = Vec::new();
        self.each_leaf(0, &mut |_, ty| types.push(ty));
        types
    }

    /// Number of parts that an index selects among; `None` for a runtime-sized array.
    pub fn parts(&self) -> Option<u32> {
        match self {
            Shape::Scalar(_) | Shape::Atomic(_) => Some(0),
            Shape::Vector(_, n) => Some(*n),
            Shape::Matrix { columns, .. } => Some(*columns),
            Shape::Array { len, .. } => *len,
            Shape::Struct { members, .. } => Some(members.len() as u32),
        }
    }

    /// The part that an index selects, with its byte offset and its first leaf.
    pub fn part(&self, index: u32) -> Option<Part> {
        let i = u64::from(index);
        let part = |shape: Rc<Shape>, offset: u32, leaf: u64| Part { shape, offset, leaf: leaf as usize };
        match self {
            Shape::Scalar(_) | Shape::Atomic(_) => None,
            Shape::Vector(ty, n) => (index < *n).then(|| part(Rc::new(Shape::Scalar(*ty)), index * ty.bytes(), i)),
            Shape::Matrix { columns, column } => {
                (index < *columns).then(|| part(column.clone(), index * self.stride(), i * column.leaves()))
            }
            Shape::Array { element, len, stride } => {
                let offset = index.checked_mul(*stride)?;
                (index < len.unwrap_or(u32::MAX)).then(|| part(element.clone(), offset, i * element.leaves()))
            }
            Shape::Struct { members, .. } => {
                let (offset, shape) = members.get(index as usize)?;
                let leaf = members[..index as usize].iter().map(|(_, m)| m.leaves()).sum();
                Some(part(shape.clone(), *offset, leaf))
            }
        }
    }

    /// Bytes from one part of a vector, matrix or array to the next.
    pub fn stride(&self) -> u32 {
        match self {
            Shape::Vector(ty, _) => ty.bytes(),
            Shape::Matrix { column, .. } => column.size().next_multiple_of(column.align()),
            Shape::Array { stride, .. } => *stride,
            Shape::Scalar(_) | Shape::Atomic(_) | Shape::Struct { .. } => 0,
        }
    }

    /// Bytes; 0 for a runtime-sized array.
    pub fn size(&self) -> u32 {
        match self {
            Shape::Scalar(ty) | Shape::Atomic(ty) => ty.bytes(),
            Shape::Vector(ty, n) => ty.bytes() * n,
            Shape::Matrix { columns, .. } => self.stride() * columns,
            Shape::Array { len, stride, .. } => stride.saturating_mul(len.unwrap_or(0)),
            Shape::Struct { size, .. } => *size,
        }
    }

    /// Alignment in bytes.
    pub fn align(&self) -> u32 {
        match self {
            Shape::Scalar(ty) | Shape::Atomic(ty) => ty.bytes(),
            Shape::Vector(ty, 2) => ty.bytes() * 2,
            Shape::Vector(ty, _) => ty.bytes() * 4,
            Shape::Matrix { column, .. } => column.align(),
            Shape::Array { element, .. } => element.align(),
            Shape::Struct { align, .. } => *align,
        }
    }
}

/// A part of a composite.
pub(super) struct Part {
    pub shape: Rc<Shape>,
    pub offset: u32,
    pub leaf: usize,
}

/// Which layout a shape has.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Layout {
    /// Uniform and storage memory: naga's offsets.
    Host,
    /// Work-group and private memory.
    Own,
}

impl Layout {
    /// A scalar as this memory holds it.
    fn scalar(self, scalar: Scalar) -> Result<Ty, Error> {
        let ty = scalar_type(scalar)?;
        Ok(if self == Layout::Own { ty.carrier() } else { ty })
    }
}

/// Shapes of naga's types, made once each.
pub(super) struct Shapes<'a> {
    module: &'a naga::Module,
    made: HashMap<(Handle<naga::Type>, Layout), Rc<Shape>>,
}

/// The IR's type of a scalar.
pub(super) fn scalar_type(scalar: Scalar) -> Result<Ty, Error> {
    Ok(match (scalar.kind, scalar.width) {
        (ScalarKind::Bool, _) => Ty::Bool,
        (ScalarKind::Sint, 4) => Ty::I32,
        (ScalarKind::Uint, 4) => Ty::U32,
        (ScalarKind::Sint | ScalarKind::AbstractInt, 8) => Ty::I64,
        (ScalarKind::Uint, 8) => Ty::U64,
        (ScalarKind::Float, 4) => Ty::F32,
        (ScalarKind::Float | ScalarKind::AbstractFloat, 8) => Ty::F64,
        (ScalarKind::Float, 2) => Ty::F16,
        (ScalarKind::Sint, 2) => Ty::I16,
        (ScalarKind::Uint, 2) => Ty::U16,
        _ => return Err(unsupported("this scalar type")),
    })
}

fn unsupported(what: &str) -> Error {
    Error::new(ErrorKind::Unsupported, format!("{what} is not supported on the CPU"))
}

impl<'a> Shapes<'a> {
    pub fn new(module: &'a naga::Module) -> Self {
        Shapes { module, made: HashMap::new() }
    }

    /// The shape of a type.
    pub fn of(&mut self, ty: Handle<naga::Type>, layout: Layout) -> Result<Rc<Shape>, Error> {
        self.nested(ty, layout, 0)
    }

    fn nested(&mut self, ty: Handle<naga::Type>, layout: Layout, depth: u32) -> Result<Rc<Shape>, Error> {
        if let Some(shape) = self.made.get(&(ty, layout)) {
            return Ok(shape.clone());
        }
        if depth > MAX_TYPE_DEPTH {
            let message = format!("a type nests more than {MAX_TYPE_DEPTH} arrays and structs");
            return Err(Error::new(ErrorKind::TooLarge, message));
        }
        let module = self.module;
        let shape = Rc::new(self.build(&module.types[ty].inner, layout, depth)?);
        self.made.insert((ty, layout), shape.clone());
        Ok(shape)
    }

    /// The shape of a type that may not be in the arena.
    pub fn of_inner(&mut self, inner: &TypeInner, layout: Layout) -> Result<Rc<Shape>, Error> {
        self.build(inner, layout, 0).map(Rc::new)
    }

    fn build(&mut self, inner: &TypeInner, layout: Layout, depth: u32) -> Result<Shape, Error> {
        Ok(match *inner {
            TypeInner::Scalar(scalar) => Shape::Scalar(layout.scalar(scalar)?),
            TypeInner::Atomic(scalar) => Shape::Atomic(layout.scalar(scalar)?),
            TypeInner::Vector { size, scalar } => Shape::Vector(layout.scalar(scalar)?, size as u32),
            TypeInner::Matrix { columns, rows, scalar } => Shape::Matrix {
                columns: columns as u32,
                column: Rc::new(Shape::Vector(layout.scalar(scalar)?, rows as u32)),
            },
            TypeInner::Array { base, size, stride } => {
                let element = self.nested(base, layout, depth + 1)?;
                let own = element.size().next_multiple_of(element.align());
                let stride = if layout == Layout::Host { stride } else { own };
                Shape::Array { len: self.length(size)?, stride, element }
            }
            TypeInner::Struct { ref members, span } => self.build_struct(members, span, layout, depth)?,
            TypeInner::Image { .. } => return Err(unsupported("a texture")),
            TypeInner::Sampler { .. } => return Err(unsupported("a sampler")),
            TypeInner::AccelerationStructure { .. } | TypeInner::RayQuery { .. } => {
                return Err(unsupported("ray tracing"));
            }
            TypeInner::BindingArray { .. } => return Err(unsupported("a binding array")),
            TypeInner::CooperativeMatrix { .. } => return Err(unsupported("a cooperative matrix")),
            TypeInner::Pointer { .. } | TypeInner::ValuePointer { .. } => return Err(unsupported("a pointer here")),
        })
    }

    fn length(&self, size: naga::ArraySize) -> Result<Option<u32>, Error> {
        match size.resolve(self.module.to_ctx()) {
            Ok(naga::proc::IndexableLength::Known(n)) => Ok(Some(n)),
            Ok(naga::proc::IndexableLength::Dynamic) => Ok(None),
            Err(e) => Err(Error::new(ErrorKind::InvalidOverride, format!("the length of an array: {e}"))),
        }
    }

    fn build_struct(
        &mut self,
        members: &[naga::StructMember],
        span: u32,
        layout: Layout,
        depth: u32,
    ) -> Result<Shape, Error> {
        let mut parts = Vec::with_capacity(members.len());
        let (mut end, mut align) = (0u32, 4u32);
        for member in members {
            let shape = self.nested(member.ty, layout, depth + 1)?;
            let offset = match layout {
                Layout::Host => member.offset,
                Layout::Own => end.next_multiple_of(shape.align()),
            };
            align = align.max(shape.align());
            end = offset.saturating_add(shape.size());
            parts.push((offset, shape));
        }
        let own = end.checked_next_multiple_of(align).unwrap_or(u32::MAX);
        Ok(Shape::Struct { members: parts, size: if layout == Layout::Host { span } else { own }, align })
    }
}
