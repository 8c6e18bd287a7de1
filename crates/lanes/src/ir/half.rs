//! IEEE binary16 as bits, without branches, so that loops over lanes vectorise.

/// Bits of the F32 infinity.
const INFINITY: u32 = 0x7f80_0000;
/// Bits of 2^-14, the least normal binary16 value, as F32.
const LEAST_NORMAL: u32 = 113 << 23;
/// The difference of the exponents' biases, 127 - 15, in F32 bits.
const REBIAS: u32 = 112 << 23;

/// The value of binary16 bits. A NaN becomes quiet.
#[inline(always)]
pub fn to_f32(half: u16) -> f32 {
    let sign = u32::from(half & 0x8000) << 16;
    let magnitude = u32::from(half & 0x7fff);
    let moved = (magnitude << 13) + REBIAS;
    // The largest exponent stands for infinity and NaN: twice the difference makes it the largest F32 one.
    let quiet = if magnitude > 0x7c00 { 0x40_0000 } else { 0 };
    let wide = if magnitude >= 0x7c00 { (moved + REBIAS) | quiet } else { moved };
    let subnormal = (magnitude as f32 * (1.0 / 16_777_216.0)).to_bits();
    f32::from_bits(sign | if magnitude < 0x400 { subnormal } else { wide })
}

/// The binary16 bits nearest to a value, ties to even; infinite from 65520 on. A NaN becomes quiet and keeps the top of
/// its payload.
#[inline(always)]
pub fn from_f32(x: f32) -> u16 {
    let bits = x.to_bits();
    let magnitude = bits & 0x7fff_ffff;
    // Dropping 13 mantissa bits, ties to even, may carry into the exponent, which is right, up to infinity.
    let rounded = (magnitude.wrapping_sub(REBIAS).wrapping_add(0xfff + ((magnitude >> 13) & 1))) >> 13;
    let normal = if rounded >= 0x7c00 { 0x7c00 } else { rounded };
    // Subnormal halves are multiples of 2^-24, the last place of 0.5: the addition rounds there.
    let subnormal = (f32::from_bits(magnitude) + 0.5).to_bits().wrapping_sub(0.5f32.to_bits());
    let finite = if magnitude < LEAST_NORMAL { subnormal } else { normal };
    let nan = 0x7e00 | ((magnitude >> 13) & 0x3ff);
    let wide = if magnitude >= INFINITY { 0x7c00 } else { finite };
    let half = if magnitude > INFINITY { nan } else { wide };
    ((bits >> 16) & 0x8000 | half) as u16
}

/// The binary16 value nearest to a value. A NaN stays what it is.
#[inline(always)]
pub fn quantize(x: f32) -> f32 {
    let bits = x.to_bits();
    let magnitude = bits & 0x7fff_ffff;
    let rounded = (magnitude.wrapping_add(0xfff + ((magnitude >> 13) & 1))) & !0x1fff;
    // From 2^16 on there is only infinity.
    let normal = if rounded >= 0x4780_0000 { INFINITY } else { rounded };
    let subnormal = ((f32::from_bits(magnitude) + 0.5) - 0.5).to_bits();
    let finite = if magnitude < LEAST_NORMAL { subnormal } else { normal };
    let out = if magnitude > INFINITY { magnitude } else { finite };
    f32::from_bits(bits & 0x8000_0000 | out)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// By the standard's definition; `None` for NaN.
    fn value(half: u16) -> Option<f64> {
        let (exponent, mantissa) = (i32::from(half >> 10 & 0x1f), f64::from(half & 0x3ff));
        let magnitude = match exponent {
            0 => mantissa * 2f64.powi(-24),
            31 if mantissa == 0.0 => f64::INFINITY,
            31 => return None,
            e => (1024.0 + mantissa) * 2f64.powi(e - 25),
        };
        Some(if half & 0x8000 == 0 { magnitude } else { -magnitude })
    }

    #[test]
    fn every_half_has_its_value_and_comes_back() {
        for half in 0..=u16::MAX {
            let wide = to_f32(half);
            match value(half) {
                Some(v) => {
                    assert_eq!((f64::from(wide), wide.is_sign_negative()), (v, half & 0x8000 != 0), "{half:#x}");
                    assert_eq!((from_f32(wide), quantize(wide).to_bits()), (half, wide.to_bits()), "{half:#x}");
                }
                None => assert!(wide.is_nan() && from_f32(wide) == half | 0x200, "{half:#x}"),
            }
        }
    }

    #[test]
    fn between_two_halves_the_nearest_is_taken_and_the_even_one_of_a_tie() {
        let largest = 0x7bff;
        for half in 0..=largest {
            let (low, high) = (value(half).unwrap(), value(half + 1).unwrap().min(65536.0));
            let middle = ((low + high) / 2.0) as f32;
            let even = if half % 2 == 0 { half } else { half + 1 };
            for (x, expected) in [(middle, even), (middle.next_down(), half), (middle.next_up(), half + 1)] {
                assert_eq!((from_f32(x), from_f32(-x)), (expected, expected | 0x8000), "{x:e}");
                assert_eq!(quantize(x).to_bits(), to_f32(expected).to_bits(), "{x:e}");
            }
        }
        for x in [1e30, f32::INFINITY, f32::MAX] {
            assert_eq!((from_f32(x), quantize(-x)), (0x7c00, f32::NEG_INFINITY));
        }
        assert_eq!((from_f32(f32::MIN_POSITIVE), quantize(f32::from_bits(1))), (0, 0.0));
        assert_eq!(from_f32(f32::from_bits(0xff80_0001)), 0xfe00);
        assert!(quantize(f32::NAN).is_nan());
    }
}
