//! The operators and built-in functions, by the type that they give.

use crate::ast::{Scalar, Ty};

/// What an operand must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arg {
    /// The result's type.
    Same,
    /// The result's scalar type.
    Element,
    /// The result's shape of another scalar.
    Shape(Scalar),
    /// A scalar.
    One(Scalar),
    /// The result's type, never a literal: a divisor that is zero, or a product that overflows, would be refused.
    Variable,
    /// The result's shape of u32; a literal is below every width.
    Shift,
    /// A vector of the result's scalar type, of a size common to all such operands.
    AnyVector,
    /// A square matrix of the result's scalar type.
    Square,
    /// A vector of a size and scalar.
    Vector(u8, Scalar),
}

/// One way to make a value.
#[derive(Clone, Copy, Debug)]
pub struct Rule {
    pub form: &'static str,
    pub args: &'static [Arg],
    /// Whether the specification leaves its last bits open.
    pub open: bool,
}

const fn rule(form: &'static str, args: &'static [Arg]) -> Rule {
    Rule { form, args, open: false }
}

const fn open(form: &'static str, args: &'static [Arg]) -> Rule {
    Rule { form, args, open: true }
}

use Arg::*;

const INT: &[Rule] = &[
    rule("($ + $)", &[Same, Same]),
    rule("($ - $)", &[Same, Same]),
    rule("($ * $)", &[Same, Same]),
    rule("($ / $)", &[Same, Variable]),
    rule("($ % $)", &[Same, Variable]),
    rule("($ & $)", &[Same, Same]),
    rule("($ | $)", &[Same, Same]),
    rule("($ ^ $)", &[Same, Same]),
    rule("($ << $)", &[Same, Shift]),
    rule("($ >> $)", &[Same, Shift]),
    rule("(~$)", &[Same]),
    rule("min($, $)", &[Same, Same]),
    rule("max($, $)", &[Same, Same]),
    rule("clamp($, $, $)", &[Same, Same, Same]),
    rule("abs($)", &[Same]),
    rule("countOneBits($)", &[Same]),
    rule("countLeadingZeros($)", &[Same]),
    rule("countTrailingZeros($)", &[Same]),
    rule("reverseBits($)", &[Same]),
    rule("firstLeadingBit($)", &[Same]),
    rule("firstTrailingBit($)", &[Same]),
    rule("extractBits($, $, $)", &[Same, One(Scalar::U32), One(Scalar::U32)]),
    rule("insertBits($, $, $, $)", &[Same, Same, One(Scalar::U32), One(Scalar::U32)]),
];

const SIGNED: &[Rule] = &[rule("(-$)", &[Same]), rule("sign($)", &[Same])];

const VECTOR: &[Rule] = &[
    rule("($ + $)", &[Same, Element]),
    rule("($ - $)", &[Element, Same]),
    rule("($ * $)", &[Same, Element]),
    rule("($ * $)", &[Element, Same]),
];

const SCALAR: &[Rule] = &[rule("dot($, $)", &[AnyVector, AnyVector])];

const I32: &[Rule] = &[rule("dot4I8Packed($, $)", &[One(Scalar::U32), One(Scalar::U32)])];

const U32: &[Rule] = &[
    rule("dot4U8Packed($, $)", &[One(Scalar::U32), One(Scalar::U32)]),
    rule("pack4xI8($)", &[Vector(4, Scalar::I32)]),
    rule("pack4xU8($)", &[Vector(4, Scalar::U32)]),
    rule("pack4xI8Clamp($)", &[Vector(4, Scalar::I32)]),
    rule("pack4xU8Clamp($)", &[Vector(4, Scalar::U32)]),
];

/// Where the program has f32.
const U32_OF_FLOATS: &[Rule] = &[
    rule("pack4x8snorm($)", &[Vector(4, Scalar::F32)]),
    rule("pack4x8unorm($)", &[Vector(4, Scalar::F32)]),
    rule("pack2x16snorm($)", &[Vector(2, Scalar::F32)]),
    rule("pack2x16unorm($)", &[Vector(2, Scalar::F32)]),
    // The sign of a NaN is the machine's choice.
    rule("pack2x16float(plain2($))", &[Vector(2, Scalar::F32)]),
];

const FLOAT: &[Rule] = &[
    rule("($ + $)", &[Same, Same]),
    rule("($ - $)", &[Same, Same]),
    rule("($ * $)", &[Same, Same]),
    rule("($ * $ + $)", &[Same, Variable, Same]),
    rule("($ - $ * $)", &[Same, Same, Variable]),
    rule("($ / $)", &[Same, Variable]),
    rule("($ % $)", &[Same, Variable]),
    rule("(-$)", &[Same]),
    rule("min($, $)", &[Same, Same]),
    rule("max($, $)", &[Same, Same]),
    rule("clamp($, $, $)", &[Same, Same, Same]),
    rule("abs($)", &[Same]),
    rule("sign($)", &[Same]),
    rule("floor($)", &[Same]),
    rule("ceil($)", &[Same]),
    rule("round($)", &[Same]),
    rule("trunc($)", &[Same]),
    rule("fract($)", &[Same]),
    rule("sqrt($)", &[Same]),
    rule("fma($, $, $)", &[Same, Same, Same]),
    rule("mix($, $, $)", &[Same, Same, Same]),
    rule("step($, $)", &[Same, Same]),
    rule("smoothstep($, $, $)", &[Same, Same, Same]),
    rule("saturate($)", &[Same]),
    rule("radians($)", &[Same]),
    rule("degrees($)", &[Same]),
    rule("ldexp($, $)", &[Same, Shape(Scalar::I32)]),
    rule("modf($).fract", &[Same]),
    rule("modf($).whole", &[Same]),
    rule("frexp($).fract", &[Same]),
    open("exp($)", &[Same]),
    open("exp2($)", &[Same]),
    open("log($)", &[Same]),
    open("log2($)", &[Same]),
    open("sin($)", &[Same]),
    open("cos($)", &[Same]),
    open("tan($)", &[Same]),
    open("asin($)", &[Same]),
    open("acos($)", &[Same]),
    open("atan($)", &[Same]),
    open("sinh($)", &[Same]),
    open("cosh($)", &[Same]),
    open("tanh($)", &[Same]),
    open("asinh($)", &[Same]),
    open("acosh($)", &[Same]),
    open("atanh($)", &[Same]),
    open("inverseSqrt($)", &[Same]),
    open("pow($, $)", &[Same, Same]),
    open("atan2($, $)", &[Same, Same]),
];

const F32: &[Rule] = &[rule("quantizeToF16($)", &[Same])];

const FLOAT_SCALAR: &[Rule] = &[
    rule("length($)", &[AnyVector]),
    rule("distance($, $)", &[AnyVector, AnyVector]),
    rule("determinant($)", &[Square]),
];

const FLOAT_VECTOR: &[Rule] = &[
    rule("mix($, $, $)", &[Same, Same, Element]),
    rule("normalize($)", &[Same]),
    rule("reflect($, $)", &[Same, Same]),
    rule("refract($, $, $)", &[Same, Same, Element]),
    rule("faceForward($, $, $)", &[Same, Same, Same]),
];

const CROSS: &[Rule] = &[rule("cross($, $)", &[Same, Same])];

const HALVES: &[Rule] = &[
    rule("unpack2x16snorm($)", &[One(Scalar::U32)]),
    rule("unpack2x16unorm($)", &[One(Scalar::U32)]),
    rule("unpack2x16float($)", &[One(Scalar::U32)]),
];

const BYTES: &[Rule] =
    &[rule("unpack4x8snorm($)", &[One(Scalar::U32)]), rule("unpack4x8unorm($)", &[One(Scalar::U32)])];

const UNPACKED_I: &[Rule] = &[rule("unpack4xI8($)", &[One(Scalar::U32)])];

const UNPACKED_U: &[Rule] = &[rule("unpack4xU8($)", &[One(Scalar::U32)])];

const BOOL: &[Rule] = &[
    rule("(!$)", &[Same]),
    rule("($ & $)", &[Same, Same]),
    rule("($ | $)", &[Same, Same]),
    rule("($ == $)", &[Same, Same]),
    rule("($ != $)", &[Same, Same]),
];

const BOOL_SCALAR: &[Rule] = &[
    rule("($ && $)", &[Same, Same]),
    rule("($ || $)", &[Same, Same]),
    rule("all($)", &[AnyVector]),
    rule("any($)", &[AnyVector]),
];

/// The rules for a type: a scalar or a vector.
pub fn rules(ty: &Ty, has_f32: bool) -> Vec<&'static [Rule]> {
    let (n, s) = match ty {
        Ty::Vector(n, s) => (*n, *s),
        Ty::Scalar(s) => (1, *s),
        _ => return Vec::new(),
    };
    let mut lists = Vec::new();
    if s == Scalar::Bool {
        lists.push(BOOL);
        lists.extend((n == 1).then_some(BOOL_SCALAR));
        return lists;
    }
    lists.push(if s.is_float() { FLOAT } else { INT });
    lists.push(if n > 1 { VECTOR } else { SCALAR });
    lists.extend(s.is_signed().then_some(SIGNED));
    match (s, n) {
        (Scalar::I32, 1) => lists.push(I32),
        (Scalar::U32, 1) => {
            lists.push(U32);
            lists.extend(has_f32.then_some(U32_OF_FLOATS));
        }
        (Scalar::I32, 4) => lists.push(UNPACKED_I),
        (Scalar::U32, 4) => lists.push(UNPACKED_U),
        (Scalar::F32, 2) => lists.push(HALVES),
        (Scalar::F32, 4) => lists.push(BYTES),
        _ => {}
    }
    if s.is_float() {
        lists.push(if n > 1 { FLOAT_VECTOR } else { FLOAT_SCALAR });
        lists.extend((n == 3).then_some(CROSS));
        lists.extend((s == Scalar::F32).then_some(F32));
    }
    lists
}
