//! The operators of the IR, each named once: the text form writes and reads these names in lower case.

/// Defines operators and the list of all of them.
macro_rules! operators {
    ($(#[$about:meta])* $name:ident { $($(#[$what:meta])* $operator:ident,)* }) => {
        $(#[$about])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[allow(missing_docs, reason = "the names are WGSL's")]
        pub enum $name {
            $($(#[$what])* $operator,)*
        }

        impl $name {
            /// All of them.
            pub const ALL: &'static [$name] = &[$($name::$operator),*];
        }
    };
}

operators! {
    /// Unary operations.
    UnaryOp {
        /// Arithmetic negation (integers wrap).
        Neg,
        /// Bitwise complement; logical for Bool.
        Not,
        Abs,
        Floor,
        Ceil,
        /// Round half to even.
        Round,
        Trunc,
        Sqrt,
        InverseSqrt,
        Exp,
        Exp2,
        Log,
        Log2,
        Sin,
        Cos,
        Tan,
        Asin,
        Acos,
        Atan,
        Sinh,
        Cosh,
        Tanh,
        Asinh,
        Acosh,
        Atanh,
        CountOneBits,
        ReverseBits,
        CountLeadingZeros,
        CountTrailingZeros,
        /// All ones where there is none.
        FirstLeadingBit,
        /// All ones where there is none.
        FirstTrailingBit,
        /// Rounds an F32 to the nearest binary16 value (F32 result).
        QuantizeF16,
    }
}

operators! {
    /// Binary operations.
    BinaryOp {
        Add,
        Sub,
        Mul,
        /// The high half of the 64-bit product of 32-bit integers. WGSL has none: passes make it.
        MulHigh,
        /// Total: integer `x / 0 = x`, `MIN / -1 = MIN`.
        Div,
        /// Total: integer `x % 0 = 0`, `MIN % -1 = 0`; floats truncate (`x - y * trunc(x / y)`).
        Rem,
        /// Floats: the other operand where one is NaN.
        Min,
        Max,
        /// Bitwise; logical for Bool.
        And,
        Or,
        Xor,
        /// The amount (U32) is taken modulo the width.
        Shl,
        /// Arithmetic for signed types.
        Shr,
        Eq,
        Ne,
        Lt,
        Le,
        Gt,
        Ge,
        Pow,
        Atan2,
    }
}

operators! {
    /// Atomic operations on 32- and 64-bit integers; on F32 only loads, stores, sums and exchanges.
    AtomicOp {
        Load,
        Store,
        Add,
        Sub,
        Min,
        Max,
        And,
        Or,
        Xor,
        Exchange,
        CompareExchange,
    }
}

impl BinaryOp {
    /// Whether the result is a Bool whatever the operands.
    pub fn is_comparison(self) -> bool {
        use BinaryOp::*;
        matches!(self, Eq | Ne | Lt | Le | Gt | Ge)
    }
}
