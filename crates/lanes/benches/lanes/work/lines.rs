//! Vectors that start on a cache line, so that no variant is slowed by where an allocation happened to be.

use bytemuck::{Pod, Zeroable};
use std::{
    marker::PhantomData,
    ops::{Deref, DerefMut},
};

#[derive(Clone, Copy, Debug)]
#[repr(C, align(64))]
struct Line([u8; 64]);

// SAFETY: bytes without padding.
unsafe impl Zeroable for Line {}
// SAFETY: as above.
unsafe impl Pod for Line {}

/// A slice of plain numbers on the heap.
#[derive(Clone, Debug)]
pub struct Lines<T> {
    lines: Vec<Line>,
    len: usize,
    _element: PhantomData<T>,
}

impl<T: Pod> Lines<T> {
    /// Zeros.
    pub fn zeros(len: usize) -> Self {
        let lines = vec![Line([0; 64]); (len * size_of::<T>()).div_ceil(64)];
        Lines { lines, len, _element: PhantomData }
    }

    /// `element(i)` for each `i`.
    pub fn from_fn(len: usize, mut element: impl FnMut(usize) -> T) -> Self {
        let mut all = Self::zeros(len);
        all.iter_mut().enumerate().for_each(|(i, e)| *e = element(i));
        all
    }
}

impl<T: Pod> Deref for Lines<T> {
    type Target = [T];
    fn deref(&self) -> &[T] {
        &bytemuck::cast_slice(&self.lines)[..self.len]
    }
}

impl<T: Pod> DerefMut for Lines<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        &mut bytemuck::cast_slice_mut(&mut self.lines)[..self.len]
    }
}
