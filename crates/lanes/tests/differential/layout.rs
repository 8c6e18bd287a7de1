//! WGSL's layout of the generator's types in buffers, and random contents.

use super::{
    ast::{Buffer, Scalar, Ty},
    rng::Rng,
};

pub fn align(ty: &Ty) -> u32 {
    match ty {
        Ty::Scalar(s) | Ty::Atomic(s) => s.bytes(),
        Ty::Vector(n, s) | Ty::Matrix(_, n, s) => s.bytes() * if *n == 2 { 2 } else { 4 },
        Ty::Array(t, _) | Ty::Runtime(t) => align(t),
        Ty::Struct(s) => s.members.iter().map(|(_, t)| align(t)).max().unwrap_or(4),
    }
}

/// Bytes of a value; of a runtime-sized array none.
pub fn size(ty: &Ty) -> u32 {
    match ty {
        Ty::Scalar(s) | Ty::Atomic(s) => s.bytes(),
        Ty::Vector(n, s) => u32::from(*n) * s.bytes(),
        Ty::Matrix(c, _, _) => u32::from(*c) * align(ty),
        Ty::Array(t, n) => n * stride(t),
        Ty::Runtime(_) => 0,
        Ty::Struct(s) => {
            let end = offsets(s).zip(&s.members).map(|(at, (_, t))| at + size(t)).last();
            end.unwrap_or(0).next_multiple_of(align(ty))
        }
    }
}

/// Bytes from element to element of an array.
pub fn stride(element: &Ty) -> u32 {
    size(element).next_multiple_of(align(element))
}

fn offsets(s: &super::ast::Struct) -> impl Iterator<Item = u32> {
    s.members.iter().scan(0, |end, (_, t)| {
        let at = u32::next_multiple_of(*end, align(t));
        *end = at + size(t);
        Some(at)
    })
}

/// Bytes before the runtime-sized array at the end (or of all), and its stride.
pub fn fixed(ty: &Ty) -> (u32, Option<u32>) {
    match ty {
        Ty::Runtime(t) => (0, Some(stride(t))),
        Ty::Struct(s) => match s.members.last() {
            Some((_, Ty::Runtime(t))) => (offsets(s).last().unwrap_or(0), Some(stride(t))),
            _ => (size(ty), None),
        },
        _ => (size(ty), None),
    }
}

/// Calls `f` with the offset and type of each scalar of a buffer of `bytes`.
pub fn each_leaf(ty: &Ty, at: u32, bytes: u32, f: &mut dyn FnMut(u32, Scalar)) {
    match ty {
        Ty::Scalar(s) | Ty::Atomic(s) => f(at, *s),
        Ty::Vector(n, s) => (0..u32::from(*n)).for_each(|i| f(at + i * s.bytes(), *s)),
        Ty::Matrix(c, r, s) => {
            for column in 0..u32::from(*c) {
                each_leaf(&Ty::Vector(*r, *s), at + column * align(ty), bytes, f);
            }
        }
        Ty::Array(t, n) => (0..*n).for_each(|i| each_leaf(t, at + i * stride(t), bytes, f)),
        Ty::Runtime(t) => {
            let n = bytes.saturating_sub(at) / stride(t);
            (0..n).for_each(|i| each_leaf(t, at + i * stride(t), bytes, f));
        }
        Ty::Struct(s) => {
            offsets(s).zip(&s.members).for_each(|(offset, (_, t))| each_leaf(t, at + offset, bytes, f));
        }
    }
}

/// The contents of a buffer at the start.
pub fn contents(buffer: &Buffer) -> Vec<u8> {
    let mut rng = Rng::new(buffer.seed);
    let mut bytes: Vec<u8> = Vec::with_capacity(buffer.bytes + 8);
    while bytes.len() < buffer.bytes {
        bytes.extend(rng.next().to_le_bytes());
    }
    bytes.truncate(buffer.bytes);
    each_leaf(&buffer.ty, 0, buffer.bytes as u32, &mut |at, scalar| {
        let bits = value(&mut rng, scalar).to_le_bytes();
        let n = scalar.bytes() as usize;
        bytes[at as usize..at as usize + n].copy_from_slice(&bits[..n]);
    });
    bytes
}

/// A random value: often small, sometimes extreme.
pub fn value(rng: &mut Rng, scalar: Scalar) -> u64 {
    match scalar {
        Scalar::Bool => rng.next() & 1,
        Scalar::F32 => u64::from((float(rng, f32::MIN_POSITIVE.into(), f32::MAX.into()) as f32).to_bits()),
        Scalar::F64 => float(rng, f64::MIN_POSITIVE, f64::MAX).to_bits(),
        _ => match rng.below(10) {
            0..=4 => rng.below(20) as u64,
            5 => (rng.below(20) as u64).wrapping_neg(),
            6 => *rng.pick(&[0, u64::MAX, 1 << 31, (1 << 31) - 1, 1 << 63, u64::MAX >> 1, 0x8000_0000_8000_0000]),
            7 => 1 << rng.below(64),
            8 => rng.below(1000) as u64,
            _ => rng.next(),
        },
    }
}

fn float(rng: &mut Rng, least: f64, most: f64) -> f64 {
    let small = rng.below(64) as f64 - 32.0;
    match rng.below(16) {
        0..=5 => small / 4.0,
        6..=8 => small,
        9 => *rng.pick(&[0.0, -0.0, 1.0, -1.0, 0.5]),
        10 => *rng.pick(&[f64::INFINITY, f64::NEG_INFINITY, f64::NAN, most, -most, least, least / 8.0, -least / 4.0]),
        11 => *rng.pick(&[2147483648.0, -2147483648.0, 4294967296.0, 2147483520.0, 65520.0, 1e10, 16777217.0, 9.3e18]),
        12 => small * 2f64.powi(rng.below(80) as i32 - 40),
        _ => (rng.next() >> 11) as f64 / (1u64 << 53) as f64 * 4.0 - 2.0,
    }
}
