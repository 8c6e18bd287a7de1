//! `z = a x + y`: results that are not read.

use super::{Data, Lines, Number, Work, close};

pub struct Triad {
    name: &'static str,
    pub a: f32,
    pub x: Lines<f32>,
    pub y: Lines<f32>,
    pub z: Lines<f32>,
}

impl Triad {
    pub fn new(name: &'static str, len: usize) -> Self {
        let x = Lines::from_fn(len, |i| ((i * 37) % 1001) as f32 / 500.0 - 1.0);
        let y = Lines::from_fn(len, |i| ((i * 53) % 997) as f32 / 100.0);
        Triad { name, a: 0.625, x, y, z: Lines::zeros(len) }
    }
}

impl Work for Triad {
    fn name(&self) -> &'static str {
        self.name
    }
    fn source(&self) -> &'static str {
        include_str!("triad.wgsl")
    }
    fn params(&self) -> Vec<(&'static str, Number)> {
        vec![("a", Number::F32(self.a))]
    }
    fn storage(&mut self) -> Vec<(&'static str, Data<'_>)> {
        vec![("x", Data::F32(&self.x)), ("y", Data::F32(&self.y)), ("z", Data::WriteF32(&mut self.z))]
    }
    fn items(&self) -> [u32; 3] {
        [self.z.len() as u32, 1, 1]
    }
    fn reset(&mut self) {
        self.z.fill(0.0);
    }
    fn check(&self) -> Result<(), String> {
        let want = |i| f64::from(self.a) * f64::from(self.x[i]) + f64::from(self.y[i]);
        close(&self.z, want, |i| 2e-7 * (1.0 + want(i).abs()))
    }
    fn is_compute_bound(&self) -> bool {
        false
    }
}
