//! Softened gravity of all bodies on each.

use super::{Data, Lines, Number, Numbers, Work};

pub struct NBody {
    pub softening2: f32,
    /// x, y, z, mass.
    pub bodies: Lines<[f32; 4]>,
    pub acceleration: Lines<[f32; 4]>,
    want: Vec<[f64; 3]>,
}

impl NBody {
    pub fn new(count: usize) -> Self {
        let mut numbers = Numbers(3);
        let mut place = || numbers.between(-1.0, 1.0);
        let bodies = Lines::from_fn(count, |_| [place(), place(), place(), place().abs()]);
        let softening2 = 0.01;
        let want = bodies.iter().map(|b| pull(b, &bodies, softening2)).collect();
        NBody { softening2, bodies, acceleration: Lines::zeros(count), want }
    }
}

fn pull(here: &[f32; 4], bodies: &[[f32; 4]], softening2: f32) -> [f64; 3] {
    let mut sum = [0.0; 3];
    for other in bodies {
        let d: [f64; 3] = std::array::from_fn(|k| f64::from(other[k]) - f64::from(here[k]));
        let r2 = d.iter().map(|d| d * d).sum::<f64>() + f64::from(softening2);
        let w = f64::from(other[3]) / (r2 * r2.sqrt());
        (0..3).for_each(|k| sum[k] += w * d[k]);
    }
    sum
}

impl Work for NBody {
    fn name(&self) -> &'static str {
        "n-body"
    }
    fn source(&self) -> &'static str {
        include_str!("nbody.wgsl")
    }
    fn params(&self) -> Vec<(&'static str, Number)> {
        let count = Number::U32(self.bodies.len() as u32);
        vec![("system.count", count), ("system.softening2", Number::F32(self.softening2))]
    }
    fn storage(&mut self) -> Vec<(&'static str, Data<'_>)> {
        vec![("bodies", Data::Vec4(&self.bodies)), ("acceleration", Data::WriteVec4(&mut self.acceleration))]
    }
    fn items(&self) -> [u32; 3] {
        [self.bodies.len() as u32, 1, 1]
    }
    fn reset(&mut self) {
        self.acceleration.fill([0.0; 4]);
    }
    fn check(&self) -> Result<(), String> {
        for (i, (got, want)) in self.acceleration.iter().zip(&self.want).enumerate() {
            let size = want.iter().map(|w| w * w).sum::<f64>().sqrt();
            let error = (0..3).map(|k| (f64::from(got[k]) - want[k]).abs()).fold(0.0, f64::max);
            // Rounding of a sum of thousands of terms that partly cancel.
            if error.is_nan() || error > 2e-5 * (size + 10.0) || got[3] != 0.0 {
                return Err(format!("body {i}: {got:?} and should be {want:?}"));
            }
        }
        Ok(())
    }
    fn is_compute_bound(&self) -> bool {
        true
    }
}
