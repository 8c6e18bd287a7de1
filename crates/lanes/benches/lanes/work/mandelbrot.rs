//! Escape times: a loop whose length differs from invocation to invocation.

use super::{Data, Lines, Number, Work};

pub struct Mandelbrot {
    pub width: u32,
    pub height: u32,
    pub cap: u32,
    pub left: f32,
    pub top: f32,
    pub pixel: f32,
    pub count: Lines<u32>,
    want: Vec<u32>,
}

impl Mandelbrot {
    pub fn new(side: u32, cap: u32) -> Self {
        let (left, top, pixel) = (-2.0, 1.25, 2.5 / side as f32);
        let count = Lines::zeros((side * side) as usize);
        let at = |i: u32| (f64::from(left) + f64::from(pixel) * f64::from(i % side), i / side);
        let re_im = |i: u32| (at(i).0, f64::from(top) - f64::from(pixel) * f64::from(at(i).1));
        let want = (0..side * side).map(|i| escape(re_im(i), cap)).collect();
        Mandelbrot { width: side, height: side, cap, left, top, pixel, count, want }
    }
}

fn escape((re, im): (f64, f64), cap: u32) -> u32 {
    let (mut x, mut y, mut n) = (0.0f64, 0.0f64, 0);
    while n < cap && x * x + y * y <= 4.0 {
        (x, y) = (x * x - y * y + re, 2.0 * x * y + im);
        n += 1;
    }
    n
}

impl Work for Mandelbrot {
    fn name(&self) -> &'static str {
        "mandelbrot"
    }
    fn source(&self) -> &'static str {
        include_str!("mandelbrot.wgsl")
    }
    fn params(&self) -> Vec<(&'static str, Number)> {
        vec![
            ("view.width", Number::U32(self.width)),
            ("view.height", Number::U32(self.height)),
            ("view.cap", Number::U32(self.cap)),
            ("view.left", Number::F32(self.left)),
            ("view.top", Number::F32(self.top)),
            ("view.pixel", Number::F32(self.pixel)),
        ]
    }
    fn storage(&mut self) -> Vec<(&'static str, Data<'_>)> {
        vec![("count", Data::WriteU32(&mut self.count))]
    }
    fn items(&self) -> [u32; 3] {
        [self.width, self.height, 1]
    }
    fn reset(&mut self) {
        self.count.fill(0);
    }
    /// Orbits near the edge of the set are chaotic: rounding may change the count of one pixel in fifty.
    fn check(&self) -> Result<(), String> {
        let other = self.count.iter().zip(&self.want).filter(|(a, b)| a != b).count();
        let sums = [&self.count[..], &self.want].map(|c| c.iter().map(|n| f64::from(*n)).sum::<f64>());
        let close = (sums[0] / sums[1] - 1.0).abs() < 2e-3;
        if other * 50 < self.want.len() && close {
            return Ok(());
        }
        Err(format!("{other} of {} counts differ; their sum is {} and should be {}", self.want.len(), sums[0], sums[1]))
    }
    fn is_compute_bound(&self) -> bool {
        true
    }
}
