//! evener.
