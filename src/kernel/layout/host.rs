//! How a Rust type lies in memory, and the trait of the types that kernels take.

use super::wgsl_type::Scalar;
use std::fmt;

/// Derives [`trait@Element`] for a `#[repr(C)]` struct of elements without padding.
///
/// The fields are matched with the WGSL struct's members by name when a call binds the struct, and each offset and
/// type is checked. Fields whose names start with `_` fill the padding of the WGSL layout.
///
/// ```
/// use evener::kernel::layout::Element;
///
/// // WGSL: struct Particle { position: vec3<f32>, mass: f32, velocity: vec2<f32> }, 32 bytes
/// #[derive(Clone, Copy, Element)]
/// #[repr(C)]
/// struct Particle {
///     position: [f32; 3],
///     mass: f32,
///     velocity: [f32; 2],
///     _pad: [f32; 2],
/// }
/// assert_eq!(Particle::TYPE.size, 32);
/// ```
pub use evener_derive::Element;

/// How a Rust type lies in memory. Sizes and offsets are in bytes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct HostType {
    /// Size of a value.
    pub size: usize,
    /// What it is made of.
    pub shape: HostShape,
}

/// What a host type is made of.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum HostShape {
    /// `f32`, ...
    Scalar(Scalar),
    /// `[T; N]`: a vector, a matrix by columns, or an array.
    Array {
        /// `T`.
        element: &'static HostType,
        /// `N`.
        length: usize,
    },
    /// A struct that derives [`trait@Element`].
    Struct {
        /// Its name.
        name: &'static str,
        /// In order of declaration.
        members: &'static [HostMember],
    },
}

/// A field of a host struct.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct HostMember {
    /// Its name. One that starts with `_` is padding.
    pub name: &'static str,
    /// From the start of the struct.
    pub offset: usize,
    /// Its type.
    pub ty: &'static HostType,
}

/// A plain value that kernels take: scalars, arrays of elements, and structs that derive it.
///
/// # Safety
/// `TYPE` describes the type truly; every byte of every value is initialised (no padding); and every pattern of
/// bytes is a value.
pub unsafe trait Element: Copy + 'static {
    /// The layout.
    const TYPE: HostType;
}

macro_rules! scalar_elements {
    ($($ty:ident $scalar:ident,)*) => {$(
        // SAFETY: a number of the described size, without padding, valid for every pattern of bytes.
        unsafe impl Element for $ty {
            const TYPE: HostType = HostType { size: size_of::<$ty>(), shape: HostShape::Scalar(Scalar::$scalar) };
        }
    )*};
}

scalar_elements! { f32 F32, f64 F64, i16 I16, u16 U16, i32 I32, u32 U32, i64 I64, u64 U64, }

// SAFETY: an array holds its elements one after the other and nothing else.
unsafe impl<T: Element, const N: usize> Element for [T; N] {
    const TYPE: HostType =
        HostType { size: size_of::<[T; N]>(), shape: HostShape::Array { element: &T::TYPE, length: N } };
}

/// The bytes of a slice of elements.
pub fn bytes_of<T: Element>(values: &[T]) -> &[u8] {
    // SAFETY: `Element` promises that every byte is initialised; the length is that of the slice.
    unsafe { std::slice::from_raw_parts(values.as_ptr().cast(), size_of_val(values)) }
}

/// The bytes of a slice of elements, to be overwritten.
pub fn bytes_of_mut<T: Element>(values: &mut [T]) -> &mut [u8] {
    // SAFETY: `Element` promises that every byte is initialised and that any bytes are values.
    unsafe { std::slice::from_raw_parts_mut(values.as_mut_ptr().cast(), size_of_val(values)) }
}

impl HostType {
    /// The scalar and the number of components, for scalars (1) and arrays of scalars.
    pub(super) fn components(&self) -> Option<(Scalar, usize)> {
        match self.shape {
            HostShape::Scalar(s) => Some((s, 1)),
            HostShape::Array { element: HostType { shape: HostShape::Scalar(s), .. }, length } => Some((*s, length)),
            _ => None,
        }
    }

    /// The layout in words, for messages.
    pub fn layout(&self) -> String {
        match self.shape {
            HostShape::Struct { name, members } => {
                let mut text = format!("Rust struct {name}, {} bytes:", self.size);
                for m in members {
                    text.push_str(&format!("\n    {:>4}  {}: {}", m.offset, m.name, m.ty));
                }
                text
            }
            _ => format!("Rust {self}: {} bytes", self.size),
        }
    }
}

impl fmt::Display for HostType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.shape {
            HostShape::Scalar(s) => write!(f, "{s}"),
            HostShape::Array { element, length } => write!(f, "[{element}; {length}]"),
            HostShape::Struct { name, .. } => f.write_str(name),
        }
    }
}
