//! Prices of European options.

use super::{Data, Lines, Number, Numbers, Work, close};

pub struct BlackScholes {
    pub rate: f32,
    pub volatility: f32,
    pub spot: Lines<f32>,
    pub strike: Lines<f32>,
    pub years: Lines<f32>,
    pub call: Lines<f32>,
    pub put: Lines<f32>,
}

impl BlackScholes {
    pub fn new(count: usize) -> Self {
        let mut numbers = Numbers(7);
        let mut input = |low, high| Lines::from_fn(count, |_| numbers.between(low, high));
        let (spot, strike, years) = (input(5.0, 30.0), input(1.0, 100.0), input(0.25, 10.0));
        let (call, put) = (Lines::zeros(count), Lines::zeros(count));
        BlackScholes { rate: 0.02, volatility: 0.3, spot, strike, years, call, put }
    }

    fn want(&self, i: usize) -> [f64; 2] {
        let [s, k, t] = [&self.spot, &self.strike, &self.years].map(|v| f64::from(v[i]));
        let (rate, v) = (f64::from(self.rate), f64::from(self.volatility));
        let d1 = ((s / k).ln() + (rate + 0.5 * v * v) * t) / (v * t.sqrt());
        let d2 = d1 - v * t.sqrt();
        let discounted = k * (-rate * t).exp();
        let (n1, n2) = (normal(d1), normal(d2));
        [s * n1 - discounted * n2, discounted * (1.0 - n2) - s * (1.0 - n1)]
    }
}

/// The kernel's polynomial: its own error is not the arithmetic's.
fn normal(d: f64) -> f64 {
    let k = 1.0 / (1.0 + 0.231_641_9 * d.abs());
    let coefficients = [1.330_274_429, -1.821_255_978, 1.781_477_937, -0.356_563_782, 0.319_381_530];
    let series = k * coefficients.iter().fold(0.0, |sum, c| sum * k + c);
    let tail = 0.398_942_28 * (-0.5 * d * d).exp() * series;
    if d > 0.0 { 1.0 - tail } else { tail }
}

impl Work for BlackScholes {
    fn name(&self) -> &'static str {
        "Black-Scholes"
    }
    fn source(&self) -> &'static str {
        include_str!("black_scholes.wgsl")
    }
    fn params(&self) -> Vec<(&'static str, Number)> {
        vec![("market.rate", Number::F32(self.rate)), ("market.volatility", Number::F32(self.volatility))]
    }
    fn storage(&mut self) -> Vec<(&'static str, Data<'_>)> {
        vec![
            ("spot", Data::F32(&self.spot)),
            ("strike", Data::F32(&self.strike)),
            ("years", Data::F32(&self.years)),
            ("call", Data::WriteF32(&mut self.call)),
            ("put", Data::WriteF32(&mut self.put)),
        ]
    }
    fn items(&self) -> [u32; 3] {
        [self.call.len() as u32, 1, 1]
    }
    fn reset(&mut self) {
        self.call.fill(0.0);
        self.put.fill(0.0);
    }
    /// Both prices are differences of parts of the size of spot and strike.
    fn check(&self) -> Result<(), String> {
        let slack = |i: usize| 5e-7 * f64::from(self.spot[i] + self.strike[i]);
        close(&self.call, |i| self.want(i)[0], slack)?;
        close(&self.put, |i| self.want(i)[1], slack)
    }
    fn is_compute_bound(&self) -> bool {
        true
    }
}
