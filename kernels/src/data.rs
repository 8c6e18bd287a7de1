//! What functions of the library read and write: slices and vectors of the host, arrays, and views of arrays.

use evener::{
    Result,
    array::{Array, View, ViewMut},
    call::args::{HostArg, IntoArg},
    prelude::Element,
};

/// Elements to be read: `&[T]`, `&Vec<T>`, `&[T; N]`, [`&Array<T>`](Array), or a view of an array.
///
/// A function that passes them on more than once borrows them each time; what it must own for longer (a matrix) also asks
/// for [`IntoArg`].
pub trait Input<T: Element> {
    /// Elements.
    fn count(&self) -> usize;
    /// The argument of one call.
    fn as_arg(&self) -> HostArg<'_>;
    /// Copies the elements into an array of as many.
    ///
    /// # Errors
    /// As [`Array::read`]; `ArgumentSize` where the lengths differ.
    fn copy_to(&self, array: &mut Array<T>) -> Result<()>;
}

/// Elements to be written: `&mut` of what an [`Input`] may be.
pub trait Output<T: Element> {
    /// Elements.
    fn count(&self) -> usize;
    /// The argument of one call.
    fn as_arg_mut(&mut self) -> HostArg<'_>;
    /// Makes all elements the same.
    ///
    /// # Errors
    /// As [`Array::write`].
    fn fill(&mut self, value: T) -> Result<()>;
}

macro_rules! inputs {
    ($([$($generics:tt)*] $ty:ty, $x:ident: $read:expr;)*) => {$(
        impl<$($generics)*> Input<T> for $ty {
            fn count(&self) -> usize {
                self.len()
            }

            fn as_arg(&self) -> HostArg<'_> {
                (&**self).into_arg()
            }

            fn copy_to(&self, array: &mut Array<T>) -> Result<()> {
                let $x = self;
                array.copy_from($read)
            }
        }
    )*};
}

inputs! {
    [T: Element] &[T], x: x;
    [T: Element] &Vec<T>, x: x;
    [T: Element, const N: usize] &[T; N], x: &x[..];
    [T: Element] &Array<T>, x: &x.read()?;
    [T: Element] &View<'_, T>, x: &x.read()?;
    [T: Element] &ViewMut<'_, T>, x: &x.read()?;
}

impl<T: Element> Input<T> for View<'_, T> {
    fn count(&self) -> usize {
        self.len()
    }

    fn as_arg(&self) -> HostArg<'_> {
        self.into_arg()
    }

    fn copy_to(&self, array: &mut Array<T>) -> Result<()> {
        array.copy_from(&self.read()?)
    }
}

macro_rules! outputs {
    ($([$($generics:tt)*] $ty:ty, $into:ident: $write:expr;)*) => {$(
        impl<$($generics)*> Output<T> for $ty {
            fn count(&self) -> usize {
                self.len()
            }

            fn as_arg_mut(&mut self) -> HostArg<'_> {
                (&mut **self).into_arg()
            }

            fn fill(&mut self, value: T) -> Result<()> {
                let $into = self;
                <[T]>::fill($write, value);
                Ok(())
            }
        }
    )*};
}

outputs! {
    [T: Element] &mut [T], x: x;
    [T: Element] &mut Vec<T>, x: x;
    [T: Element, const N: usize] &mut [T; N], x: &mut x[..];
    [T: Element] &mut Array<T>, x: &mut x.write()?;
    [T: Element] &mut ViewMut<'_, T>, x: &mut x.write()?;
}

impl<T: Element> Output<T> for ViewMut<'_, T> {
    fn count(&self) -> usize {
        self.len()
    }

    fn as_arg_mut(&mut self) -> HostArg<'_> {
        self.into_arg()
    }

    fn fill(&mut self, value: T) -> Result<()> {
        self.write()?.fill(value);
        Ok(())
    }
}
