//! Packed vectors and half precision.

use super::scalar::Bits;
use naga::MathFunction as F;

/// The packing functions; `None` for any other.
pub fn pack(fun: F, v: &[Vec<u64>]) -> Option<Vec<u64>> {
    let a = &v[0];
    let word = *a.first()? as u32;
    let bytes = |word: u32| word.to_le_bytes().map(i64::from);
    let signed = |word: u32| word.to_le_bytes().map(|b| i64::from(b as i8));
    let second = || v.get(1).and_then(|b| b.first()).map_or(0, |b| *b as u32);
    let dot = |x: [i64; 4], y: [i64; 4]| x.iter().zip(y).map(|(x, y)| x * y).sum::<i64>();
    let join = |bits: u32, parts: Vec<u64>| {
        let mask = (1 << bits) - 1;
        vec![parts.iter().enumerate().fold(0, |word, (i, p)| word | (p & mask) << (i as u32 * bits))]
    };
    let norm = |bits: u32, low: f32, scale: f32| join(bits, a.iter().map(|x| packed(*x, low, scale)).collect());
    let clamped =
        |low: i64, high: i64, of: fn(u64) -> i64| join(8, a.iter().map(|x| of(*x).clamp(low, high) as u64).collect());
    let halves = [word as u16, (word >> 16) as u16];
    Some(match fun {
        F::Pack4x8snorm => norm(8, -1.0, 127.0),
        F::Pack4x8unorm => norm(8, 0.0, 255.0),
        F::Pack2x16snorm => norm(16, -1.0, 32767.0),
        F::Pack2x16unorm => norm(16, 0.0, 65535.0),
        F::Pack2x16float => join(16, a.iter().map(|x| half_bits(f32::from_bits(*x as u32)).into()).collect()),
        F::Pack4xI8 | F::Pack4xU8 => join(8, a.clone()),
        F::Pack4xI8Clamp => clamped(-128, 127, |x| i64::from(x as u32 as i32)),
        F::Pack4xU8Clamp => clamped(0, 255, |x| x as i64),
        F::Unpack4x8snorm => signed(word).iter().map(|p| (*p as f32 / 127.0).max(-1.0).bits()).collect(),
        F::Unpack4x8unorm => bytes(word).iter().map(|p| (*p as f32 / 255.0).bits()).collect(),
        F::Unpack2x16snorm => halves.iter().map(|h| (f32::from(*h as i16) / 32767.0).max(-1.0).bits()).collect(),
        F::Unpack2x16unorm => halves.iter().map(|h| (f32::from(*h) / 65535.0).bits()).collect(),
        F::Unpack2x16float => halves.iter().map(|h| half_value(*h).bits()).collect(),
        F::Unpack4xI8 => signed(word).iter().map(|p| (*p as i32).bits()).collect(),
        F::Unpack4xU8 => bytes(word).iter().map(|p| (*p as u32).bits()).collect(),
        F::Dot4I8Packed => vec![(dot(signed(word), signed(second())) as i32).bits()],
        F::Dot4U8Packed => vec![(dot(bytes(word), bytes(second())) as u32).bits()],
        _ => return None,
    })
}

/// `floor(0.5 + scale * clamp(x, low, 1))`; NaN packs as the lowest value, which the clamp makes of it.
fn packed(x: u64, low: f32, scale: f32) -> u64 {
    let x = f32::from_bits(x as u32);
    let x = if low > x || x.is_nan() { low } else { x };
    let x = if 1.0 < x { 1.0 } else { x };
    (0.5 + scale * x).floor() as i32 as u32 as u64
}

/// The nearest half, ties to even.
fn half_bits(x: f32) -> u16 {
    let sign = if x.is_sign_negative() { 0x8000 } else { 0 };
    let size = f64::from(x.abs());
    if x.is_nan() {
        return sign | 0x7e00;
    }
    if size >= 65520.0 {
        return sign | 0x7c00;
    }
    // The spacing of halves: 2^-24 below 2^-14, else 2^-10 of the power of two.
    let power = if size < 2f64.powi(-14) { -14 } else { size.log2().floor() as i32 };
    let steps = (size / 2f64.powi(power - 10)).round_ties_even() as u16;
    // A carry out of the mantissa runs into the exponent, as it should.
    sign | ((((power + 14) as u16) << 10) + steps)
}

fn half_value(half: u16) -> f32 {
    let (exponent, mantissa) = (i32::from(half >> 10 & 31), f32::from(half & 0x3ff));
    let size = match exponent {
        31 if mantissa != 0.0 => f32::NAN,
        31 => f32::INFINITY,
        0 => mantissa * 2f32.powi(-24),
        _ => (1024.0 + mantissa) * 2f32.powi(exponent - 25),
    };
    if half & 0x8000 != 0 { -size } else { size }
}

/// Through half precision and back.
pub fn quantize(x: f32) -> f32 {
    if x.is_nan() { x } else { half_value(half_bits(x)) }
}
