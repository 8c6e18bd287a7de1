//! The WGSL of evener's kernels as constants. No dependencies: any WGSL consumer can use them.
//!
//! Each holds one compute entry point. The bounds guards stay in the source, so the kernels are right
//! on their own as well; comments in each state its formula and its arguments. Typed functions that
//! run them are in the crate `evener-kernels`.

pub mod blocks;
pub mod linalg;

/// `y = a x + y`. Bindings: `a` (uniform f32), `x`, `y` (written). Items: the length.
pub const SAXPY: &str = include_str!("saxpy.wgsl");

/// One step of the heat equation, 5-point stencil. Bindings: `grid` {`width`, `height`, `rate`},
/// `now`, `next` (written). Items: `[width, height]`.
pub const STENCIL5: &str = include_str!("stencil5.wgsl");

/// Escape-time counts of the Mandelbrot set. Bindings: `view` {`width`, `height`, `cap`, `left`, `top`,
/// `pixel`}, `count` (written). Items: `[width, height]`.
pub const MANDELBROT: &str = include_str!("mandelbrot.wgsl");

/// Accelerations of softened gravity, tiled through work-group memory. Bindings: `system` {`count`,
/// `softening2`}, `bodies`, `acceleration` (written). Items: `count`.
pub const NBODY: &str = include_str!("nbody.wgsl");

/// Counts of byte values. Bindings: `values`, `bins` (256 counts, added to). Items: the length.
pub const HISTOGRAM: &str = include_str!("histogram.wgsl");

/// One step of a well-balanced shallow-water scheme with wetting and drying. Bindings: `params` {`width`,
/// `height`, `dt`, `dt_dx`, `dt_dy`, `gravity`, `dry`, `friction`, `rain`}, `bed`, `depth`, `u`, `v`,
/// `depth_next`, `u_next`, `v_next` (written), `fastest` (written: one per work-group of 64 by 4 cells).
/// Items: `[width, height]`.
pub const SHALLOW_WATER: &str = include_str!("shallow_water.wgsl");

/// Every kernel of the library by name.
pub const ALL: &[(&str, &str)] = &[
    ("saxpy", SAXPY),
    ("stencil5", STENCIL5),
    ("mandelbrot", MANDELBROT),
    ("nbody", NBODY),
    ("histogram", HISTOGRAM),
    ("shallow_water", SHALLOW_WATER),
];
