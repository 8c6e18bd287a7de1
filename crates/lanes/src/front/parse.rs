//! naga's front end and validator behind limits that keep hostile source from exhausting the stack.

use crate::error::{Error, ErrorKind};
use naga::valid::{Capabilities, ModuleInfo, ValidationFlags, Validator};

/// Bytes of source that [`Module::parse`](super::Module::parse) takes.
pub const MAX_SOURCE_BYTES: usize = 1 << 20;

/// Nesting of brackets, plus operators in a row, `else if` arms included, that the source may have.
pub const MAX_SOURCE_DEPTH: usize = 5000;

/// Stack of the thread that parses and lowers; only touched pages cost memory.
const STACK_BYTES: usize = 256 << 20;

/// Parses and validates.
pub(super) fn parse(source: &str) -> Result<(naga::Module, ModuleInfo), Error> {
    if source.len() > MAX_SOURCE_BYTES {
        let message = format!("the source has {} bytes; the limit is {MAX_SOURCE_BYTES}", source.len());
        return Err(Error::new(ErrorKind::TooLarge, message));
    }
    let depth = source_depth(source);
    if depth > MAX_SOURCE_DEPTH {
        let message = format!("the source nests {depth} brackets and operators; the limit is {MAX_SOURCE_DEPTH}");
        return Err(Error::new(ErrorKind::TooLarge, message));
    }
    on_deep_stack(|| parse_and_validate(source))?
}

fn parse_and_validate(source: &str) -> Result<(naga::Module, ModuleInfo), Error> {
    let module = naga::front::wgsl::parse_str(source).map_err(|e| {
        let span = e.labels().next().map(|(span, _)| span);
        invalid(e.emit_to_string(source), span, source)
    })?;
    let info = Validator::new(ValidationFlags::all(), Capabilities::all()).validate(&module).map_err(|e| {
        let span = e.spans().next().map(|(span, _)| *span);
        invalid(e.emit_to_string(source), span, source)
    })?;
    Ok((module, info))
}

fn invalid(message: String, span: Option<naga::Span>, source: &str) -> Error {
    Error::new(ErrorKind::InvalidWgsl, message.trim_end()).at(span.unwrap_or_default(), source)
}

/// Runs `f` on a thread with a deep stack; a panic inside becomes an error.
pub(super) fn on_deep_stack<T: Send>(f: impl FnOnce() -> T + Send) -> Result<T, Error> {
    let internal = |what: &str| Error::new(ErrorKind::InvalidWgsl, format!("the WGSL front end failed: {what}"));
    std::thread::scope(|scope| {
        let builder = std::thread::Builder::new().name("wgsl".into()).stack_size(STACK_BYTES);
        let thread = builder.spawn_scoped(scope, f).map_err(|e| internal(&format!("no thread for it: {e}")))?;
        thread.join().map_err(|panic| {
            let text = panic.downcast_ref::<String>().map(String::as_str);
            internal(text.or(panic.downcast_ref::<&str>().copied()).unwrap_or("panic"))
        })
    })
}

/// An upper estimate of how deep a recursive parser goes: open brackets plus the operators, member accesses and `else`s
/// since the last separator on each open level. Comments count, which only makes it larger.
fn source_depth(source: &str) -> usize {
    let mut levels = vec![0usize];
    let (mut total, mut deepest) = (0usize, 0usize);
    let bytes = source.as_bytes();
    for (i, &byte) in bytes.iter().enumerate() {
        match byte {
            b'(' | b'[' | b'{' => {
                levels.push(0);
                total += 1;
            }
            b')' | b']' | b'}' if levels.len() > 1 => {
                total -= levels.pop().unwrap_or(0) + 1;
                // Postfix chains such as `a[0][0]` recurse too.
                if byte == b']' {
                    add(&mut levels, &mut total);
                }
            }
            b';' | b',' => {
                if let Some(level) = levels.last_mut() {
                    total -= std::mem::take(level);
                }
            }
            b'+' | b'-' | b'*' | b'/' | b'%' | b'&' | b'|' | b'^' | b'!' | b'~' | b'<' | b'>' | b'=' | b'.' => {
                add(&mut levels, &mut total);
            }
            b'e' if bytes[i..].starts_with(b"else") => add(&mut levels, &mut total),
            _ => {}
        }
        deepest = deepest.max(total);
    }
    deepest
}

fn add(levels: &mut [usize], total: &mut usize) {
    if let Some(level) = levels.last_mut() {
        *level += 1;
        *total += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn depth_counts_what_a_parser_recurses_on() {
        assert_eq!(source_depth("fn f() { g(1); g(2); }"), 2);
        assert!(source_depth(&format!("{}1{}", "(".repeat(100), ")".repeat(100))) == 100);
        assert!(source_depth(&"-".repeat(100)) == 100);
        assert!(source_depth(&"if a {} else ".repeat(100)) >= 100);
        assert!(source_depth("array(-1.0, -2.0, -3.0)") < 5);
    }
}
