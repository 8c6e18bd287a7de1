//! Transcendental functions of f32, written so that the loops over lanes vectorise.
//!
//! All work in f64 and round once at the end: a short Taylor or atanh series is then exact to a small
//! fraction of an f32 ULP, subnormal results and overflow come from the conversion back, and no
//! compensated arithmetic is needed. Multiplications and additions are separate (no FMA), so every
//! instruction set gives the same bits. The tests below hold every function
//! within 0.52 ULP; arguments outside a fast domain ([`sin_cos_domain`], [`pow_domain`]) go to the standard library lane by lane.
//!
//! The functions of the second half are rare; they correct what the standard library's formulas lose.

/// Adding and subtracting it rounds to an integer (ties to even), which is left in the low mantissa bits.
const ROUND: f64 = 6_755_399_441_055_744.0; // 1.5 * 2^52
/// An f64 with this exponent holds an integer below 2^52 in its mantissa.
const INTEGER: u64 = 0x4330_0000_0000_0000;
/// Bits of sqrt(1/2): mantissas are taken from there to sqrt(2).
const SQRT_HALF: u64 = 0x3fe6_a09e_667f_3bcd;
/// Bits of 1.
const ONE: u64 = 0x3ff0_0000_0000_0000;

/// `c[0] + c[1] x + c[2] x^2 + ...` by Horner's rule.
#[inline(always)]
fn polynomial<const N: usize>(x: f64, c: [f64; N]) -> f64 {
    let mut sum = c[N - 1];
    for k in (0..N - 1).rev() {
        sum = sum * x + c[k];
    }
    sum
}

/// `2^t` for the range of f32: infinite or zero as an f32 outside. NaN stays NaN.
#[inline(always)]
fn power_of_two(t: f64) -> f64 {
    let t = if t > 200.0 { 200.0 } else { t };
    let t = if t < -200.0 { -200.0 } else { t };
    let shifted = t + ROUND;
    let k = shifted - ROUND;
    let x = (t - k) * std::f64::consts::LN_2;
    // |x| <= ln(2)/2: the first term left out is 2e-10.
    const C: [f64; 9] = [1.0, 1.0, 0.5, 1.0 / 6.0, 1.0 / 24.0, 1.0 / 120.0, 1.0 / 720.0, 1.0 / 5040.0, 1.0 / 40320.0];
    let scale = f64::from_bits((shifted.to_bits() << 52).wrapping_add(ONE));
    polynomial(x, C) * scale
}

/// The base-2 logarithm of a finite `x > 0` (an f32's value, so a normal f64); relative error about 2e-12.
#[inline(always)]
fn logarithm(x: f64) -> f64 {
    // x = 2^k m with sqrt(1/2) <= m < sqrt(2); the exponent field of `t` is k + 1023.
    let t = x.to_bits().wrapping_add(ONE - SQRT_HALF);
    let k = f64::from_bits((t >> 52) | INTEGER) - (4_503_599_627_370_496.0 + 1023.0);
    let m = f64::from_bits((t & 0x000f_ffff_ffff_ffff) + SQRT_HALF);
    // log m = 2 atanh((m - 1) / (m + 1)), |s| <= 0.172: the first term left out is 1.3e-12 of it.
    let s = (m - 1.0) / (m + 1.0);
    const C: [f64; 7] = [1.0, 1.0 / 3.0, 1.0 / 5.0, 1.0 / 7.0, 1.0 / 9.0, 1.0 / 11.0, 1.0 / 13.0];
    k + s * polynomial(s * s, C) * (2.0 * std::f64::consts::LOG2_E)
}

/// `e^x`.
#[inline(always)]
pub(super) fn exp(x: f32) -> f32 {
    power_of_two(f64::from(x) * std::f64::consts::LOG2_E) as f32
}

/// `2^x`.
#[inline(always)]
pub(super) fn exp2(x: f32) -> f32 {
    power_of_two(f64::from(x)) as f32
}

/// [`logarithm`] times a constant with the special cases: -inf at 0, NaN below, the argument at inf and NaN.
#[inline(always)]
fn logarithm_times(x: f32, factor: f64) -> f32 {
    let y = (logarithm(f64::from(x)) * factor) as f32;
    let y = if x < f32::INFINITY { y } else { x };
    let y = if x == 0.0 { f32::NEG_INFINITY } else { y };
    if x < 0.0 { f32::NAN } else { y }
}

/// The natural logarithm.
#[inline(always)]
pub(super) fn log(x: f32) -> f32 {
    logarithm_times(x, std::f64::consts::LN_2)
}

/// The base-2 logarithm.
#[inline(always)]
pub(super) fn log2(x: f32) -> f32 {
    logarithm_times(x, 1.0)
}

/// Where [`pow`] holds: `+0 <= x < inf` and `y` finite, positive where `x` is 0.
#[inline(always)]
pub(super) fn pow_domain(x: f32, y: f32) -> bool {
    (x.to_bits() < f32::INFINITY.to_bits()) & (y.abs() < f32::INFINITY) & ((x != 0.0) | (y > 0.0))
}

/// `x^y` in [`pow_domain`].
#[inline(always)]
pub(super) fn pow(x: f32, y: f32) -> f32 {
    let p = power_of_two(logarithm(f64::from(x)) * f64::from(y)) as f32;
    if x == 0.0 { 0.0 } else { p }
}

/// The hyperbolic tangent.
#[inline(always)]
pub(super) fn tanh(x: f32) -> f32 {
    let x = f64::from(x);
    let t = power_of_two(x * (2.0 * std::f64::consts::LOG2_E));
    let large = 1.0 - 2.0 / (t + 1.0);
    // Below 0.1 the difference would cancel; the first term left out is 2e-10.
    const C: [f64; 4] = [1.0, -1.0 / 3.0, 2.0 / 15.0, -17.0 / 315.0];
    let small = x * polynomial(x * x, C);
    (if x.abs() < 0.1 { small } else { large }) as f32
}

/// Where the argument reduction of [`sin`], [`cos`] and [`tan`] is exact enough. Not at NaN.
#[inline(always)]
pub(super) fn sin_cos_domain(x: f32) -> bool {
    x.abs() <= 1.0e6
}

/// Sine and cosine of `x - k pi/2` for the nearest `k`, and `k` modulo 4 in the low bits.
#[inline(always)]
fn reduced(x: f32) -> (f64, f64, u64) {
    // pi/2 in two parts; the first has 33 bits, so its product with |k| < 2^20 is exact.
    const HIGH: f64 = 1.570_796_326_734_125_6;
    const LOW: f64 = 6.077_100_506_506_192e-11;
    let x = f64::from(x);
    let shifted = x * std::f64::consts::FRAC_2_PI + ROUND;
    let k = shifted - ROUND;
    let r = x - k * HIGH - k * LOW;
    let z = r * r;
    // |r| <= pi/4: the first terms left out are 7e-12 and 7e-12.
    const S: [f64; 6] = [1.0, -1.0 / 6.0, 1.0 / 120.0, -1.0 / 5040.0, 1.0 / 362_880.0, -1.0 / 39_916_800.0];
    const C: [f64; 7] = [1.0, -0.5, 1.0 / 24.0, -1.0 / 720.0, 1.0 / 40320.0, -1.0 / 3_628_800.0, 1.0 / 479_001_600.0];
    (r * polynomial(z, S), polynomial(z, C), shifted.to_bits())
}

/// Sine of the angle `q` quadrants on from that of sine `s` and cosine `c`.
#[inline(always)]
fn quadrant(s: f64, c: f64, q: u64) -> f32 {
    let v = if q & 1 == 0 { s } else { c };
    f64::from_bits(v.to_bits() ^ ((q & 2) << 62)) as f32
}

/// The sine in [`sin_cos_domain`].
#[inline(always)]
pub(super) fn sin(x: f32) -> f32 {
    let (s, c, q) = reduced(x);
    quadrant(s, c, q)
}

/// The cosine in [`sin_cos_domain`].
#[inline(always)]
pub(super) fn cos(x: f32) -> f32 {
    let (s, c, q) = reduced(x);
    quadrant(s, c, q.wrapping_add(1))
}

/// The tangent in [`sin_cos_domain`].
#[inline(always)]
pub(super) fn tan(x: f32) -> f32 {
    let (s, c, q) = reduced(x);
    let (n, d) = if q & 1 == 0 { (s, c) } else { (-c, s) };
    (n / d) as f32
}

/// The inverse hyperbolic functions: the standard library's f32 formulas lose all digits near -1 (atanh)
/// and half of them near 1 (acosh); WGSL's conformance data allows a few ULP at atanh(-0.99999994).
pub(super) trait Inverse {
    /// `asinh x`.
    fn arc_sinh(self) -> Self;
    /// `acosh x`, NaN below 1.
    fn arc_cosh(self) -> Self;
    /// `atanh x`, infinite at 1 and -1, NaN beyond.
    fn arc_tanh(self) -> Self;
}

impl Inverse for f64 {
    fn arc_sinh(self) -> f64 {
        self.asinh()
    }

    fn arc_cosh(self) -> f64 {
        if self < 1.0 {
            return f64::NAN;
        }
        if self > 1e8 {
            return self.ln() + std::f64::consts::LN_2;
        }
        // Exact near 1.
        let t = self - 1.0;
        (t + (t * (self + 1.0)).sqrt()).ln_1p()
    }

    fn arc_tanh(self) -> f64 {
        let x = self.abs();
        (0.5 * (2.0 * x / (1.0 - x)).ln_1p()).copysign(self)
    }
}

impl Inverse for f32 {
    fn arc_sinh(self) -> f32 {
        f64::from(self).arc_sinh() as f32
    }

    fn arc_cosh(self) -> f32 {
        f64::from(self).arc_cosh() as f32
    }

    fn arc_tanh(self) -> f32 {
        f64::from(self).arc_tanh() as f32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All magnitudes of f32: subnormals, infinities and NaN included.
    fn sample() -> impl Iterator<Item = f32> {
        let edges = [0.0, -0.0, 1.0, -1.0, f32::MIN_POSITIVE, f32::MAX, f32::MIN, f32::INFINITY, f32::NEG_INFINITY];
        (0..=u32::MAX).step_by(20_011).map(f32::from_bits).chain(edges).chain([f32::NAN])
    }

    /// Distance in units of the last place of the expected value, subnormal places included.
    fn ulps(got: f32, expected: f64) -> f64 {
        let rounded = expected as f32;
        if got == rounded || (got.is_nan() && rounded.is_nan()) {
            return 0.0;
        }
        if rounded.is_infinite() || got.is_infinite() {
            return f64::INFINITY;
        }
        let exponent = (rounded.abs().to_bits() >> 23).max(1) as i32 - 127 - 23;
        (f64::from(got) - expected).abs() / 2f64.powi(exponent)
    }

    fn check(name: &str, limit: f64, got: fn(f32) -> f32, expected: fn(f64) -> f64, xs: impl Iterator<Item = f32>) {
        let mut count = 0;
        for x in xs {
            let (got, expected) = (got(x), expected(x.into()));
            let error = ulps(got, expected);
            assert!(error <= limit, "{name}({x:e}) = {got:e}, expected {expected:e}: {error} ULP");
            count += 1;
        }
        assert!(count > 1000, "{name}: {count} samples");
    }

    /// -1000 to 1000, dense around 0.
    fn moderate() -> impl Iterator<Item = f32> {
        (-100_000..100_000).map(|i| i as f32 * 1e-5).map(|t| t * t * t * 1000.0)
    }

    #[test]
    fn exponentials_and_logarithms_are_nearly_correctly_rounded() {
        let all = || sample().chain(moderate());
        check("exp", 0.51, exp, f64::exp, all());
        check("exp2", 0.51, exp2, f64::exp2, all());
        check("log", 0.51, log, f64::ln, all());
        check("log2", 0.51, log2, f64::log2, all());
        check("tanh", 0.51, tanh, f64::tanh, all());
        check("log near 1", 0.51, log, f64::ln, (0..4000).map(|i| f32::from_bits(0x3f7f_f800 + i)));
    }

    #[test]
    fn sine_cosine_tangent_are_nearly_correctly_rounded() {
        let angles = || {
            let wide = sample().filter(|x| sin_cos_domain(*x));
            let quarters = (0..200_000).map(|i| (f64::from(i) * std::f64::consts::FRAC_PI_2) as f32);
            wide.chain(moderate()).chain(quarters)
        };
        check("sin", 0.51, sin, f64::sin, angles());
        check("cos", 0.51, cos, f64::cos, angles());
        check("tan", 0.51, tan, f64::tan, angles());
        assert_eq!(sin(-0.0).to_bits(), (-0.0f32).to_bits());
        assert!(!sin_cos_domain(f32::NAN) && !sin_cos_domain(f32::NEG_INFINITY));
    }

    #[test]
    fn powers_are_nearly_correctly_rounded() {
        for y in [-37.25f32, -2.0, -1.0, -0.3, 0.0, 1e-30, 0.5, 1.0, 2.0, 2.2, 3.0, 11.7, 1000.0, -1e30] {
            for x in sample().chain(moderate()).filter(|x| pow_domain(*x, y)) {
                let (got, expected) = (pow(x, y), f64::from(x).powf(y.into()));
                let error = ulps(got, expected);
                assert!(error <= 0.52, "pow({x:e}, {y:e}) = {got:e}, expected {expected:e}: {error} ULP");
            }
        }
        assert_eq!((pow(3.0, 2.0), pow(0.0, 2.5), pow(2.0, -149.0)), (9.0, 0.0, f32::from_bits(1)));
        for (x, y) in [(-2.0, 2.0), (0.0, 0.0), (f32::INFINITY, 1.0), (2.0, f32::NAN), (-0.0, 3.0)] {
            assert!(!pow_domain(x, y));
        }
    }

    #[test]
    fn inverse_hyperbolic_functions_keep_their_digits_at_the_ends() {
        let near_one = -0.999_999_94f32;
        assert!((near_one.arc_tanh() + 8.664_34).abs() < 1e-6);
        assert_eq!(0.5f32.arc_tanh(), -(-0.5f32).arc_tanh());
        assert_eq!((1f32.arc_tanh(), (-1f32).arc_tanh()), (f32::INFINITY, f32::NEG_INFINITY));
        assert!(1.5f32.arc_tanh().is_nan() && 0.5f32.arc_cosh().is_nan() && (-2f32).arc_cosh().is_nan());
        assert_eq!(1f32.arc_cosh(), 0.0);
        assert!((1.000_000_1f32.arc_cosh() / 4.882_812_6e-4 - 1.0).abs() < 1e-6);
        assert!((f32::MAX.arc_cosh() - 89.415_985).abs() < 1e-5 && (-1e30f32).arc_sinh().is_finite());
    }
}
