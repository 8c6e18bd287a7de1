//! Built-in functions that WGSL defines exactly, or by a formula.

use super::{
    Machine, Value,
    geometry::{dot, geometry},
    pack,
    scalar::{Bits, Float, Int, Kind},
    shape::Shape,
};
use naga::{Expression, Handle, MathFunction as F};

/// A function of up to four scalars.
type FnN = fn(&[u64]) -> u64;

impl Machine<'_, '_> {
    pub(super) fn math(&mut self, fun: F, arguments: &[Handle<Expression>], active: &[usize]) -> Result<Value, String> {
        let shape = self.shape(arguments[0])?;
        let kind = shape.kind()?;
        let values = arguments.iter().map(|a| self.value(*a)).collect::<Result<Vec<_>, _>>()?;
        let values: Vec<&Value> = values.iter().map(|v| &**v).collect();
        if let Some(f) = componentwise(fun, kind) {
            return Ok(self.components(&values, f, active));
        }
        match fun {
            F::Dot => return Ok(self.whole_vectors(&values, active, &mut |v| vec![dot(kind, &v[0], &v[1])])),
            F::Transpose => {
                let Shape::Matrix { columns, rows, .. } = *shape else { return Err("transpose of no matrix".into()) };
                let turned = |v: &[Vec<u64>]| {
                    (0..rows).flat_map(|r| (0..columns).map(move |c| (c, r))).map(|(c, r)| v[0][c * rows + r]).collect()
                };
                return Ok(self.whole_vectors(&values, active, &mut |v| turned(v)));
            }
            F::Modf | F::Frexp => {
                let (first, second) = decomposition(fun, kind)?;
                let mut data = self.components(&values, first, active).data;
                data.extend(self.components(&values, second, active).data);
                return Ok(Value { data });
            }
            _ => {}
        }
        let mut failed = false;
        let result = self.whole_vectors(&values, active, &mut |v| {
            let geometric = match kind {
                Kind::F32 => geometry::<f32>(fun, v),
                Kind::F64 => geometry::<f64>(fun, v),
                _ => None,
            };
            geometric.or_else(|| pack::pack(fun, v)).unwrap_or_else(|| {
                failed = true;
                Vec::new()
            })
        });
        if failed { Err(format!("the function {fun:?} on {kind:?}")) } else { Ok(result) }
    }

    /// A function of the arguments' scalars at the same place; a scalar goes with each of a vector's.
    fn components(&self, values: &[&Value], f: FnN, active: &[usize]) -> Value {
        let leaves = values.iter().map(|v| v.data.len()).max().unwrap_or(0) / self.lanes;
        let mut data = vec![0; leaves * self.lanes];
        let mut scalars = [0; 4];
        for leaf in 0..leaves {
            for &l in active {
                for (s, v) in scalars.iter_mut().zip(values) {
                    *s = self.leaf(v, leaf)[l];
                }
                data[leaf * self.lanes + l] = f(&scalars[..values.len()]);
            }
        }
        Value { data }
    }
}

fn componentwise(fun: F, kind: Kind) -> Option<FnN> {
    match kind {
        Kind::I32 => int::<i32>(fun),
        Kind::U32 => int::<u32>(fun),
        Kind::I64 => int::<i64>(fun),
        Kind::U64 => int::<u64>(fun),
        Kind::F32 if fun == F::QuantizeToF16 => Some(|a| pack::quantize(f32::from_bits(a[0] as u32)).bits()),
        Kind::F32 => float::<f32>(fun),
        Kind::F64 => float::<f64>(fun),
        Kind::Bool => None,
    }
}

fn int<T: Int>(fun: F) -> Option<FnN> {
    Some(match fun {
        F::Abs => |a| T::from_bits(a[0]).abs().bits(),
        F::Sign => |a| T::from_bits(a[0]).sign().bits(),
        F::Min => |a| T::from_bits(a[0]).min(T::from_bits(a[1])).bits(),
        F::Max => |a| T::from_bits(a[0]).max(T::from_bits(a[1])).bits(),
        F::Clamp => |a| T::from_bits(a[0]).max(T::from_bits(a[1])).min(T::from_bits(a[2])).bits(),
        F::CountOneBits => |a| a[0].count_ones().into(),
        F::CountLeadingZeros => |a| (a[0].leading_zeros() - (64 - T::WIDTH)).into(),
        F::CountTrailingZeros => |a| a[0].trailing_zeros().min(T::WIDTH).into(),
        F::ReverseBits => |a| a[0].reverse_bits() >> (64 - T::WIDTH),
        F::FirstTrailingBit => |a| (0..T::WIDTH).find(|i| a[0] >> i & 1 == 1).map_or(ones(T::WIDTH), u64::from),
        F::FirstLeadingBit => |a| {
            // Of a negative number, the highest zero.
            let seek = if T::from_bits(a[0]).wide() < 0 { 0 } else { 1 };
            (0..T::WIDTH).rev().find(|i| a[0] >> i & 1 == seek).map_or(ones(T::WIDTH), u64::from)
        },
        F::ExtractBits => |a| {
            let (offset, count) = range::<T>(a[1], a[2]);
            let field = (0..count).fold(0, |field, i| field | (a[0] >> (offset + i) & 1) << i);
            let negative = T::from_bits(ones(T::WIDTH)).wide() < 0 && count > 0 && field >> (count - 1) & 1 == 1;
            if negative { (field | !ones(count)) & ones(T::WIDTH) } else { field }
        },
        F::InsertBits => |a| {
            let (offset, count) = range::<T>(a[2], a[3]);
            (0..count).fold(a[0], |e, i| e & !(1 << (offset + i)) | (a[1] >> i & 1) << (offset + i))
        },
        _ => return None,
    })
}

/// The lowest bits set.
fn ones(count: u32) -> u64 {
    if count >= 64 { u64::MAX } else { (1 << count) - 1 }
}

/// The bits that an offset and a count select of a type.
fn range<T: Int>(offset: u64, count: u64) -> (u32, u32) {
    let offset = (offset as u32).min(T::WIDTH);
    (offset, (count as u32).min(T::WIDTH - offset))
}

/// The number where one of both is NaN; of equal ones the first.
fn min<T: Float>(a: T, b: T) -> T {
    if b < a || a.nan() { b } else { a }
}

fn max<T: Float>(a: T, b: T) -> T {
    if b > a || a.nan() { b } else { a }
}

fn float<T: Float>(fun: F) -> Option<FnN> {
    macro_rules! f {
        (|$($a:ident),*| $e:expr) => {{
            fn f<T: Float>(args: &[u64]) -> u64 {
                let mut args = args.iter().map(|a| T::from_bits(*a));
                $(let $a = args.next().unwrap_or(T::of(0.0));)*
                $e.bits()
            }
            f::<T>
        }};
    }
    Some(match fun {
        F::Abs => f!(|a| a.abs()),
        F::Sign => f!(|a| T::of(if a > T::of(0.0) {
            1.0
        } else if a < T::of(0.0) {
            -1.0
        } else {
            0.0
        })),
        F::Min => f!(|a, b| min(a, b)),
        F::Max => f!(|a, b| max(a, b)),
        F::Clamp => f!(|a, low, high| min(max(a, low), high)),
        F::Saturate => f!(|a| min(max(a, T::of(0.0)), T::of(1.0))),
        F::Ceil => f!(|a| a.ceil()),
        F::Floor => f!(|a| a.floor()),
        F::Round => f!(|a| a.round()),
        F::Trunc => f!(|a| a.trunc()),
        F::Fract => f!(|a| a.sub(a.floor())),
        F::Sqrt => f!(|a| a.sqrt()),
        F::Radians => f!(|a| a.mul(T::of(std::f64::consts::PI / 180.0))),
        F::Degrees => f!(|a| a.mul(T::of(180.0 / std::f64::consts::PI))),
        F::Fma => f!(|a, b, c| a.fma(b, c)),
        F::Step => f!(|edge, x| T::of(if edge <= x { 1.0 } else { 0.0 })),
        F::Mix => f!(|a, b, t| a.mul(T::of(1.0).sub(t)).add(b.mul(t))),
        F::SmoothStep => f!(|low, high, x| {
            let t = x.sub(low).div(high.sub(low));
            let t = min(max(t, T::of(0.0)), T::of(1.0));
            t.mul(t).mul(T::of(3.0).sub(T::of(2.0).mul(t)))
        }),
        F::Ldexp => |a| T::from_bits(a[0]).ldexp(a[1] as u32 as i32).bits(),
        _ => return None,
    })
}

/// The two parts that `modf` and `frexp` give.
fn decomposition(fun: F, kind: Kind) -> Result<(FnN, FnN), String> {
    fn parts<T: Float>(fun: F) -> (FnN, FnN) {
        match fun {
            F::Modf => {
                (|a| T::from_bits(a[0]).sub(T::from_bits(a[0]).trunc()).bits(), |a| T::from_bits(a[0]).trunc().bits())
            }
            _ => (|a| T::from_bits(a[0]).frexp().0.bits(), |a| (T::from_bits(a[0]).frexp().1 as u32).into()),
        }
    }
    match kind {
        Kind::F32 => Ok(parts::<f32>(fun)),
        Kind::F64 => Ok(parts::<f64>(fun)),
        _ => Err(format!("{fun:?} of {kind:?}")),
    }
}
