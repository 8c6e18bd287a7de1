//! Angles of any size, reduced exactly: multiplication by as many bits of `1/pi` as matter (Payne and Hanek).

use super::{format::Format, machine::Machine};

/// `1/pi`, a word above the binary point and the rest below it.
const INVERSE_PI: [u64; 20] = [
    0x0000_0000_0000_0000,
    0x517c_c1b7_2722_0a94,
    0xfe13_abe8_fa9a_6ee0,
    0x6db1_4acc_9e21_c820,
    0xff28_b1d5_ef5d_e2b0,
    0xdb92_371d_2126_e970,
    0x0324_9775_04e8_c90e,
    0x7f0e_f58e_5894_d39f,
    0x7441_1afa_975d_a242,
    0x74ce_3813_5a2f_bf20,
    0x9cc8_eb1c_c1a9_9cfa,
    0x4e42_2fc5_defc_941d,
    0x8ffc_4bff_ef02_cc07,
    0xf797_88c5_ad05_368f,
    0xb69b_3f67_93e5_84db,
    0xa7a3_1fb3_4f2f_f516,
    0xba93_dd63_f5f2_f8bd,
    0x9e83_9cfb_c529_4975,
    0x35fd_afd8_8fc6_ae84,
    0x2b01_9823_7e3d_b5d5,
];

/// Which multiple of the unit is taken away.
#[derive(Clone, Copy)]
pub(super) enum Grid {
    /// Integer multiples of pi: `|r| <= pi/2`.
    Pi,
    /// Odd multiples of `pi/2`: `|r| <= pi/2`.
    OddHalfPi,
    /// Integer multiples of `pi/2`: `|r| <= pi/4`.
    HalfPi,
}

/// `|x| = n unit + r`: `r` in two parts, and a float whose lowest bit is that of `n`. NaN for infinities.
///
/// `|x|` is at least 1. The fixed-point words below the binary point leave `r` a relative error below 2^-30 (`f32`)
/// or 2^-55 (`f64`) for every float.
#[inline(always)]
pub(super) fn reduce<M: Machine>(m: &M, x: M::F, grid: Grid) -> [M::F; 3] {
    let (width, digits) = (M::Float::WIDTH, M::Float::DIGITS);
    let magnitude = m.bits(m.abs(x));
    let hidden = 1 << (digits - 1);
    let mantissa = m.or(m.and(magnitude, m.word(hidden - 1)), m.word(hidden));
    // The mantissa times the bits of 1/pi from here on is the number of units modulo 2.
    let bias = (1u64 << (width - digits - 1)) - 1;
    let doubled = u64::from(matches!(grid, Grid::HalfPi));
    let first = m.word(bias + u64::from(digits) - u64::from(width) - doubled);
    let [w0, w1, w2] = window(m, m.minus(m.shr(magnitude, digits - 1), first));
    let (a, b) = (m.times(mantissa, w1), m.times_high(mantissa, w2));
    let low = m.plus(a, b);
    let carry = m.or(m.and(a, b), m.and(m.or(a, b), m.xor(low, m.word(u64::MAX))));
    let high = m.plus(m.times(mantissa, w0), m.times_high(mantissa, w1));
    let high = m.plus(high, m.shr(carry, width - 1));
    let half = m.word(1 << (width - 2));
    let high = if matches!(grid, Grid::OddHalfPi) { m.plus(high, half) } else { high };
    let n = m.shr(m.plus(high, half), width - 1);
    let fraction = [m.or(m.shl(high, 1), m.shr(low, width - 1)), m.shl(low, 1)];
    let [r, rest] = times_unit(m, fraction, if doubled == 1 { 0.5 } else { 1.0 });
    // An infinity minus itself is NaN.
    [m.add(r, m.sub(x, x)), rest, m.float(n)]
}

/// Three words of `1/pi` from bit `at` of the table on.
#[inline(always)]
fn window<M: Machine>(m: &M, at: M::U) -> [M::U; 3] {
    let width = M::Float::WIDTH;
    let words = if width == 64 { 20 } else { 8 };
    let mut table: [M::U; 20] = std::array::from_fn(|i| match width {
        64 => m.word(INVERSE_PI[i]),
        _ => m.word(INVERSE_PI[i.div_ceil(2)] >> (32 * (i % 2))),
    });
    let index = m.shr(at, width.trailing_zeros());
    for stage in [16, 8, 4, 2, 1] {
        if stage + 3 < words {
            let stays = m.same(m.and(index, m.word(stage as u64)), m.word(0));
            for i in 0..(3 + stage).min(words - stage) {
                table[i] = m.choose(stays, table[i], table[i + stage]);
            }
        }
    }
    let up = m.and(at, m.word(u64::from(width - 1)));
    let down = m.xor(up, m.word(u64::from(width - 1)));
    std::array::from_fn(|i| m.or(m.shl_by(table[i], up), m.shr_by(m.shr(table[i + 1], 1), down)))
}

/// A signed fraction of two words times `scale * pi`, as the sum of two floats.
#[inline(always)]
fn times_unit<M: Machine>(m: &M, [high, low]: [M::U; 2], scale: f64) -> [M::F; 2] {
    let (width, digits) = (M::Float::WIDTH, M::Float::DIGITS);
    let rest = width - digits;
    // Three pieces that floats hold exactly.
    let pieces = [
        m.sar(high, rest),
        m.shr(m.or(m.shl(high, digits), m.shr(low, rest)), rest),
        m.shr(m.shl(low, digits - rest), rest),
    ];
    let mut unit = 1.0;
    let [a, b, c] = pieces.map(|piece| {
        unit /= (1u64 << digits) as f64;
        m.mul(m.signed(piece), m.n(unit))
    });
    let head = m.add(a, b);
    let tail = m.add(m.add(m.sub(a, head), b), c);
    let [pi, pi_rest, _] = M::Float::PI.map(|p| m.c(p * M::Float::nearest(scale)));
    let product = m.mul(head, pi);
    let error = m.fma(head, pi, m.neg(product));
    let error = m.fma(tail, pi, m.fma(head, pi_rest, error));
    let sum = m.add(product, error);
    [sum, m.add(m.sub(product, sum), error)]
}
