//! Fourier transforms of any length, along one axis or two, complex and real, any number at once.
//!
//! [`axis`] transforms along one axis, [`library`] does so on the CPU, [`roots`] makes the tables, [`Fft`], [`Fft2`] and [`RealFft`] are what users hold.

mod axis;
mod complex;
mod library;
mod plane;
mod real;
mod roots;

pub use complex::Fft;
pub(super) use library::{Transform, planned};
pub use plane::Fft2;
pub use real::RealFft;

use evener::{Error, ErrorKind, Result};

/// Which way, and the factor of the results.
#[derive(Clone, Copy, Debug)]
struct Direction {
    /// 1 forward, -1 backward.
    sign: f64,
    scale: f64,
}

impl Direction {
    const FORWARD: Direction = Direction { sign: 1.0, scale: 1.0 };

    /// The reverse of the forward transform of so many elements.
    fn backward(length: usize) -> Self {
        Direction { sign: -1.0, scale: 1.0 / length as f64 }
    }
}

/// How many vectors of a length there are in `src`, and that `dst` holds the results.
fn vectors(src: [usize; 2], dst: [usize; 2]) -> Result<usize> {
    let [(src_count, src_length), (dst_count, dst_length)] = [src, dst].map(|[count, length]| (count, length));
    if !src_count.is_multiple_of(src_length) {
        let why = format!("`src` has {src_count} elements, which is no whole number of transforms of {src_length}");
        return Err(Error::new(ErrorKind::ArgumentSize, why));
    }
    let vectors = src_count / src_length;
    if vectors.checked_mul(dst_length) != Some(dst_count) {
        let why = format!("`dst` has {dst_count} elements; {vectors} transforms have {dst_length} each");
        return Err(Error::new(ErrorKind::ArgumentSize, why));
    }
    Ok(vectors)
}
