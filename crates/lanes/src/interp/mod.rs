//! The vector interpreter over the lane IR.
