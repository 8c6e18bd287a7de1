//! Whether the bytes that a program left are right.

use super::data::{Case, Check};
use serde_json::Value;

/// What is wrong with the buffers, for the user; empty if all holds. At most a few lines.
pub(super) fn judge(checks: &[Check], buffers: &[Vec<u8>]) -> Result<(), String> {
    for check in checks {
        match check {
            Check::Cases { buffer, stride, ty, cases } => {
                let ty = Type::parse(ty).ok_or_else(|| format!("the data has a type `{ty}` that is not known"))?;
                judge_cases(part(buffers, *buffer, 0)?, *stride, &ty, cases)?;
            }
            Check::Bytes { buffer, offset, expect } | Check::Golden { buffer, offset, observed: expect } => {
                let got = part(buffers, *buffer, *offset)?;
                let got = got.get(..expect.0.len()).ok_or("the buffer is shorter than what is expected")?;
                if let Some(at) = got.iter().zip(&expect.0).position(|(a, b)| a != b) {
                    return Err(format!("buffer {buffer}, byte {at}: {} and not {}", got[at], expect.0[at]));
                }
            }
            Check::Words { buffer, offset, expect } => {
                let words = part(buffers, *buffer, *offset)?.chunks_exact(4);
                let words: Vec<u32> = words.map(|w| u32::from_le_bytes([w[0], w[1], w[2], w[3]])).collect();
                for (i, want) in expect.iter().enumerate() {
                    let got = words.get(i).copied();
                    if want.is_some() && got != *want {
                        return Err(format!("buffer {buffer}, word {i}: {got:?} and not {want:?}"));
                    }
                }
            }
        }
    }
    Ok(())
}

fn part(buffers: &[Vec<u8>], index: usize, offset: u64) -> Result<&[u8], String> {
    let whole = buffers.get(index).ok_or_else(|| format!("the data names a buffer {index} that is not there"))?;
    whole.get(offset as usize..).ok_or_else(|| "an offset past the buffer's end".into())
}

fn judge_cases(bytes: &[u8], stride: u64, ty: &Type, cases: &[Case]) -> Result<(), String> {
    for (i, case) in cases.iter().enumerate() {
        let value = (i as u64).checked_mul(stride).and_then(|at| bytes.get(at as usize..));
        let value = value.filter(|v| v.len() >= ty.bytes()).ok_or("the buffer is shorter than its cases")?;
        if !ty.accepts(value, &case.ok) {
            let input: String = case.input.to_string().chars().take(120).collect();
            let ok: String = case.ok.to_string().chars().take(120).collect();
            return Err(format!("case {i}, input {input}: {} is not in {ok}", ty.show(value)));
        }
    }
    Ok(())
}

/// The type of a case's value, with WGSL's layout.
enum Type {
    Bool,
    I32,
    U32,
    F32,
    /// Components and the stride in bytes between them.
    Sequence(Box<Type>, usize, usize),
}

impl Type {
    fn parse(text: &str) -> Option<Self> {
        Some(match text.trim() {
            "bool" => Type::Bool,
            "i32" => Type::I32,
            "u32" => Type::U32,
            "f32" => Type::F32,
            text => {
                let (name, inside) = text.strip_suffix('>')?.split_once('<')?;
                if name == "array" {
                    let (element, count) = inside.rsplit_once(',')?;
                    let element = Type::parse(element)?;
                    let stride = element.bytes().next_multiple_of(element.align());
                    return Some(Type::Sequence(Box::new(element), count.trim().parse().ok()?, stride));
                }
                let scalar = Type::parse(inside)?;
                let vector = |n: usize| Type::Sequence(Box::new(Type::parse(inside).unwrap_or(Type::U32)), n, 4);
                match name.as_bytes() {
                    [b'v', b'e', b'c', n @ b'2'..=b'4'] => Type::Sequence(Box::new(scalar), usize::from(n - b'0'), 4),
                    [b'm', b'a', b't', c @ b'2'..=b'4', b'x', r @ b'2'..=b'4'] => {
                        let column = vector(usize::from(r - b'0'));
                        let stride = column.align();
                        Type::Sequence(Box::new(column), usize::from(c - b'0'), stride)
                    }
                    _ => return None,
                }
            }
        })
    }

    fn bytes(&self) -> usize {
        match self {
            Type::Sequence(element, count, stride) => match count {
                0 => 0,
                n => stride * (n - 1) + element.bytes(),
            },
            _ => 4,
        }
    }

    fn align(&self) -> usize {
        match self {
            Type::Sequence(element, count, 4) if element.bytes() == 4 => 4 * count.next_power_of_two().min(4),
            Type::Sequence(element, ..) => element.align(),
            _ => 4,
        }
    }

    fn accepts(&self, bytes: &[u8], ok: &Value) -> bool {
        if ok == "any" {
            return true;
        }
        if let Some(alternatives) = ok.get("any_of").and_then(Value::as_array) {
            return alternatives.iter().any(|a| self.accepts(bytes, a));
        }
        match (self, ok) {
            (Type::Sequence(element, count, stride), Value::Array(parts)) => {
                parts.len() == *count && parts.iter().enumerate().all(|(i, p)| element.accepts(&bytes[i * stride..], p))
            }
            (Type::Sequence(..), _) => false,
            (scalar, Value::Object(_)) => scalar.accepts_number(scalar.number(bytes), ok),
            _ => false,
        }
    }

    /// Every 32-bit value is exact as an f64.
    fn number(&self, bytes: &[u8]) -> f64 {
        let word = u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
        match self {
            Type::F32 => f64::from(f32::from_bits(word)),
            Type::I32 => f64::from(word as i32),
            Type::Bool => f64::from(u8::from(word != 0)),
            _ => f64::from(word),
        }
    }

    fn accepts_number(&self, got: f64, ok: &Value) -> bool {
        let exact = ok.get("v").and_then(number);
        let interval = ok.get("i").and_then(Value::as_array);
        match (exact, interval.map(Vec::as_slice)) {
            (Some(want), _) => got == want || got.is_nan() && want.is_nan(),
            (None, Some([low, high])) => {
                let (low, high) = (number(low), number(high));
                low.is_some_and(|low| low <= got) && high.is_some_and(|high| got <= high)
            }
            _ => false,
        }
    }

    fn show(&self, bytes: &[u8]) -> String {
        match self {
            Type::Sequence(element, count, stride) => {
                let parts: Vec<String> = (0..*count).map(|i| element.show(&bytes[i * stride..])).collect();
                format!("({})", parts.join(", "))
            }
            scalar => scalar.number(bytes).to_string(),
        }
    }
}

/// A number of the data: JSON has no minus zero, infinity or NaN, so these are strings.
fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Bool(b) => Some(f64::from(u8::from(*b))),
        Value::String(text) => text.parse().ok(),
        _ => value.as_f64(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn layouts_are_those_of_wgsl() {
        for (ty, bytes) in
            [("f32", 4), ("vec3<bool>", 12), ("mat2x3<f32>", 28), ("mat3x2<f32>", 24), ("array<vec3<f32>, 5>", 76)]
        {
            assert_eq!(Type::parse(ty).map(|t| t.bytes()), Some(bytes), "{ty}");
        }
        assert!(Type::parse("texture_2d<f32>").is_none());
    }

    #[test]
    fn values_are_judged_by_component() {
        let ty = Type::parse("vec2<f32>").unwrap();
        let bytes = [1.5f32.to_le_bytes(), (-0.0f32).to_le_bytes()].concat();
        assert!(ty.accepts(&bytes, &json!([{"i": [1, 2]}, {"v": "-0"}])));
        assert!(ty.accepts(&bytes, &json!({"any_of": [[{"v": 9}, "any"], [{"v": 1.5}, "any"]]})));
        assert!(!ty.accepts(&bytes, &json!([{"i": [1.6, 2]}, "any"])));
        assert!(!ty.accepts(&bytes, &json!([{"v": 1.5}])));
    }
}
