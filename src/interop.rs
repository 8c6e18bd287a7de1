//! Elements and arrays of other crates as arguments, each behind a feature of its name.

#[cfg(feature = "complex")]
mod complex {
    use crate::kernel::layout::{Element, HostType};
    use num_complex::Complex;

    // SAFETY: two numbers in a row (`repr(C)`), real and imaginary part, without padding, valid for every pattern of bytes.
    unsafe impl Element for Complex<f32> {
        const TYPE: HostType = <[f32; 2]>::TYPE;
    }

    // SAFETY: as above.
    unsafe impl Element for Complex<f64> {
        const TYPE: HostType = <[f64; 2]>::TYPE;
    }
}

#[cfg(feature = "half")]
mod half {
    use crate::kernel::layout::{Element, HostShape, HostType, Scalar};

    // SAFETY: the 16 bits of an IEEE binary16 number, valid for every pattern of bytes.
    unsafe impl Element for half::f16 {
        const TYPE: HostType = HostType { size: 2, shape: HostShape::Scalar(Scalar::F16) };
    }
}

#[cfg(feature = "ndarray")]
mod ndarray {
    use crate::{
        call::args::{HostArg, IntoArg},
        kernel::layout::Element,
    };
    use ndarray::{ArrayBase, Data, DataMut, Dimension};

    /// Why a view is no slice, and what would be one.
    fn scattered(shape: &[usize], strides: &[isize]) -> String {
        format!(
            "an ndarray of shape {shape:?} and strides {strides:?} is not contiguous in C order: pass a copy in that order, \
             `.as_standard_layout().to_owned()`"
        )
    }

    /// An array or view that lies in C order in one piece: its elements, row by row.
    impl<'a, T: Element, S: Data<Elem = T>, D: Dimension> IntoArg<'a> for &'a ArrayBase<S, D> {
        fn into_arg(self) -> HostArg<'a> {
            match self.as_slice() {
                Some(elements) => elements.into_arg(),
                None => HostArg::refused::<T>(self.len(), false, scattered(self.shape(), self.strides())),
            }
        }
    }

    /// The same, to be written.
    impl<'a, T: Element, S: DataMut<Elem = T>, D: Dimension> IntoArg<'a> for &'a mut ArrayBase<S, D> {
        fn into_arg(self) -> HostArg<'a> {
            let (count, why) = (self.len(), scattered(self.shape(), self.strides()));
            match self.as_slice_mut() {
                Some(elements) => elements.into_arg(),
                None => HostArg::refused::<T>(count, true, why),
            }
        }
    }
}
