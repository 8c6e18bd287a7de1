//! `y = a x + y`.

use super::{Data, Lines, Number, Work, close};

pub struct Saxpy {
    name: &'static str,
    pub a: f32,
    pub x: Lines<f32>,
    pub y: Lines<f32>,
}

impl Saxpy {
    pub fn new(name: &'static str, len: usize) -> Self {
        let x = Lines::from_fn(len, |i| ((i * 37) % 1001) as f32 / 500.0 - 1.0);
        Saxpy { name, a: 0.625, x, y: Lines::from_fn(len, first_y) }
    }
}

fn first_y(i: usize) -> f32 {
    ((i * 53) % 997) as f32 / 100.0
}

impl Work for Saxpy {
    fn name(&self) -> &'static str {
        self.name
    }
    fn source(&self) -> &'static str {
        include_str!("saxpy.wgsl")
    }
    fn params(&self) -> Vec<(&'static str, Number)> {
        vec![("a", Number::F32(self.a))]
    }
    fn storage(&mut self) -> Vec<(&'static str, Data<'_>)> {
        vec![("x", Data::F32(&self.x)), ("y", Data::WriteF32(&mut self.y))]
    }
    fn items(&self) -> [u32; 3] {
        [self.y.len() as u32, 1, 1]
    }
    fn reset(&mut self) {
        self.y.iter_mut().enumerate().for_each(|(i, y)| *y = first_y(i));
    }
    fn check(&self) -> Result<(), String> {
        let want = |i| f64::from(self.a) * f64::from(self.x[i]) + f64::from(first_y(i));
        close(&self.y, want, |i| 2e-7 * (1.0 + want(i).abs()))
    }
    fn is_compute_bound(&self) -> bool {
        false
    }
}
