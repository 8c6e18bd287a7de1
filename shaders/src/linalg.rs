//! Linear algebra, transforms and ordinary differential equations. Each source is completed by a line before it that says
//! what its scalar type `T` is: [`F32`] or [`F64`].

/// The line before a source that makes it one of f32.
pub const F32: &str = "alias T = f32; const DEPTH = 32u;\n";

/// The line before a source that makes it one of f64.
pub const F64: &str = "alias T = f64; const DEPTH = 16u;\n";

/// `y = alpha x + y`. Bindings: `params` {`alpha`, `count`}, `x`, `y` (written). Items: `count`.
pub const AXPY: &str = include_str!("linalg/axpy.wgsl");

/// `y = alpha x + beta y`. Bindings: `params` {`alpha`, `beta`, `count`}, `x`, `y` (written). Items: `count`.
pub const COMBINE: &str = include_str!("linalg/combine.wgsl");

/// `y = alpha A x + beta y`, rows side by side. Bindings: `params` {`alpha`, `beta`, `rows`, `cols`, `row_stride`,
/// `col_stride`}, `a`, `x`, `y` (written). Groups: `rows`.
pub const GEMV_ROWS: &str = concat!(
    include_str!("linalg/gemv.wgsl"),
    include_str!("linalg/group_sum.wgsl"),
    include_str!("linalg/gemv_rows.wgsl")
);

/// `y = alpha A x + beta y` for any strides. Bindings as [`GEMV_ROWS`]. Items: `rows`.
pub const GEMV_COLUMNS: &str = concat!(include_str!("linalg/gemv.wgsl"), include_str!("linalg/gemv_columns.wgsl"));

/// `C = alpha A B + beta C` for any strides, batched. Bindings: `p` {`alpha`, `beta`, `rows`, `cols`, `depth`, and for
/// each matrix its strides, `a_row`, `a_col`, `a_batch`, ...}, `a`, `b`, `c` (written).
/// Groups: `[ceil(cols / 64), ceil(rows / 64), batch]`.
pub const GEMM: &str = include_str!("linalg/gemm.wgsl");

/// `y = A x` for compressed rows of few elements. Bindings: `rows`, `row_start`, `column`, `value`, `x`, `y` (written).
/// Items: `rows`.
pub const SPMV_SCALAR: &str = concat!(include_str!("linalg/spmv.wgsl"), include_str!("linalg/spmv_scalar.wgsl"));

/// `y = A x` for compressed rows of many elements. Bindings as [`SPMV_SCALAR`]. Groups: `ceil(rows / 16)`.
pub const SPMV_VECTOR: &str = concat!(include_str!("linalg/spmv.wgsl"), include_str!("linalg/spmv_vector.wgsl"));

/// `x += alpha d`, `r -= alpha q`, and partial sums of `r . r`. Bindings: `params` {`alpha`, `count`}, `d`, `q`, `x`, `r`,
/// `partial` (the last three written). Groups: `ceil(count / 4096)`.
pub const CG_ADVANCE: &str = concat!(include_str!("linalg/group_sum.wgsl"), include_str!("linalg/cg_advance.wgsl"));

/// Tridiagonal systems, one an invocation. Bindings: `p` {`systems`, `size`, strides of system and element of `lower`,
/// `diagonal`, `upper`, `x`}, `lower`, `diagonal`, `upper`, `x` (written), `scratch` (written, `systems * size`).
/// Items: `systems`.
pub const TRIDIAGONAL: &str = include_str!("linalg/tridiagonal.wgsl");

/// A pass of radix 2 of Fourier transforms. Bindings: `p` {`butterflies`, `half`, `block`, `inner`, `step`, `sign`,
/// `scale`}, `root`, `src`, `dst` (written). Items: `butterflies`.
pub const FFT_RADIX2: &str = include_str!("linalg/fft_radix2.wgsl");

/// A pass of radix 4. Bindings as [`FFT_RADIX2`], with `quarter` for `half`. Items: `butterflies`.
pub const FFT_RADIX4: &str = include_str!("linalg/fft_radix4.wgsl");

/// Complex vectors times a table. Bindings: `p` {`elements`, `inner`, `count`, `src_length`, `dst_length`, `sign_before`,
/// `sign_after`, `scale`}, `table`, `src`, `dst` (written). Items: `elements`.
pub const FFT_MULTIPLY: &str = include_str!("linalg/fft_multiply.wgsl");

/// Real vectors as complex ones. Bindings: `p` {`elements`, `paired`}, `src`, `dst` (written). Items: `elements`.
pub const FFT_PACK: &str = include_str!("linalg/fft_pack.wgsl");

/// Complex vectors as real ones. Bindings and items as [`FFT_PACK`].
pub const FFT_UNPACK: &str = include_str!("linalg/fft_unpack.wgsl");

/// Between spectra of real vectors and the transforms of their pairs. Bindings: `p` {`elements`, `dst_length`,
/// `src_length`, `half`, `sign`}, `root`, `src`, `dst` (written). Items: `elements`.
pub const FFT_REGROUP: &str = include_str!("linalg/fft_regroup.wgsl");

/// Parameters and states of an ensemble of ordinary differential equations: joined before [`ODE_RK4`] and [`ODE_RK45`].
pub const ODE_MEMBER: &str = include_str!("linalg/ode_member.wgsl");

/// Ordinary differential equations, steps of one size. Joined after [`ODE_MEMBER`], and after `SIZE`, `PARAMETERS` and
/// `derivative` are declared.
/// Bindings: `params` {`start`, `step`, `steps`, `members`}, `parameter`, `state` (written). Items: `members`.
pub const ODE_RK4: &str = include_str!("linalg/ode_rk4.wgsl");

/// Ordinary differential equations, steps of their own size for each member. Joined as [`ODE_RK4`]. Bindings: `params`
/// {`start`, `end`, `first`, `relative`, `absolute`, `most`, `members`}, `parameter`, `state` (written), `reached`
/// (written). Items: `members`.
pub const ODE_RK45: &str = include_str!("linalg/ode_rk45.wgsl");

/// Fourier transforms by definition: the reference of a library. Bindings: `params` {`sign`, `scale`}, `shape` (elements,
/// of a transform, side by side), `root`, `src`, `dst` (written). Items: elements.
pub const FFT_WHOLE: &str = include_str!("linalg/fft_whole.wgsl");
