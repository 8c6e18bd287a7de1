//! Builds a [`Kernel`] region by region: value numbering, constant folding, trivial-phi removal.
