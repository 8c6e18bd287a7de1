//! naga's front end and validator behind limits that keep hostile source from exhausting the stack.

use crate::error::{Error, ErrorKind};
use naga::{
    Span,
    valid::{Capabilities, ModuleInfo, ValidationFlags, Validator},
};

/// Bytes of source that [`Module::parse`](super::Module::parse) takes.
pub const MAX_SOURCE_BYTES: usize = 1 << 20;

/// Nesting of brackets, plus operators in a row, `else if` arms included, that the source may have.
pub const MAX_SOURCE_DEPTH: usize = 5000;

/// Stack of the thread that parses and lowers; only touched pages cost memory.
const STACK_BYTES: usize = 256 << 20;

/// Depth up to which the caller's stack will do: less than 256 KiB is used, measured at 40 levels of everything that
/// nests (x86-64). Without optimisation frames are several times as large.
const SHALLOW: usize = if cfg!(debug_assertions) { 0 } else { 40 };

/// Parses and validates; says how deep the source nests.
pub(super) fn parse(source: &str) -> Result<(naga::Module, ModuleInfo, usize), Error> {
    if source.len() > MAX_SOURCE_BYTES {
        let message = format!("the source has {} bytes; the limit is {MAX_SOURCE_BYTES}", source.len());
        return Err(Error::new(ErrorKind::TooLarge, message));
    }
    let depth = depth(source, MAX_SOURCE_DEPTH).map_err(|place| {
        let message = format!("the source nests more than {MAX_SOURCE_DEPTH} brackets and operators here");
        Error::new(ErrorKind::TooLarge, message).at(place, source)
    })?;
    let (module, info) = on_deep_stack(depth, || parse_and_validate(source))??;
    Ok((module, info, depth))
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

/// Runs `f`, which recurses as deep as told, on a thread with a deep stack if it has to be; a panic inside becomes an
/// error.
pub(super) fn on_deep_stack<T: Send>(depth: usize, f: impl FnOnce() -> T + Send) -> Result<T, Error> {
    // No threads there; the host's stack has to do.
    if cfg!(target_family = "wasm") {
        return Ok(f());
    }
    let internal = |what: &str| Error::new(ErrorKind::InvalidWgsl, format!("the WGSL front end failed: {what}"));
    let explain = |panic: Box<dyn std::any::Any + Send>| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        internal(text.or(panic.downcast_ref::<&str>().copied()).unwrap_or("panic"))
    };
    if depth <= SHALLOW {
        // What a panic leaves half done is dropped with it.
        return std::panic::catch_unwind(std::panic::AssertUnwindSafe(f)).map_err(explain);
    }
    std::thread::scope(|scope| {
        let builder = std::thread::Builder::new().name("wgsl".into()).stack_size(STACK_BYTES);
        let thread = builder.spawn_scoped(scope, f).map_err(|e| internal(&format!("no thread for it: {e}")))?;
        thread.join().map_err(explain)
    })
}

/// How deep a recursive parser goes, by an upper estimate: open brackets plus the operators, member accesses and
/// `else`s since the last separator on each open level.
///
/// # Errors
/// Where it goes deeper than a limit.
fn depth(source: &str, limit: usize) -> Result<usize, Span> {
    let mut deepest = 0;
    let mut depth = Depth { levels: vec![0], total: 0 };
    let mut rest = source.as_bytes();
    while let [byte, tail @ ..] = rest {
        if let Some(after) = skip_comment(rest) {
            rest = after;
            continue;
        }
        match byte {
            b'(' | b'[' | b'{' => depth.open(),
            b')' => depth.close(),
            b']' => {
                // Postfix chains such as `a[0][0]` recurse too.
                depth.close();
                depth.add();
            }
            b'}' => {
                depth.close();
                // The next statement or declaration, unless the chain goes on.
                if !tail.trim_ascii_start().starts_with(b"else") {
                    depth.separate();
                }
            }
            b';' | b',' => depth.separate(),
            b'+' | b'-' | b'*' | b'/' | b'%' | b'&' | b'|' | b'^' | b'!' | b'~' | b'<' | b'>' | b'=' | b'.' => {
                depth.add()
            }
            b'e' if tail.starts_with(b"lse") => depth.add(),
            _ => {}
        }
        deepest = deepest.max(depth.total);
        if depth.total > limit {
            let at = (source.len() - rest.len()) as u32;
            return Err(Span::new(at, at + 1));
        }
        rest = tail;
    }
    Ok(deepest)
}

/// What follows a comment at the start of the text; block comments nest.
fn skip_comment(text: &[u8]) -> Option<&[u8]> {
    if text.starts_with(b"//") {
        let end = text.iter().position(|b| *b == b'\n').unwrap_or(text.len());
        return Some(&text[end..]);
    }
    if !text.starts_with(b"/*") {
        return None;
    }
    let (mut open, mut at) = (1usize, 2);
    while open > 0 && at < text.len() {
        if text[at..].starts_with(b"/*") {
            open += 1;
            at += 2;
        } else if text[at..].starts_with(b"*/") {
            open -= 1;
            at += 2;
        } else {
            at += 1;
        }
    }
    Some(&text[at.min(text.len())..])
}

/// Open brackets, and what recurses on each open level.
struct Depth {
    levels: Vec<usize>,
    total: usize,
}

impl Depth {
    fn open(&mut self) {
        self.levels.push(0);
        self.total += 1;
    }

    fn close(&mut self) {
        if self.levels.len() > 1 {
            self.total -= self.levels.pop().unwrap_or(0) + 1;
        }
    }

    fn add(&mut self) {
        if let Some(level) = self.levels.last_mut() {
            *level += 1;
            self.total += 1;
        }
    }

    fn separate(&mut self) {
        if let Some(level) = self.levels.last_mut() {
            self.total -= std::mem::take(level);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn depth_counts_what_a_parser_recurses_on() {
        let fits = |source: &str, limit: usize| depth(source, limit).is_ok();
        assert!(fits("fn f() { g(1); g(2); }", 2) && !fits("fn f() { g(1); g(2); }", 1));
        let brackets = format!("{}1{}", "(".repeat(100), ")".repeat(100));
        assert!(fits(&brackets, 100) && !fits(&brackets, 99));
        assert!(fits(&"-".repeat(100), 100) && !fits(&"-".repeat(100), 99));
        assert!(!fits(&"if a {} else ".repeat(100), 99));
        assert!(fits("array(-1.0, -2.0, -3.0)", 4));
        assert!(fits(&"fn f(a: ptr<function, f32>) -> f32 { return *a + 1.0; }\n".repeat(1000), 9));
        assert!(fits(&"// ====== (((\n/* ---- /* {{{ */ */".repeat(1000), 0));
    }
}
