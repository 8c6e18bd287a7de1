//! A step of the heat equation by the 5-point Laplacian.

use super::{Data, Lines, Number, Numbers, Work, close};

pub struct Stencil {
    name: &'static str,
    pub width: usize,
    pub height: usize,
    pub rate: f32,
    pub now: Lines<f32>,
    pub next: Lines<f32>,
}

impl Stencil {
    pub fn new(name: &'static str, width: usize, height: usize) -> Self {
        let mut numbers = Numbers(5);
        let now = Lines::from_fn(width * height, |_| numbers.between(0.0, 100.0));
        Stencil { name, width, height, rate: 0.2, now, next: Lines::zeros(width * height) }
    }

    fn want(&self, i: usize) -> f64 {
        let (x, y) = (i % self.width, i / self.width);
        if x == 0 || x == self.width - 1 || y == 0 || y == self.height - 1 {
            return 0.0;
        }
        let at = |i: usize| f64::from(self.now[i]);
        let around = at(i - 1) + at(i + 1) + at(i - self.width) + at(i + self.width);
        at(i) + f64::from(self.rate) * (around - 4.0 * at(i))
    }
}

impl Work for Stencil {
    fn name(&self) -> &'static str {
        self.name
    }
    fn source(&self) -> &'static str {
        include_str!("stencil.wgsl")
    }
    fn params(&self) -> Vec<(&'static str, Number)> {
        let [width, height] = [self.width, self.height].map(|n| Number::U32(n as u32));
        vec![("grid.width", width), ("grid.height", height), ("grid.rate", Number::F32(self.rate))]
    }
    fn storage(&mut self) -> Vec<(&'static str, Data<'_>)> {
        vec![("now", Data::F32(&self.now)), ("next", Data::WriteF32(&mut self.next))]
    }
    fn items(&self) -> [u32; 3] {
        [self.width as u32, self.height as u32, 1]
    }
    fn reset(&mut self) {
        self.next.fill(0.0);
    }
    fn check(&self) -> Result<(), String> {
        close(&self.next, |i| self.want(i), |_| 6e-5)
    }
    fn is_compute_bound(&self) -> bool {
        false
    }
}
