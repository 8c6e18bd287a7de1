//! Ready kernels on top of evener: typed functions on [`evener::Runtime`] that run the WGSL of
//! `evener-shaders` where it is fastest, and a shallow-water solver made of one of them.
//!
//! ```
//! use evener::prelude::*;
//! use evener_kernels::Kernels;
//!
//! # fn main() -> evener::Result<()> {
//! # let rt = Runtime::builder().gpu(false).profile(None).build()?;
//! let (x, mut y) = (vec![1.0f32; 1000], vec![10.0f32; 1000]);
//! let report = rt.saxpy(2.0, &x, &mut y)?;
//! assert_eq!(y[999], 12.0);
//! println!("{report}"); // where it ran, and why
//! # Ok(()) }
//! ```

pub mod blocks;
mod data;
#[cfg(feature = "linalg")]
pub mod linalg;
mod mandelbrot;
mod passes;
mod reports;
mod shallow_water;
mod sizes;

pub use blocks::{Axis, Blocks, Order, Stream};
pub use data::{Input, Output};
#[cfg(feature = "linalg")]
pub use linalg::Linalg;
pub use mandelbrot::View;
pub use reports::{Done, Reports};
pub use shallow_water::{Settings, ShallowWater, Step};

use evener::{Error, ErrorKind, Report, Result, Runtime};
use sizes::{grid, same_length};

/// The traits of the library's functions.
pub mod prelude {
    #[cfg(feature = "linalg")]
    pub use crate::Linalg;
    pub use crate::{Blocks, Kernels};
}

/// The kernels as functions. Each returns when the result is in the slice, with the report of where it ran.
pub trait Kernels {
    /// `y[i] = a x[i] + y[i]`.
    ///
    /// # Errors
    /// `x` and `y` differ in length, or are empty.
    fn saxpy(&self, a: f32, x: &[f32], y: &mut [f32]) -> Result<Report>;

    /// One explicit step of the heat equation on `width` columns, row by row:
    /// `next = now + rate (west + east + north + south - 4 now)` inside; the edge keeps its value.
    ///
    /// `rate` is diffusivity x time step / spacing^2, without unit; the scheme is stable up to 1/4.
    ///
    /// # Errors
    /// `now` and `next` differ in length, or the length is no multiple of `width`.
    ///
    /// ```
    /// # use evener::prelude::*;
    /// # use evener_kernels::Kernels;
    /// # fn main() -> evener::Result<()> {
    /// # let rt = Runtime::builder().gpu(false).profile(None).build()?;
    /// let now = vec![0.0f32, 0.0, 0.0, 0.0, 8.0, 0.0, 0.0, 0.0, 0.0];
    /// let mut next = vec![0.0f32; 9];
    /// rt.stencil5(0.25, 3, &now, &mut next)?;
    /// assert_eq!(next[4], 0.0);
    /// # Ok(()) }
    /// ```
    fn stencil5(&self, rate: f32, width: usize, now: &[f32], next: &mut [f32]) -> Result<Report>;

    /// How many rounds of `z = z^2 + c`, from zero, each point `c` of the view stays within `|z| <= 2`, at most
    /// `view.cap`.
    ///
    /// # Errors
    /// `count` is not `view.width * view.height` long.
    ///
    /// ```
    /// # use evener::prelude::*;
    /// # use evener_kernels::{Kernels, View};
    /// # fn main() -> evener::Result<()> {
    /// # let rt = Runtime::builder().gpu(false).profile(None).build()?;
    /// let view = View { width: 30, height: 20, cap: 50, left: -2.0, top: 1.0, pixel: 0.1 };
    /// let mut count = vec![0u32; 600];
    /// rt.mandelbrot(&view, &mut count)?;
    /// assert_eq!(count[10 * 30 + 20], 50); // c = 0 never leaves
    /// # Ok(()) }
    /// ```
    fn mandelbrot(&self, view: &View, count: &mut [u32]) -> Result<Report>;

    /// Accelerations of softened gravity between all pairs:
    /// `a_i = sum_j m_j (r_j - r_i) / (|r_j - r_i|^2 + softening^2)^(3/2)`.
    ///
    /// A body is x, y, z and mass times the gravitational constant; an acceleration is x, y, z and zero.
    /// Tiled after Nyland, Harris and Prins (GPU Gems 3, chapter 31).
    ///
    /// # Errors
    /// The slices differ in length; `softening` is not positive (a body would divide by zero on itself).
    ///
    /// ```
    /// # use evener::prelude::*;
    /// # use evener_kernels::Kernels;
    /// # fn main() -> evener::Result<()> {
    /// # let rt = Runtime::builder().gpu(false).profile(None).build()?;
    /// let bodies = [[0.0f32, 0.0, 0.0, 1.0], [2.0, 0.0, 0.0, 4.0]];
    /// let mut acceleration = [[0.0f32; 4]; 2];
    /// rt.nbody(1e-3, &bodies, &mut acceleration)?;
    /// assert!((acceleration[0][0] - 1.0).abs() < 1e-3);
    /// # Ok(()) }
    /// ```
    fn nbody(&self, softening: f32, bodies: &[[f32; 4]], acceleration: &mut [[f32; 4]]) -> Result<Report>;

    /// Adds to `bins[b]` how often the value `b` occurs. Of each value the low eight bits count.
    ///
    /// # Errors
    /// `values` is empty.
    ///
    /// ```
    /// # use evener::prelude::*;
    /// # use evener_kernels::Kernels;
    /// # fn main() -> evener::Result<()> {
    /// # let rt = Runtime::builder().gpu(false).profile(None).build()?;
    /// let mut bins = [0u32; 256];
    /// rt.histogram(&[7, 9, 7], &mut bins)?;
    /// assert_eq!((bins[7], bins[9]), (2, 1));
    /// # Ok(()) }
    /// ```
    fn histogram(&self, values: &[u32], bins: &mut [u32; 256]) -> Result<Report>;
}

impl Kernels for Runtime {
    fn saxpy(&self, a: f32, x: &[f32], y: &mut [f32]) -> Result<Report> {
        same_length("y", y.len(), "x", x.len())?;
        let items = y.len();
        self.kept_kernel(evener_shaders::SAXPY)?.call().set("a", a).arg("x", x).arg("y", y).items(items).run()
    }

    fn stencil5(&self, rate: f32, width: usize, now: &[f32], next: &mut [f32]) -> Result<Report> {
        same_length("next", next.len(), "now", now.len())?;
        if width == 0 || !now.len().is_multiple_of(width) {
            let why = format!("`now` has {} elements, which is no whole number of rows of {width}", now.len());
            return Err(Error::new(ErrorKind::ArgumentSize, why));
        }
        let [columns, rows] = grid(width, now.len() / width)?;
        let kernel = self.kept_kernel(evener_shaders::STENCIL5)?;
        let call = kernel.call().set("grid.width", columns).set("grid.height", rows).set("grid.rate", rate);
        call.arg("now", now).arg("next", next).items([columns, rows]).run()
    }

    fn mandelbrot(&self, view: &View, count: &mut [u32]) -> Result<Report> {
        mandelbrot::run(self, view, count)
    }

    fn nbody(&self, softening: f32, bodies: &[[f32; 4]], acceleration: &mut [[f32; 4]]) -> Result<Report> {
        same_length("acceleration", acceleration.len(), "bodies", bodies.len())?;
        if softening.is_nan() || softening * softening <= 0.0 {
            let why = format!("`softening` is {softening}; it must be positive, and its square too");
            return Err(Error::new(ErrorKind::ArgumentType, why));
        }
        let [count, _] = grid(bodies.len(), 1)?;
        let kernel = self.kept_kernel(evener_shaders::NBODY)?;
        let call = kernel.call().set("system.count", count).set("system.softening2", softening * softening);
        call.arg("bodies", bodies).arg("acceleration", acceleration).items(count).run()
    }

    fn histogram(&self, values: &[u32], bins: &mut [u32; 256]) -> Result<Report> {
        let kernel = self.kept_kernel(evener_shaders::HISTOGRAM)?;
        kernel.call().arg("values", values).arg("bins", &mut bins[..]).items(values.len()).run()
    }
}
