//! The window on the complex plane, and the call.

use crate::sizes::grid;
use evener::{Error, ErrorKind, Report, Result, Runtime};

/// A window on the complex plane.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct View {
    /// Pixels a row.
    pub width: u32,
    /// Rows.
    pub height: u32,
    /// Most iterations a pixel.
    pub cap: u32,
    /// Real part of the leftmost pixels.
    pub left: f32,
    /// Imaginary part of the topmost pixels.
    pub top: f32,
    /// Distance of neighbouring pixels.
    pub pixel: f32,
}

pub(crate) fn run(rt: &Runtime, view: &View, count: &mut [u32]) -> Result<Report> {
    let [width, height] = grid(view.width as usize, view.height as usize)?;
    let pixels = width as usize * height as usize;
    if count.len() != pixels {
        let why =
            format!("`count` has {} elements; the view of {width} by {height} pixels needs {pixels}", count.len());
        return Err(Error::new(ErrorKind::ArgumentSize, why));
    }
    let kernel = rt.kept_kernel(evener_shaders::MANDELBROT)?;
    let call = kernel.call().set("view.width", width).set("view.height", height).set("view.cap", view.cap);
    let call = call.set("view.left", view.left).set("view.top", view.top).set("view.pixel", view.pixel);
    call.arg("count", count).items([width, height]).run()
}
