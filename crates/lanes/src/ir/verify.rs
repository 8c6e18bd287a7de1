//! Checks that a [`Kernel`](super::Kernel) is well formed.
