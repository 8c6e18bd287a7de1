//! The text form of a [`Kernel`](super::Kernel).
