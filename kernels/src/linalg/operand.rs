//! What functions of the library take: slices, and arrays that stay where they were last used.

use evener::{
    Array,
    array::{View, ViewMut},
    call::args::IntoArg,
    kernel::layout::Element,
};

/// Elements that are read: `&[T]`, `&Vec<T>`, `&[T; N]`, [`&Array<T>`](Array), and views of arrays.
pub trait Input<'a, T: Element>: IntoArg<'a> {
    /// How many elements.
    fn count(&self) -> usize;
}

/// Elements that are written: the same as `&mut`.
pub trait Output<'a, T: Element>: IntoArg<'a> {
    /// How many elements.
    fn count(&self) -> usize;
}

macro_rules! operands {
    ($which:ident: $($ty:ty,)*) => {$(
        impl<'a, T: Element> $which<'a, T> for $ty {
            fn count(&self) -> usize {
                self.len()
            }
        }
    )*};
}

operands! { Input: &'a [T], &'a Vec<T>, &'a Array<T>, &'a View<'_, T>, View<'a, T>, &'a ViewMut<'_, T>, }
operands! { Output: &'a mut [T], &'a mut Vec<T>, &'a mut Array<T>, &'a mut ViewMut<'_, T>, ViewMut<'a, T>, }

impl<'a, T: Element, const N: usize> Input<'a, T> for &'a [T; N] {
    fn count(&self) -> usize {
        N
    }
}

impl<'a, T: Element, const N: usize> Output<'a, T> for &'a mut [T; N] {
    fn count(&self) -> usize {
        N
    }
}
