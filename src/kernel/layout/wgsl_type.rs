//! Host-shareable WGSL types with their layout, as the standard's address space rules give it.

use naga::{Handle, Module, ScalarKind, Type, TypeInner, proc::IndexableLength};
use std::fmt;

/// A scalar that buffers can hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "the names are WGSL's")]
pub enum Scalar {
    F16,
    F32,
    F64,
    I16,
    U16,
    I32,
    U32,
    I64,
    U64,
}

impl Scalar {
    /// Size and alignment in bytes.
    pub const fn bytes(self) -> u32 {
        match self {
            Scalar::F16 | Scalar::I16 | Scalar::U16 => 2,
            Scalar::F32 | Scalar::I32 | Scalar::U32 => 4,
            Scalar::F64 | Scalar::I64 | Scalar::U64 => 8,
        }
    }

    /// As WGSL and Rust spell it.
    pub const fn name(self) -> &'static str {
        match self {
            Scalar::F16 => "f16",
            Scalar::F32 => "f32",
            Scalar::F64 => "f64",
            Scalar::I16 => "i16",
            Scalar::U16 => "u16",
            Scalar::I32 => "i32",
            Scalar::U32 => "u32",
            Scalar::I64 => "i64",
            Scalar::U64 => "u64",
        }
    }

    /// Whether a host scalar of this type may stand for a WGSL one. Rust has no f16: its bits are a `u16`.
    pub(super) fn stands_for(self, wgsl: Scalar) -> bool {
        self == wgsl || (self == Scalar::U16 && wgsl == Scalar::F16)
    }

    /// How the host spells it.
    pub(super) fn host_name(self) -> &'static str {
        if self == Scalar::F16 { "u16" } else { self.name() }
    }

    fn new(scalar: naga::Scalar) -> Option<Self> {
        Some(match (scalar.kind, scalar.width) {
            (ScalarKind::Float, 2) => Scalar::F16,
            (ScalarKind::Float, 4) => Scalar::F32,
            (ScalarKind::Float, 8) => Scalar::F64,
            (ScalarKind::Sint, 2) => Scalar::I16,
            (ScalarKind::Uint, 2) => Scalar::U16,
            (ScalarKind::Sint, 4) => Scalar::I32,
            (ScalarKind::Uint, 4) => Scalar::U32,
            (ScalarKind::Sint, 8) => Scalar::I64,
            (ScalarKind::Uint, 8) => Scalar::U64,
            _ => return None,
        })
    }
}

impl fmt::Display for Scalar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A host-shareable WGSL type with its layout. Sizes, offsets and strides are in bytes.
#[derive(Clone, Debug, PartialEq)]
pub enum WgslType {
    /// `f32`, ...
    Scalar(Scalar),
    /// `atomic<u32>`, ...
    Atomic(Scalar),
    /// `vec3<f32>`, ...
    Vector {
        /// Components.
        size: u32,
        /// Their type.
        scalar: Scalar,
    },
    /// `mat4x3<f32>`, ...
    Matrix {
        /// Columns.
        columns: u32,
        /// Components of a column.
        rows: u32,
        /// Their type.
        scalar: Scalar,
    },
    /// `array<T, N>` or `array<T>`.
    Array {
        /// `T`.
        element: Box<WgslType>,
        /// From element to element.
        stride: u32,
        /// `N`; `None` for a runtime-sized array.
        length: Option<u32>,
    },
    /// A struct.
    Struct {
        /// Its name.
        name: String,
        /// In order.
        members: Vec<WgslMember>,
        /// Padding at the end included, elements of a runtime-sized array not.
        size: u32,
    },
}

/// A member of a WGSL struct.
#[derive(Clone, Debug, PartialEq)]
pub struct WgslMember {
    /// Its name.
    pub name: String,
    /// From the start of the struct.
    pub offset: u32,
    /// Its type.
    pub ty: WgslType,
}

impl WgslType {
    /// The layout of a type of a module; `None` if hosts cannot share it (booleans, textures).
    pub fn new(module: &Module, ty: Handle<Type>) -> Option<Self> {
        Some(match &module.types[ty].inner {
            TypeInner::Scalar(s) => WgslType::Scalar(Scalar::new(*s)?),
            TypeInner::Atomic(s) => WgslType::Atomic(Scalar::new(*s)?),
            TypeInner::Vector { size, scalar } => {
                WgslType::Vector { size: *size as u32, scalar: Scalar::new(*scalar)? }
            }
            TypeInner::Matrix { columns, rows, scalar } => {
                WgslType::Matrix { columns: *columns as u32, rows: *rows as u32, scalar: Scalar::new(*scalar)? }
            }
            TypeInner::Array { base, size, stride } => WgslType::Array {
                element: Box::new(WgslType::new(module, *base)?),
                stride: *stride,
                length: match size.resolve(module.to_ctx()).ok()? {
                    IndexableLength::Known(n) => Some(n),
                    IndexableLength::Dynamic => None,
                },
            },
            TypeInner::Struct { members, span } => {
                let member = |(i, m): (usize, &naga::StructMember)| {
                    let name = m.name.clone().unwrap_or_else(|| format!("member{i}"));
                    Some(WgslMember { name, offset: m.offset, ty: WgslType::new(module, m.ty)? })
                };
                let members: Vec<_> = members.iter().enumerate().map(member).collect::<Option<_>>()?;
                let name = module.types[ty].name.clone().unwrap_or_default();
                let size = match members.last() {
                    Some(WgslMember { offset, ty: WgslType::Array { length: None, .. }, .. }) => *offset,
                    _ => *span,
                };
                WgslType::Struct { name, members, size }
            }
            _ => return None,
        })
    }

    /// Size in bytes, without the elements of a runtime-sized array.
    pub fn size(&self) -> u32 {
        match self {
            WgslType::Scalar(s) | WgslType::Atomic(s) => s.bytes(),
            WgslType::Vector { size, scalar } => size * scalar.bytes(),
            WgslType::Matrix { columns, .. } => columns * self.column_stride(),
            WgslType::Array { stride, length, .. } => stride.saturating_mul(length.unwrap_or(0)),
            WgslType::Struct { size, .. } => *size,
        }
    }

    /// Alignment in bytes.
    pub fn align(&self) -> u32 {
        let vector = |n: u32, scalar: &Scalar| scalar.bytes() * if n == 3 { 4 } else { n };
        match self {
            WgslType::Scalar(s) | WgslType::Atomic(s) => s.bytes(),
            WgslType::Vector { size, scalar } => vector(*size, scalar),
            WgslType::Matrix { rows, scalar, .. } => vector(*rows, scalar),
            WgslType::Array { element, .. } => element.align(),
            WgslType::Struct { members, .. } => members.iter().map(|m| m.ty.align()).max().unwrap_or(1),
        }
    }

    /// Bytes from column to column of a matrix: its alignment.
    pub fn column_stride(&self) -> u32 {
        self.align()
    }

    /// The runtime-sized array, at the end or the whole, with its offset.
    pub fn runtime_array(&self) -> Option<(u32, &WgslType, u32)> {
        match self {
            WgslType::Array { element, stride, length: None } => Some((0, element, *stride)),
            WgslType::Struct { members, .. } => {
                let last = members.last()?;
                last.ty.runtime_array().map(|(_, element, stride)| (last.offset, element, stride))
            }
            _ => None,
        }
    }

    /// The scalar that the type is made of, where it is one.
    pub fn scalar(&self) -> Option<Scalar> {
        match self {
            WgslType::Scalar(s) | WgslType::Atomic(s) => Some(*s),
            WgslType::Vector { scalar, .. } | WgslType::Matrix { scalar, .. } => Some(*scalar),
            WgslType::Array { element, .. } => element.scalar(),
            WgslType::Struct { .. } => None,
        }
    }

    /// The layout in words, for messages: `vec3<f32>: 12 bytes, aligned to 16`, a struct member by member.
    pub fn layout(&self) -> String {
        match self {
            WgslType::Struct { name, members, size } => {
                let mut text = format!("WGSL struct {name}, {size} bytes:");
                for m in members {
                    text.push_str(&format!("\n    {:>4}  {}: {}", m.offset, m.name, m.ty));
                }
                text
            }
            WgslType::Array { stride, .. } => format!("WGSL {self}: an element every {stride} bytes"),
            _ => format!("WGSL {self}: {} bytes, aligned to {}", self.size(), self.align()),
        }
    }
}

impl fmt::Display for WgslType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            WgslType::Scalar(s) => write!(f, "{s}"),
            WgslType::Atomic(s) => write!(f, "atomic<{s}>"),
            WgslType::Vector { size, scalar } => write!(f, "vec{size}<{scalar}>"),
            WgslType::Matrix { columns, rows, scalar } => write!(f, "mat{columns}x{rows}<{scalar}>"),
            WgslType::Array { element, length: Some(n), .. } => write!(f, "array<{element}, {n}>"),
            WgslType::Array { element, length: None, .. } => write!(f, "array<{element}>"),
            WgslType::Struct { name, .. } => f.write_str(name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn global(source: &str) -> WgslType {
        let module = naga::front::wgsl::parse_str(source).unwrap();
        let ty = module.global_variables.iter().next().unwrap().1.ty;
        WgslType::new(&module, ty).unwrap()
    }

    #[test]
    fn sizes_and_strides_follow_the_standard() {
        let ty = global("@group(0) @binding(0) var<storage> a: array<vec3<f32>>;");
        assert_eq!(ty.to_string(), "array<vec3<f32>>");
        assert_eq!((ty.size(), ty.align(), ty.runtime_array().unwrap().2), (0, 16, 16));
        let ty = global("@group(0) @binding(0) var<uniform> a: mat3x3<f32>;");
        assert_eq!((ty.size(), ty.align(), ty.column_stride()), (48, 16, 16));
        let ty = global("@group(0) @binding(0) var<uniform> a: mat4x2<f32>;");
        assert_eq!((ty.size(), ty.column_stride()), (32, 8));
    }

    #[test]
    fn a_struct_with_a_tail_counts_its_head() {
        let ty = global(
            "struct Tail { n: u32, p: vec3<f32>, items: array<vec2<f32>> }
             @group(0) @binding(0) var<storage> a: Tail;",
        );
        assert_eq!(ty.size(), 32);
        let (offset, element, stride) = ty.runtime_array().unwrap();
        assert_eq!((offset, element.to_string().as_str(), stride), (32, "vec2<f32>", 8));
        assert!(ty.layout().contains("  16  p: vec3<f32>"), "{}", ty.layout());
    }
}
