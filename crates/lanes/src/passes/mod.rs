//! Passes over the lane IR.
