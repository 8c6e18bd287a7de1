//! The one error type of the crate: a kind, a message, and the place in the source.

use std::{fmt, ops::Range};

/// What went wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The source does not parse or validate.
    InvalidWgsl,
    /// Valid WGSL that the CPU compiler does not run.
    Unsupported,
    /// No entry point of that name.
    UnknownEntry,
    /// An override that the module does not have, or a value it refuses.
    InvalidOverride,
    /// The kernel exceeds a stated cap (nesting, size, work-group).
    TooLarge,
    /// A buffer does not fit its binding.
    InvalidBuffer,
    /// A barrier reached by a part of a work-group.
    NonUniformBarrier,
    /// A kernel did not end within its fuel.
    OutOfFuel,
}

/// A failure to parse, lower or run a kernel.
#[derive(Clone, Debug, thiserror::Error)]
pub struct Error {
    kind: ErrorKind,
    message: String,
    location: Option<Location>,
    /// The source line with a caret below.
    excerpt: String,
}

/// A place in the WGSL source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Location {
    /// Line, from 1.
    pub line: u32,
    /// Column in UTF-8 bytes, from 1.
    pub column: u32,
    /// Byte offset in the source.
    pub offset: u32,
    /// Length in bytes.
    pub length: u32,
}

impl Error {
    /// A new error without a place.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Error { kind, message: message.into(), location: None, excerpt: String::new() }
    }

    /// The same error at a place of the source.
    pub fn at(mut self, span: naga::Span, source: &str) -> Self {
        if let Some(range) = span.to_range().filter(|r| source.get(r.clone()).is_some()) {
            let l = span.location(source);
            self.location =
                Some(Location { line: l.line_number, column: l.line_position, offset: l.offset, length: l.length });
            self.excerpt = excerpt(source, range, l.line_number, l.line_position);
        }
        self
    }

    /// What went wrong.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// The message without the place.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// Where in the source, if known.
    pub fn location(&self) -> Option<&Location> {
        self.location.as_ref()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        match &self.location {
            // A parse message already shows the source line with a caret.
            Some(l) if self.kind != ErrorKind::InvalidWgsl => {
                write!(f, " (line {}, column {})\n{}", l.line, l.column, self.excerpt)
            }
            _ => Ok(()),
        }
    }
}

/// Characters of a source line that are shown, and how many of them before the place.
const SHOWN: usize = 120;
const BEFORE: usize = 60;

/// The first line of a place with a caret below, in the form that naga's messages have.
fn excerpt(source: &str, range: Range<usize>, number: u32, column: u32) -> String {
    let start = source[..range.start].rfind('\n').map_or(0, |i| i + 1);
    let line = source[start..].lines().next().unwrap_or("").replace('\t', " ");
    let before = source[start..range.start].chars().count();
    let marked = source[range].lines().next().unwrap_or("").chars().count();
    // Of a long line, what is around the place.
    let skipped = if line.chars().count() > SHOWN { before.saturating_sub(BEFORE) } else { 0 };
    let shown: String = line.chars().skip(skipped).take(SHOWN).collect();
    let indent = before - skipped;
    let carets = marked.min(shown.chars().count().saturating_sub(indent)).max(1);
    let number = number.to_string();
    let pad = " ".repeat(number.len());
    format!(
        "{pad} ┌─ wgsl:{number}:{column}\n{pad} │\n{number} │ {}\n{pad} │ {}{}",
        shown.trim_end(),
        " ".repeat(indent),
        "^".repeat(carets),
    )
}

/// Insertions, deletions and replacements that turn `a` into `b` (Levenshtein), without regard to case: how near a misspelt
/// name is. Names are cut at 64 characters.
pub fn edit_distance(a: &str, b: &str) -> usize {
    let lower = |s: &str| s.chars().take(64).flat_map(char::to_lowercase).collect::<Vec<_>>();
    let (a, b) = (lower(a), lower(b));
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, y) in b.iter().enumerate() {
            let above = row[j + 1];
            row[j + 1] = (diagonal + usize::from(x != y)).min(above + 1).min(row[j] + 1);
            diagonal = above;
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(source: &str, part: &str) -> String {
        let start = source.find(part).unwrap() as u32;
        let span = naga::Span::new(start, start + part.len() as u32);
        Error::new(ErrorKind::Unsupported, "no").at(span, source).to_string()
    }

    #[test]
    fn the_line_is_shown_with_a_caret() {
        let expected = "no (line 2, column 5)\n  ┌─ wgsl:2:5\n  │\n2 │  é loop {\n  │    ^^^^^^";
        assert_eq!(at("fn f() {\n\té loop {\n  }\n}", "loop {\n  }"), expected);
        assert!(at("a", "a").ends_with("1 │ a\n  │ ^"));
    }

    #[test]
    fn of_a_long_line_only_a_part_is_shown() {
        let source = format!("{}here{}", "a".repeat(5000), "b".repeat(5000));
        let text = at(&source, "here");
        assert!(text.len() < 600 && text.contains(&format!("{}here{}", "a".repeat(60), "b".repeat(56))), "{text}");
        let carets = text.lines().last().unwrap().trim_start_matches("  │ ");
        assert_eq!(carets, format!("{}^^^^", " ".repeat(60)));
    }

    #[test]
    fn a_span_of_another_text_is_no_place() {
        let error = Error::new(ErrorKind::OutOfFuel, "no");
        let outside = error.clone().at(naga::Span::new(3, 9), "short");
        let inside_a_letter = error.at(naga::Span::new(1, 2), "é");
        assert!(outside.location().is_none() && inside_a_letter.location().is_none());
    }
}
