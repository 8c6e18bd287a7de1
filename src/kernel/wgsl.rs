//! Joins and parses WGSL sources, with errors mapped back to the right source, and finds the entry point.

use crate::error::{Error, ErrorKind, Result, did_you_mean};
use evener_lanes::Module;
use naga::{ShaderStage, Span};
use std::{borrow::Cow, ops::Range};

/// evener's own cap on the invocations of a work-group; a device's may be lower.
pub const MAX_GROUP_INVOCATIONS: u32 = 1024;
/// evener's own cap on the size of a work-group on each axis.
pub const MAX_GROUP_SIZE: [u32; 3] = [1024, 1024, 64];
/// evener's own cap on work-group memory in bytes; the CPU takes this much, a GPU may take less.
pub const MAX_GROUP_BYTES: u32 = evener_lanes::front::MAX_WORKGROUP_BYTES as u32;

/// Sources joined to one text.
///
/// Directives (`enable`, `requires`, `diagnostic`) must come before everything else, so those of all sources are
/// moved to the front and blanked where they were; every other byte keeps its line and column.
#[derive(Debug)]
pub(super) struct Sources<'s> {
    texts: &'s [&'s str],
    joined: Cow<'s, str>,
    /// Where each source starts in the joined text.
    starts: Vec<usize>,
}

impl<'s> Sources<'s> {
    pub fn new(texts: &'s [&'s str]) -> Self {
        if let [only] = texts {
            return Sources { texts, joined: Cow::Borrowed(only), starts: vec![0] };
        }
        let directives: Vec<Vec<Range<usize>>> = texts.iter().map(|t| leading_directives(t)).collect();
        let mut joined = String::new();
        for (text, ranges) in texts.iter().zip(&directives) {
            ranges.iter().for_each(|r| joined.push_str(&text[r.clone()]));
        }
        joined.push('\n');
        let mut starts = Vec::with_capacity(texts.len());
        for (text, ranges) in texts.iter().zip(&directives) {
            starts.push(joined.len());
            let mut at = 0;
            for r in ranges {
                joined.push_str(&text[at..r.start]);
                joined.extend(text[r.clone()].bytes().map(|b| if b == b'\n' { '\n' } else { ' ' }));
                at = r.end;
            }
            joined.push_str(&text[at..]);
            joined.push('\n');
        }
        Sources { texts, joined: Cow::Owned(joined), starts }
    }

    /// Parses and validates.
    pub fn parse(&self) -> Result<Module> {
        if self.texts.is_empty() {
            return Err(Error::new(ErrorKind::InvalidKernel, "no WGSL source was given"));
        }
        Module::parse(&self.joined).map_err(|e| self.error(e))
    }

    /// An error of the compiler, told in terms of the source it is in.
    pub fn error(&self, error: evener_lanes::Error) -> Error {
        if self.texts.len() < 2 {
            return error.into();
        }
        let text = match error.kind() {
            evener_lanes::ErrorKind::InvalidWgsl => super::on_deep_stack(|| self.explain()).ok().flatten(),
            _ => return placed(error, self.texts, &self.starts),
        };
        let text = text.unwrap_or_else(|| error.message().to_owned());
        Error::new(Error::from(error).kind(), text)
    }

    /// Where each source starts in the joined text.
    pub fn into_starts(self) -> Vec<usize> {
        self.starts
    }

    /// naga's complaint about the joined text, rendered per source.
    fn explain(&self) -> Option<String> {
        let module = match naga::front::wgsl::parse_str(&self.joined) {
            Ok(module) => module,
            Err(e) => {
                let label = e.labels().find(|(span, _)| span.is_defined()).map(|(span, text)| (span, text.to_owned()));
                return Some(self.show_span(e.message(), label));
            }
        };
        let mut validator =
            naga::valid::Validator::new(naga::valid::ValidationFlags::all(), naga::valid::Capabilities::all());
        let error = validator.validate(&module).err()?;
        let mut message = error.as_inner().to_string();
        let mut cause = std::error::Error::source(error.as_inner());
        while let Some(c) = cause {
            message.push_str(&format!(": {c}"));
            cause = c.source();
        }
        let label = error.spans().find(|(span, _)| span.is_defined()).cloned();
        Some(self.show_span(&message, label))
    }

    fn show_span(&self, message: &str, label: Option<(Span, String)>) -> String {
        match label.and_then(|(span, text)| Some((span.to_range()?, text))) {
            Some((range, text)) => show(self.texts, &self.starts, message, &range, &text),
            None => message.to_owned(),
        }
    }
}

/// A failure at run time, told in terms of the source it is in; `joined` is the text of all.
pub(super) fn fault(error: evener_lanes::Error, joined: &str, starts: &[usize]) -> Error {
    if starts.len() < 2 {
        return error.into();
    }
    let ends = starts[1..].iter().copied().chain([joined.len()]);
    let texts: Vec<&str> = starts.iter().zip(ends).map(|(start, end)| &joined[*start..end]).collect();
    placed(error, &texts, starts)
}

/// An error of several sources with the line it is about, where it has one.
fn placed(error: evener_lanes::Error, texts: &[&str], starts: &[usize]) -> Error {
    let text = match error.location() {
        Some(at) => show(texts, starts, error.message(), &(at.offset as usize..(at.offset + at.length) as usize), ""),
        None => error.message().to_owned(),
    };
    Error::new(Error::from(error).kind(), text)
}

/// A message with the line it is about, named and counted within its own source, and a caret below.
fn show(texts: &[&str], starts: &[usize], message: &str, range: &Range<usize>, label: &str) -> String {
    let index = starts.partition_point(|&s| s <= range.start).saturating_sub(1);
    let text = texts[index];
    let mut start = range.start.saturating_sub(starts[index]).min(text.len());
    while !text.is_char_boundary(start) {
        start -= 1;
    }
    let line_start = text[..start].rfind('\n').map_or(0, |i| i + 1);
    let line = text[line_start..].lines().next().unwrap_or("");
    let number = text[..start].matches('\n').count() + 1;
    let column = text[line_start..start].chars().count();
    let width = text.get(start..start + range.len()).map_or(1, |t| t.lines().next().unwrap_or("").chars().count());
    let pad = " ".repeat(number.to_string().len());
    // Tabs keep their width above the caret.
    let indent: String = line.chars().take(column).map(|c| if c == '\t' { '\t' } else { ' ' }).collect();
    format!(
        "{message}\n{pad}--> source {} of {}, line {number}, column {}\n{pad} |\n{number} | {line}\n{pad} | {indent}{} {label}",
        index + 1,
        texts.len(),
        column + 1,
        "^".repeat(width.max(1)),
    )
    .trim_end()
    .to_owned()
}

/// Byte ranges of the directives at the head of a source.
fn leading_directives(text: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut at = 0;
    loop {
        at += blank(&text[at..]);
        let rest = &text[at..];
        let is_directive = ["enable", "requires", "diagnostic"]
            .iter()
            .any(|d| rest.strip_prefix(d).is_some_and(|r| r.starts_with(|c: char| c.is_whitespace() || c == '(')));
        match rest.find(';') {
            Some(end) if is_directive => {
                found.push(at..at + end + 1);
                at += end + 1;
            }
            _ => return found,
        }
    }
}

/// Bytes of white space and comments at the head of a text.
fn blank(text: &str) -> usize {
    let mut rest = text;
    loop {
        rest = rest.trim_start();
        if rest.starts_with("//") {
            rest = rest.find('\n').map_or("", |i| &rest[i..]);
        } else if rest.starts_with("/*") {
            let mut depth = 0;
            let mut at = 0;
            loop {
                match rest.as_bytes().get(at..at + 2) {
                    Some(b"/*") => (depth, at) = (depth + 1, at + 2),
                    Some(b"*/") => (depth, at) = (depth - 1, at + 2),
                    Some(_) => at += 1,
                    None => return text.len(),
                }
                if depth == 0 {
                    break;
                }
            }
            rest = &rest[at..];
        } else {
            return text.len() - rest.len();
        }
    }
}

/// The compute entry point to run: the one named, or the only one.
pub(super) fn find_entry(module: &naga::Module, entry: Option<&str>) -> Result<String> {
    let unknown = |message: String| Err(Error::new(ErrorKind::UnknownEntry, message));
    let compute: Vec<&str> =
        module.entry_points.iter().filter(|e| e.stage == ShaderStage::Compute).map(|e| e.name.as_str()).collect();
    let Some(name) = entry else {
        return match compute[..] {
            [only] => Ok(only.to_owned()),
            [] => unknown("the WGSL has no compute entry point: mark one with `@compute @workgroup_size(64)`".into()),
            _ => unknown(format!("the WGSL has several entry points, name one of them: {}", list(&compute))),
        };
    };
    if compute.contains(&name) {
        return Ok(name.to_owned());
    }
    match module.entry_points.iter().find(|e| e.name == name) {
        Some(other) => unknown(format!(
            "`{name}` is a {} entry point, and evener runs compute entry points{}",
            format!("{:?}", other.stage).to_lowercase(),
            if compute.is_empty() { ": the WGSL has none".into() } else { format!(": {}", list(&compute)) },
        )),
        None if compute.is_empty() => unknown(format!("no entry point `{name}`: the WGSL has no compute entry point")),
        None => unknown(format!("no entry point `{name}`{}", did_you_mean(name, compute.iter().copied()))),
    }
}

fn list(names: &[&str]) -> String {
    names.iter().map(|n| format!("`{n}`")).collect::<Vec<_>>().join(", ")
}

/// Refuses a work-group that is larger than evener runs anywhere.
pub(super) fn check_limits(module: &Module, entry: &str) -> Result<()> {
    let is_entry = |e: &naga::EntryPoint| e.name == entry && e.stage == ShaderStage::Compute;
    let Some(index) = module.naga().entry_points.iter().position(is_entry) else { return Ok(()) };
    let size = module.naga().entry_points[index].workgroup_size;
    let invocations: u64 = size.iter().map(|&n| u64::from(n)).product();
    let fits = (0..3).all(|a| (1..=MAX_GROUP_SIZE[a]).contains(&size[a]));
    if !fits || invocations > MAX_GROUP_INVOCATIONS.into() {
        let [x, y, z] = size;
        let [mx, my, mz] = MAX_GROUP_SIZE;
        return Err(Error::new(
            ErrorKind::Limit,
            format!(
                "the work-group of `{entry}` is {x} x {y} x {z} = {invocations} invocations; the limit is {MAX_GROUP_INVOCATIONS} invocations and {mx} x {my} x {mz} on the axes"
            ),
        ));
    }
    let bytes = super::reflect::workgroup_bytes(module, index);
    if bytes > MAX_GROUP_BYTES {
        return Err(Error::new(
            ErrorKind::Limit,
            format!(
                "`{entry}` uses {bytes} bytes of work-group memory; the limit is {MAX_GROUP_BYTES} (on the CPU; GPUs have less)"
            ),
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SEVERAL: &str = "@compute @workgroup_size(1) fn scale() {} @compute @workgroup_size(1) fn shift() {}
        @fragment fn shade() {}";

    fn entry(source: &str, name: Option<&str>) -> Result<String, String> {
        find_entry(&naga::front::wgsl::parse_str(source).unwrap(), name).map_err(|e| {
            assert_eq!(e.kind(), ErrorKind::UnknownEntry);
            e.to_string()
        })
    }

    #[test]
    fn entry_points_are_found_or_named() {
        assert_eq!(entry(SEVERAL, Some("shift")).unwrap(), "shift");
        assert_eq!(entry("@compute @workgroup_size(1) fn only() {}", None).unwrap(), "only");
        assert!(entry(SEVERAL, None).unwrap_err().contains("`scale`, `shift`"));
        assert!(entry(SEVERAL, Some("shft")).unwrap_err().contains("did you mean `shift`"));
        assert!(entry(SEVERAL, Some("shade")).unwrap_err().contains("fragment"));
        assert!(entry("fn f() {}", None).unwrap_err().contains("no compute entry point"));
        assert!(entry("fn f() {}", Some("f")).unwrap_err().contains("no compute entry point"));
    }

    #[test]
    fn errors_are_told_in_the_source_they_are_in() {
        let texts = ["fn good() -> f32 { return 1.0; }\n", "// two\nfn bad() -> f32 {\n\treturn wrong;\n}\n"];
        let sources = Sources::new(&texts);
        let text = sources.explain().unwrap();
        assert!(text.contains("source 2 of 2, line 3, column 9"), "{text}");
        assert!(text.contains("3 | \treturn wrong;\n  | \t       ^^^^^"), "{text}");
        let texts = ["fn f() -> u32 { return 1.0; }", "fn g() {}"];
        let text = Sources::new(&texts).explain().unwrap();
        assert!(text.contains("source 1 of 2, line 1"), "{text}");
    }

    #[test]
    fn directives_move_to_the_front_and_lines_stay() {
        let second = "// note\n/* a /* nested */ one */ enable f16;\ndiagnostic(off,\n derivative_uniformity);\nfn g() -> f16 { return q; }";
        let texts = ["fn f() {}", second];
        let sources = Sources::new(&texts);
        assert!(
            sources.joined.starts_with("enable f16;diagnostic(off,\n derivative_uniformity);\n"),
            "{}",
            sources.joined
        );
        let text = sources.explain().unwrap();
        assert!(text.contains("source 2 of 2, line 5, column 24"), "{text}");
    }
}
