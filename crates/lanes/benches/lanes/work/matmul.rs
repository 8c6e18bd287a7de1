//! Product of square matrices through tiles in work-group memory.

use super::{Data, Lines, Number, Numbers, Work, close};

/// Side of a tile, here and in the hand-written versions.
pub const TILE: usize = 16;

pub struct Matmul {
    pub size: usize,
    pub a: Lines<f32>,
    pub b: Lines<f32>,
    pub c: Lines<f32>,
    want: Vec<f64>,
}

impl Matmul {
    /// `size` is a multiple of the tile's side.
    pub fn new(size: usize) -> Self {
        assert!(size.is_multiple_of(TILE));
        let mut numbers = Numbers(11);
        let mut input = || Lines::from_fn(size * size, |_| numbers.between(-1.0, 1.0));
        let (a, b) = (input(), input());
        let mut want = vec![0.0; size * size];
        for (row, want) in want.chunks_exact_mut(size).enumerate() {
            for k in 0..size {
                let a = f64::from(a[row * size + k]);
                want.iter_mut().zip(&b[k * size..]).for_each(|(want, b)| *want += a * f64::from(*b));
            }
        }
        Matmul { size, a, b, c: Lines::zeros(size * size), want }
    }
}

impl Work for Matmul {
    fn name(&self) -> &'static str {
        "matmul 512"
    }
    fn source(&self) -> &'static str {
        include_str!("matmul.wgsl")
    }
    fn params(&self) -> Vec<(&'static str, Number)> {
        vec![("size", Number::U32(self.size as u32))]
    }
    fn storage(&mut self) -> Vec<(&'static str, Data<'_>)> {
        vec![("a", Data::F32(&self.a)), ("b", Data::F32(&self.b)), ("c", Data::WriteF32(&mut self.c))]
    }
    fn items(&self) -> [u32; 3] {
        [self.size as u32, self.size as u32, 1]
    }
    fn reset(&mut self) {
        self.c.fill(0.0);
    }
    fn check(&self) -> Result<(), String> {
        close(&self.c, |i| self.want[i], |_| 1e-4)
    }
    fn is_compute_bound(&self) -> bool {
        true
    }
}
