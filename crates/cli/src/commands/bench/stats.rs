//! Medians, spreads and intervals. All pure.

/// The middle value, or the mean of the middle two; NaN of nothing.
pub fn median(values: &[f64]) -> f64 {
    quantile(values, 0.5)
}

/// The value below which a part `q` (0 to 1) of all lie, interpolated; NaN of nothing.
pub fn quantile(values: &[f64], q: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let Some(last) = sorted.len().checked_sub(1) else { return f64::NAN };
    let at = q.clamp(0.0, 1.0) * last as f64;
    let (low, high) = (sorted[at.floor() as usize], sorted[at.ceil() as usize]);
    low + (high - low) * at.fract()
}

/// Median absolute deviation from the median.
pub fn mad(values: &[f64]) -> f64 {
    let middle = median(values);
    median(&values.iter().map(|v| (v - middle).abs()).collect::<Vec<_>>())
}

/// Geometric mean of `1 + r` less one, over regrets; zero of nothing.
pub fn geomean(regrets: &[f64]) -> f64 {
    if regrets.is_empty() {
        return 0.0;
    }
    let sum: f64 = regrets.iter().map(|r| (1.0 + r).max(1e-9).ln()).sum();
    (sum / regrets.len() as f64).exp() - 1.0
}

/// A small generator: what is drawn from it is the same in every run.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// Follows from the seed alone.
    pub fn new(seed: u64) -> Self {
        Random(seed)
    }

    /// The next 64 bits (splitmix64).
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// As many values, drawn with replacement.
    pub fn resample(&mut self, values: &[f64]) -> Vec<f64> {
        (0..values.len()).map(|_| values[(self.bits() % values.len() as u64) as usize]).collect()
    }
}

/// Draws of a bootstrap.
const DRAWS: usize = 200;

/// The 95 % interval of a figure over bootstrap draws of what it is computed from.
pub fn interval(seed: u64, mut figure: impl FnMut(&mut Random) -> f64) -> [f64; 2] {
    let mut random = Random::new(seed);
    let draws: Vec<f64> = (0..DRAWS).map(|_| figure(&mut random)).collect();
    [quantile(&draws, 0.025), quantile(&draws, 0.975)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians_and_quantiles_are_those_of_the_sorted_values() {
        assert_eq!(median(&[3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), 2.5);
        assert_eq!(quantile(&[0.0, 10.0], 0.95), 9.5);
        assert!(median(&[]).is_nan());
        assert_eq!(mad(&[1.0, 2.0, 3.0, 100.0]), 1.0);
    }

    #[test]
    fn the_geometric_mean_of_regrets_is_over_ratios() {
        assert!((geomean(&[1.0, -0.5])).abs() < 1e-12);
        assert_eq!(geomean(&[]), 0.0);
    }

    #[test]
    fn an_interval_holds_the_figure_and_shrinks_with_the_spread() {
        let wide = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0];
        let [low, high] = interval(1, |random| median(&random.resample(&wide)));
        assert!(low < 4.5 && high > 4.5);
        let [low, high] = interval(1, |random| median(&random.resample(&[4.5; 8])));
        assert_eq!((low, high), (4.5, 4.5));
    }
}
