//! Sources of the building blocks: reductions, scans, sorts, random numbers and their like.
//!
//! Each kernel is several of these, joined in the order that `evener-kernels` gives: an element type first, then what
//! is to be done with an element, then the shape of the computation.

macro_rules! sources {
    ($($(#[$doc:meta])* $name:ident = $($file:literal)+;)*) => {$(
        $(#[$doc])*
        pub const $name: &str = concat!($(include_str!(concat!("blocks/", $file, ".wgsl"))),+);
    )*};
}

sources! {
    /// Elements of f32: `T`, and keys whose unsigned order is the elements' total order.
    F32 = "f32";
    /// Elements of f64.
    F64 = "f64";
    /// Elements of i32.
    I32 = "i32";
    /// Elements of u32.
    U32 = "u32";
    /// Elements of i64.
    I64 = "i64";
    /// Elements of u64.
    U64 = "u64";

    /// What a reduction runs over: bindings and sizes.
    REDUCE_SHAPE = "reduce_shape";
    /// The scalars of compensated f32 sums.
    SUM_F32 = "op_sum_f32";
    /// The scalars of compensated f64 sums.
    SUM_F64 = "op_sum_f64";
    /// Compensated sums.
    SUM_FLOAT = "op_sum_float";
    /// Sums of integers.
    SUM_INTEGER = "op_sum_integer";
    /// Minimum and maximum.
    LEAST = "op_least";
    /// Place of the minimum or maximum.
    PLACE = "op_place";
    /// Items are the elements of `x`.
    ITEM_X = "item_x";
    /// Items are products of elements of `x` and `y`.
    ITEM_PRODUCT = "item_product";
    /// Work-group memory of the reductions by work-groups.
    REDUCE_GROUP = "reduce_group";
    /// Reduces blocks of a vector.
    REDUCE_WHOLE = "reduce_whole";
    /// Reduces rows, a work-group each.
    REDUCE_ROWS = "reduce_rows";
    /// Reduces strips of columns or short rows, an invocation each.
    REDUCE_STRIPS = "reduce_strips";
    /// Joins strips.
    REDUCE_JOIN = "reduce_join";

    /// Sums of tiles.
    SCAN_TOTALS = "scan_totals";
    /// Scans of tiles.
    SCAN_TILES = "group_scan" "scan_tiles";

    /// Keeps where a mask is not zero.
    KEEP_MASK = "keep_mask";
    /// Keeps what differs from the element before.
    KEEP_CHANGES = "keep_changes";
    /// Counts what is kept.
    COMPACT_COUNTS = "compact_counts";
    /// Writes what is kept.
    COMPACT_TILES = "group_scan" "compact_tiles";

    /// Counts digits of keys.
    SORT_COUNTS = "sort_counts";
    /// Moves keys by one digit.
    SORT_TILES = "group_scan" "sort_tiles";
    /// No values go with the keys.
    SORT_ALONE = "sort_alone";
    /// Values of type `V` go with the keys.
    SORT_VALUES = "sort_values";

    /// A sort by one invocation, which stands for the CPU's own.
    SORT_SERIAL = "sort_serial";
    /// No values go with the keys.
    SERIAL_ALONE = "serial_alone";
    /// Values of type `V` go with the keys.
    SERIAL_VALUES = "serial_values";

    /// Reads through an index.
    GATHER = "gather";
    /// Writes through an index.
    SCATTER = "scatter";
    /// Matrix transpose.
    TRANSPOSE = "transpose";
    /// 2-D convolution.
    CONVOLVE = "convolve_shape" "convolve";
    /// 2-D convolution with a column times a row of weights, in one pass.
    CONVOLVE_SEPARABLE = "convolve_shape" "convolve_separable";

    /// Histogram in work-group memory.
    BINS_SHARED = "bins_range" "bins_shared" "bins";
    /// Histogram of more bins than fit there.
    BINS_DIRECT = "bins_range" "bins_direct" "bins";

    /// Philox 4x32-10.
    PHILOX = "philox";
    /// Random words as they are.
    RANDOM_WORDS = "random_words";
    /// Uniform numbers in [0, 1).
    RANDOM_UNIFORM = "random_uniform";
    /// Normal numbers.
    RANDOM_NORMAL = "random_normal";
    /// One invocation a counter.
    RANDOM = "random";
}
