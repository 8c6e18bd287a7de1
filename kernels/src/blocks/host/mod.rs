//! What the CPU does itself, where plain Rust beats the WGSL compiled for it (by the figures of `benches/blocks.rs`).
//!
//! Each body gives the bits that its WGSL gives: the same elements are joined in the same order.

pub(super) mod bins;
pub(super) mod compact;
pub(super) mod convolve;
pub(super) mod moves;
pub(super) mod reduce;
pub(super) mod scan;
pub(super) mod sort;
