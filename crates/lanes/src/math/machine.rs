//! The operations that the functions are written in, so that one text gives numbers and code.

use super::format::Format;

/// What evaluates a function: a lane of the interpreter ([`Scalar`](super::scalar::Scalar)) or the
/// emitter of instructions ([`Emit`](super::expand::Emit)). Every operation is one of the lane IR and
/// has one result bit for bit, but for the payload and sign of a NaN.
///
/// A float's word is the unsigned integer of its size. Comparisons with NaN are false.
pub(crate) trait Machine {
    /// `f32` or `f64`.
    type Float: Format;
    /// A float.
    type F: Copy;
    /// A word.
    type U: Copy;
    /// A truth value.
    type B: Copy;

    /// A constant.
    fn c(&self, x: Self::Float) -> Self::F;
    /// A constant word.
    fn w(&self, x: <Self::Float as Format>::Word) -> Self::U;

    /// `a + b`.
    fn add(&self, a: Self::F, b: Self::F) -> Self::F;
    /// `a - b`.
    fn sub(&self, a: Self::F, b: Self::F) -> Self::F;
    /// `a * b`.
    fn mul(&self, a: Self::F, b: Self::F) -> Self::F;
    /// `a / b`.
    fn div(&self, a: Self::F, b: Self::F) -> Self::F;
    /// `a * b + c` with one rounding.
    fn fma(&self, a: Self::F, b: Self::F, c: Self::F) -> Self::F;
    /// The square root.
    fn sqrt(&self, a: Self::F) -> Self::F;
    /// `-a`.
    fn neg(&self, a: Self::F) -> Self::F;
    /// `|a|`.
    fn abs(&self, a: Self::F) -> Self::F;
    /// The integer towards zero.
    fn trunc(&self, a: Self::F) -> Self::F;

    /// `a < b`.
    fn lt(&self, a: Self::F, b: Self::F) -> Self::B;
    /// `a == b`.
    fn eq(&self, a: Self::F, b: Self::F) -> Self::B;
    /// `c ? a : b`.
    fn select(&self, c: Self::B, a: Self::F, b: Self::F) -> Self::F;
    /// Both.
    fn both(&self, a: Self::B, b: Self::B) -> Self::B;
    /// One or both.
    fn either(&self, a: Self::B, b: Self::B) -> Self::B;
    /// The opposite.
    fn not(&self, a: Self::B) -> Self::B;

    /// The bits of a float.
    fn bits(&self, a: Self::F) -> Self::U;
    /// The float with these bits.
    fn float(&self, a: Self::U) -> Self::F;
    /// The word as a signed integer, as a float.
    fn signed(&self, a: Self::U) -> Self::F;
    /// `a + b`, wrapping.
    fn plus(&self, a: Self::U, b: Self::U) -> Self::U;
    /// `a - b`, wrapping.
    fn minus(&self, a: Self::U, b: Self::U) -> Self::U;
    /// The low word of `a * b`.
    fn times(&self, a: Self::U, b: Self::U) -> Self::U;
    /// The high word of `a * b`.
    fn times_high(&self, a: Self::U, b: Self::U) -> Self::U;
    /// The lesser of two words.
    fn least(&self, a: Self::U, b: Self::U) -> Self::U;
    /// `a & b`.
    fn and(&self, a: Self::U, b: Self::U) -> Self::U;
    /// `a | b`.
    fn or(&self, a: Self::U, b: Self::U) -> Self::U;
    /// `a ^ b`.
    fn xor(&self, a: Self::U, b: Self::U) -> Self::U;
    /// `a << n`; `n` is below the width.
    fn shl(&self, a: Self::U, n: u32) -> Self::U;
    /// `a >> n`, zeros from above; `n` is below the width.
    fn shr(&self, a: Self::U, n: u32) -> Self::U;
    /// `a >> n`, copies of the sign from above; `n` is below the width.
    fn sar(&self, a: Self::U, n: u32) -> Self::U;
    /// `a << n`, `n` modulo the width.
    fn shl_by(&self, a: Self::U, n: Self::U) -> Self::U;
    /// `a >> n`, zeros from above, `n` modulo the width.
    fn shr_by(&self, a: Self::U, n: Self::U) -> Self::U;
    /// `a < b` as signed integers.
    fn below(&self, a: Self::U, b: Self::U) -> Self::B;
    /// `a == b`.
    fn same(&self, a: Self::U, b: Self::U) -> Self::B;
    /// `c ? a : b`.
    fn choose(&self, c: Self::B, a: Self::U, b: Self::U) -> Self::U;

    /// `slow()` where `cond` holds, else `fast`: for arguments so seldom that the slow path is skipped
    /// when no lane needs it.
    fn rare<const N: usize>(
        &self,
        cond: Self::B,
        fast: [Self::F; N],
        slow: impl FnOnce() -> [Self::F; N],
    ) -> [Self::F; N];

    /// `c[0] + c[1] x + c[2] x^2 + ...` by Horner's rule.
    #[inline(always)]
    fn polynomial(&self, x: Self::F, c: &[Self::Float]) -> Self::F {
        let last = c.len() - 1;
        let mut sum = self.c(c[last]);
        for k in (0..last).rev() {
            sum = self.fma(sum, x, self.c(c[k]));
        }
        sum
    }

    /// The nearest constant.
    #[inline(always)]
    fn n(&self, x: f64) -> Self::F {
        self.c(Self::Float::nearest(x))
    }

    /// The low bits of a constant word.
    #[inline(always)]
    fn word(&self, x: u64) -> Self::U {
        self.w(Self::Float::word(x))
    }

    /// The sign bit of `a`, alone.
    #[inline(always)]
    fn sign(&self, a: Self::F) -> Self::U {
        self.and(self.bits(a), self.word(1 << (Self::Float::WIDTH - 1)))
    }

    /// `a` negated where the sign bit of `sign` (from [`Machine::sign`]) is set.
    #[inline(always)]
    fn flip(&self, a: Self::F, sign: Self::U) -> Self::F {
        self.float(self.xor(self.bits(a), sign))
    }
}
