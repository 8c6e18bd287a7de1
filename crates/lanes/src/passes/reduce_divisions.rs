//! Divides by constants with multiplications and shifts.
//!
//! By a power of two, a division is a shift and a remainder a mask; signed ones round towards zero by adding `2^k - 1` to
//! what is negative. By another constant `c`, a quotient of 32 bits is the high half of a product with
//! `m = floor(2^n / c) + 1`: with `x < 2^b`, `floor(x * m / 2^n)` is `floor(x / c)` as soon as
//! `m * c - 2^n <= 2^(n - b)`, for then the error stays below `1 / c` (Granlund and Montgomery 1994). `m` may take 33 bits;
//! an even `c` is shifted out of the way first, for an odd one the top bit is added by hand. A product with a power of
//! two becomes a shift as well. 64-bit divisions other than by powers of two stay.

use super::copies::fresh;
use crate::ir::{BinaryOp, Inst, Kernel, Op, Region, Ty, UnaryOp, Value, fold::truncate};
use naga::Span;

/// Runs the pass. Constants are left where they are used.
pub fn reduce_divisions(kernel: &mut Kernel) {
    let constants = vec![None; kernel.values.len()];
    let mut pass =
        Reduction { types: std::mem::take(&mut kernel.values), constants, out: Vec::new(), span: Span::UNDEFINED };
    pass.region(&mut kernel.body);
    kernel.values = pass.types;
}

struct Reduction {
    types: Vec<Ty>,
    /// The bits of integer constants.
    constants: Vec<Option<u64>>,
    out: Vec<Inst>,
    span: Span,
}

impl Reduction {
    fn region(&mut self, region: &mut Region) {
        let around = std::mem::replace(&mut self.out, Vec::with_capacity(region.insts.len()));
        for mut inst in std::mem::take(&mut region.insts) {
            inst.regions_mut().for_each(|r| self.region(r));
            if let Inst::Op { dst, op, span } = &mut inst {
                self.span = *span;
                match *op {
                    Op::Const(bits) => self.constants[dst.index()] = Some(bits),
                    Op::Binary(o, a, b) => {
                        if let Some(reduced) = self.reduce(o, a, b) {
                            *op = reduced;
                        }
                    }
                    _ => {}
                }
            }
            self.out.push(inst);
        }
        region.insts = std::mem::replace(&mut self.out, around);
    }

    /// The last of the operations that replace one.
    fn reduce(&mut self, op: BinaryOp, x: Value, by: Value) -> Option<Op> {
        let ty = self.types[x.index()];
        let c = self.constants.get(by.index()).copied().flatten()?;
        if ty.is_float() || ty == Ty::Bool || c < 2 {
            return None;
        }
        match (op, ty.is_signed()) {
            (BinaryOp::Mul, _) if c.is_power_of_two() => Some(self.shift(BinaryOp::Shl, x, c.trailing_zeros())),
            (BinaryOp::Div, false) if c.is_power_of_two() => Some(self.shift(BinaryOp::Shr, x, c.trailing_zeros())),
            (BinaryOp::Rem, false) if c.is_power_of_two() => {
                let mask = self.constant(ty, c - 1);
                Some(Op::Binary(BinaryOp::And, x, mask))
            }
            (BinaryOp::Div, _) => self.quotient(ty, x, c),
            (BinaryOp::Rem, _) => {
                let quotient = self.quotient(ty, x, c)?;
                let quotient = self.emit(ty, quotient);
                let product = self.emit(ty, Op::Binary(BinaryOp::Mul, quotient, by));
                Some(Op::Binary(BinaryOp::Sub, x, product))
            }
            _ => None,
        }
    }

    fn quotient(&mut self, ty: Ty, x: Value, c: u64) -> Option<Op> {
        match ty {
            Ty::U32 => Some(self.unsigned(x, c as u32)),
            Ty::I32 | Ty::I64 => self.signed(ty, x, c),
            _ => None,
        }
    }

    /// `x / c` for an unsigned `c` that is no power of two.
    fn unsigned(&mut self, x: Value, c: u32) -> Op {
        if let Some((m, n)) = multiplier(c, 32, 32) {
            return self.high_product(x, m, n);
        }
        let zeros = c.trailing_zeros();
        if zeros > 0
            && let Some((m, n)) = multiplier(c >> zeros, 32 - zeros, 32)
        {
            let shifted = self.shift(BinaryOp::Shr, x, zeros);
            let shifted = self.emit(Ty::U32, shifted);
            return self.high_product(shifted, m, n);
        }
        // m = 2^32 + rest: x * m / 2^n = (x + x * rest / 2^32) / 2^(n - 32), where the sum may take 33 bits.
        let (m, n) = multiplier(c, 32, 33).expect("33 bits suffice");
        let high = self.high_product(x, m - (1 << 32), 32);
        let high = self.emit(Ty::U32, high);
        let rest = self.emit(Ty::U32, Op::Binary(BinaryOp::Sub, x, high));
        let half = self.shift(BinaryOp::Shr, rest, 1);
        let half = self.emit(Ty::U32, half);
        let sum = self.emit(Ty::U32, Op::Binary(BinaryOp::Add, half, high));
        self.shift(BinaryOp::Shr, sum, n - 33)
    }

    /// `x * m / 2^n` of 32-bit numbers, n at least 32.
    fn high_product(&mut self, x: Value, m: u64, n: u32) -> Op {
        let ty = self.types[x.index()];
        let m = self.constant(ty, m);
        let high = Op::Binary(BinaryOp::MulHigh, x, m);
        if n == 32 {
            return high;
        }
        let high = self.emit(ty, high);
        self.shift(BinaryOp::Shr, high, n - 32)
    }

    /// `x / c` for a signed `c`, none for -1 and the least number.
    fn signed(&mut self, ty: Ty, x: Value, c: u64) -> Option<Op> {
        let width = 8 * ty.bytes();
        let is_negative = c >> (width - 1) != 0;
        let by = if is_negative { truncate(ty, c.wrapping_neg()) } else { c };
        if by < 2 || by >> (width - 1) != 0 {
            return None;
        }
        let quotient = if by.is_power_of_two() {
            let k = by.trailing_zeros();
            let sum = self.rounded_up(ty, x, k);
            self.shift(BinaryOp::Shr, sum, k)
        } else if ty == Ty::I32 {
            self.signed_product(x, by as u32)
        } else {
            return None;
        };
        if !is_negative {
            return Some(quotient);
        }
        Some(Op::Unary(UnaryOp::Neg, self.emit(ty, quotient)))
    }

    /// `x`, with `2^k - 1` added where it is negative.
    fn rounded_up(&mut self, ty: Ty, x: Value, k: u32) -> Value {
        let unsigned = if ty == Ty::I32 { Ty::U32 } else { Ty::U64 };
        let width = 8 * ty.bytes();
        let sign = self.shift(BinaryOp::Shr, x, width - 1);
        let sign = self.emit(ty, sign);
        let bits = self.emit(unsigned, Op::Bitcast(sign));
        let bias = self.shift(BinaryOp::Shr, bits, width - k);
        let bias = self.emit(unsigned, bias);
        let bias = self.emit(ty, Op::Bitcast(bias));
        self.emit(ty, Op::Binary(BinaryOp::Add, x, bias))
    }

    /// `x / c` of I32 for c > 2: the product rounded down, and one more where x is negative.
    fn signed_product(&mut self, x: Value, c: u32) -> Op {
        let down = match multiplier(c, 31, 31) {
            Some((m, n)) => self.high_product(x, m, n),
            None => {
                // A factor of 32 bits is negative as a signed number: 2^32 too low.
                let (m, n) = multiplier(c, 31, 32).expect("32 bits suffice for 31");
                let high = self.high_product(x, m, 32);
                let high = self.emit(Ty::I32, high);
                let sum = self.emit(Ty::I32, Op::Binary(BinaryOp::Add, high, x));
                self.shift(BinaryOp::Shr, sum, n - 32)
            }
        };
        let down = self.emit(Ty::I32, down);
        let sign = self.shift(BinaryOp::Shr, x, 31);
        let sign = self.emit(Ty::I32, sign);
        Op::Binary(BinaryOp::Sub, down, sign)
    }

    fn shift(&mut self, op: BinaryOp, x: Value, by: u32) -> Op {
        let amount = self.constant(Ty::U32, by.into());
        Op::Binary(op, x, amount)
    }

    fn constant(&mut self, ty: Ty, bits: u64) -> Value {
        self.emit(ty, Op::Const(bits))
    }

    fn emit(&mut self, ty: Ty, op: Op) -> Value {
        let dst = fresh(&mut self.types, ty);
        self.constants.push(None);
        self.out.push(Inst::Op { dst, op, span: self.span });
        dst
    }
}

/// `m` of at most `bits` bits and the least `n`, not below 32, with `floor(x * m / 2^n) = floor(x / c)` for all `x < 2^range`.
fn multiplier(c: u32, range: u32, bits: u32) -> Option<(u64, u32)> {
    let c = u128::from(c);
    (32..=range + 32).find_map(|n| {
        let power = 1u128 << n;
        let m = power / c + 1;
        let fits = m < 1 << bits && m * c - power <= 1 << (n - range);
        fits.then_some((m as u64, n))
    })
}

#[cfg(test)]
mod tests {
    use super::multiplier;

    #[test]
    fn multipliers_divide_at_the_borders() {
        for c in (3..5000).chain([0x7fff_ffff, 0x8000_0001, 0xffff_fffe, u32::MAX]).filter(|c| !c.is_power_of_two()) {
            for (range, bits) in [(32, 32), (32, 33), (31, 31), (31, 32)] {
                let Some((m, n)) = multiplier(c, range, bits) else {
                    assert_eq!(bits, range, "{c} has a multiplier of one bit more");
                    continue;
                };
                let top = (1u64 << range) - 1;
                let last = top / u64::from(c) * u64::from(c);
                for x in [0, 1, u64::from(c) - 1, u64::from(c), last.saturating_sub(1), last, top] {
                    let x = x.min(top);
                    let found = ((u128::from(x) * u128::from(m)) >> n) as u64;
                    assert_eq!(found, x / u64::from(c), "{x} / {c} by {m} >> {n}");
                }
            }
        }
    }
}
