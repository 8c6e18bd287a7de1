//! What the CPU does itself, where plain Rust beats the WGSL compiled for it (by the figures of `benches/blocks.rs`).
//!
//! Each body gives the bits that its WGSL gives: the same elements are joined in the same order.

/// The same functions compiled once more for wider vectors, which are taken where the processor has them. The operations
/// and their order are the same, so the bits are.
macro_rules! by_vector_width {
    ($($name:ident = $of:ident $wide:ident <$($t:ident)?>($($arg:ident: $ty:ty),*) -> $result:ty;)*) => {$(
        fn $name<$($t: Number)?>($($arg: $ty),*) -> $result {
            #[cfg(target_arch = "x86_64")]
            if is_x86_feature_detected!("avx2") {
                // SAFETY: the processor has AVX2, as was asked.
                return unsafe { $wide($($arg),*) };
            }
            $of($($arg),*)
        }

        #[cfg(target_arch = "x86_64")]
        #[target_feature(enable = "avx2")]
        fn $wide<$($t: Number)?>($($arg: $ty),*) -> $result {
            $of($($arg),*)
        }
    )*};
}

pub(super) mod bins;
pub(super) mod compact;
pub(super) mod convolve;
pub(super) mod moves;
pub(super) mod reduce;
pub(super) mod scan;
pub(super) mod sort;
